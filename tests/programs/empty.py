# Makes empty files in a directory until there is no room for one, at most so many: empty.py DIRECTORY MOST. Tells
# `files DIRECTORY COUNT ERROR`, and stays.
import errno, os, signal, sys

directory, most = sys.argv[1], int(sys.argv[2])
count, error = 0, "none"
while count < most and error == "none":
    try:
        os.close(os.open("%s/%d" % (directory, count), os.O_CREAT | os.O_EXCL))
        count += 1
    except OSError as refused:
        error = errno.errorcode[refused.errno]
print("files", directory, count, error, flush=True)
signal.pause()
