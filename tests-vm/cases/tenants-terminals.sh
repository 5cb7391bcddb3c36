#!/bin/sh
# Row MH-17: a user of the host's sshd is in his jail and nowhere else, with a terminal of his own.
# vm: systemd seconds=600
. "$LIB"
log=$work/log
seat=$work/seat.py
cat >"$seat" <<'EOF_'
import fcntl, os, pty, select, signal, struct, sys, termios, time
middle = sys.argv.index("--")
steps, words, seen = sys.argv[1:middle], sys.argv[middle + 1:], b""
def size(terminal, rows, columns):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
def see(text):
    global seen
    end, wanted = time.time() + 100, text.encode()
    while wanted not in seen:
        if not select.select([terminal], [], [], max(0, end - time.time()))[0]:
            sys.exit("never seen: %s in %r" % (text, seen))
        seen += os.read(terminal, 65536)
    seen = seen[seen.index(wanted) + len(wanted):]
pid, terminal = pty.fork()
if pid == 0:
    size(0, 24, 80)
    os.execvp(words[0], words)
for step in steps:
    verb, _, rest = step.partition(" ")
    if verb == "type":
        os.write(terminal, rest.encode() + b"\r")
    elif verb == "interrupt":
        os.write(terminal, b"\3")
    elif verb == "see":
        see(rest)
    elif verb == "size":
        size(terminal, *map(int, rest.split()))
    elif verb == "idle":
        time.sleep(int(rest))
    elif verb == "vanish":
        os.kill(pid, signal.SIGKILL)
try:
    while os.read(terminal, 65536):
        pass
except OSError:
    pass
status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print("status", status)
EOF_
to() { # OPTION... WORD...: by ssh, as the tenant
    ssh -F none -p 2217 -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR "$@"
}
sits() { # STATUS STEP...: at a terminal; how ssh ends
    wanted=$1
    shift
    python3 "$seat" "$@" -- ssh -tt -F none -p 2217 -i "$work/key" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null \
        -o LogLevel=ERROR walker@127.0.0.1 >"$work/sat" 2>&1
    is "$work/sat" "status $wanted" || {
        cat "$work/sat"
        return 1
    }
}
same() { # WANTED COMMAND...: what it says
    wanted=$1
    shift
    said=$("$@" 2>&1)
    [ "$said" = "$wanted" ] || {
        echo "--- $said, wanted $wanted"
        return 1
    }
}
status() { # WANTED COMMAND...
    wanted=$1
    shift
    "$@"
    got=$?
    [ $got = "$wanted" ] || {
        echo "--- status $got, wanted $wanted"
        return 1
    }
}
nobody_sleeps() { [ -z "$(named "sleep7771[78]")" ]; }
no_zombie() { ! grep -l "^State:.Z" /proc/[0-9]*/status; }

# Somebody who may log in.
echo "walker:x:$alice:$alice::/:/bin/sh" >>/etc/passwd
echo "walker:*:19000::::::" >>/etc/shadow
mkdir -p /run/sshd
ssh-keygen -q -t ed25519 -N "" -f "$work/host"
ssh-keygen -q -t ed25519 -N "" -f "$work/key"
cp "$work/key.pub" "$work/keys"
cat >"$work/sshd_config" <<EOF_
ListenAddress 127.0.0.1:2217
HostKey $work/host
AuthorizedKeysFile $work/keys
StrictModes no
UsePAM no
PidFile none
Match User walker
    ForceCommand $LIEGE attach --ssh $work/stats.control \$USER
    DisableForwarding yes
    PermitUserRC no
EOF_

config $alice mine walker.ini "command = sleep 100000"
start $top "$log" --emperor "$work/mine" --emperor-tyrant --emperor-stats "$work/stats"
ok "the vassal runs" says "$log" "vassal=walker.ini.*ready to accept requests"
/usr/sbin/sshd -D -e -f "$work/sshd_config" 2>"$work/sshd.log" &
sshd=$!
ok "sshd listens" says "$work/sshd.log" "listening on 127.0.0.1"
pid=$(pid_of "$log" walker.ini)

# shellcheck disable=SC2016
for kind in pid mnt net uts ipc user; do
    ok "MH-17: in its $kind namespace" same "$(readlink "/proc/$pid/ns/$kind")" to walker@127.0.0.1 "readlink /proc/self/ns/$kind"
done
ok "MH-17: as its owner" same "$alice" to walker@127.0.0.1 "id -u"
ok "MH-17: nobody of the host is to be seen" same 0 to walker@127.0.0.1 "cat /proc/[0-9]*/comm | grep -cx -e systemd -e sshd"
ok "MH-17: the status of a command" status 7 to walker@127.0.0.1 "exit 7"
ok "MH-17: the status of a shell at a terminal, and a new size" sits 3 'see $' 'type stty size' 'see 24 80' 'size 50 132' \
    'type until [ "$(stty size)" = "50 132" ]; do sleep 0.1; done; echo res""ized' 'see resized' 'type exit 3'
ok "MH-17: an interrupt reaches the program" sits 5 'see $' \
    "type sh -c 'trap \"exit 9\" INT; echo wai\"\"ting; while :; do sleep 0.1; done'; exit \$((\$? - 4))" 'see waiting' interrupt
ok "MH-17: more than a minute without a word" sits 4 'see $' 'type kept=4' 'idle 65' 'type exit $kept'
ok "MH-17: who vanishes" sits -9 'see $' \
    'type sleep 77717 & echo beg""un; exec sleep 77718' 'see begun' vanish
ok "MH-17: takes all of it along" until_so nobody_sleeps
ok "MH-17: the vassal lives" lives "$log" walker.ini
ok "MH-17: no zombie is left" until_so no_zombie

kill -TERM $sshd
ok "sshd ends" gone $sshd
ok "the Emperor ends" stop
sed -i '/^walker:/d' /etc/passwd /etc/shadow
finish
