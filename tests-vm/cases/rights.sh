#!/bin/sh
# Who has every right may have more than he was given: process limits raised beyond the hard ones, a lowered OOM score and nice value;
# and a limit that the kernel lacks is told.
# vm: quick
. "$LIB"
log=$work/rights.log
mib=1048576
# Option, value, its name in /proc/PID/limits, and what is read there.
raised="rlimit-nofile|100000|Max open files|100000
rlimit-core|64M|Max core file size|$((64 * mib))
rlimit-memlock|128M|Max locked memory|$((128 * mib))
rlimit-msgqueue|3M|Max msgqueue size|$((3 * mib))
rlimit-nproc|20000|Max processes|20000
rlimit-nice|40|Max nice priority|40
rlimit-rtprio|50|Max realtime priority|50
rlimit-sigpending|9000|Max pending signals|9000
rlimit-stack|256M|Max stack size|$((256 * mib))"
# What the Emperor begins with is below all of them, soft and hard.
ulimit -n 1024 && ulimit -c 0 && ulimit -l 64 && ulimit -q 4096 && ulimit -u 512 && ulimit -e 0 && ulimit -r 0 && ulimit -i 100 && ulimit -s 8192
given=$(cat /proc/self/limits)
lines=$(echo "$raised" | sed 's/^\([^|]*\)|\([^|]*\)|.*/\1 = \2/')
config 0 rights a.ini "uid = $alice" "gid = $alice" "$lines" "oom-score-adj = -500" "nice = -5" \
    "command = sh -c 'cat /proc/self/limits; echo oom \$(cat /proc/self/oom_score_adj) nice \$(cut -d\" \" -f19 /proc/self/stat); exec sleep 100000'"
start $top "$log" --emperor "$work/rights"
ok "it runs" says "$log" "^oom "
echo "$raised" >"$work/raised"
while IFS='|' read -r option value shown number; do
    ok "$option: the Emperor has less" sh -c "! echo '$given' | grep '^$shown  *$number  *$number '"
    ok "$option: raised to $value" says "$log" "^$shown  *$number  *$number "
done <"$work/raised"
ok "a lowered OOM score and nice value" says "$log" "^oom -500 nice -5$"
ok "the Emperor ends" stop

start $top "$work/io.log" --emperor "$work/rights" --io-weight 50
ok "a limit that the kernel lacks is named" says "$work/io.log" "cannot set io-weight = 50\|has no controller io\|started with pid"
kill -TERM $emperor 2>/dev/null
gone $emperor
finish
