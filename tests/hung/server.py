"""A file system by FUSE that shows a directory, and answers nothing while there is a file called `hang` beside it.

    server.py POINT SHOWN CONTROL ID

ID is the user and the group that it is said to be of. A line comes out of the FIFO CONTROL/ready once it is mounted. A request is taken and kept while CONTROL/hang exists: so
whoever made it waits in the kernel, and not even SIGKILL ends him. The protocol is that of `fuse(4)` and `linux/fuse.h`.
"""

import ctypes
import errno
import os
import select
import stat
import struct
import sys

LOOKUP, FORGET, GETATTR, READLINK, OPEN, READ, STATFS, RELEASE = 1, 2, 3, 5, 14, 15, 17, 18
FLUSH, INIT, OPENDIR, READDIR, RELEASEDIR, ACCESS, INTERRUPT, BATCH_FORGET = 25, 26, 27, 28, 29, 34, 36, 42
HEADER = struct.Struct("<IIQQIIII")
REQUEST_MAX = 1 << 17

point, shown, control, id = sys.argv[1:5]
paths = {1: shown}
numbers = {shown: 1}


def number_of(path):
    if path not in numbers:
        numbers[path] = len(numbers) + 1
        paths[numbers[path]] = path
    return numbers[path]


def attributes(path):
    found = os.lstat(path)
    ns = [found.st_atime_ns, found.st_mtime_ns, found.st_ctime_ns]
    whole, rest = [t // 10**9 for t in ns], [t % 10**9 for t in ns]
    return struct.pack(
        "<6Q10I", found.st_ino, found.st_size, found.st_blocks, *whole, *rest, found.st_mode, found.st_nlink,
        found.st_uid, found.st_gid, 0, 4096, 0)


def lookup(path, body):
    found = os.path.join(path, os.fsdecode(body.split(b"\0")[0]))
    reply = attributes(found)
    return struct.pack("<4Q2I", number_of(found), 0, 0, 0, 0, 0) + reply


def read(path, body):
    _, offset, size = struct.unpack_from("<QQI", body)
    with open(path, "rb") as file:
        return os.pread(file.fileno(), size, offset)


def readdir(path, body):
    _, offset, size = struct.unpack_from("<QQI", body)
    reply = b""
    for place, name in list(enumerate(sorted(os.listdir(path)), 1))[offset:]:
        mode = os.lstat(os.path.join(path, name)).st_mode
        raw = os.fsencode(name)
        entry = struct.pack("<QQII", 1, place, len(raw), stat.S_IFMT(mode) >> 12) + raw
        entry += b"\0" * (-len(entry) % 8)
        if len(reply) + len(entry) > size:
            break
        reply += entry
    return reply


ANSWERS = {
    INIT: lambda path, body: struct.pack("<4I2H2I2H8I", 7, 31, 1 << 16, 0, 16, 12, 1 << 16, 1, 16, 0, *[0] * 8),
    LOOKUP: lookup,
    GETATTR: lambda path, body: struct.pack("<QII", 0, 0, 0) + attributes(path),
    READLINK: lambda path, body: os.fsencode(os.readlink(path)),
    OPEN: lambda path, body: bytes(16),
    OPENDIR: lambda path, body: bytes(16),
    READ: read,
    READDIR: readdir,
    STATFS: lambda path, body: struct.pack("<5Q10I", 0, 0, 0, 0, 0, 4096, 255, 4096, *[0] * 7),
    RELEASE: lambda path, body: b"",
    RELEASEDIR: lambda path, body: b"",
    FLUSH: lambda path, body: b"",
    ACCESS: lambda path, body: b"",
}


def answer(opcode, node, body):
    if opcode not in ANSWERS:
        return errno.ENOSYS, b""
    try:
        return 0, ANSWERS[opcode](paths.get(node, shown), body)
    except OSError as error:
        return error.errno, b""


def emperor_lives(parent, ms):
    waiting = select.poll()
    waiting.register(parent, select.POLLIN)
    return not waiting.poll(ms)


def serve(device, parent):
    waiting = select.poll()
    for descriptor in (device, parent):
        waiting.register(descriptor, select.POLLIN)
    while emperor_lives(parent, 0):
        waiting.poll()
        try:
            request = os.read(device, REQUEST_MAX)
        except InterruptedError:
            continue
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.EINTR, errno.EAGAIN):
                continue
            return
        _, opcode, unique, node, *_ = HEADER.unpack_from(request)
        if opcode in (FORGET, BATCH_FORGET, INTERRUPT):
            continue
        while os.path.exists(os.path.join(control, "hang")) and emperor_lives(parent, 10):
            pass
        code, reply = answer(opcode, node, request[HEADER.size:])
        try:
            os.write(device, struct.pack("<IiQ", 16 + len(reply), -code, unique) + reply)
        except OSError:
            pass  # nobody waits for it any more


def mount():
    libc = ctypes.CDLL(None, use_errno=True)
    device = os.open("/dev/fuse", os.O_RDWR | os.O_NONBLOCK)
    options = f"fd={device},rootmode=40000,user_id={id},group_id={id},allow_other"
    if libc.mount(b"test", os.fsencode(point), b"fuse", 6, options.encode()) != 0:
        sys.exit(f"cannot mount: {os.strerror(ctypes.get_errno())}")
    return device


# Whoever started us becomes the Emperor; with him we end.
parent = os.pidfd_open(os.getppid())
device = mount()
pid = os.fork()
if pid == 0:
    if not os.path.exists(os.path.join(control, "hang")):
        os.listdir(point)
    with open(os.path.join(control, "ready"), "w") as ready:
        ready.write("ready\n")
    os._exit(0)
serve(device, parent)
