#!/bin/sh
# Six tenants' masters and commands are killed at, again and again, all at once: each comes back, once; nobody else notices, and the
# Emperor holds no more descriptors and cgroups than before.
# vm: seconds=900
. "$LIB"
log=$work/log
number=1
while [ $number -le 6 ]; do
    vassal v "storm$number.ini" "command = sleep 10000$number"
    number=$((number + 1))
done
config $bob v calm.ini "command = sleep 200000"
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-throttle 10 --emperor-max-throttle 200 --emperor-stats "$work/stats"
programs() { named "sleep10000*"; } # the tenants' commands
all_run() { [ "$("$LIEGE" status "$work/stats" | grep -c "^ *storm.* running")" = 6 ] && [ "$(programs | wc -l)" = 6 ]; }
some_run() { [ -n "$(programs)" ]; }
masters() { # the parents of the commands
    for one in $(programs); do sed -n 's/^PPid:.//p' "/proc/$one/status" 2>/dev/null; done
}
descriptors() { ls "/proc/$emperor/fd" | wc -l; }
cgroups() { find $top -name 'liege-*' -o -path '*liege-*' -type d | wc -l; }
ok "all run" until_so all_run
calm=$(pid_of "$log" calm.ini)
descriptors_before=$(descriptors) cgroups_before=$(cgroups)
rounds=0
while [ $rounds -lt 6 ]; do
    rounds=$((rounds + 1))
    until_so some_run || echo "nobody came back before round $rounds"
    # By turns the masters and their commands; nobody waits until all are back.
    if [ $((rounds % 2)) = 0 ]; then victims=$(masters); else victims=$(programs); fi
    # shellcheck disable=SC2086
    [ -z "$victims" ] || kill -KILL $victims 2>/dev/null
done
ok "all run again, each once" until_so all_run
ok "the neighbour is the one that it was" test "$calm" = "$(pid_of "$log" calm.ini)" -a -e "/proc/$calm"
is_as_before() { [ "$(descriptors)" = "$descriptors_before" ] && [ "$(cgroups)" = "$cgroups_before" ]; }
ok "as many descriptors and cgroups as before" until_so is_as_before
ok "no zombie is left" sh -c '! grep -l "^State:.Z" /proc/[0-9]*/status'
ok "the Emperor ends" stop
finish
