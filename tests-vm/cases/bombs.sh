#!/bin/sh
# Bombs of processes, threads and zombies end at the limit, that is told, they can be stopped, and a neighbour still forks (row G1).
# vm: seconds=600
. "$LIB"
log=$work/log
mkdir -m 1777 "$work/open"
config $bob v good.ini "command = sh -c 'while sleep 1; do date +%s >$work/open/good; done'"
start $top "$log" --emperor "$work/v" --emperor-tyrant --pids-max 30
ok "the neighbour runs" says "$log" "good.ini has been spawned"
for bomb in forks threads zombies; do
    vassal v $bomb.ini "command = $HOG $bomb"
    ok "$bomb: they end at the limit" says "$log" "^hog $bomb: [12][0-9], then EAGAIN"
    ok "$bomb: and that is told" says "$log" "vassal=$bomb.ini.*too many processes: fork refused (pids-max = 30)"
done
rm -f "$work/open/good"
ok "the neighbour still forks" until_so test -s "$work/open/good"
for bomb in forks threads zombies; do
    rm "$work/v/$bomb.ini"
    ok "$bomb: it can be stopped" says "$log" "$bomb.ini.*removed uwsgi instance\|removed uwsgi instance $bomb.ini"
done
ok "the Emperor ends" stop
finish
