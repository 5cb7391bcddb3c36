# Starts processes until it gets no more, or has a thousand, and tells how many: `bomb COUNT OUTCOME`.
import os, time

count, outcome = 0, "nothing"
while count < 1000:
    try:
        if os.fork() == 0:
            time.sleep(1000000)
        count += 1
    except OSError as error:
        outcome = error.strerror
        break
print("bomb", count, outcome, flush=True)
time.sleep(1000000)
