#!/bin/sh
# Row MH-27 (a thousand vassals, and the one command that governs all answers meanwhile); MH-21's other half (an Emperor that is replaced
# while its tenants run: that all end with one that is killed is `storm`) and MH-24 (pages that are alike merged where a tenant asks for it).
# vm: seconds=10
. "$LIB"
skip "MH-27 (a thousand vassals) takes more time than there is on an emulated machine: tests/many_vassals.rs has them; MH-21 (hand-over) and MH-24 are in no issue yet"
