# What limits do, wherever the Emperor is started (rows G1, G2, G3 and G4 of the attacks).
# (A jail hides the files of its cgroup: here they are looked at, and attacked, from inside.)
limits="--jail none --memory-max 64M --memory-high 60M --cpu-max 50% --cpu-weight 77 --pids-max 20"

suite() { # NAME CGROUP
    dir=$1
    log=$work/$1.log
    vassal "$dir" good.ini "command = sleep 100000"
    # shellcheck disable=SC2086
    start "$2" "$log" --emperor "$work/$dir" --emperor-tyrant --emperor-stats "$work/stats.sock" $limits
    ok "$1: a vassal runs" says "$log" "good.ini has been spawned"
    leaf=$(leaf "$log" good.ini)
    ok "$1: memory.max" holds "$leaf/memory.max" 67108864
    ok "$1: memory.high" holds "$leaf/memory.high" 62914560
    ok "$1: cpu.max" holds "$leaf/cpu.max" "50000 100000"
    ok "$1: cpu.weight" holds "$leaf/cpu.weight" 77
    ok "$1: pids.max" holds "$leaf/pids.max" 20
    vassal "$dir" first.ini "command = sh -c 'cat $top\$(sed -n s/^0:://p /proc/self/cgroup)/pids.max; exec sleep 100000'"
    ok "$1: its first instruction is limited (G4)" says "$log" "^20$"
    vassal "$dir" hog.ini "command = dd if=/dev/zero of=/dev/null bs=200M count=1"
    ok "$1: a hog of memory is killed, and why is told (G2)" says "$log" "vassal=hog.ini.*out of memory: killed (memory-max = 64M"
    vassal "$dir" bomb.ini "command = sh -c 'while :; do sleep 100000 & done'"
    ok "$1: a fork bomb ends at its limit, and that is told (G1)" says "$log" "vassal=bomb.ini.*too many processes: fork refused (pids-max = 20)"
    ok "$1: the state of the hog says why" status_says "$work/stats.sock" "hog.ini.*out of memory"
    ok "$1: and that of the bomb" status_says "$work/stats.sock" "bomb.ini.*too many processes"
    rm "$work/$dir/bomb.ini"
    ok "$1: a fork bomb can be stopped" says "$log" "removed uwsgi instance.*bomb.ini\|bomb.ini.*removed uwsgi instance"
    vassal "$dir" spin.ini "command = sh -c 'while :; do :; done'"
    ok "$1: the spinning one runs" says "$log" "spin.ini has been spawned"
    spin=$(leaf "$log" spin.ini)
    ok "$1: it is throttled" until_so grep -q 'nr_throttled [1-9]' "$spin/cpu.stat"
    vassal "$dir" escape.ini "command = sh -c 'own=$top\$(sed -n s/^0:://p /proc/self/cgroup); for to in \$own/memory.max \$own/pids.max \$own/cgroup.procs \$own/../cgroup.procs \$own/../shared/cgroup.procs $top/cgroup.procs; do (echo \$\$ >\$to) 2>/dev/null && echo ESCAPED \$to; done; mkdir \$own/x 2>/dev/null && echo ESCAPED mkdir; echo tried them all; exec sleep 100000'"
    ok "$1: a tenant tries to change its limits (G3)" says "$log" "tried them all"
    ok "$1: and does not" never_said "$log" ESCAPED
    ok "$1: the neighbour lives" lives "$log" good.ini
    ok "$1: the Emperor ends" stop
    ok "$1: no cgroup is left" sh -c "! ls -d $2/liege-* 2>/dev/null"
}
