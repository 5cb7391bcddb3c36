// SPDX-License-Identifier: MIT OR Apache-2.0
// Traffic between network namespaces, measured where it arrives.
// gcc -O2 -o traffic traffic.c
//
// traffic KIND ADDRESS MILLISECONDS STREAMS PIDS SERVER-NETNS CLIENT-NETNS...
//   KIND     up: clients send over TCP · down: they receive · ping: one byte there and back · udp: clients send 64 bytes each
//   ADDRESS  of the server, as clients see it
//   STREAMS  connections of each client
//   PIDS     processes whose CPU time is counted, separated by commas, or - for none
//   NETNS    files of network namespaces
// Answers with one line: how much arrived (bytes; answers of ping; datagrams of udp), nanoseconds of the window, nanoseconds
// of CPU of the whole machine, nanoseconds of CPU of PIDS.
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PORT = 5201, CHUNK = 128 * 1024, DATAGRAM = 64, MANY = 64, PIDS_MAX = 16, CHILDREN_MAX = 2048, PATIENCE_S = 10 };

struct shared {
    _Atomic uint64_t arrived;
    _Atomic int is_listening, connected, failed;
};

static struct shared *shared;
static char chunk[CHUNK];
static int pids[PIDS_MAX], pid_count;
static pid_t children[CHILDREN_MAX];
static int child_count;

static void die(const char *what)
{
    fprintf(stderr, "traffic: %s: %s\n", what, strerror(errno));
    shared->failed = 1;
    _exit(1);
}

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1000000000ull + time.tv_nsec;
}

static void rest_ms(long ms)
{
    struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&time, NULL);
}

static void enter(const char *network)
{
    int fd = open(network, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET))
        die(network);
    close(fd);
}

static pid_t branch(void)
{
    pid_t pid = child_count < CHILDREN_MAX ? fork() : -1;
    if (pid < 0)
        die("fork");
    if (pid == 0)
        prctl(PR_SET_PDEATHSIG, SIGKILL);
    else
        children[child_count++] = pid;
    return pid;
}

/* Those below the children go with them. */
static void end_all(void)
{
    while (child_count > 0) {
        kill(children[--child_count], SIGKILL);
        waitpid(children[child_count], NULL, 0);
    }
}

static void take(int fd)
{
    for (ssize_t length; (length = read(fd, chunk, sizeof chunk)) > 0;)
        shared->arrived += length;
}

static void give(int fd)
{
    while (write(fd, chunk, sizeof chunk) > 0)
        ;
}

static void echo(int fd)
{
    char byte;
    while (read(fd, &byte, 1) == 1 && write(fd, &byte, 1) == 1)
        ;
}

static void ask(int fd)
{
    char byte = 'x';
    while (write(fd, &byte, 1) == 1 && read(fd, &byte, 1) == 1)
        shared->arrived++;
}

static void be_prompt(int fd)
{
    int yes = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof yes);
}

static void count_datagrams(int fd)
{
    static char packets[MANY][DATAGRAM];
    struct mmsghdr messages[MANY] = {0};
    struct iovec parts[MANY];
    for (int index = 0; index < MANY; index++) {
        parts[index] = (struct iovec){packets[index], DATAGRAM};
        messages[index].msg_hdr.msg_iov = &parts[index];
        messages[index].msg_hdr.msg_iovlen = 1;
    }
    for (int count; (count = recvmmsg(fd, messages, MANY, MSG_WAITFORONE, NULL)) > 0;)
        shared->arrived += count;
}

static void serve(const char *kind, const char *network)
{
    int is_udp = !strcmp(kind, "udp"), yes = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    enter(network);
    int listener = socket(AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (void *)&address, sizeof address) || (!is_udp && listen(listener, 512)))
        die("bind");
    shared->is_listening = 1;
    if (is_udp)
        count_datagrams(listener);
    signal(SIGCHLD, SIG_IGN);
    for (int fd; (fd = accept(listener, NULL, NULL)) >= 0; close(fd)) {
        if (branch())
            continue;
        be_prompt(fd);
        !strcmp(kind, "up") ? take(fd) : !strcmp(kind, "down") ? give(fd) : echo(fd);
        _exit(0);
    }
    die("accept");
}

static void ask_for(const char *kind, const char *server, const char *network)
{
    int is_udp = !strcmp(kind, "udp");
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(PORT)};
    struct timeval patience = {.tv_sec = PATIENCE_S};
    inet_aton(server, &address.sin_addr);
    enter(network);
    int fd = socket(AF_INET, is_udp ? SOCK_DGRAM : SOCK_STREAM, 0);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
    if (connect(fd, (void *)&address, sizeof address))
        die("connect");
    shared->connected++;
    if (is_udp)
        for (;;)
            if (send(fd, chunk, DATAGRAM, 0) < 0 && errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
                die("send");
    be_prompt(fd);
    !strcmp(kind, "up") ? give(fd) : !strcmp(kind, "down") ? take(fd) : ask(fd);
    die("the connection has ended");
}

/* CPU time of the whole machine without what is idle, in nanoseconds. */
static uint64_t machine(void)
{
    uint64_t part[8] = {0};
    FILE *stat = fopen("/proc/stat", "r");
    if (!stat || fscanf(stat, "cpu %lu %lu %lu %lu %lu %lu %lu %lu", part, part + 1, part + 2, part + 3, part + 4, part + 5, part + 6, part + 7) != 8)
        die("/proc/stat");
    fclose(stat);
    uint64_t ticks = part[0] + part[1] + part[2] + part[5] + part[6];
    return ticks * (1000000000ull / sysconf(_SC_CLK_TCK));
}

static uint64_t of_pids(void)
{
    uint64_t sum = 0;
    for (int index = 0; index < pid_count; index++) {
        char path[64];
        uint64_t time = 0;
        snprintf(path, sizeof path, "/proc/%d/schedstat", pids[index]);
        FILE *schedstat = fopen(path, "r");
        if (schedstat && fscanf(schedstat, "%lu", &time) == 1)
            sum += time;
        if (schedstat)
            fclose(schedstat);
    }
    return sum;
}

static void wait_until(_Atomic int *number, int least)
{
    for (uint64_t end = now() + PATIENCE_S * 1000000000ull; *number < least; rest_ms(1))
        if (shared->failed || now() > end) {
            fprintf(stderr, "traffic: nothing to be measured came about\n");
            end_all();
            exit(1);
        }
}

static void measure(long ms)
{
    rest_ms(ms / 4);
    uint64_t arrived = shared->arrived, time = now(), all = machine(), some = of_pids();
    rest_ms(ms);
    arrived = shared->arrived - arrived;
    printf("%lu %lu %lu %lu\n", arrived, now() - time, machine() - all, of_pids() - some);
}

int main(int count, char **words)
{
    if (count < 8) {
        fprintf(stderr, "traffic KIND ADDRESS MILLISECONDS STREAMS PIDS SERVER-NETNS CLIENT-NETNS...\n");
        return 2;
    }
    int streams = atoi(words[4]), clients = count - 7;
    shared = mmap(NULL, sizeof *shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (char *word = strtok(words[5], ",-"); word && pid_count < PIDS_MAX; word = strtok(NULL, ","))
        pids[pid_count++] = atoi(word);
    if (branch() == 0)
        serve(words[1], words[6]);
    wait_until(&shared->is_listening, 1);
    for (int client = 0; client < clients; client++)
        for (int stream = 0; stream < streams; stream++)
            if (branch() == 0)
                ask_for(words[1], words[2], words[7 + client]);
    wait_until(&shared->connected, streams * clients);
    measure(atol(words[3]));
    end_all();
    return shared->failed;
}
