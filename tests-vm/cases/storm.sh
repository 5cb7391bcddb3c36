#!/bin/sh
# The Emperor, its spawner and both at once are killed, in the middle of starts and reloads, again and again: each time nothing of
# them lives on, the next Emperor has every vassal, once, and the last one leaves nothing behind.
# vm: seconds=900
. "$LIB"
log=$work/log
number=1
while [ $number -le 6 ]; do
    owner=$alice
    [ $((number % 2)) = 0 ] && owner=$bob
    config $owner v "storm$number.ini" "command = sleep 10000$number"
    number=$((number + 1))
done
at_least() { [ "$(named "sleep10000*" | wc -l)" -ge "$1" ]; } # NUMBER
all_run() { [ "$("$LIEGE" status "$work/stats" | grep -c "^ *storm.* running")" = 6 ] && [ "$(named "sleep10000*" | wc -l)" = 6 ]; }
spawner() { named "liege: spawner*" | grep .; }
nobody() { [ -z "$(named "sleep10000*")$(named "liege*")$(named "$LIEGE*")" ] && [ ! -e "/proc/$emperor" ]; }
# Whatever else a life could leave: files, mounts, objects of System V, cgroups.
traces() {
    find /run /tmp /dev/shm -path "$work" -prune -o -print | sort
    cut -d' ' -f2 /proc/mounts
    cat /proc/sysvipc/*
    find $top -type d
}
begin() { start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-stats "$work/stats"; }
traces >"$work/before"
round=0
while [ $round -lt 9 ]; do
    begin
    # Each time at another point: before the first has started, while they start, when all run, while they reload.
    until_so at_least $((round < 6 ? round : 6))
    [ $round -lt 6 ] || touch "$work"/v/*.ini
    case $((round % 3)) in
        0) victims=$emperor ;;
        1) victims=$(until_so spawner) ;;
        2) victims="$emperor $(spawner)" ;;
    esac
    # shellcheck disable=SC2086
    kill -KILL $victims
    ok "round $round: nobody is left" until_so nobody
    round=$((round + 1))
done
begin
ok "all run again, each once" until_so all_run
ok "the Emperor ends" stop
ok "nobody is left" until_so nobody
rm -f "$work/stats"
traces >"$work/after"
ok "nothing else is left" diff "$work/before" "$work/after"
finish
