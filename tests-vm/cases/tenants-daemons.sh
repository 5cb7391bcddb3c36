#!/bin/sh
# Rows MH-12 (a service that only its tenant reaches), MH-16 (cron) and MH-25 (further daemons).
# vm: seconds=10
. "$LIB"
skip "MH-12, 16 and 25 need attach-daemon and cron: issue 9"
