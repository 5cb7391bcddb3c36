#!/bin/sh
# What vassals write stands in the journal with their names as fields, which nobody else can say, and while the journal is away nothing stops.
# vm: systemd seconds=600
. "$LIB"
unit=written.service
cat >"$work/says" <<'EOF_'
#!/bin/sh
echo I am here
printf 'two\033[2J\n'
until [ -e "$1" ]; do sleep 1; done
echo and again
exec sleep 100000
EOF_
chmod 755 "$work/says"
config $alice v a.ini "command = $work/says $work/gate"
config $bob v liar.ini "command = sh -c 'echo VASSAL=a.ini; exec sleep 100000'"
cat >/run/systemd/system/$unit <<EOF_
[Service]
Type=notify
ExecStart=$LIEGE --emperor $work/v --emperor-tyrant --vassals-log journal --emperor-stats $work/stats
Delegate=yes
KillMode=mixed
EOF_
systemctl daemon-reload

# One line for each entry: the values of these fields, `-` for one that is not there.
fields() { # MATCH FIELD...
    match=$1
    shift
    journalctl --quiet --output=json --all "$match" | python3 -c '
import json, sys
for line in sys.stdin:
    entry = json.loads(line)
    value = lambda name: bytes(entry[name]).decode() if isinstance(entry.get(name), list) else entry.get(name, "-")
    print(*map(value, sys.argv[1:]))' "$@"
}
has() { fields "$@" | grep -q -- "$wanted"; }
told() { # TEXT MATCH FIELD...
    wanted=$1
    shift
    until_so has "$@" || {
        echo "--- never told: $wanted"
        fields "$@"
        return 1
    }
}

ok "the service starts" systemctl start $unit
keeper() { pgrep -x log-keeper; }
ok "the log keeper lives" until_so keeper
by=$(awk '/^Uid:/ { print $2 }' "/proc/$(keeper)/status")
ok "a line has the vassal, who wrote it there, and how much it matters" \
    told "^a.ini a.ini $by 6 $unit I am here\$" VASSAL=a.ini VASSAL SYSLOG_IDENTIFIER _UID PRIORITY _SYSTEMD_UNIT MESSAGE
ok "and is as it was written" told "^two$(printf '\033').2J" VASSAL=a.ini MESSAGE
ok "journalctl finds it by its name" sh -c "journalctl -t a.ini -o cat | grep -qx 'I am here'"
ok "nobody gets a field by writing it" told "^liar.ini VASSAL=a.ini" VASSAL=liar.ini VASSAL MESSAGE
no_lie() { ! fields VASSAL=a.ini MESSAGE | grep -q VASSAL; }
ok "nor another's entries" no_lie
tail_says() { "$LIEGE" tail "$work/stats.control" a | grep -q "$1"; } # TEXT
ok "tail has it, too" until_so tail_says "I am here"

ok "the journal goes away" systemctl stop systemd-journald.socket systemd-journald-dev-log.socket systemd-journald.service
touch "$work/gate"
ok "and vassals write on" until_so tail_says "and again"
systemctl start systemd-journald.service
config $bob v late.ini "command = sh -c 'echo I am late; exec sleep 100000'"
ok "once it has come back it has lines again" told "^I am late" VASSAL=late.ini MESSAGE
ok "the service stops" systemctl stop $unit
rm /run/systemd/system/$unit
systemctl daemon-reload
finish
