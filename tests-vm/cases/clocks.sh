#!/bin/sh
# The date jumps, forwards and back: nobody is started again for it, and whoever waits for a start does so as long as before.
# vm: quick
. "$LIB"
log=$work/log
vassal v good.ini "command = sleep 100000"
vassal v bad.ini "command = false"
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-throttle 200 --emperor-max-throttle 500 --emperor-stats "$work/stats"
ok "one runs" says "$log" "good.ini has been spawned"
ok "one is throttled" says "$log" "bad.ini.*deaths in a row"
good=$(pid_of "$log" good.ini)
real=$(date +%s)
deaths() { grep -c "bad.ini.*deaths in a row" "$log"; }
more_deaths() { [ "$(deaths)" -gt "$1" ]; }

for jump in 864000 -1728000 31536000; do
    before=$(deaths)
    date -s "@$(($(date +%s) + jump))" >/dev/null
    ok "$jump s: a throttled one still gets its turn" until_so more_deaths "$before"
    ok "$jump s: and not at once, again and again" sh -c "[ $(deaths) -lt $((before + 20)) ]"
    ok "$jump s: the one that runs is the same" test "$good" = "$(pid_of "$log" good.ini)" -a -e "/proc/$good"
    ok "$jump s: the status can be read" status_says "$work/stats" "good.ini *running"
done
touch "$work/v/good.ini"
ok "a file with a date far from the one before is new" says "$log" "reload the uwsgi instance good.ini"
ok "and runs" status_says "$work/stats" "good.ini *running"
date -s "@$((real + 60))" >/dev/null
ok "the Emperor ends" stop
finish
