#!/bin/sh
# One tenant takes all descriptors, epoll entries, inotify instances and watches that she gets: her neighbour and the
# Emperor still get theirs (row G7).
# vm: seconds=600
. "$LIB"
log=$work/log
is_his() { # WHAT: as many as hers, or as his own limit of descriptors lets him have
    hers=$(sed -n "s/^hog $1: \([0-9]*\),.*/\1/p" "$log" | tail -n 1)
    his=$(sed -n "s/^bob $1: \([0-9]*\),.*/\1/p" "$log" | tail -n 1)
    [ "${his:-0}" -ge 900 ] || [ "${his:-0}" -ge "$hers" ]
}
mkdir -m 1777 "$work/alice" "$work/bob"
# In the jail that is the default: what its namespaces cost is the tenant's, too.
start $top "$log" --emperor "$work/v" --emperor-tyrant --memory-max 128M --pids-max 20
for what in watches descriptors epolls instances; do
    vassal v "alice-$what.ini" "command = $HOG $what $work/alice"
    ok "$what: she comes to an end" says "$log" "^hog $what: [1-9][0-9]*, then E"
    config $bob v "bob-$what.ini" "rlimit-nofile = 1000" "command = $HOG $what $work/bob bob"
    ok "$what: her neighbour gets his all the same" until_so is_his $what
    rm "$work/v/bob-$what.ini"
    rm -rf "$work"/bob/*
done
vassal v alice-keys.ini "command = $HOG keys"
ok "keys: the default filter lets her have none" says "$log" "^hog keys: 0, then EPERM"
config $bob v last.ini "command = sleep 100000"
ok "the Emperor still sees new configs" says "$log" "last.ini has been spawned"
rm "$work/v/last.ini"
ok "and that they are gone" says "$log" "removed uwsgi instance last.ini\|last.ini.*removed uwsgi instance"
ok "the Emperor ends" stop
finish
