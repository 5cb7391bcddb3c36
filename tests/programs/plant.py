# Tries every way to make a file or directory with a setuid or setgid bit below a directory: plant.py TOP DIRECTORY [wait].
# Tells for each `plant WAY OUTCOME`: made, or the error, or SIGSYS, or `without` where the bits were left out.
import ctypes, errno, mmap, os, signal, stat, subprocess, sys

top, directory = sys.argv[1], sys.argv[2]
libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, CREATES = -100, os.O_CREAT | os.O_WRONLY
os.umask(0)


def path(way):
    return os.path.join(directory, "planted-" + way)


def call(number, *arguments):
    wide = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_ulong(one & 0xFFFFFFFFFFFFFFFF) for one in arguments]
    answer = libc.syscall(ctypes.c_long(number), *wide)
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return answer


def file(way):
    with open(path(way), "w") as made:
        made.write("#!/bin/sh\n")
    return path(way)


def raw(number, way, *arguments):
    def attempt():
        call(number, *[path(way).encode() if one is PATH else one for one in arguments])
    return way, attempt


def change(way, deed):
    return way, lambda: deed(file(way))


def with_descriptor(deed):
    def attempt(name):
        descriptor = os.open(name, os.O_RDONLY)
        try:
            deed(descriptor)
        finally:
            os.close(descriptor)
    return attempt


def run(*argv):
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def unnamed():
    descriptor = call(257, AT_FDCWD, directory.encode(), os.O_TMPFILE | os.O_WRONLY, 0o4755)
    os.link(f"/proc/self/fd/{descriptor}", path("O_TMPFILE"), follow_symlinks=True)


def uring():
    call(425, 4, bytes(120))


def old_door():
    # chmod(2) of i386: its number, and a path below 4 GiB.
    code = mmap.mmap(-1, 4096, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x40, prot=7)
    name = file("i386").encode() + b"\0"
    code.write(bytes.fromhex("5389f889f389d1cd805bc3"))
    code.seek(2048)
    code.write(name)
    where = ctypes.addressof(ctypes.c_char.from_buffer(code))
    jump = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_uint, ctypes.c_uint, ctypes.c_uint)(where)
    answer = jump(15, where + 2048, 0o4755)
    if answer < 0:
        raise OSError(-answer, "refused")


def moved():
    os.mkdir(path("rename-from"), 0o2777)
    os.rename(path("rename-from"), path("rename"))


PATH = object()
HIGH = 1 << 32
HOW = (CREATES).to_bytes(8, "little") + (0o4755).to_bytes(8, "little") + bytes(8)
WAYS = [
    change("chmod-u", lambda name: os.chmod(name, 0o4755)),
    change("chmod-g", lambda name: os.chmod(name, 0o2755)),
    change("chmod-high-bits", lambda name: call(90, name.encode(), HIGH | 0o6755)),
    change("fchmod", with_descriptor(lambda descriptor: os.fchmod(descriptor, 0o4755))),
    change("fchmodat", lambda name: call(268, AT_FDCWD, name.encode(), 0o4755)),
    change("fchmodat2", lambda name: call(452, AT_FDCWD, name.encode(), 0o4755, 0)),
    raw(2, "open", PATH, CREATES, 0o4755),
    raw(257, "openat", AT_FDCWD, PATH, CREATES, 0o2755),
    raw(257, "openat-high-bits", AT_FDCWD, PATH, HIGH | CREATES, HIGH | 0o4755),
    ("O_TMPFILE", unnamed),
    raw(85, "creat", PATH, 0o4755),
    raw(83, "mkdir", PATH, 0o2755),
    raw(258, "mkdirat", AT_FDCWD, PATH, 0o6755),
    raw(133, "mknod", PATH, stat.S_IFREG | 0o4755, 0),
    raw(259, "mknodat", AT_FDCWD, PATH, stat.S_IFREG | 0o4755, 0),
    raw(437, "openat2", AT_FDCWD, PATH, HOW, len(HOW)),
    ("io_uring", uring),
    ("rename", moved),
    ("i386", old_door),
    ("from-archive", lambda: run("/usr/bin/tar", "xpf", top + "/setid.tar", "-C", directory)),
    change("install", lambda name: run("/usr/bin/install", "-m", "4755", "/usr/bin/id", name)),
]


def outcome(way, attempt):
    try:
        attempt()
    except OSError as error:
        return errno.errorcode.get(error.errno, str(error.errno))
    for name in (path(way), os.path.join(directory, way)):
        if os.path.lexists(name):
            return "made" if os.lstat(name).st_mode & 0o6000 else "without"
    return "made"


# Each in a process of its own: one of them may be its end.
for way, attempt in WAYS:
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        print("plant", way, outcome(way, attempt), flush=True)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        print("plant", way, signal.Signals(os.WTERMSIG(status)).name)
print("plant done", flush=True)
if sys.argv[3:] == ["wait"]:
    signal.pause()
