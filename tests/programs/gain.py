# Runs whatever would make its user root: gain.py TOP DIRECTORY [wait]. Tells for each `gain WAY OUTCOME`; `nothing` is the
# outcome of a program that ran with no more rights than we have.
import os, signal, subprocess, sys

top, again = sys.argv[1], os.path.join(sys.argv[2], "again")


def output(*argv):
    return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True).stdout


def field(text, name):
    return next(line.split()[1:] for line in text.splitlines() if line.startswith(name))


def identity(program):
    return "root" if "euid=0" in output(program) else "nothing"


def capabilities(program):
    held = int(field(output(program, "/proc/self/status"), "CapPrm:")[0], 16)
    ours = int(field(open("/proc/self/status").read(), "CapPrm:")[0], 16)
    return "capable" if held & ~ours else "nothing"


def su():
    # It asks for a password, and waits with whatever rights it has got.
    waiting = subprocess.Popen(["/usr/bin/su"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    said = waiting.stdout.read(1)
    ids = field(open(f"/proc/{waiting.pid}/status").read(), "Uid:") if said else []
    ours = field(open("/proc/self/status").read(), "Uid:")
    waiting.kill()
    waiting.wait()
    return "root" if ids and ids[1] != ours[1] else "nothing"


def sudo():
    # It gets as far as a look at who we are only as root.
    said = output("/usr/bin/sudo", "-n", "/bin/true")
    return "root" if "passwd database" in said or "password is required" in said else "nothing"


print("gain setuid-id", identity(top + "/setuid-id"))
print("gain capable-cat", capabilities(top + "/capable-cat"))
if os.getuid() != 0:
    # Root of a user namespace is asked for nothing.
    print("gain su", su())
print("gain sudo", sudo())
if os.path.exists(again + "/setuid-id"):
    print("gain setuid-id-again", identity(again + "/setuid-id"))
    print("gain capable-cat-again", capabilities(again + "/capable-cat"))
print("gain done", flush=True)
if sys.argv[3:] == ["wait"]:
    signal.pause()
