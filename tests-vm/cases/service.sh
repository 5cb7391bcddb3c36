#!/bin/sh
# What systemd itself sees of an Emperor: readiness and the status line, a reload that it waits for, the watchdog, sockets that were
# there before, and a journal with fields.
# vm: systemd seconds=600
. "$LIB"
unit=court.service
stats=$work/court/stats
config $alice v a.ini "command = sh -c 'echo I am here; exec sleep 100000'"
cat >/run/systemd/system/$unit <<EOF_
[Service]
Type=notify
ExecStart=$LIEGE --emperor $work/v --emperor-tyrant
ExecReload=/bin/kill -HUP \$MAINPID
Restart=always
RestartSec=0
Delegate=yes
KillMode=mixed
WatchdogSec=20s
TimeoutAbortSec=5s
EOF_
cat >/run/systemd/system/court.socket <<EOF_
[Socket]
ListenStream=$stats
FileDescriptorName=stats
SocketMode=0600
EOF_
systemctl daemon-reload

property() { systemctl show --property="$1" --value $unit; } # NAME
has() { property "$1" | grep -qx -- "$2"; }                  # NAME TEXT
other_than() { [ "$(property "$1")" != "$2" ]; }             # NAME TEXT
another() { other_than MainPID "$1" && other_than MainPID 0; }
pid_in_status() { "$LIEGE" status "$stats" | awk '$1 == "'"$1"'" { print $3 }'; }
# One line for each entry: the values of these fields, `-` for one that is not there.
fields() { # MATCH FIELD...
    match=$1
    shift
    journalctl --quiet --output=json --unit=$unit "$match" | python3 -c '
import json, sys
for line in sys.stdin:
    entry = json.loads(line)
    print(*(entry.get(name, "-") for name in sys.argv[1:]))' "$@"
}
journal_has() { fields "$@" | grep -q -- "$wanted"; }
told() { # TEXT MATCH FIELD...
    wanted=$1
    shift
    until_so journal_has "$@" || {
        echo "--- never told: $wanted"
        fields "$@"
        return 1
    }
}

# The socket: nobody runs until somebody asks, and whoever asks gets an answer.
ok "the socket listens" systemctl start court.socket
ok "and nobody runs" has ActiveState inactive
ok "who asks is answered" status_says "$stats" "a.ini.* running"
ok "by whom systemd has started" has ActiveState active
ok "it belongs to the socket" sh -c "[ \$(stat -c %a '$stats') = 600 ] && systemctl is-active --quiet court.socket"

# Readiness and the status line.
ok "the status line counts" until_so has StatusText "The Emperor is governing 1 vassals"
config $bob v b.ini "command = sleep 100000"
ok "and goes on counting" until_so has StatusText "The Emperor is governing 2 vassals"
rm "$work/v/b.ini"
ok "up and down" until_so has StatusText "The Emperor is governing 1 vassals"

# A reload is the vassals', not the Emperor's.
emperor=$(property MainPID)
before=$(pid_in_status a.ini)
ok "systemctl reload returns" systemctl reload $unit
reloaded() { now=$(pid_in_status a.ini) && [ -n "$now" ] && [ "$now" != "$before" ] && has SubState running; }
ok "the vassal is another, and the service runs" until_so reloaded
ok "its Emperor is the same" has MainPID "$emperor"

# The journal.
pid=$(pid_in_status a.ini)
ok "an entry has the vassal, its pid and who says so" told "^a.ini $pid $emperor liege 6\$" VASSAL=a.ini VASSAL LIEGE_PID _PID SYSLOG_IDENTIFIER PRIORITY
config $alice v bad.ini "command = sh -c 'exit 3'"
ok "what is wrong with a vassal is a warning" told "^4 bad.ini" PRIORITY=4 PRIORITY VASSAL
rm "$work/v/bad.ini"
ok "what a program says is there" told "^- .a.ini. I am here" _SYSTEMD_UNIT=$unit VASSAL MESSAGE
config $alice v liar.ini "command = sh -c 'echo VASSAL=a.ini; exec sleep 100000'"
ok "and gets no fields by saying so" told "^- .liar.ini. VASSAL=a.ini" _SYSTEMD_UNIT=$unit VASSAL MESSAGE
rm "$work/v/liar.ini"

# The watchdog: it hears of a loop that turns, and ends one that does not.
beat=$(property WatchdogTimestampMonotonic)
ok "the watchdog hears of it" until_so other_than WatchdogTimestampMonotonic "$beat"
beat=$(property WatchdogTimestampMonotonic)
ok "again and again" until_so other_than WatchdogTimestampMonotonic "$beat"
ok "it was never started anew" has NRestarts 0
kill -STOP "$emperor"
ok "one that stands still is ended" until_so another "$emperor"
ok "for that reason" told "Watchdog timeout" _PID=1 MESSAGE
ok "its vassal is dead" gone "$pid"
ok "the next one has another" status_says "$stats" "a.ini.* running"
ok "on the socket that was there all the while" systemctl is-active --quiet court.socket

# Who asks while nobody is there waits.
asked_once() {
    python3 -c 'import socket, sys
with socket.socket(socket.AF_UNIX) as one:
    one.connect(sys.argv[1])
    sys.exit(not one.recv(1))' "$stats"
}
emperor=$(property MainPID)
kill -KILL "$emperor"
ok "who asks meanwhile is answered" asked_once
ok "by the next one" until_so another "$emperor"

ok "systemctl stop ends it" systemctl stop court.socket $unit
ok "in order" told "The Emperor is buried" SYSLOG_IDENTIFIER=liege MESSAGE
ok "and no cgroup is left" test ! -e $top/system.slice/$unit
rm /run/systemd/system/$unit /run/systemd/system/court.socket
systemctl daemon-reload
finish
