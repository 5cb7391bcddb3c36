#!/bin/sh
# The profile for AppArmor: it can be loaded, a vassal runs under it, and where user namespaces are forbidden to programs without a
# profile, those of an ordinary user have them again.
# vm: apparmor
. "$LIB"
parser=${LIB%/*}/apparmor
sys=/sys/kernel/security/apparmor
knob=/proc/sys/kernel/apparmor_restrict_unprivileged_userns
grep -q " /sys/kernel/security " /proc/mounts || mount -t securityfs none /sys/kernel/security
[ -d $sys ] || skip "this kernel has no AppArmor"
[ -x "$parser/parser" ] || skip "no parser of AppArmor profiles could be fetched"
log=$work/log
# What the profile speaks of.
mkdir -p /usr/bin
cp "$LIEGE" /usr/bin/liege
LIEGE=/usr/bin/liege
profile=${LIB%/*}/packaging/liege.apparmor
parse() { "$parser/ld.so" --library-path "$parser" "$parser/parser" --base "$parser/profiles" --config-file /dev/null --skip-cache "$@" "$profile"; }
loaded() { grep -q '^liege (unconfined)' $sys/profiles; }
doctor_says() { su alice -s /bin/sh -c "$LIEGE doctor" 2>&1 | grep "$1"; } # TEXT
doctor_says_nothing_of() { ! doctor_says "$1"; }
mkdir "$work/own"
chown $alice "$work/own"
printf '[uwsgi]\ncommand = sh -c "echo uid $(id -u); exec sleep 100000"\n' >"$work/own/a.ini"
chown $alice "$work/own/a.ini"
# An ordinary user's own Emperor, who needs a user namespace for his jail.
users() { # LOG
    su alice -s /bin/sh -c "exec $LIEGE --emperor $work/own --emperor-use-clone user,pid,fs" >"$1" 2>&1 &
    emperor=$!
}

if [ -e $knob ]; then
    echo 1 >$knob
    ok "without a profile: doctor says what forbids user namespaces" doctor_says "apparmor_restrict_unprivileged_userns=0"
    users "$work/forbidden.log"
    ok "without a profile: a user's Emperor says what forbids it" says "$work/forbidden.log" "apparmor_restrict_unprivileged_userns=0.*rule .userns,"
    kill -TERM $emperor 2>/dev/null
    gone $emperor
fi
ok "the profile can be loaded" parse --add
ok "it is there" loaded
ok "again too, as an upgrade does" parse --replace
vassal v a.ini "command = sh -c 'cat /proc/self/attr/current; exec sleep 100000'"
start $top "$log" --emperor "$work/v" --emperor-tyrant
ok "a tenant's vassal runs under it" says "$log" "^liege (unconfined)"
ok "its Emperor too" grep -q "^liege (unconfined)" /proc/$emperor/attr/current
ok "the Emperor ends" stop
if [ -e $knob ]; then
    users "$work/allowed.log"
    ok "a user's Emperor may make user namespaces again" says "$work/allowed.log" "a.ini has been spawned"
    ok "doctor agrees" doctor_says_nothing_of "apparmor_restrict_unprivileged_userns=0"
    kill -TERM $emperor
    ok "it ends" gone $emperor
    echo 0 >$knob
else
    echo "this kernel does not restrict user namespaces by AppArmor"
fi
ok "the profile can be removed" parse --remove
ok "it is gone" never_said $sys/profiles "^liege "
rm /usr/bin/liege
finish
