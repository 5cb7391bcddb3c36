#!/bin/sh
# Rows MH-09 to MH-11 (a way out, apart from each other, no address stolen), MH-15 (requests from outside), the router's part of MH-18
# (frames, rules and connections without number) and MH-19, MH-20, MH-22, MH-23 (reload, restart, accounts, another host).
# vm: seconds=10
. "$LIB"
skip "MH-09, 10, 11, 15, 18, 19, 20, 22, 23 need tuntap-router: issue 7"
