#!/bin/sh
# Two tenants who do not trust each other, on a provisioned machine: rows MH-01 to MH-08, MH-13, MH-14 and MH-26 of hosting many.
# vm: systemd package seconds=900
. "$LIB"
. "${LIB%.sh}-package.sh"
alice_home=/home/alice
bob_home=/home/bob

# A program of a tenant, and a config of his, put there by the administrator.
program() { # USER NAME: its text comes on standard input
    cat >"/home/$1/$2.new" && chmod 755 "/home/$1/$2.new" && mv "/home/$1/$2.new" "/home/$1/$2"
}
tenants() { # USER FILE TEXT
    printf '%s\n' "$3" >"$vassals/$2.new"
    chown "$1:$1" "$vassals/$2.new"
    mv "$vassals/$2.new" "$vassals/$2"
}
ini() { # USER NAME LINE...
    user=$1 file=$2
    shift 2
    text="[uwsgi]"
    for line; do text="$text
$line"; done
    tenants "$user" "$file.ini" "$text"
}
gone_from_status() { ! liege status | awk '{ print $1 }' | grep -qx "$1"; }
cpu_stat() { echo "$top$(sed -n s/^0:://p "/proc/$(pid_in_status "$1")/cgroup")/cpu.stat"; } # VASSAL
usage() { sed -n 's/^usage_usec //p' "$1"; } # CPU-STAT
within() { # A B PERCENT
    [ "$(($1 * 100))" -le "$(($2 * (100 + $3)))" ] && [ "$(($2 * 100))" -le "$(($1 * (100 + $3)))" ]
}
uid_is() { # VASSAL USER
    grep -q "^Uid:.$(id -u "$2")" "/proc/$(pid_in_status "$1")/status"
}

ok "provision.sh" provisioned
ok "alice runs" runs alice.ini
ok "bob runs" runs bob.ini
neighbour=$(pid_in_status bob.ini)

# MH-01: a panel drops a file, whatever its form; touch reloads, rm stops.
ini alice one "command = sh -c 'echo MH-01 ini; exec sleep 100000'"
tenants alice two.xml "<uwsgi><command>sh -c 'echo MH-01 xml; exec sleep 100000'</command></uwsgi>"
tenants alice three.yml "uwsgi:
  command: \"sh -c 'echo MH-01 yaml; exec sleep 100000'\""
tenants alice four.json '{"uwsgi": {"command": "sh -c '"'echo MH-01 json; exec sleep 100000'"'"}}'
for form in ini xml yaml json; do ok "MH-01: $form" told "^MH-01 $form"; done
touch $vassals/one.ini
ok "MH-01: touch reloads" told "reload the uwsgi instance one.ini"
rm $vassals/one.ini $vassals/two.xml $vassals/three.yml $vassals/four.json
for name in one.ini two.xml three.yml four.json; do ok "MH-01: rm stops $name" until_so gone_from_status $name; done

# MH-02: each in a language of his own.
ini alice perl "command = perl -e '\$| = 1; print qq(MH-02 perl\\n); sleep 100000'"
ini alice python "command = python3 -c 'import os, time; print(\"MH-02 python\", os.getuid(), flush=True); time.sleep(100000)'"
ini bob shell "command = sh -c 'echo MH-02 shell; exec sleep 100000'"
ok "MH-02: perl" told "^MH-02 perl"
ok "MH-02: python, as alice" told "^MH-02 python $(id -u alice)\$"
ok "MH-02: shell" told "^MH-02 shell"
rm $vassals/perl.ini $vassals/python.ini $vassals/shell.ini

# MH-03: a default of the administrator's for all, and a tenant who wants it otherwise.
printf '[uwsgi]\nenv = POLICY=default\nenv = REGION=here\n' >/etc/liege/policy.ini
echo "vassals-include-before = /etc/liege/policy.ini" >>/etc/liege/emperor.ini
systemctl restart $unit
ini alice policy "command = sh -c 'echo MH-03 alice \$POLICY \$REGION; exec sleep 100000'"
ini bob policy-bob "env = POLICY=own" "command = sh -c 'echo MH-03 bob \$POLICY \$REGION; exec sleep 100000'"
ok "MH-03: the default" told "^MH-03 alice default here"
ok "MH-03: and what a tenant puts in its place" told "^MH-03 bob own here"
rm $vassals/policy.ini $vassals/policy-bob.ini
# From here on each has a limit, and no file of the administrator's that would have to be in every root file system.
sed -i '/^vassals-include-before/d' /etc/liege/emperor.ini
printf '[*]\ncpu-weight = 100\n' >/etc/liege/limits
printf 'memory-max = 64M\nemperor-limits = /etc/liege/limits\n' >>/etc/liege/emperor.ini
systemctl restart $unit
ok "bob runs again" runs bob.ini
neighbour=$(pid_in_status bob.ini)

# What one sees of the other, and of the host.
program bob victim <<'EOF_'
#!/bin/sh
echo secret >/tmp/of-bob
ipcmk --shmem 4096 --queue --semaphore 1 >/dev/null
echo "bob is there"
exec sleep 100000
EOF_
chmod 700 $bob_home
chown bob:bob $bob_home/victim
ini bob victim "hostname = victim" "command = $bob_home/victim"
ok "bob is there" told "^bob is there"
victim=$(pid_in_status victim.ini)
program alice attack <<EOF_
#!/bin/sh
say() { echo "MH \$*"; }
refused() { # NAME COMMAND...
    name=\$1; shift
    if "\$@" >/dev/null 2>&1; then say "\$name BROKEN"; else say "\$name refused"; fi
}
say self \$\$ below \$(sed -n 's/^PPid:.//p' /proc/\$\$/status)
say strangers \$(for one in /proc/[0-9]*; do stat -c %U "\$one"; done | grep -cv "^alice\$")
say processes \$(ls -d /proc/[0-9]* | wc -l)
(sleep 0.1 & )
sleep 1
say zombies \$(grep -l "^State:.Z" /proc/[0-9]*/status | wc -l)
say tmp \$(ls -A /tmp | wc -l)
say ipc \$(ipcs --shmems --queues --semaphores | grep -c "^0x")
say name \$(cat /proc/sys/kernel/hostname)
say links \$(sed -n 's/^ *\\([^:]*\\):.*/\\1/p' /proc/net/dev)
say caps \$(sed -n 's/^CapEff:.//p' /proc/self/status)
say dev \$(ls /dev | grep -c '^sd\\|^vd\\|^mem\$\\|^kmsg\$\\|^vport')
refused kill-the-victim kill -KILL $victim
refused kill-everybody kill -KILL $neighbour
refused write-root touch /usr/of-alice
refused write-etc touch /etc/of-alice
refused read-home cat $bob_home/victim
refused write-configs touch $vassals/of-alice.ini
refused other-config sh -c "echo >>$vassals/bob.ini"
refused own-name hostname stolen
refused mount mount -t tmpfs none /mnt
refused cgroup sh -c 'echo 1 >/sys/fs/cgroup/cgroup.procs'
refused stats liege status
refused shadow cat /etc/shadow
refused sysctl sh -c 'echo 1 >/proc/sys/kernel/sysrq'
refused setuid sh -c 'cp /bin/sh /tmp/sh && chmod u+s /tmp/sh && [ -u /tmp/sh ]'
echo x >/tmp/of-alice
say tried them all
exec sleep 100000
EOF_
chown alice:alice $alice_home/attack
ini alice attack "hostname = foobar" "command = $alice_home/attack"
ok "MH: alice tries everything" told "^MH tried them all"
ok "MH: and breaks nothing" never_told "BROKEN"
ok "MH-04: her /tmp was empty" told "^MH tmp 0"
ok "MH-04: what she put there nobody else sees" test ! -e /tmp/of-alice
ok "MH-04: no device of the host's" told "^MH dev 0"
ok "MH-05: the master is the first process" told "^MH self 2 below 1\$"
ok "MH-05: all processes are hers" told "^MH strangers 0"
ok "MH-05: orphans are buried" told "^MH zombies 0"
ok "MH-06: no System V object of bob's" told "^MH ipc 0"
ini bob queues "command = $HOG mqueues . bob"
ok "MH-06: bob takes message queues" told "^bob mqueues: [1-9][0-9]*, then EMFILE"
ini alice queues-too "command = $HOG mqueues . alice"
ok "MH-06: alice gets them by the same names" told "^alice mqueues: [1-9][0-9]*, then EMFILE"
[ -e /dev/mqueue ] || mkdir /dev/mqueue
mountpoint -q /dev/mqueue || mount -t mqueue none /dev/mqueue
ok "MH-06: the host sees none of either" sh -c '! ls /dev/mqueue | grep .'
rm $vassals/queues.ini $vassals/queues-too.ini
ok "MH-06: and none on the host" sh -c '[ "$(ipcs --shmems --queues --semaphores | grep -c "^0x")" = 0 ]'
ok "MH-07: a name of her own" told "^MH name foobar"
ok "MH-07: the host has kept its" sh -c '[ "$(hostname)" != foobar ]'
ok "MH-08: lo and no more" told "^MH links lo\$"
ok "no capability" told "^MH caps 0000000000000000"
ok "the victim lives" kill -0 "$victim"
ok "bob is where he was" [ "$(pid_in_status bob.ini)" = "$neighbour" ]

# MH-04: a root file system of its own, changed by a key in the file.
distro() { # NAME
    mkdir -p "/distros/$1/usr/bin" "/distros/$1/usr/lib64" "/distros/$1/usr/lib/x86_64-linux-gnu" "/distros/$1/etc" "/distros/$1/tmp" "/distros/$1/proc" "/distros/$1/dev"
    ln -s usr/bin usr/lib usr/lib64 "/distros/$1/"
    cp -L /usr/bin/dash "/distros/$1/usr/bin/sh"
    cp -L /usr/bin/cat /usr/bin/sleep "/distros/$1/usr/bin/"
    cp -L /lib64/ld-linux-x86-64.so.2 "/distros/$1/usr/lib64/"
    cp -L /lib/x86_64-linux-gnu/libc.so.6 "/distros/$1/usr/lib/x86_64-linux-gnu/"
    echo "$1" >"/distros/$1/etc/name"
}
distro first
distro second
for which in first second; do
    ini alice distro "rootfs = /distros/$which ro" "command = sh -c 'echo MH-04 root \$(cat /etc/name); (echo x >/etc/x) 2>&1 | cat; exec sleep 100000'"
    ok "MH-04: the $which root" told "^MH-04 root $which"
done
ok "MH-04: nobody writes there" told "/etc/x: Read-only file system"
ok "MH-04: bob is where he was" [ "$(pid_in_status bob.ini)" = "$neighbour" ]
rm $vassals/distro.ini $vassals/attack.ini $vassals/victim.ini

# MH-13: too much memory ends her, again and again, and nobody else.
ini alice hog "command = dd if=/dev/zero of=/dev/null bs=200M count=1"
ok "MH-13: killed, and why is told" told "hog.ini.*out of memory: killed (memory-max = 64M"
ok "MH-13: the status says so too" until_so sh -c "liege status | grep -q 'hog.ini.*out of memory'"
ok "MH-13: she is started again" told "hog.ini.*(start 2)"
ok "MH-13: bob is where he was" [ "$(pid_in_status bob.ini)" = "$neighbour" ]
rm $vassals/hog.ini

# MH-14: both want the same processor for themselves: alike, then by weights that change while they run.
ini alice spin "cpus = 0" "command = sh -c 'while :; do :; done'"
ini bob spin-bob "cpus = 0" "command = sh -c 'while :; do :; done'"
ok "MH-14: alice spins" runs spin.ini
ok "MH-14: bob spins" runs spin-bob.ini
a_cpu=$(cpu_stat spin.ini) b_cpu=$(cpu_stat spin-bob.ini)
spent() { # CPU-STAT SINCE: so much of a processor that the moments between two readings do not count
    [ $(($(usage "$1") - $2)) -gt 4000000 ]
}
shared() { # TIMES: alice gets as many times as much as bob
    a=$(usage "$a_cpu") b=$(usage "$b_cpu")
    until_so spent "$b_cpu" "$b" || return 1
    a=$(($(usage "$a_cpu") - a)) b=$(($(usage "$b_cpu") - b))
    echo "alice $a us, bob $b us"
    within "$a" $((b * $1)) 5
}
ok "MH-14: alike" shared 1
printf '[spin.ini]\ncpu-weight = 300\n[*]\ncpu-weight = 100\n' >/etc/liege/limits.new
mv /etc/liege/limits.new /etc/liege/limits
ok "MH-14: alice's weight is three times bob's" holds "${a_cpu%/*}/cpu.weight" 300
ok "MH-14: bob's is what it was" is "${b_cpu%/*}/cpu.weight" 100
ok "MH-14: she gets three times as much" shared 3
rm $vassals/spin.ini $vassals/spin-bob.ini

# MH-26: it runs as whoever owns the file, now.
ini alice owned "command = sleep 100000"
ok "MH-26: it runs" runs owned.ini
ok "MH-26: as alice" uid_is owned.ini alice
chown bob:bob $vassals/owned.ini
ok "MH-26: it changes hands" told "permissions of file owned.ini changed"
ok "MH-26: and runs again" runs owned.ini
ok "MH-26: as bob" until_so uid_is owned.ini bob
chown root:root $vassals/owned.ini
ok "MH-26: root's is refused" until_so in_state owned.ini refused
ok "MH-26: and nothing of it runs" sh -c "! pgrep -u bob -f 'sleep 100000'"
rm $vassals/owned.ini

ok "it is purged" purged
rm -rf /distros /etc/liege
ok "nothing is left" nothing_is_left
finish
