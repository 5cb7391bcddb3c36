#!/bin/sh
# `cap` gives exactly what it names, with every capability that Linux has: each alone, all together, and none.
# vm: seconds=600
. "$LIB"
log=$work/log
names="chown dac_override dac_read_search fowner fsetid kill setgid setuid setpcap linux_immutable net_bind_service net_broadcast
    net_admin net_raw ipc_lock ipc_owner sys_module sys_rawio sys_chroot sys_ptrace sys_pacct sys_admin sys_boot sys_nice
    sys_resource sys_time sys_tty_config mknod lease audit_write audit_control setfcap mac_override mac_admin syslog wake_alarm
    block_suspend audit_read perfmon bpf checkpoint_restore"
tell="sed -n 's/^Cap\\(Inh\\|Prm\\|Eff\\|Bnd\\|Amb\\):.//p' /proc/self/status | tr '\\n' ' '"
holder() { # NAME LINE...
    name=$1
    shift
    config 0 v "$name.ini" "uid = $alice" "gid = $alice" "$@" "command = sh -c \"echo $name: \$($tell); exec sleep 100000\""
}
has() { # NAME SET: in each of the five
    says "$log" "^$1: $2 $2 $2 $2 $2\$"
}
config 0 . emperor.ini "emperor = $work/v"
last=$(cat /proc/sys/kernel/cap_last_cap)
# shellcheck disable=SC2086
ok "this kernel has as many as we name" [ "$(echo $names | wc -w)" = $((last + 1)) ]
all=
for name in $names; do
    holder "$name" "cap = $name"
    all=${all:+$all,}$name
done
holder all "cap = $all"
holder none
start $top "$log" --ini "$work/emperor.ini"
number=0
for name in $names; do
    ok "$name: it alone" has "$name" "$(printf %016x $((1 << number)))"
    number=$((number + 1))
done
ok "all" has all "$(printf %016x $(((1 << number) - 1)))"
ok "none" has none 0000000000000000
ok "the Emperor ends" stop
finish
