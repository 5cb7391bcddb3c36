#!/bin/sh
# A tenant who takes more than `memory-high` is slowed down, not killed, and the status says so; her neighbour answers all the while.
# vm: seconds=600
. "$LIB"
log=$work/log
printf '[hungry.ini]\nmemory-high = 16M\n' >"$work/limits"
mkdir -m 1777 "$work/open"
config $bob v good.ini "command = sh -c 'while read -r number; do echo answer \$number; done <$work/open/ask; echo nobody asks; exec sleep 100000'"
mkfifo -m 666 "$work/open/ask"
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-limits "$work/limits" --emperor-stats "$work/stats"
exec 9<>"$work/open/ask"
ask() { # NUMBER
    echo "$1" >&9
    says "$log" "^answer $1\$"
}
ok "the neighbour answers" ask 1
# One block of 64 MiB: four times what she may have before she waits.
vassal v hungry.ini "command = dd if=/dev/zero of=/dev/null bs=64M count=1000000"
ok "she runs" says "$log" "hungry.ini has been spawned"
hungry=$(pid_of "$log" hungry.ini)
events=$(leaf "$log" hungry.ini)/memory.events
ok "the kernel slows her down" until_so grep -q "^high [1-9]" "$events"
ok "that is told" says "$log" "vassal=hungry.ini.*short of memory: slowed down (memory-high = 16M)"
ok "the status says so" status_says "$work/stats" "hungry.ini.*short of memory: slowed down"
before=$(sed -n 's/^high //p' "$events")
for number in 2 3 4 5 6; do ok "the neighbour answers meanwhile" ask $number; done
higher() { [ "$(sed -n 's/^high //p' "$events")" -gt "$before" ]; }
ok "she was slowed down all the time" until_so higher
ok "she was not killed" grep -q "^oom_kill 0" "$events"
ok "she is the one that she was" test "$hungry" = "$(pid_of "$log" hungry.ini)" -a -e "/proc/$hungry"
ok "the status says nothing of her neighbour" sh -c "! '$LIEGE' status '$work/stats' | grep 'good.ini.*short of memory'"
rm "$work/v/hungry.ini"
ok "she can be stopped" says "$log" "removed uwsgi instance.*hungry.ini\|hungry.ini.*removed uwsgi instance"
exec 9>&-
ok "the Emperor ends" stop
finish
