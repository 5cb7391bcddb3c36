"""A fork server as uWSGI's, and servers that only pretend: fork_server.py DIRECTORY KIND...

Each kind has a socket of its name in the directory. What is asked for becomes a vassal that says so and ends with
status 7 at the first byte of its Emperor.
"""

import array
import os
import select
import socket
import struct
import sys


def receive(client):
    """The command line that is asked for, and the descriptors that came along; None of whoever asks nothing."""
    fds = array.array("i")
    header, ancillary, _, _ = client.recvmsg(4, socket.CMSG_SPACE(8 * fds.itemsize))
    if not header:
        return None
    for level, kind, content in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            fds.frombytes(content[: len(content) - len(content) % fds.itemsize])
    modifier, size, bits = struct.unpack("<BHB", header)
    assert modifier == 35
    body, argv = client.recv(size, socket.MSG_WAITALL) if size else b"", []
    while body:
        (length,) = struct.unpack("<H", body[:2])
        argv.append(body[2 : 2 + length].decode())
        body = body[2 + length :]
    return argv, list(fds), bits


def answer(client, pid):
    pair = b"\x03\x00pid" + struct.pack("<H", len(str(pid))) + str(pid).encode()
    client.sendall(struct.pack("<BHB", 35, len(pair), 0) + pair)


def be_vassal(argv, fds, bits):
    # As uWSGI's: what it has of its server's Emperor is not its own.
    os.close(int(os.environ["UWSGI_EMPEROR_FD"]))
    control = fds.pop(0)
    config = os.read(fds.pop(0), 65536).decode()[4:] if bits & 2 else ""
    listener = fds.pop(0) if bits & 4 else None
    print("adopted", os.getpid(), " ".join(argv), config.replace("\n", ";"), flush=True)
    if listener is not None:
        os.dup2(listener, 0)
        served = socket.socket(fileno=os.dup(0)).accept()[0]
        served.sendall(b"served\n")
        served.close()
    os.write(control, bytes([1, 5, 17]))
    os.read(control, 1)
    os._exit(7)


def fork_twice(client, request, before=None):
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        return
    if os.fork():
        os._exit(0)
    if before:
        print("along", before(), flush=True)
    answer(client, os.getpid())
    client.close()
    be_vassal(*request)


def fork_once(client, request):
    if os.fork() == 0:
        answer(client, os.getpid())
        be_vassal(*request)


def sleepers(stays):
    """A child and its own child: both sleep, or the first one ends and leaves an orphan."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        pid = os.fork()
        if pid:
            os.write(writer, str(pid).encode())
            if not stays:
                os._exit(0)
        os.execv("/bin/sleep", ["sleep", "1000000"])
    if not stays:
        os.waitpid(child, 0)
    return child, int(os.read(reader, 16))


def lie(kind, client, request):
    if kind == "honest":
        fork_twice(client, request)
    elif kind == "family":
        fork_twice(client, request, lambda: sleepers(True))
    elif kind == "once":
        fork_once(client, request)
    elif kind == "minus":
        answer(client, -1)
    elif kind == "zero":
        answer(client, 0)
    elif kind == "init":
        answer(client, 1)
    elif kind == "itself":
        answer(client, os.getpid())
    elif kind == "foreign":
        answer(client, int(os.environ["VICTIM"]))
    elif kind == "old":
        answer(client, OLD)
    elif kind == "garbage":
        client.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
    elif kind == "cut":
        client.sendall(struct.pack("<BHB", 35, 300, 0) + b"\x03\x00pid")
    elif kind == "silent":
        SILENT.append(client)
        return
    client.close()


SILENT = []
OLD = sleepers(False)[1] if "old" in sys.argv else 0
directory, kinds = sys.argv[1], sys.argv[2:]
listeners = {}
for one in kinds:
    listener = socket.socket(socket.AF_UNIX)
    if os.path.exists(os.path.join(directory, one)):
        os.unlink(os.path.join(directory, one))
    listener.bind(os.path.join(directory, one))
    listener.listen(64)
    listeners[listener.fileno()] = (listener, one)
print("serving", os.getpid(), flush=True)
if "UWSGI_EMPEROR_FD" in os.environ:
    os.write(int(os.environ["UWSGI_EMPEROR_FD"]), bytes([1, 5, 17]))
    listeners[int(os.environ["UWSGI_EMPEROR_FD"])] = (None, None)
while True:
    for number in select.select(list(listeners), [], [])[0]:
        listener, kind = listeners[number]
        if listener is None:
            # The Emperor has spoken: as uWSGI's, it ends whatever was said.
            for name in kinds:
                os.unlink(os.path.join(directory, name))
            sys.exit(0)
        connected = listener.accept()[0]
        request = receive(connected)
        if request:
            lie(kind, connected, request)
