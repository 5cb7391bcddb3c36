#!/bin/sh
# Row MH-27 by the one command that governs all; MH-21's other half (an Emperor that is replaced while its tenants run: that all end
# with one that is killed is `storm`) and MH-24 (pages that are alike merged where a tenant asks for it; they never are now).
# vm: seconds=10
. "$LIB"
skip "MH-27 (a thousand tenants, answers within 100 ms) needs the control socket: issue 9; MH-21 (hand-over) and MH-24 are in no issue yet"
