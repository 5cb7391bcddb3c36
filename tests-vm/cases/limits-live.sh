#!/bin/sh
# `emperor-limits`: limits of single vassals, changed while they run; and what a bad file does (row G6: only root's file counts).
# vm: quick
. "$LIB"
limits=$work/limits
write() { # LINE...
    for line; do echo "$line"; done >"$limits.new"
    mv "$limits.new" "$limits"
}
write "[shop.ini]" "memory-max = 64M" "[uid=bob]" "pids-max = 30" "[*]" "pids-max = 20"
vassal v shop.ini "command = sleep 100000"
config $bob v b.ini "command = sleep 100000"
log=$work/log
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-limits "$limits" --cpu-weight 77
ok "both run" says "$log" "shop.ini has been spawned"
ok "both run, also the second" says "$log" "b.ini has been spawned"
shop=$(leaf "$log" shop.ini) b=$(leaf "$log" b.ini)
pid=$(pid_of "$log" shop.ini)
ok "by name" holds "$shop/memory.max" 67108864
ok "for everybody else" holds "$shop/pids.max" 20
ok "by owner" holds "$b/pids.max" 30
ok "what the Emperor's own config says is left" holds "$b/cpu.weight" 77
ok "and what nobody limits is not limited" holds "$b/memory.max" max

write "[shop.ini]" "memory-max = 96M" "cpu-max = 50%" "[uid=bob]" "cpu-weight = 5"
ok "raised" holds "$shop/memory.max" 100663296
ok "new" holds "$shop/cpu.max" "50000 100000"
ok "gone" holds "$shop/pids.max" max
ok "gone, of the other" holds "$b/pids.max" max
ok "in place of everybody's" holds "$b/cpu.weight" 5
ok "told" says "$log" 'vassal=shop.ini msg="limits changed: pids-max = max, memory-max = 96M, cpu-max = 50%'
ok "without a restart" kill -0 "$pid"

write "[shop.ini]" "memory-max = 32M" "memroy-max = 1"
ok "a bad file is told with its place and its cure" says "$log" "$limits:3:1: .memroy-max. is no limit"
ok "and its cure" says "$log" "did you mean .memory-max."
ok "and changes nothing" is "$shop/memory.max" 100663296

write "[shop.ini]" "memory-max = 32M"
chown $alice "$limits"
ok "a tenant's file is none" says "$log" "others than the administrator could change limits here"
chown 0 "$limits"
ok "made root's again it counts" holds "$shop/memory.max" 33554432
rm "$limits"
ok "a file that is gone is told" says "$log" "the last good limits still hold: $limits: cannot open"
ok "and the limits hold on" is "$shop/memory.max" 33554432
vassal v shop.ini "command = sleep 100001"
ok "also for the next life" says "$log" "shop.ini.*start 2"
ok "which has them from its birth" holds "$(leaf "$log" shop.ini)/memory.max" 33554432
ok "the Emperor ends" stop

write "[a" "pids-max = 1"
start $top "$work/bad.log" --emperor "$work/v" --emperor-tyrant --emperor-limits "$limits"
ok "no Emperor starts with a bad file" gone $emperor
ok "and it says where" says "$work/bad.log" "$limits:1:1: a section header ends with"
finish
