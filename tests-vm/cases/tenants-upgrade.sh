#!/bin/sh
# Row MH-21's other half (an Emperor that is replaced while its tenants run; that all end with one that is killed is `storm`) and
# MH-27 by the one command that governs all.
# vm: seconds=10
. "$LIB"
skip "MH-21 (hand-over) and MH-27 (a thousand tenants, answers within 100 ms) need the control socket: issue 9"
