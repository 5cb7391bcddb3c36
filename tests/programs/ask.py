# Asks the kernel for what nobody in a jail needs: ask.py [wait]. Tells for each `ask WAY OUTCOME`: done, or the error, or
# the signal that ended the child which asked.
import ctypes, errno, fcntl, mmap, os, signal, socket, sys, termios

libc = ctypes.CDLL(None, use_errno=True)
HIGH = 1 << 32
NEW_USER = 0x10000000


def call(number, *arguments):
    wide = [ctypes.c_char_p(one) if isinstance(one, bytes) else ctypes.c_ulong(one & 0xFFFFFFFFFFFFFFFF) for one in arguments]
    answer = libc.syscall(ctypes.c_long(number), *wide)
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return answer


def clone(flags):
    if call(56, flags | signal.SIGCHLD, 0, 0, 0, 0) == 0:
        os._exit(0)


def clone3(flags):
    arguments = (ctypes.c_uint64 * 11)(flags, 0, 0, 0, signal.SIGCHLD)
    if call(435, ctypes.addressof(arguments), ctypes.sizeof(arguments)) == 0:
        os._exit(0)


def type_into_terminal(command):
    leader, terminal = os.openpty()
    os.setsid()
    fcntl.ioctl(terminal, termios.TIOCSCTTY, 0)
    letter = ctypes.create_string_buffer(b"x")
    call(16, terminal, command, ctypes.addressof(letter))


def discipline():
    leader, terminal = os.openpty()
    number = ctypes.c_int(0)
    call(16, terminal, 0x5423, ctypes.addressof(number))


def old_door():
    # mov eax, 20 (getpid of i386); int 0x80; ret
    code = mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    code.write(b"\xb8\x14\x00\x00\x00\xcd\x80\xc3")
    at = ctypes.addressof(ctypes.c_char.from_buffer(code))
    if ctypes.CFUNCTYPE(ctypes.c_int)(at)() <= 0:
        raise OSError(errno.ENOSYS, "no such door")


def ring():
    call(425, 1, ctypes.addressof(ctypes.create_string_buffer(256)))


def connect(name):
    with socket.socket(socket.AF_UNIX) as one:
        one.connect(name)


def own_abstract():
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind("\0liege-own-%d" % os.getpid())
        listener.listen()
        connect(listener.getsockname())


ways = {
    "unshare-user": lambda: call(272, NEW_USER),
    "unshare-user-high": lambda: call(272, HIGH | NEW_USER),
    "clone-user": lambda: clone(NEW_USER),
    "clone3-user": lambda: clone3(NEW_USER),
    "i386": old_door,
    "x32": lambda: call(0x40000000 | 39),
    "io_uring": ring,
    "vsock": lambda: call(41, 40, 1, 0),
    "vsock-high": lambda: call(41, HIGH | 40, 1, 0),
    "alg": lambda: call(41, 38, 5, 0),
    "alg-high": lambda: call(41, HIGH | 38, 5, 0),
    "nftables": lambda: call(41, 16, 3, 12),
    "tiocsti": lambda: type_into_terminal(0x5412),
    "tiocsti-high": lambda: type_into_terminal(HIGH | 0x5412),
    "line-discipline": discipline,
    "keyring": lambda: call(250, 0, -3, 1),
    "add_key": lambda: call(248, b"user", b"liege", b"x", 1, -2),
    "userfaultfd": lambda: call(323, 1),
    "personality": lambda: call(135, 0x400000),
    "handle": lambda: call(304, -100, 0, 0),
    # On nothing: whoever may mount is told ENOENT, and nothing is mounted anywhere.
    "mount": lambda: call(165, b"none", b"/no/such/place", b"tmpfs", 0, 0),
    "bpf": lambda: call(321, 0, 0, 0),
    # What programs need.
    "thread": lambda: clone(0),
    "unshare-files": lambda: call(272, 0x400),
    "netlink": lambda: call(41, 16, 3, 0),
    "own-abstract": own_abstract,
    "ask-personality": lambda: call(135, 0xFFFFFFFF),
}
files = ["/proc/sys/kernel/core_pattern", "/proc/sysrq-trigger", "/proc/sys/kernel/modprobe", "/sys/kernel/uevent_helper",
         "/proc/sys/fs/binfmt_misc/register", "/sys/kernel/mm/transparent_hugepage/enabled", "/proc/sys/kernel/hotplug"]
for name in files:
    # Opened and never written: outside, as root, that changes nothing.
    ways["write:" + name] = lambda name=name: os.close(os.open(name, os.O_WRONLY))
for name in sys.argv[1:]:
    if name.startswith("@"):
        ways["connect:" + name] = lambda name=name: connect("\0" + name[1:])


def outcome(way):
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            way()
            told = "done"
        except OSError as error:
            told = errno.errorcode.get(error.errno, str(error.errno))
        os.write(writer, told.encode())
        os._exit(0)
    os.close(writer)
    told = os.read(reader, 100).decode()
    os.close(reader)
    status = os.waitpid(child, 0)[1]
    return signal.Signals(os.WTERMSIG(status)).name if os.WIFSIGNALED(status) else told


for name, way in ways.items():
    print("ask", name, outcome(way), flush=True)
print("ask done", flush=True)
if "wait" in sys.argv:
    signal.pause()
