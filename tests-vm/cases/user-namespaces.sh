#!/bin/sh
# Hosts that forbid user namespaces to ordinary users, each in its way: `liege doctor` says what is wrong and how to mend it, and an
# Emperor of root is none the worse for it.
# vm: quick
. "$LIB"
as_alice() { su alice -s /bin/sh -c "$1"; }
doctor() { as_alice "$LIEGE doctor" >"$work/doctor" 2>&1; cat "$work/doctor"; }
try() { # SYSCTL FORBIDDEN TEXT
    [ -e "/proc/sys/$1" ] || return 0
    before=$(cat "/proc/sys/$1")
    ok "$1: allowed: nothing is said of it" sh -c "! grep -q '$3' $work/allowed"
    echo "$2" >"/proc/sys/$1"
    doctor >/dev/null
    ok "$1: doctor says what forbids it" says "$work/doctor" "$3"
    vassal "$(basename "$1")" a.ini "command = sh -c 'id -u; exec sleep 100000'"
    if [ "$1" = kernel/unprivileged_userns_clone ]; then
        start $top "$work/$(basename "$1").log" --emperor "$work/$(basename "$1")" --emperor-tyrant --emperor-use-clone fs,pid,user
        ok "$1: root's Emperor makes them all the same" says "$work/$(basename "$1").log" "^$alice$\|^0$"
        ok "$1: and ends" stop
    fi
    echo "$before" >"/proc/sys/$1"
}
doctor >"$work/allowed"
try kernel/unprivileged_userns_clone 0 unprivileged_userns_clone
try user/max_user_namespaces 0 max_user_namespaces
ok "allowed again it says nothing" sh -c "! su alice -s /bin/sh -c '$LIEGE doctor' 2>&1 | grep -q 'unprivileged_userns_clone *= *0\|max_user_namespaces *= *0'"
finish
