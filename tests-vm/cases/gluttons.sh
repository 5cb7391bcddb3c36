#!/bin/sh
# Memory, page tables, socket buffers and files in memory: only who takes them dies, and why is told (row G2).
# vm: seconds=600
. "$LIB"
log=$work/log
mkdir -m 1777 "$work/open"
config $bob v good.ini "command = sh -c 'while sleep 1; do head -c 8000000 /dev/zero | wc -c >$work/open/good; done'"
start $top "$log" --emperor "$work/v" --emperor-tyrant --memory-max 32M --oom-group --emperor-stats "$work/stats"
ok "the neighbour runs" says "$log" "good.ini has been spawned"
neighbour=$(pid_of "$log" good.ini)
for what in memory tables buffers fill; do
    vassal v $what.ini "command = $HOG $what $work/open"
    ok "$what: out of memory" says "$log" "vassal=$what.ini.*out of memory: killed (memory-max = 32M, oom-group = "
    ok "$what: the state says so too" status_says "$work/stats" "$what.ini.*out of memory"
    rm "$work/v/$what.ini"
    ok "$what: it can be stopped" says "$log" "removed uwsgi instance.*$what.ini\|$what.ini.*removed uwsgi instance"
    rm -f "$work"/open/*
done
rm -f "$work/open/good"
ok "the neighbour has memory" until_so is "$work/open/good" 8000000
ok "and is the one that it was" kill -0 "$neighbour"
ok "the Emperor ends" stop

# Nobody dies of memory-high, but who meets it is told of.
start $top "$work/high.log" --emperor "$work/w" --emperor-tyrant --memory-high 16M --emperor-stats "$work/stats"
vassal w high.ini "command = sh -c 'dd if=/dev/zero of=/dev/null bs=40M count=1; exec sleep 100000'"
ok "memory-high is told" says "$work/high.log" "vassal=high.ini.*short of memory: slowed down (memory-high = 16M)"
ok "and the vassal lives" kill -0 "$(pid_of "$work/high.log" high.ini)"
ok "the Emperor ends" stop
finish
