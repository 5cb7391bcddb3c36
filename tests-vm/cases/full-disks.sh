#!/bin/sh
# A tenant fills her own file systems with bytes: only she has no room any more (row F6).
. "$LIB"
log=$work/log
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-use-clone fs,pid,user --memory-max 64M
for what in fill; do
    vassal v $what.ini "tmpfs = /tmp:4m" "command = $HOG $what /tmp"
    ok "$what: no room any more" says "$log" "^hog $what: [1-9][0-9]*, then ENOSPC"
    config $bob v bob-$what.ini "tmpfs = /tmp:4m" "command = sh -c 'echo full of room >/tmp/x && echo $what-\$(cat /tmp/x); exec sleep 100000'"
    ok "$what: her neighbour has room" says "$log" "^$what-full of room"
done
ok "and so has the host" sh -c 'echo here >/tmp/here && [ "$(cat /tmp/here)" = here ]'
ok "she still runs" kill -0 "$(pid_of "$log" fill.ini)"
ok "the Emperor ends" stop
finish
