#!/bin/sh
# The profile for AppArmor: it can be loaded, a vassal runs under it, and where programs without a profile may have no user
# namespaces, those of an ordinary user have them again.
# vm: apparmor
. "$LIB"
parser=${LIB%/*}/apparmor
sys=/sys/kernel/security/apparmor
grep -q " /sys/kernel/security " /proc/mounts || mount -t securityfs none /sys/kernel/security
[ -d $sys ] || skip "this kernel has no AppArmor"
[ -x "$parser/parser" ] || skip "no parser of AppArmor profiles could be fetched"
log=$work/log
# What the profile speaks of.
mkdir -p /usr/bin
cp "$LIEGE" /usr/bin/liege
LIEGE=/usr/bin/liege
profile=${LIB%/*}/packaging/liege.apparmor
parse() { # PROFILE OPTION
    "$parser/ld.so" --library-path "$parser" "$parser/parser" --base "$parser/profiles" --config-file /dev/null --skip-cache "$2" "$1"
}
# Ubuntu holds users back by a sysctl of its own; here a profile does, with everything but user namespaces in it. It is that of a
# shell, and of what the shell starts that has none itself.
held=/bin/busybox-held-back
cp /bin/busybox $held
cat >"$work/held" <<EOF_
abi <abi/4.0>,
profile held-back $held {
  file,
  capability,
  network,
  unix,
  signal,
  ptrace,
  mount,
  umount,
  pivot_root,
  $LIEGE pix,
}
EOF_
doctor_says() { su alice -s /bin/sh -c "exec $held sh -c 'exec $LIEGE doctor'" 2>&1 | grep "$1"; } # TEXT
doctor_says_nothing_of() { ! doctor_says "$1"; }
mkdir "$work/own"
printf '[uwsgi]\ncommand = sleep 100000\n' >"$work/own/a.ini"
chown -R $alice "$work/own"
# An ordinary user's own Emperor, who needs a user namespace for his jail.
own() { # LOG
    su alice -s /bin/sh -c "exec $held sh -c 'exec $LIEGE --emperor $work/own --emperor-use-clone user,pid,fs'" >"$1" 2>&1 &
    emperor=$!
}

if grep -q userns_create $sys/features/namespaces/* 2>/dev/null; then
    ok "whoever has no profile may have no user namespace" parse "$work/held" --add
    ok "doctor says that none can be made" doctor_says "none can be made"
    ok "and which rule which profile lacks" doctor_says 'profile .held-back.*the rule .userns,'
fi
ok "the profile can be loaded" parse "$profile" --add
ok "it is there" grep '^liege (unconfined)' $sys/profiles
ok "again too, as an upgrade does" parse "$profile" --replace
vassal v a.ini "command = sh -c 'cat /proc/self/attr/current; exec sleep 100000'"
start $top "$log" --emperor "$work/v" --emperor-tyrant
ok "a tenant's vassal runs under it" says "$log" "^liege (unconfined)"
ok "its Emperor too" grep -q "^liege (unconfined)" /proc/$emperor/attr/current
ok "the Emperor ends" stop
if grep -q '^held-back' $sys/profiles; then
    ok "doctor agrees that user namespaces can be made" doctor_says_nothing_of "none can be made"
    own "$work/allowed.log"
    ok "a user's Emperor makes them" says "$work/allowed.log" "a.ini has been spawned"
    ok "and ends" stop
    parse "$work/held" --remove
else
    echo "this kernel knows no rule for user namespaces"
fi
ok "the profile can be removed" parse "$profile" --remove
ok "it is gone" never_said $sys/profiles "^liege "
rm /usr/bin/liege $held
finish
