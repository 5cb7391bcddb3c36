#!/bin/sh
# Rows MH-12 (a service that only its tenant reaches) and MH-25 (further daemons). MH-16 (timed commands in the jail) is not tried: `cron` is
# uWSGI's own, in a config that its binary runs, and there is none here.
# vm: systemd seconds=300
. "$LIB"
log=$work/log
stats=$work/stats
service=$work/service.py
cat >"$service" <<'EOF_'
import os, socket, sys
word, port = sys.argv[1], int(sys.argv[2])
if word == "serve":
    with socket.create_server(("127.0.0.1", port)) as listener:
        while True:
            client, _ = listener.accept()
            client.sendall(b"a service of %d\n" % os.getuid())
            client.close()
else:
    print(socket.create_connection(("127.0.0.1", port), timeout=60).recv(100).decode(), end="")
EOF_
tenant() { # UID NAME PORT SECONDS
    config "$1" here "$2.ini" "attach-daemon2 = name=service,cmd=python3 $service serve $3" \
        "attach-daemon2 = name=jobs,cmd=sleep $4" "attach-daemon2 = name=more,cmd=sleep $4" "command = sleep 100000"
}
ask() { # VASSAL PORT: asks from within
    "$LIEGE" exec "$stats" "$1" -- python3 "$service" ask "$2" >"$work/said" 2>&1
}
asks() { ask "$1" "$2" && is "$work/said" "a service of $3"; } # VASSAL PORT UID
refused() { ! ask "$1" "$2" && grep -q refused "$work/said"; } # VASSAL PORT
number() { [ "$(named "sleep$1" | wc -l)" = "$2" ]; }          # SECONDS COUNT
owned() { # SECONDS UID: whoever runs that is his
    for one in $(named "sleep$1"); do grep -q "^Uid:.$2" "/proc/$one/status" || return 1; done
}

tenant $alice a 6379 300001
tenant $bob b 6380 300002
config $bob here same.ini "attach-daemon2 = name=service,cmd=python3 $service serve 6379" "command = sleep 100000"
start $top "$log" --emperor "$work/here" --emperor-tyrant --emperor-stats "$stats"

# MH-12: at the same port, each has his own; nobody else reaches it.
ok "MH-12: alice reaches her service" until_so asks a.ini 6379 $alice
ok "MH-12: at the same port bob has his" until_so asks same.ini 6379 $bob
ok "MH-12: he has none where only she has one" refused b.ini 6379
ok "MH-12: nor she where only he has one" refused a.ini 6380
ok "MH-12: the host reaches neither" sh -c "! python3 '$service' ask 6379 2>/dev/null && ! python3 '$service' ask 6380 2>/dev/null"

# MH-25.
ok "MH-25: two more of alice run" until_so number 300001 2
ok "MH-25: as she" owned 300001 $alice
ok "MH-25: two of bob too" until_so number 300002 2
before=$(named "sleep300002")
first=$(named "sleep300001")
# shellcheck disable=SC2086
kill -KILL $first
others() { number 300001 2 && for one in $first; do ! [ -e "/proc/$one" ] || return 1; done; }
ok "MH-25: who is killed comes back" until_so others
ok "MH-25: bob's are those that they were" [ "$before" = "$(named "sleep300002")" ]
ok "MH-25: one is stopped" "$LIEGE" stop "$stats" a/jobs
ok "MH-25: the other goes on" number 300001 1
ok "MH-25: a tenant does so himself" setpriv --reuid $bob --regid $bob --clear-groups "$LIEGE" restart "$stats" b/more
ok "MH-25: and to nobody else's" sh -c "! setpriv --reuid $bob --regid $bob --clear-groups '$LIEGE' stop '$stats' a/more"
ok "MH-25: with the vassal all stop" "$LIEGE" stop "$stats" a
ok "MH-25: at once" number 300001 0
ok "the Emperor ends" stop
ok "nothing is left" number 300002 0
finish
