// SPDX-License-Identifier: MIT OR Apache-2.0
// Both ends of a terminal: what a person at one waits for.
// gcc -static -O2 -o terminal terminal.c
//
// `terminal program` is the program there: it says `r`, answers each byte with the same one, and `f` with a flood; `q` ends it.
// `terminal seat ECHOES COMMAND...` is the person: it runs the command on a terminal of its own and prints microseconds until the
// `r`, the median of so many echoes in microseconds, and the flood in megabytes a second; then it waits for the end of its input.
// `terminal seat-at PATH ECHOES` does the same at a unix socket whose other end is a terminal.
// With a command that is `terminal program` itself, it is the floor: a bare terminal.
#define _GNU_SOURCE
#include <fcntl.h>
#include <pty.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define FLOOD (32 << 20)
#define PIECE 65536

static char piece[PIECE];

static double now_us(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

static void raw(int terminal)
{
    struct termios settings;
    if (tcgetattr(terminal, &settings))
        return;
    cfmakeraw(&settings);
    tcsetattr(terminal, TCSANOW, &settings);
}

static int flood(void)
{
    memset(piece, 'x', sizeof piece);
    for (size_t left = FLOOD; left > 0;) {
        ssize_t written = write(1, piece, left < sizeof piece ? left : sizeof piece);
        if (written <= 0)
            return 1;
        left -= written;
    }
    return 0;
}

static int program(void)
{
    raw(0);
    char byte = 'r';
    do {
        if (byte == 'f' ? flood() : write(1, &byte, 1) != 1)
            return 1;
    } while (read(0, &byte, 1) == 1 && byte != 'q');
    return 0;
}

static int by_size(const void *one, const void *other)
{
    double difference = *(const double *)one - *(const double *)other;
    return (difference > 0) - (difference < 0);
}

// Skips what others say on the way, such as a notice of the client's.
static int wait_for(int seat, char wanted)
{
    char byte;
    while (read(seat, &byte, 1) == 1)
        if (byte == wanted)
            return 0;
    return 1;
}

static int sit(int seat, double begun, int echoes)
{
    double *times = calloc(echoes, sizeof *times);
    if (wait_for(seat, 'r'))
        return 1;
    double first = now_us() - begun;
    for (int number = 0; number < echoes; number++) {
        double before = now_us();
        char byte = 'e';
        if (write(seat, &byte, 1) != 1 || wait_for(seat, 'e'))
            return 1;
        times[number] = now_us() - before;
    }
    qsort(times, echoes, sizeof *times, by_size);
    double before = now_us();
    if (write(seat, "f", 1) != 1)
        return 1;
    for (ssize_t left = FLOOD, got; left > 0; left -= got)
        if ((got = read(seat, piece, sizeof piece)) <= 0)
            return 1;
    printf("%f %f %f\n", first, times[echoes / 2], FLOOD / (now_us() - before));
    fflush(stdout);
    // Whoever measures memory does it now.
    while (read(0, piece, sizeof piece) > 0) {
    }
    // Some would keep the program for another time.
    if (write(seat, "q", 1) != 1)
        return 1;
    while (read(seat, piece, sizeof piece) > 0) {
    }
    return 0;
}

static int reach(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int seat = socket(AF_UNIX, SOCK_STREAM, 0);
    return connect(seat, (struct sockaddr *)&address, sizeof address) ? -1 : seat;
}

int main(int count, char **words)
{
    if (count == 2 && !strcmp(words[1], "program"))
        return program();
    double begun = now_us();
    if (count == 4 && !strcmp(words[1], "seat-at")) {
        int seat = reach(words[2]);
        return seat < 0 ? 2 : sit(seat, begun, atoi(words[3]));
    }
    if (count < 4 || strcmp(words[1], "seat"))
        return 2;
    int seat;
    struct winsize size = { 24, 80, 0, 0 };
    pid_t child = forkpty(&seat, 0, 0, &size);
    if (child == 0) {
        execvp(words[3], words + 3);
        _exit(127);
    }
    return sit(seat, begun, atoi(words[2]));
}
