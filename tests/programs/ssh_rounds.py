"""Logs in by ssh on a terminal of its own, uses it as a person would, and leaves; so many times. Arguments: rounds, then the
command that reaches the host."""

import fcntl
import os
import pty
import select
import struct
import sys
import termios
import time

PATIENCE_S = 30


class Session:
    def __init__(self, command, size):
        self.seen = b""
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)
        self.resize(size)

    def resize(self, size):
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", *size, 0, 0))

    def read(self):
        try:
            return os.read(self.terminal, 65536)
        except OSError:
            return b""

    def wait(self, *wanted):
        """Reads on until one of these has come; forgets what was before it."""
        until = time.monotonic() + PATIENCE_S
        while not any(word in self.seen for word in wanted):
            left = until - time.monotonic()
            if left <= 0 or not select.select([self.terminal], [], [], left)[0]:
                sys.exit(f"not seen: {wanted}; seen: {self.seen!r}")
            more = self.read()
            if not more:
                sys.exit(f"it has ended before {wanted}; seen: {self.seen!r}")
            self.seen += more
        self.seen = self.seen[max(self.seen.find(word) for word in wanted):]

    def say(self, line):
        os.write(self.terminal, line)

    def end(self):
        while self.read():
            pass
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


def round_trip(command, number):
    session = Session(command, (30, 100))
    session.wait(b"ready>")
    session.say(b"echo te''rminal $(tty) $(id -u) $(stty size) e''nd\n")
    session.wait(b"terminal /dev/pts/")
    session.wait(b"54321 30 100 end")
    if number % 10 == 0:
        session.say(b"tmux -L liege new-session 'echo in-\"\"tmux; until [ \"$(stty size)\" = \"40 123\" ]; do :; done; echo wider'\n")
        session.wait(b"in-tmux")
        # Its status line takes one.
        session.resize((41, 123))
        session.wait(b"exited")
    session.resize((50, 132))
    # A shell hears of it at once or with its next line.
    session.say(b"until [ \"$(stty size)\" = '50 132' ]; do :; done; echo resi''zed\n")
    session.wait(b"resized")
    session.say(b"exit 7\n")
    status = session.end()
    if status != 7:
        sys.exit(f"status {status}")


for number in range(int(sys.argv[1])):
    round_trip(sys.argv[2:], number)
print("all rounds are over", flush=True)
