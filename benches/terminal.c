// SPDX-License-Identifier: MIT OR Apache-2.0
// Both ends of a terminal: what a person at one waits for.
// gcc -static -O2 -o terminal terminal.c
//
// `terminal program` is the program there: it says `r`, answers each byte with the same one, and `f` with a flood; `q` ends it.
// `terminal seat ECHOES COMMAND...` is the person: it runs the command on a terminal of its own and prints microseconds until the
// `r`, the median of so many echoes in microseconds, and the flood in megabytes a second; then it waits for the end of its input.
// `terminal seat-at PATH ECHOES` does the same at a unix socket whose other end is a terminal.
// `terminal seat-in SOCKET ECHOES VASSAL COMMAND...` is a program that asks liege itself, at its control socket, and has the terminal
// of the jail in its own hands.
// With a command that is `terminal program` itself, it is the floor: a bare terminal.
// `terminal client COMMAND...` is the least that a client can be: it runs the command on a terminal of its own and carries bytes between
// that and the one it has itself. It is the floor of whoever stands between a person and a program.
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
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

static char *put(char *at, const char *word)
{
    size_t length = strlen(word), left = length;
    // Seven bits a byte, the lowest first (postcard).
    for (; left >= 128; left >>= 7)
        *at++ = left | 128;
    *at++ = left;
    return memcpy(at, word, length) + length;
}

// A terminal in a jail: asks for a program there, and takes our side of it.
static int enter(const char *path, const char *vassal, char **command)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int door = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    char *at = piece;
    *at++ = 1; // version
    *at++ = 0; // a program in the jail
    at = put(at, vassal);
    int words = 0;
    while (command[words])
        words++;
    *at++ = words;
    while (*command)
        at = put(at, *command++);
    *at++ = 0; // no variables
    *at++ = 0; // on a terminal
    *at++ = 24;
    *at++ = 80;
    if (connect(door, (struct sockaddr *)&address, sizeof address) || send(door, piece, at - piece, 0) < 0)
        return -1;
    union {
        struct cmsghdr head;
        char room[CMSG_SPACE(sizeof(int))];
    } beside;
    struct iovec bytes = { piece, sizeof piece };
    for (;;) {
        struct msghdr message = { .msg_iov = &bytes, .msg_iovlen = 1, .msg_control = &beside, .msg_controllen = sizeof beside };
        if (recvmsg(door, &message, MSG_CMSG_CLOEXEC) < 2 || piece[1] == 0)
            return -1;
        struct cmsghdr *came = CMSG_FIRSTHDR(&message);
        if (came && came->cmsg_type == SCM_RIGHTS)
            return *(int *)CMSG_DATA(came);
    }
}

// False at its end.
static int carry(int from, int to)
{
    ssize_t got = read(from, piece, sizeof piece);
    for (ssize_t done = 0, written; done < got; done += written)
        if ((written = write(to, piece + done, got - done)) <= 0)
            return 0;
    return got > 0;
}

static int client(char **command)
{
    int master;
    struct winsize size = { 24, 80, 0, 0 };
    pid_t child = forkpty(&master, 0, 0, &size);
    if (child == 0) {
        execvp(command[0], command);
        _exit(127);
    }
    raw(0);
    struct pollfd each[2] = { { 0, POLLIN, 0 }, { master, POLLIN, 0 } };
    while (poll(each, 2, -1) > 0) {
        if (each[0].revents && !carry(0, master))
            return 0;
        if (each[1].revents && !carry(master, 1))
            return 0;
    }
    return 1;
}

int main(int count, char **words)
{
    if (count > 2 && !strcmp(words[1], "client"))
        return client(words + 2);
    if (count == 2 && !strcmp(words[1], "program"))
        return program();
    double begun = now_us();
    if (count == 4 && !strcmp(words[1], "seat-at")) {
        int seat = reach(words[2]);
        return seat < 0 ? 2 : sit(seat, begun, atoi(words[3]));
    }
    if (count > 5 && !strcmp(words[1], "seat-in")) {
        int seat = enter(words[2], words[4], words + 5);
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
