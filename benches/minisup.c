// SPDX-License-Identifier: MIT OR Apache-2.0
// The floor of supervision: vfork and exec COUNT children, wait, start again what has died. No config, no jail.
// gcc -O2 -o minisup minisup.c
//
// minisup COUNT PROGRAM      child N is: PROGRAM vN
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PID_MAX = 1 << 22 };

static int slots[PID_MAX]; /* by pid: number of the child, counted from 1 */

static void start(const char *program, int number)
{
    char name[16];
    char *argv[] = { (char *)program, name, NULL };
    char *environment[] = { NULL };
    snprintf(name, sizeof name, "v%d", number);
    pid_t pid = vfork();
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
        execve(program, argv, environment);
        _exit(99);
    }
    if (pid > 0)
        slots[pid] = number + 1;
}

int main(int argc, char **argv)
{
    if (argc != 3)
        return 2;
    for (int i = 0, count = atoi(argv[1]); i < count; i++)
        start(argv[2], i);
    for (;;) {
        pid_t pid = wait(NULL);
        if (pid < 0)
            return 1;
        int number = slots[pid];
        slots[pid] = 0;
        if (number)
            start(argv[2], number - 1);
    }
}
