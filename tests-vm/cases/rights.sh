#!/bin/sh
# Who has every right may have more than he was given: raised limits, a lowered OOM score; and a limit that the kernel lacks is told.
# vm: quick
. "$LIB"
config 0 rights a.ini "rlimit-nofile = 100000" "oom-score-adj = -500" "nice = -5" \
    "command = sh -c 'echo nofile \$(ulimit -Hn); echo oom \$(cat /proc/self/oom_score_adj); exec sleep 100000'"
start $top "$work/rights.log" --emperor "$work/rights"
ok "a raised limit" says "$work/rights.log" "^nofile 100000$"
ok "a lowered OOM score" says "$work/rights.log" "^oom -500$"
stop

start $top "$work/io.log" --emperor "$work/rights" --io-weight 50
ok "a limit that the kernel lacks is named" says "$work/io.log" "cannot set io-weight = 50\|has no controller io\|started with pid"
kill -TERM $emperor 2>/dev/null
gone $emperor
finish
