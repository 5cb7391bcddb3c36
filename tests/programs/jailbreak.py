# What a tenant tries in his jail: jailbreak.py keep | try NEIGHBOUR HOST. `keep` makes what the other one looks for. Tells
# for each `break WAY OUTCOME`: `done`, or the name of the error.
import ctypes, errno, os, sys, time

libc = ctypes.CDLL(None, use_errno=True)
KEY, NAME = 0x11E6E, "liege-attack"
IPC_CREAT, MS_BIND, MS_REMOUNT, MNT_DETACH = 0o1000, 4096, 32, 2
NEW_NS, NEW_USER = 0x20000, 0x10000000
# Not `kernel/pid_max` and `kernel/ns_last_pid`: those are of the jail's own pid namespace.
KNOBS = """kernel/core_pattern kernel/modprobe kernel/hotplug kernel/poweroff_cmd kernel/panic kernel/randomize_va_space
kernel/yama/ptrace_scope kernel/dmesg_restrict kernel/kptr_restrict kernel/threads-max kernel/domainname
kernel/unprivileged_bpf_disabled kernel/perf_event_paranoid kernel/sysrq vm/overcommit_memory
vm/drop_caches vm/mmap_min_addr fs/suid_dumpable fs/protected_symlinks fs/protected_hardlinks fs/file-max
fs/binfmt_misc/register user/max_user_namespaces""".split()
OTHERS = """/proc/sysrq-trigger /proc/timer_list /proc/kcore /proc/mtrr /proc/1/oom_score_adj /proc/1/attr/current
/proc/1/mem /sys/kernel/uevent_helper /sys/kernel/mm/ksm/run /sys/kernel/mm/transparent_hugepage/enabled
/sys/kernel/profiling /sys/kernel/security/lockdown /sys/power/state /sys/fs/cgroup/cgroup.procs
/sys/module/kernel/parameters/panic""".split()
DEVICES = "mem port kmsg loop0 loop-control fuse net/tun kvm vda sda mapper/control input/event0 tty0 console".split()


def tell(way, attempt):
    try:
        attempt()
        outcome = "done"
    except OSError as error:
        outcome = errno.errorcode.get(error.errno, str(error.errno))
    print("break", way, outcome, flush=True)


def call(function, *arguments):
    result = function(*arguments)
    if result < 0:
        raise OSError(ctypes.get_errno(), "")
    return result


def mq_open(flags):
    return call(libc.mq_open, f"/{NAME}".encode(), flags, 0o666, None)


def write(path):
    # Opened and no more: what cannot be opened cannot be written to.
    os.close(os.open(path, os.O_WRONLY))


def setns(path):
    call(libc.setns, os.open(path, os.O_RDONLY), 0)


def keep():
    call(libc.shmget, KEY, 4096, IPC_CREAT | 0o666)
    call(libc.semget, KEY, 1, IPC_CREAT | 0o666)
    call(libc.msgget, KEY, IPC_CREAT | 0o666)
    mq_open(os.O_CREAT | os.O_RDWR)
    for directory in ("/dev/shm", "/tmp"):
        with open(f"{directory}/{NAME}", "w") as file:
            os.fchmod(file.fileno(), 0o666)
    print("kept", flush=True)


def attack(neighbour, host):
    for name, pid in (("neighbour", neighbour), ("host", host)):
        tell(f"namespace-of-{name}", lambda: setns(f"/proc/{pid}/ns/mnt"))
        tell(f"root-of-{name}", lambda: os.listdir(f"/proc/{pid}/root"))
        tell(f"signal-to-{name}", lambda: os.kill(int(pid), 0))
    tell("namespace-of-first", lambda: setns("/proc/1/ns/mnt"))
    tell("root-of-first", lambda: os.listdir("/proc/1/root"))
    tell("own-namespace", lambda: setns("/proc/self/ns/user"))
    tell("shm", lambda: call(libc.shmget, KEY, 4096, 0))
    tell("sem", lambda: call(libc.semget, KEY, 1, 0))
    tell("msg", lambda: call(libc.msgget, KEY, 0))
    tell("mq", lambda: mq_open(os.O_RDWR))
    tell("posix-shm", lambda: os.open(f"/dev/shm/{NAME}", os.O_RDWR))
    tell("tmp", lambda: os.open(f"/tmp/{NAME}", os.O_RDWR))
    for knob in KNOBS:
        tell(f"write-{knob}", lambda: write(f"/proc/sys/{knob}"))
    for path in OTHERS:
        tell(f"write-{path}", lambda: write(path))
    for place in ("/proc", "/tmp", "/dev", "/sys", "/dev/shm"):
        tell(f"umount-{place}", lambda: call(libc.umount2, place.encode(), MNT_DETACH))
        tell(f"remount-{place}", lambda: call(libc.mount, None, place.encode(), None, MS_REMOUNT | MS_BIND, None))
        tell(f"bind-{place}", lambda: call(libc.mount, b"/tmp", place.encode(), None, MS_BIND, None))
    tell("mount-proc", lambda: call(libc.mount, b"proc", b"/tmp", b"proc", 0, None))
    tell("nested", lambda: call(libc.unshare, NEW_USER | NEW_NS))
    for name, mode, device in (("null", 0o20666, os.makedev(1, 3)), ("disk", 0o60666, os.makedev(254, 0))):
        tell(f"mknod-{name}", lambda: os.mknod(f"/tmp/{name}", mode, device))
    for device in DEVICES:
        tell(f"device-{device}", lambda: os.open(f"/dev/{device}", os.O_RDONLY | os.O_NONBLOCK))
    for place in ("/dev", "/sys", "/proc"):
        tell(f"make-in-{place}", lambda: os.mkdir(f"{place}/new"))
    up = "/".join([".."] * 40)
    tell("up", lambda: os.open(f"{up}/tmp/{sys.argv[4]}", os.O_RDONLY))
    print("break end done", flush=True)


keep() if sys.argv[1] == "keep" else attack(sys.argv[2], sys.argv[3])
while True:
    time.sleep(1000)
