#!/bin/sh
# Shares of a real disk, and of swap on it, change while a vassal runs.
# vm: seconds=600
. "$LIB"
log=$work/log
disk=/dev/vda
ok "a disk is there" until_so test -b $disk
mkdir "$work/v"
chmod 644 $disk
printf '[slow.ini]\nio-max = %s rbps=1M\nio-weight = 50\n' $disk >"$work/limits"
read_all() { # NAME: 64 MiB, past every cache
    vassal v "$1.ini" "command = sh -c 'dd if=$disk of=/dev/null bs=64K count=1024 iflag=direct 2>/dev/null && echo $1 has read all; exec sleep 100000'"
}
start $top "$log" --jail none --emperor "$work/v" --emperor-tyrant --emperor-limits "$work/limits" --emperor-stats "$work/stats"
read_all slow
ok "one runs" says "$log" "slow.ini has been spawned"
slow=$(leaf "$log" slow.ini)
ok "io.max" sh -c "grep -q ' rbps=1048576 wbps=max riops=max wiops=max\$' $slow/io.max"
if [ -e "$slow/io.weight" ]; then ok "io.weight" holds "$slow/io.weight" "default 50"; else
    ok "a kernel without weights of disks is named" says "$log" "slow.ini.*cannot set io-weight = 50"
fi
read_of() { # LEAF: bytes from any disk
    sed -n 's/.* rbytes=\([0-9]*\) .*/\1/p' "$1/io.stat"
}
reads() { [ "$(read_of "$slow")" -gt 0 ]; }
ok "she reads" until_so reads
read_all quick
ok "a neighbour who came later has read all" says "$log" "^quick has read all"
ok "she has not, by far" [ "$(read_of "$slow")" -lt 33554432 ]
ok "nor is she done" never_said "$log" "^slow has read all"
printf '[slow.ini]\nio-max = %s rbps=max\n' $disk >"$work/limits"
ok "without her bound she has read all" says "$log" "^slow has read all"
ok "as the process that she was" [ "$(leaf "$log" slow.ini)" = "$slow" ]

mkswap $disk >/dev/null
swapon $disk
printf '[swap.ini]\nmemory-max = 32M\nswap-max = 8M\n[deep.ini]\nmemory-max = 32M\nswap-max = 128M\n' >"$work/limits"
# Not zeros, which a kernel may keep without room for them.
block="dd if=/dev/urandom of=/dev/null bs=64M count=1 iflag=fullblock 2>/dev/null"
vassal v swap.ini "command = sh -c 'echo swap.max \$(cat $top\$(sed -n s/^0:://p /proc/self/cgroup)/memory.swap.max); $block && echo swap has its block; exec sleep 100000'"
ok "who has too little swap is killed" says "$log" "vassal=swap.ini.*out of memory: killed (memory-max = 32M"
ok "swap.max" says "$log" "^swap.max 8388608\$"
vassal v deep.ini "command = sh -c '$block && echo deep has its block; exec sleep 100000'"
ok "who has enough is not" says "$log" "^deep has its block"
ok "memory.max was the same" holds "$(leaf "$log" deep.ini)/memory.max" 33554432
rm "$work/v/swap.ini"
ok "the Emperor ends" stop
swapoff $disk
finish
