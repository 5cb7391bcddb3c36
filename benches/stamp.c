// SPDX-License-Identifier: MIT OR Apache-2.0
// The smallest vassal: says that it runs, speaks the Emperor protocol, and waits.
// gcc -static -nostdlib -O2 -fno-stack-protector -DSOCKET='"/path"' -o stamp stamp.c
//
// Each stamp is one datagram "EVENT NAME NANOSECONDS" (CLOCK_MONOTONIC) to the unix socket SOCKET, where
// EVENT is `s` (runs) or `r` (told to reload). A socket with a path is reached from every network namespace.
// NAME is the last argument of the command line.
// A NAME that begins with `once` ends after that, with the status that asks an Emperor for no further start.
// With UWSGI_EMPEROR_FD: says spawned, accepting and loyal; ends on stop (0, 2) and when the Emperor is gone.
typedef unsigned long u64;

enum { SYS_READ = 0, SYS_WRITE = 1, SYS_CLOSE = 3, SYS_PAUSE = 34, SYS_SOCKET = 41, SYS_SENDTO = 44,
       SYS_EXIT = 60, SYS_CLOCK_GETTIME = 228 };

static inline long call(long number, long a, long b, long c, long d, long e, long f)
{
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    register long r9 __asm__("r9") = f;
    __asm__ volatile("syscall" : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
                     : "rcx", "r11", "memory");
    return result;
}

static int put_number(char *to, u64 value)
{
    char digits[24];
    int n = 0;
    do {
        digits[n++] = '0' + value % 10;
        value /= 10;
    } while (value);
    for (int i = 0; i < n; i++)
        to[i] = digits[n - 1 - i];
    return n;
}

static void stamp(char event, const char *name)
{
    static const char path[] = SOCKET;
    struct { unsigned short family; char path[108]; } address = { 1, { 0 } };
    char text[160];
    u64 time[2];
    int n = 0;
    call(SYS_CLOCK_GETTIME, 1, (long)time, 0, 0, 0, 0);
    text[n++] = event;
    text[n++] = ' ';
    while (*name && n < 120)
        text[n++] = *name++;
    text[n++] = ' ';
    n += put_number(text + n, time[0] * 1000000000ul + time[1]);
    for (unsigned i = 0; i < sizeof path; i++)
        address.path[i] = path[i];
    long s = call(SYS_SOCKET, 1, 2, 0, 0, 0, 0);
    call(SYS_SENDTO, s, (long)text, n, 0, (long)&address, 2 + sizeof path);
    call(SYS_CLOSE, s, 0, 0, 0, 0, 0);
}

/* The number in UWSGI_EMPEROR_FD, or -1. */
static long control(char **environment)
{
    static const char wanted[] = "UWSGI_EMPEROR_FD=";
    for (; *environment; environment++) {
        const char *at = *environment, *w = wanted;
        while (*w && *at == *w)
            at++, w++;
        if (*w)
            continue;
        long number = 0;
        while (*at >= '0' && *at <= '9')
            number = number * 10 + *at++ - '0';
        return number;
    }
    return -1;
}

__attribute__((used, force_align_arg_pointer)) void begin(u64 *stack)
{
    int argc = stack[0];
    char **argv = (char **)(stack + 1), byte;
    const char *name = argc > 1 ? argv[argc - 1] : "?";
    long emperor = control(argv + argc + 1);
    stamp('s', name);
    if (name[0] == 'o' && name[1] == 'n' && name[2] == 'c' && name[3] == 'e')
        call(SYS_EXIT, 26, 0, 0, 0, 0, 0);
    if (emperor < 0)
        for (;;)
            call(SYS_PAUSE, 0, 0, 0, 0, 0, 0);
    call(SYS_WRITE, emperor, (long)"\1\5\21", 3, 0, 0, 0);
    while (call(SYS_READ, emperor, (long)&byte, 1, 0, 0, 0) == 1) {
        if (byte != 1)
            break;
        stamp('r', name);
        call(SYS_WRITE, emperor, (long)"\1\5", 2, 0, 0, 0);
    }
    call(SYS_EXIT, 0, 0, 0, 0, 0, 0);
}
__asm__(".globl _start\n_start:\n mov %rsp,%rdi\n call begin\n");
