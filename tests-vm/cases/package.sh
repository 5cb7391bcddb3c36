#!/bin/sh
# The package: installed, upgraded, removed, purged; and its service, as systemd sees it.
# vm: systemd package seconds=1200
. "$LIB"
. "${LIB%.sh}-package.sh"

# An older one, with another default config: this file is what an upgrade must not lose.
older() {
    dpkg-deb --raw-extract "$package" "$work/tree" && sed -i 's/^Version: .*/Version: 0.0.9-1/' "$work/tree/DEBIAN/control" &&
        sed -i 's/^; The Emperor.*/; An older text./' "$work/tree/etc/liege/emperor.ini" &&
        dpkg-deb -Znone --root-owner-group --build "$work/tree" "$work/older.deb" >/dev/null
}
install_older() { DEBIAN_FRONTEND=noninteractive dpkg --install --force-confold "$work/older.deb" >"$work/older.log" 2>&1 || { cat "$work/older.log"; false; }; }
active() { [ "$(systemctl is-active $unit)" = "$1" ]; }
enabled() { [ "$(systemctl is-enabled $unit)" = "$1" ]; }
starts() { systemctl show --property=NRestarts --value $unit; }

ok "there is an older package" older
ok "it installs" install_older
ok "its service is enabled" enabled enabled
# Type=notify: systemctl has returned, so it was ready.
ok "it runs" active active
ok "with nobody yet" governs 0
ok "a group may look" getent group liege
ok "the socket of the stats is the group's" sh -c '[ "$(stat -c "%U:%G %a" /run/liege/stats.sock)" = root:liege\ 660 ]'
ok "others cannot even see it" sh -c '[ "$(stat -c "%a" /run/liege)" = 2750 ]'

echo "; mine" >>/etc/liege/emperor.ini
ok "provision.sh upgrades it and makes two tenants" provisioned
ok "alice runs" runs alice.ini
ok "bob runs" runs bob.ini
ok "the new version is there" sh -c '[ "$(dpkg-query --show --showformat="\${Version}" liege)" != 0.0.9-1 ]'
ok "and what I wrote into the config" grep -q "^; mine" /etc/liege/emperor.ini
ok "the status line says whom it governs" governs 2
ok "the journal has what vassals say" told "Good morning"
ok "and what the Emperor says" told "vassal=alice.ini .*has been spawned"
printf '[uwsgi]\ncommand = sh -c "echo \\"<0>fire\\"; exec sleep 100000"\n' >$vassals/loud.ini
chown alice:alice $vassals/loud.ini
ok "no tenant can raise an alarm on every terminal" told "^<0>fire"
rm $vassals/loud.ini
ok "and without a date before them" never_told "^20[0-9][0-9]-"
user=$(getent passwd alice | cut -d: -f3)
ok "alice is alice" sh -c "grep -q '^Uid:.*$user' /proc/$(pid_in_status alice.ini)/status"
ok "no vassal is spared by the OOM killer" sh -c "[ \"\$(cat /proc/$(pid_in_status alice.ini)/oom_score_adj)\" = 0 ]"
ok "the Emperor is" sh -c "[ \"\$(cat /proc/$(systemctl show --property=MainPID --value $unit)/oom_score_adj)\" = -900 ]"

# Reload: every vassal, not the Emperor.
main=$(systemctl show --property=MainPID --value $unit)
ok "systemctl reload returns" systemctl reload $unit
ok "the vassals reload" told "reload the uwsgi instance alice.ini"
ok "and run" runs alice.ini
ok "the Emperor is the same" sh -c "[ \$(systemctl show --property=MainPID --value $unit) = $main ]"
ok "the service is active" active active

# Whatever a tenant leaves where something is written for her leads nobody else astray.
setpriv --reuid alice --regid alice --init-groups ln -s /etc/passwd /home/alice/serve.new
users=$(md5sum </etc/passwd)
ok "provision.sh can be run again, over a trap" provisioned
ok "nobody has fallen into it" test "$users" = "$(md5sum </etc/passwd)"
ok "alice runs all the same" runs alice.ini

# A group member sees, others do not.
ok "a member of the group sees the status" sh -c "setpriv --reuid alice --regid alice --groups liege --reset-env liege status | grep -q bob.ini"
ok "a tenant does not" sh -c "! setpriv --reuid alice --regid alice --init-groups --reset-env liege status 2>/dev/null"

# An upgrade with vassals: they come back.
ok "an older one is installed over it" install_older
ok "alice comes back" runs alice.ini
ok "my config is still there" grep -q "^; mine" /etc/liege/emperor.ini

# Disabled and stopped by somebody: an upgrade does not start what nobody wants.
ok "it stops" systemctl stop $unit
ok "its end is in order" told "The Emperor is buried"
ok "nobody of it is left" sh -c "! pgrep -f '$ours' && ! pgrep -u alice && ! ls -d $top/system.slice/liege.service 2>/dev/null"
systemctl disable --quiet $unit
ok "it is upgraded" install_older
ok "and stays disabled" enabled disabled
systemctl enable --quiet $unit
systemctl start $unit
ok "a start returns when it is ready" sh -c "liege status | grep -q alice.ini"
ok "nothing has restarted it" [ "$(starts)" = 0 ]

# Removal stops it and keeps the configs; a purge keeps nothing of ours.
ok "it is removed" sh -c "dpkg --remove liege >/dev/null"
ok "nobody of it is left" sh -c "! pgrep -f '$ours' && ! pgrep -u alice"
ok "the configs are kept" test -e /etc/liege/emperor.ini -a -e $vassals/alice.ini
ok "nothing lies in /run" test ! -e /run/liege
ok "installed again it finds them" sh -c "dpkg --install --force-confold $package >/dev/null"
ok "alice runs again" runs alice.ini
# What a tenant has there is no place where a script of ours would go.
ok "it is purged" purged
ok "nothing is left" nothing_is_left
finish
