#!/bin/sh
# A provisioned machine is killed at and started anew: both tenants are back, and nothing is there twice.
# vm: systemd package seconds=600
. "$LIB"
. "${LIB%.sh}-package.sh"

spawner() { pgrep -P "$(main)" -f "^liege: spawner"; }
main() { systemctl show --property=MainPID --value $unit; }
another() { [ "$(main)" != "$1" ] && [ "$(main)" != 0 ]; }
# Two masters, each with one program of its own.
once() { [ "$(pgrep -u "$1" -f /serve | wc -l)" = "$2" ]; }

if [ "$BOOT" = 1 ]; then
    ok "provision.sh" provisioned
    ok "alice runs" runs alice.ini
    ok "bob runs" runs bob.ini
    rounds=0
    while [ $rounds -lt 6 ]; do
        rounds=$((rounds + 1))
        emperor=$(main)
        # By turns the one who decides, and the one who has the rights.
        if [ $((rounds % 2)) = 0 ]; then victim=$(spawner); else victim=$emperor; fi
        kill -KILL "$victim"
        ok "round $rounds: systemd starts it anew" until_so another "$emperor"
        ok "round $rounds: alice is back" runs alice.ini
    done
    ok "bob is back too" runs bob.ini
    ok "alice has one program" until_so once alice 1
    ok "bob has one program" until_so once bob 1
    ok "the cgroup has one house" sh -c "[ \$(find $top/system.slice/liege.service -maxdepth 1 -name 'liege-*' | wc -l) = 1 ]"
    [ $failed = 0 ] || finish
    echo "$(cat /proc/sys/kernel/random/boot_id)" >"$OUT/boot"
    rm -rf "$work"
    exit 78
fi

ok "this is another boot" sh -c '[ "$(cat /proc/sys/kernel/random/boot_id)" != "$(cat "$OUT/boot")" ]'
ok "the service is there" until_so systemctl is-active --quiet $unit
ok "alice is back" runs alice.ini
ok "bob is back" runs bob.ini
ok "the status line says so" governs 2
ok "the place of the stats was made anew" sh -c '[ "$(stat -c "%U:%G %a" /run/liege)" = root:liege\ 2750 ]'
ok "it is purged" purged
ok "nothing is left" nothing_is_left
finish
