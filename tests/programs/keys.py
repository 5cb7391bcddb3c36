# Session keyrings (`keyctl(2)`): keys.py plant PROGRAM ARGUMENTS... puts a key into a session keyring of its own and runs
# a program there; keys.py look prints the number of the session keyring and what came of looking for that key.
import ctypes, errno, os, platform, sys

ADD_KEY, KEYCTL = {"x86_64": (248, 250), "aarch64": (217, 219)}[platform.machine()]
GET_KEYRING_ID, JOIN_SESSION, SEARCH, SESSION = 0, 1, 10, -3
libc = ctypes.CDLL(None, use_errno=True)


def call(*arguments):
    answer = libc.syscall(*arguments)
    return answer if answer >= 0 else errno.errorcode[ctypes.get_errno()]


if sys.argv[1] == "plant":
    assert isinstance(call(KEYCTL, JOIN_SESSION, None), int)
    assert isinstance(call(ADD_KEY, b"user", b"liege-test", b"secret", 6, SESSION), int)
    os.execvp(sys.argv[2], sys.argv[2:])
print("keyring", call(KEYCTL, GET_KEYRING_ID, SESSION, 0), call(KEYCTL, SEARCH, SESSION, b"user", b"liege-test", 0), flush=True)
