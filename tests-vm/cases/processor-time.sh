#!/bin/sh
# CPU time that `cpu-max` refuses: told to who asks, and in the log, of those who run and of those who have ended.
# vm: quick
. "$LIB"
log=$work/log
stats=$work/stats
short="short of CPU time: held back"
sentence="$short [0-9a-z ]*, [0-9.]* s in all (cpu.max is 20000 100000)"
for line in "[quiet.ini]" "pids-max = 100" "[spin.ini]" "cpu-max = 20%" "[ends.ini]" "cpu-max = 20%"; do echo "$line"; done >"$work/limits"
vassal v spin.ini "command = sh -c 'while :; do :; done'"
vassal v quiet.ini "command = sleep 100000"
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-limits "$work/limits" \
    --emperor-stats "$stats"
ok "the spinning one runs" says "$log" "spin.ini has been spawned"
ok "the quiet one runs" says "$log" "quiet.ini has been spawned"
spin=$(leaf "$log" spin.ini)
ok "it is held back" until_so grep -q 'nr_throttled [1-9]' "$spin/cpu.stat"
ok "which nobody hears who has not asked" never_said "$log" "$short"

ok "the state says so" status_says "$stats" "spin.ini.*$sentence"
ok "and so does why" eval "'$LIEGE' why '$stats' spin.ini | grep 'limits met: *$sentence'"
ok "and the log" says "$log" "warn vassal=spin.ini msg=.$sentence"
ok "of nobody else" never_said "$log" "quiet.ini.*$short"

twice_each_time() {
    sed -n 's/.*warn vassal=spin.ini .*held back \([0-9]*\) times.*/\1/p' "$log" |
        awk '$1 < 2 * last { exit 1 } { last = $1 }'
}
i=0
while [ $i -lt 20 ]; do
    "$LIEGE" status "$stats" >/dev/null
    i=$((i + 1))
done
ok "however often is asked, the next line has at least twice as many" twice_each_time

rm "$work/v/spin.ini"
ok "the spinning one is stopped" says "$log" "removed uwsgi instance.*spin.ini\|spin.ini.*removed uwsgi instance"
vassal v ends.ini "command = sh -c 'until test -e $work/enough; do :; done; exit 26'"
ok "another one runs" says "$log" "ends.ini has been spawned"
ok "and is held back" until_so grep -q 'nr_throttled [1-9]' "$(leaf "$log" ends.ini)/cpu.stat"
touch "$work/enough"
ok "who has ended unasked is told of" says "$log" "warn vassal=ends.ini msg=.$sentence"
ok "with its status" says "$log" "ends.ini.*exit status 26"
ok "also in the state, as it is not started again" status_says "$stats" "ends.ini.*exit status 26; $sentence"
ok "the Emperor ends" stop
finish
