#!/bin/sh
# Limits below systemd: a service with `Delegate=yes`, one without, a scope; and in a container with a cgroup namespace of its own.
# vm: systemd seconds=600
. "$LIB"
config 0 vassals a.ini "command = sleep 100000"
config 0 . emperor.ini "emperor = $work/vassals" "memory-max = 64M" "pids-max = 20"

service() { # NAME PROPERTY...
    name=$1
    shift
    {
        echo "[Service]"
        for one; do echo "$one"; done
        echo "ExecStart=$LIEGE --ini $work/emperor.ini"
        echo "StandardError=append:$work/$name.log"
    } >"/run/systemd/system/$name.service"
    systemctl daemon-reload
    systemctl start "$name"
}

limited() { # LOG PART-OF-ITS-CGROUP
    leaf=$(leaf "$1" a.ini)
    case $leaf in *$2*) ;; *) echo "--- $leaf is not in $2" && return 1 ;; esac
    holds "$leaf/memory.max" 67108864 && holds "$leaf/pids.max" 20
}

is_in_order() { # LOG
    says "$1" "The Emperor is buried" && never_said "$1" " error "
}

# 1. As it is documented.
service delegated Delegate=yes
ok "Delegate=yes: a vassal runs" says "$work/delegated.log" "a.ini has been spawned"
ok "Delegate=yes: its limits hold, below the service" limited "$work/delegated.log" system.slice/delegated.service/liege-
systemctl daemon-reload
ok "Delegate=yes: systemd takes nothing away" limited "$work/delegated.log" system.slice/delegated.service/liege-
ok "Delegate=yes: systemctl stop ends it" systemctl stop delegated
ok "Delegate=yes: in order, though everybody gets its SIGTERM" is_in_order "$work/delegated.log"
ok "Delegate=yes: nothing is left" test ! -e $top/system.slice/delegated.service

# 2. Without it the cgroups below are systemd's: either the limits hold or nobody runs, and it says what to do.
service plain
ok "no Delegate: limits hold, or it says what to do" says "$work/plain.log" "a.ini has been spawned\|Delegate=yes"
if grep -q "has been spawned" "$work/plain.log"; then
    ok "no Delegate: its limits hold" limited "$work/plain.log" system.slice/plain.service/liege-
else
    ok "no Delegate: nobody runs" never_said "$work/plain.log" "started with pid"
fi
systemctl stop plain
ok "no Delegate: it ends in order" is_in_order "$work/plain.log"

# 3. A scope: what the error for a shell proposes.
systemd-run --quiet --scope -p Delegate=yes --unit=shell "$LIEGE" --ini "$work/emperor.ini" >"$work/scope.log" 2>&1 &
emperor=$!
ok "scope: a vassal runs" says "$work/scope.log" "a.ini has been spawned"
ok "scope: its limits hold" limited "$work/scope.log" system.slice/shell.scope/liege-
kill -TERM $emperor
ok "scope: it ends" gone $emperor

# 4. A container: own cgroup namespace, own mount of cgroup2, first process of its pid namespace. Its cgroup was made by whoever
# runs containers, with the controllers that it may hand down.
echo "+memory +pids" >$top/cgroup.subtree_control
mkdir $top/container
# The one that waits for it stays outside: nobody else may be in there.
# shellcheck disable=SC2016
unshare --pid --fork sh -c 'echo 0 >"$1/container/cgroup.procs" && exec unshare --mount --cgroup --mount-proc sh -c \
    "umount /sys/fs/cgroup && mount -t cgroup2 cgroup2 /sys/fs/cgroup && exec \"$2\" --ini \"$3\"" ' container $top "$LIEGE" "$work/emperor.ini" \
    >"$work/container.log" 2>&1 &
runner=$!
ok "container: a vassal runs" says "$work/container.log" "a.ini has been spawned"
inside=$(find $top/container -name memory.max -path "*liege-*" | while read -r one; do is "$one" 67108864 && echo "$one"; done)
ok "container: its limits hold, below the container" test -n "$inside"
ok "container: with somebody in it" grep -q . "${inside%/*}/cgroup.procs"
kill -TERM "$(pgrep -P "$runner" | head -n 1)"
ok "container: it ends" gone $runner
ok "container: nothing is left below" until_so rmdir $top/container
finish
