#!/bin/sh
# No room for the log, the pidfile and the socket of the stats: the Emperor goes on with its work, and says how much was lost.
# vm: quick
. "$LIB"
mkdir "$work/disk"
mount -t tmpfs -o size=1m,mode=755 disk "$work/disk"
log=$work/disk/log
vassal v a.ini "command = sh -c 'cat /proc/uptime >$work/alice/born; exec sleep 100000'"
mkdir "$work/alice"
chown $alice "$work/alice"
start $top "$log" --emperor "$work/v" --emperor-tyrant --emperor-stats "$work/stats" --emperor-pidfile "$work/disk/pid"
ok "it runs" says "$log" "a.ini has been spawned"
dd if=/dev/zero of="$work/disk/fill" bs=4k 2>/dev/null
until ! echo x >>"$work/disk/fill" 2>/dev/null; do :; done
# The last page of the log still has some room, until each vassal was told of often enough.
lost() {
    kill -USR1 $emperor
    "$LIEGE" status --json "$work/stats" | grep -q 'log_lines_dropped": [1-9]'
}
ok "the disk is full, and how many lines were lost is counted" until_so lost
size=$(wc -c <"$log")
born=$(cat "$work/alice/born")
vassal v b.ini "command = sh -c 'echo here >$work/alice/b; exec sleep 100000'"
ok "a new vassal is started" holds "$work/alice/b" here
ok "and seen" status_says "$work/stats" "b.ini *running"
rm "$work/v/b.ini"
stopped() { ! "$LIEGE" status "$work/stats" | grep -q b.ini; }
ok "and stopped" until_so stopped
kill -HUP $emperor
another() { [ "$(cat "$work/alice/born")" != "$born" ]; }
ok "a reload works" until_so another
ok "not a byte more is in the log" test "$size" = "$(wc -c <"$log")"
rm "$work/disk/fill"
vassal v c.ini "command = sleep 100000"
ok "with room again it tells again" says "$log" "c.ini has been spawned"
ok "the Emperor ends" stop
umount "$work/disk"
finish
