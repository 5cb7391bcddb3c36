#!/bin/sh
# Networks of tenants by the router: rows MH-09 to MH-11 (a way out, apart from each other, no address stolen), the router's part of
# MH-18 (frames and connections without number), MH-19, MH-20, MH-22, MH-23 (reload, restart, accounts, another host).
# vm: systemd seconds=600
. "$LIB"
log=$work/log
sock=$work/router.sock
net=$work/net.py
cat >"$net" <<'EOF_'
import json, os, socket, sys, threading
word, *rest = sys.argv[1:]
def open_to(address, port):
    client = socket.create_connection((address, int(port)), timeout=float(os.environ.get("WAIT", "60")))
    return client, client.makefile("rw")
def serve(client, name):
    lines = client.makefile("rwb")
    for line in lines:
        if line.startswith(b"push "):
            left = int(line.split()[1])
            while left > 0:
                left -= len(lines.read(min(left, 65536)))
        lines.write(b"answer %s to %s\n" % (line.strip(), name.encode()))
        lines.flush()
if word == "serve":
    listener = socket.create_server(("::", int(rest[0])), family=socket.AF_INET6, dualstack_ipv6=True)
    print("serves", flush=True)
    while True:
        client, (address, *_) = listener.accept()
        name = address.removeprefix("::ffff:")
        threading.Thread(target=serve, args=(client, name), daemon=True).start()
elif word == "ask":
    client, lines = open_to(*rest[:2])
    lines.write(rest[2] + "\n")
    lines.flush()
    print(lines.readline(), end="")
elif word == "push":
    client, lines = open_to(*rest[:2])
    client.sendall(f"push {rest[2]}\n".encode() + bytes(int(rest[2])))
    print(lines.readline(), end="")
elif word == "hold":
    client, lines = open_to(*rest[:2])
    for line in open(rest[2]):
        lines.write(line)
        lines.flush()
        print(lines.readline(), end="", flush=True)
elif word == "spoof":
    source, target = map(socket.inet_aton, rest)
    raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
    packet = bytes([0x45, 0, 0, 28, 0, 0, 0, 0, 64, 17, 0, 0]) + source + target + bytes([0, 9, 0, 9, 0, 8, 0, 0])
    raw.sendto(packet, (rest[1], 0))
elif word == "nonsense":
    # Frames that are none, and as many connections as there may be.
    crowd = []
    for number in range(300):
        client = socket.socket(socket.AF_UNIX)
        try:
            client.connect(rest[0])
            client.send(os.urandom(64 + number))
        except OSError:
            pass
        crowd.append(client)
    print("said")
elif word == "count":
    table = json.load(sys.stdin)
    name, way, what = rest
    of = [one for one in table["accounts"] if one["name"] == name]
    print(sum(one[way]["dropped"].get(what, 0) if what not in ("bytes", "packets") else one[way][what] for one in of))
EOF_
count() { "$LIEGE" net "$sock" --json | python3 "$net" count "$@"; } # ACCOUNT WAY WHAT
inside() { # VASSAL COMMAND...: in its network
    one=$1
    shift
    nsenter --net="/proc/$(pid_of "$log" "$one")/ns/net" "$@"
}
ask() { inside "$1" python3 "$net" ask "$2" 7000 hello >"$work/said" 2>&1; } # VASSAL ADDRESS
asks() { ask "$1" "$2" && is "$work/said" "answer hello to $3"; }            # VASSAL ADDRESS NAME
unheard() { # VASSAL ADDRESS REASON: no answer, and the router tells why
    before=$(count "$1" sent "$3")
    inside "${1#*/}" env WAIT=2 python3 "$net" ask "$2" 7000 hello >/dev/null 2>&1 && return 1
    [ "$(count "$1" sent "$3")" -gt "$before" ]
}
address() { inside "$1" ip -4 -o address show dev tun0 | sed 's/.* inet \([0-9.]*\).*/\1/'; } # VASSAL
more() { [ "$(count "$1" "$2" "$3")" -gt "$4" ]; }                                            # ACCOUNT WAY WHAT NUMBER

# The world, which knows the way back; another host beyond it.
ip netns add world
ip netns add other
ip link add up0 type veth peer name up1 netns world
ip -n world link add far0 type veth peer name far1 netns other
for one in ":up0 203.0.113.2/24 2001:db8::2/64" "world:up1 203.0.113.1/24 2001:db8::1/64" \
    "world:far0 198.51.100.1/24 2001:db8:1::1/64" "other:far1 198.51.100.2/24 2001:db8:1::2/64"; do
    # shellcheck disable=SC2086
    set -- $one
    where=${1%:*} device=${1#*:}
    ip ${where:+-n $where} address add "$2" dev "$device"
    ip ${where:+-n $where} -6 address add "$3" dev "$device" nodad
    ip ${where:+-n $where} link set "$device" up
    ip ${where:+-n $where} link set lo up
done
ip -n world route add 10.77.0.0/24 via 203.0.113.2
ip -n world -6 route add fd77::/64 via 2001:db8::2
ip -n other route add default via 198.51.100.1
ip route add 198.51.100.0/24 via 203.0.113.1
ip -n world address add 169.254.169.254/32 dev lo
ip route add 169.254.169.254 via 203.0.113.1
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
nsenter --net=/run/netns/world sh -c 'echo 1 >/proc/sys/net/ipv4/ip_forward'
nsenter --net=/run/netns/world python3 "$net" serve 7000 >"$work/world.log" 2>&1 &
world=$!
python3 "$net" serve 7000 >"$work/host.log" 2>&1 &
host=$!
ok "the world serves" says "$work/world.log" serves
ok "the host serves" says "$work/host.log" serves

config $alice here a.ini "net = auto via emperor0" "command = sleep 100000"
config $bob here b.ini "net = auto via emperor0" "command = sleep 100000"
start $top "$log" --emperor "$work/here" --emperor-tyrant --tuntap-router "emperor0 $sock $work/stats 203.0.113.2:5000" \
    --tuntap-router-address 10.77.0.1/24 --tuntap-router-address fd77::1/64 \
    --tuntap-router-route "10.77.0.0/24 10.78.0.0/24 198.51.100.2:5000" \
    --tuntap-router-firewall-out "allow 10.77.0.0/24 10.78.0.0/24"
a=$alice/a.ini b=$bob/b.ini
ok "alice runs" says "$log" "vassal=a.ini.*by router"
ok "bob runs" says "$log" "vassal=b.ini.*by router"
a4=$(address a.ini)
b4=$(address b.ini)

# MH-09 and MH-10.
ok "MH-09: alice reaches the world" asks a.ini 203.0.113.1 "$a4"
ok "MH-09: bob too" asks b.ini 203.0.113.1 "$b4"
ok "MH-09: by version 6" ask a.ini 2001:db8::1
ok "MH-10: not her neighbour" unheard $a "$b4" denied
ok "MH-10: nor he her" unheard $b "$a4" denied
ok "MH-10: not the host" unheard $a 10.77.0.1 denied
ok "MH-10: nor by its other address" unheard $a 203.0.113.2 denied
ok "MH-10: not the metadata of a cloud" unheard $a 169.254.169.254 denied

# MH-11: not even root of the host, in his network, speaks for her.
before=$(count $b sent spoofed)
inside b.ini python3 "$net" spoof "$a4" 203.0.113.1
inside b.ini python3 "$net" spoof 192.0.2.77 203.0.113.1
ok "MH-11: both were dropped and counted" until_so more $b sent spoofed $((before + 1))
ok "MH-11: she goes on" asks a.ini 203.0.113.1 "$a4"

# MH-18.
ok "MH-18: bob says nonsense without number" setpriv --reuid $bob --regid $bob --clear-groups python3 "$net" nonsense "$sock"
ok "MH-18: she goes on" asks a.ini 203.0.113.1 "$a4"

# MH-22: ten million bytes, within a hundredth.
before=$(count $a sent bytes)
ok "MH-22: bytes go" inside a.ini python3 "$net" push 203.0.113.1 7000 10000000
counted=$(($(count $a sent bytes) - before))
ok "MH-22: $counted were counted" [ $counted -ge 10000000 ] && [ $counted -le 10100000 ]

# MH-20: a connection through a router that is killed.
mkfifo "$work/words"
inside a.ini python3 "$net" hold 203.0.113.1 7000 "$work/words" >"$work/held" 2>&1 &
held=$!
exec 9>"$work/words"
echo one >&9
ok "MH-20: a connection" says "$work/held" "answer one"
router=$(sed -n 's/.*router=emperor0 msg="is born, pid \([0-9]*\)".*/\1/p' "$log" | tail -n 1)
kill -KILL "$router"
ok "MH-20: another router serves them" says "$log" "serves; 2 peers were handed over"
echo two >&9
ok "MH-20: the connection lives" says "$work/held" "answer two"
exec 9>&-
wait $held

# MH-19.
first=$(pid_of "$log" a.ini)
before=$(count $a sent bytes)
touch "$work/here/a.ini"
ok "MH-19: reloaded" gone "$first"
ok "MH-19: runs again" until_so sh -c "[ \$(grep -c 'vassal=a.ini.*by router' '$log') -ge 2 ]"
ok "MH-19: with its address" [ "$(address a.ini)" = "$a4" ]
ok "MH-19: and its way" asks a.ini 203.0.113.1 "$a4"
ok "MH-22: counts go on" [ "$(count $a sent bytes)" -gt "$before" ]

# MH-23: a jail of another host, by its router; rules hold there too.
config $bob there c.ini "net = 10.78.0.2/24 via emperor1" "command = sleep 100000"
sock2=$work/router2.sock
nsenter --net=/run/netns/other sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' $top "$LIEGE" --emperor "$work/there" --emperor-tyrant \
    --tuntap-router "emperor1 $sock2 $work/stats2 198.51.100.2:5000" --tuntap-router-address 10.78.0.1/24 \
    --tuntap-router-peer "uid=$bob addr=10.78.0.2" --tuntap-router-route "10.78.0.0/24 10.77.0.0/24 203.0.113.2:5000" \
    --tuntap-router-firewall-out "allow 10.78.0.0/24 10.77.0.0/24 proto tcp sport 7000" >"$work/other.log" 2>&1 &
other=$!
ok "MH-23: a jail there" says "$work/other.log" "vassal=c.ini.*by router"
there=$(pid_of "$work/other.log" c.ini)
nsenter --net="/proc/$there/ns/net" python3 "$net" serve 7000 >"$work/there.log" 2>&1 &
service=$!
ok "MH-23: it serves" says "$work/there.log" serves
ok "MH-23: alice is answered from there" asks a.ini 10.78.0.2 "$a4"
nsenter --net="/proc/$(pid_of "$log" a.ini)/ns/net" python3 "$net" serve 7000 >"$work/hers.log" 2>&1 &
hers=$!
ok "MH-23: she serves too" says "$work/hers.log" serves
ok "MH-23: whom the rules there let nobody ask" sh -c "! WAIT=2 nsenter --net=/proc/$there/ns/net python3 '$net' ask $a4 7000 hello"

kill $hers $service $host $world
kill -TERM $other
ok "the other Emperor ends" gone $other
ok "the Emperor ends" stop
ip netns del other
ip netns del world
finish
