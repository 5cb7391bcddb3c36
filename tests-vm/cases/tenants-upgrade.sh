#!/bin/sh
# Row MH-21's other half (an Emperor that is replaced while its tenants run; that all end with one that is killed is `storm`), MH-27 by
# the one command that governs all, and MH-24: pages of tenants are never merged, and no option has them merged.
# vm: seconds=10
. "$LIB"
skip "MH-21 (hand-over) and MH-27 (a thousand tenants, answers within 100 ms) need the control socket: issue 9; MH-24 has no option"
