"""Takes every inotify instance that it gets, says how many and what ended it, and keeps them: `watch.py NAME`."""

import ctypes
import errno
import signal
import sys

ROUNDS_MAX = 100_000

libc = ctypes.CDLL(None, use_errno=True)
taken = 0
while taken < ROUNDS_MAX and libc.inotify_init1(0) >= 0:
    taken += 1
print(f"{sys.argv[1]} took {taken}, then {errno.errorcode[ctypes.get_errno()]}", flush=True)
signal.pause()
