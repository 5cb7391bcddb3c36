#!/bin/sh
# A tenant fills her own file systems, with bytes and with files: her memory, a disk of hers, the one that her configs are on
# and the Emperor watches. Only she has no room any more (row F6).
# vm: seconds=600
. "$LIB"
log=$work/log
disk() { # NAME OWNER: a file system of somebody's, with room for a few files
    mkdir "$work/$1"
    mount -t tmpfs -o size=4m,nr_inodes=300,mode=755,uid="$2",gid="$2" disk "$work/$1"
}
bob_runs() { # WHAT WHERE LINE...: what he writes there is read again
    what=$1 where=$2
    shift 2
    config $bob v "bob-$what.ini" "$@" "command = sh -c 'echo full of room >$where/x && echo $what-\$(cat $where/x); exec sleep 100000'"
    ok "$what: her neighbour has room" says "$log" "^$what-full of room"
}
disk alices-disk $alice
disk bobs-disk $bob
disk alices-home $alice
home=$work/alices-home
mkdir "$work/v" "$work/mine"
start $top "$log" --emperor "$work/v" --emperor "$home" --emperor-tyrant --emperor-use-clone fs,pid,user --memory-max 64M
vassal alices-home old.ini "command = sleep 100000"
vassal alices-home again.ini "command = sleep 100000"
ok "those of hers run" says "$log" "old.ini has been spawned"
ok "both" says "$log" "again.ini has been spawned"

vassal v fill.ini "tmpfs = /tmp:4m" "command = $HOG fill /tmp"
ok "memory: no room any more" says "$log" "^hog fill: [1-9][0-9]*, then ENOSPC"
bob_runs memory /tmp "tmpfs = /tmp:4m"

vassal v files.ini "bind = $work/alices-disk:$work/mine" "command = $HOG inodes $work/mine"
ok "disk: no room for one more file" says "$log" "^hog inodes: [1-9][0-9]*, then ENOSPC"
ok "disk: not even root's" sh -c "! touch $work/alices-disk/one-more 2>/dev/null"
bob_runs disk "$work/mine" "bind = $work/bobs-disk:$work/mine"

# Where the Emperor watches: each file is an event, none is a config.
full() { # WHAT: once more than before
    [ "$(grep -c "^hog $1: [1-9][0-9]*, then ENOSPC" "$log")" -ge 2 ]
}
vassal v home.ini "command = $HOG inodes $home"
ok "watched: no room for one more file" until_so full inodes
ok "watched: not even a config" sh -c "! touch $home/new.ini 2>/dev/null"
bob_runs watched /tmp "tmpfs = /tmp:4m"
rm "$home/old.ini"
ok "watched: that one of hers is gone is seen" says "$log" "old.ini.*removed uwsgi instance"
touch "$home/again.ini"
ok "watched: a reload of hers is seen" says "$log" "again.ini.*reload the uwsgi instance"
rm "$home"/inode-*
vassal v home.ini "command = $HOG fill $home"
ok "watched: no room any more" until_so full fill
ok "watched: no byte of a config" sh -c "! echo '[uwsgi]' >$home/cut.ini 2>/dev/null"
# It keeps its file open, and so the room.
rm "$work/v/home.ini"
ok "watched: who takes it all can be stopped" says "$log" "home.ini.*removed uwsgi instance"
rm -f "$home/cut.ini" "$home"/fill-*
vassal alices-home new.ini "command = sleep 100000"
ok "watched: with room again her new one runs" says "$log" "new.ini has been spawned"

ok "and so has the host" sh -c 'echo here >/tmp/here && [ "$(cat /tmp/here)" = here ]'
for whose in fill files again new bob-memory bob-disk bob-watched; do
    ok "$whose runs" lives "$log" $whose.ini
    ok "$whose never died" never_said "$log" "vassal=$whose.ini .*died"
done
ok "the Emperor ends" stop
umount "$work/alices-disk" "$work/bobs-disk" "$home"
finish
