#!/bin/sh
# Row MH-17: ssh into a jail, with a terminal of its own.
# vm: seconds=10
. "$LIB"
skip "MH-17 needs forkpty-router and liege attach: issue 8"
