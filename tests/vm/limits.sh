#!/bin/sh
# Limits of vassals on a kernel whose cgroups are all version 2. Needs: root, /sys/fs/cgroup of type cgroup2 with memory, cpu
# and pids, a shell, and the program under test as $1. Says `ok NAME` or `FAILED NAME` for each check; its status is their sum.
set -u
liege=$1
top=/sys/fs/cgroup
work=$(mktemp -d)
chmod 755 "$work"
failed=0
alice=61001

ok() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then echo "ok $name"; else
        echo "FAILED $name"
        failed=$((failed + 1))
    fi
}

says() { # FILE TEXT: waits for a line
    tries=0
    while ! grep -q -- "$2" "$1" 2>/dev/null; do
        tries=$((tries + 1))
        if [ $tries -gt 100 ]; then
            echo "--- never said: $2"
            cat "$1"
            return 1
        fi
        sleep 0.1
    done
}

holds() { # FILE TEXT
    [ "$(cat "$1" 2>/dev/null)" = "$2" ] || {
        echo "--- $1: $(cat "$1" 2>&1), wanted $2"
        return 1
    }
}

gone() { # PID
    tries=0
    while [ -e "/proc/$1" ]; do
        tries=$((tries + 1))
        [ $tries -gt 100 ] && return 1
        sleep 0.1
    done
}

vassal() { # DIRECTORY NAME LINE...
    mkdir -p "$work/$1"
    file=$work/$1/$2
    shift 2
    echo "[uwsgi]" >"$file.new"
    for line; do echo "$line" >>"$file.new"; done
    chown $alice:$alice "$file.new"
    mv "$file.new" "$file"
}

# Starts an Emperor in a cgroup; its pid is in $emperor.
start() { # CGROUP LOG ARGUMENTS...
    cgroup=$1
    log=$2
    shift 2
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$liege" "$@" >"$log" 2>&1 &
    emperor=$!
}

stop() {
    kill -TERM $emperor
    gone $emperor
}

leaf() { # LOG VASSAL: the cgroup of a vassal
    pid=$(sed -n "s/.*vassal=$2 pid=\([0-9]*\) msg=\"started.*/\1/p" "$1" | tail -n 1)
    echo "$top$(sed -n s/^0:://p "/proc/$pid/cgroup")"
}

limits="--memory-max 64M --memory-high 60M --cpu-max 50% --cpu-weight 77 --pids-max 20"

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
    LIEGE_NOTE=$("$liege" status "$work/stats.sock" 2>&1)
    ok "$1: the state of both says why" sh -c "echo '$LIEGE_NOTE' | grep 'hog.ini.*out of memory' && echo '$LIEGE_NOTE' | grep 'bomb.ini.*too many processes'"
    rm "$work/$dir/bomb.ini"
    ok "$1: a fork bomb can be stopped" says "$log" "removed uwsgi instance.*bomb.ini\|bomb.ini.*removed uwsgi instance"
    vassal "$dir" spin.ini "command = sh -c 'while :; do :; done'"
    ok "$1: the spinning one runs" says "$log" "spin.ini has been spawned"
    spin=$(leaf "$log" spin.ini)
    ok "$1: it is throttled" sh -c "for i in \$(seq 300); do grep -q 'nr_throttled [1-9]' $spin/cpu.stat && exit 0; sleep 0.1; done; exit 1"
    vassal "$dir" escape.ini "command = sh -c 'own=$top\$(sed -n s/^0:://p /proc/self/cgroup); for to in \$own/memory.max \$own/pids.max \$own/cgroup.procs \$own/../cgroup.procs \$own/../shared/cgroup.procs $top/cgroup.procs; do (echo \$\$ >\$to) 2>/dev/null && echo ESCAPED \$to; done; mkdir \$own/x 2>/dev/null && echo ESCAPED mkdir; echo tried them all; exec sleep 100000'"
    ok "$1: a tenant tries to change its limits (G3)" says "$log" "tried them all"
    ok "$1: and does not" sh -c "! grep ESCAPED $log"
    ok "$1: the neighbour lives" sh -c "kill -0 \$(sed -n 's/.*vassal=good.ini pid=\([0-9]*\) msg=\"started.*/\1/p' $log | tail -n 1)"
    ok "$1: the Emperor ends" stop
    ok "$1: no cgroup is left" sh -c "! ls -d $2/liege-* 2>/dev/null"
}

# 1. At the root of all cgroups: a bare boot without systemd.
suite bare $top

# 2. In a cgroup of its own that was handed down: a service with Delegate=yes.
echo "+memory +cpu +pids" >$top/cgroup.subtree_control
mkdir $top/service
suite delegated $top/service
ok "delegated: the service is as it was" holds $top/service/cgroup.subtree_control ""

# 3. Others are there too: a shell's scope.
sh -c "echo \$\$ >$top/service/cgroup.procs; exec sleep 100000" &
other=$!
ok "crowded: somebody else is there" sh -c "for i in \$(seq 300); do grep -q service /proc/$other/cgroup && exit 0; sleep 0.1; done; exit 1"
vassal crowded a.ini "command = sleep 100000"
start $top/service "$work/crowded.log" --emperor "$work/crowded" --memory-max 64M
ok "crowded: it says who" says "$work/crowded.log" "other processes ($other) are in $top/service"
ok "crowded: and nobody is started without the limit" gone $emperor
kill $other
gone $other
ok "crowded: the service is as it was" sh -c "! ls -d $top/service/liege-* 2>/dev/null"

# 4. Nothing was handed down: a service below one that keeps its controllers.
mkdir $top/service/below
start $top/service/below "$work/below.log" --emperor "$work/crowded" --memory-max 64M --pids-max 5
ok "below: it says what is missing" says "$work/below.log" "$top/service/below has no controller memory, pids: enable it above"
ok "below: and ends" gone $emperor
rmdir $top/service/below
rmdir $top/service

# 5. Who has the right to may have more than he was given.
vassal rights a.ini "rlimit-nofile = 100000" "oom-score-adj = -500" "nice = -5" \
    "command = sh -c 'echo nofile \$(ulimit -Hn); echo oom \$(cat /proc/self/oom_score_adj); exec sleep 100000'"
chown 0:0 "$work/rights/a.ini"
start $top "$work/rights.log" --emperor "$work/rights"
ok "rights: a raised limit" says "$work/rights.log" "^nofile 100000$"
ok "rights: a lowered OOM score" says "$work/rights.log" "^oom -500$"
stop

# 6. A limit that this kernel does not have is told at the start.
start $top "$work/io.log" --emperor "$work/rights" --io-weight 50
ok "io: what the kernel lacks is named" says "$work/io.log" "cannot set io-weight = 50\|has no controller io\|started with pid"
kill -TERM $emperor 2>/dev/null
gone $emperor

rm -rf "$work"
echo "failed: $failed"
exit $failed
