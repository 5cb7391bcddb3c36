/* Takes all that it can get of one resource, says how much that was and what ended it, and keeps it: `hog WHAT [DIRECTORY [NAME]]`. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/keyctl.h>
#include <mqueue.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A hog that meets no limit ends here, and the case fails. */
enum { ROUNDS_MAX = 4000000, BLOCK = 1 << 20 };

static const char *directory = "/tmp";

static long forks(void) {
    long count = 0;
    for (pid_t pid; (pid = fork()) >= 0; count++)
        if (pid == 0) pause();
    return count;
}

/* Children that nobody reaps. */
static long zombies(void) {
    long count = 0;
    for (pid_t pid; (pid = fork()) >= 0; count++)
        if (pid == 0) _exit(0);
    return count;
}

static void *idle(void *unused) {
    pause();
    return unused;
}

static long threads(void) {
    pthread_attr_t small;
    pthread_t thread;
    long count = 0;
    pthread_attr_init(&small);
    pthread_attr_setstacksize(&small, 1 << 16);
    while ((errno = pthread_create(&thread, &small, idle, NULL)) == 0) count++;
    return count;
}

static long memory(void) {
    for (long count = 0; count < ROUNDS_MAX; count++) {
        char *block = mmap(NULL, BLOCK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (block == MAP_FAILED) return count;
        memset(block, 1, BLOCK);
    }
    return ROUNDS_MAX;
}

/* One page in each 2 MiB: nearly all that is taken are page tables. Half of what is touched is one and the same page. */
static long tables(void) {
    int file = memfd_create("page", 0);
    if (ftruncate(file, 2 << 20) != 0) return 0;
    for (long count = 0; count < ROUNDS_MAX; count++) {
        volatile char *block = mmap(NULL, 2 << 20, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
        if (block == MAP_FAILED) return count;
        (void)block[0];
    }
    return ROUNDS_MAX;
}

/* Bytes that nobody reads. */
static long buffers(void) {
    static char block[BLOCK / 8];
    int size = 1 << 24;
    for (long count = 0; count < ROUNDS_MAX; count++) {
        int pair[2];
        if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair) != 0) return count;
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
        while (write(pair[0], block, sizeof block) > 0) {}
    }
    return ROUNDS_MAX;
}

static int make(const char *name, long number) {
    char path[256];
    snprintf(path, sizeof path, "%s/%s-%ld", directory, name, number);
    return open(path, O_CREAT | O_RDWR, 0644);
}

static long fill(void) {
    static char block[BLOCK];
    int file = make("fill", getpid());
    long count = 0;
    memset(block, 1, sizeof block);
    while (file >= 0 && write(file, block, sizeof block) > 0 && count < ROUNDS_MAX) count++;
    return count;
}

static long inodes(void) {
    for (long count = 0; count < ROUNDS_MAX; count++) {
        int file = make("inode", count);
        if (file < 0) return count;
        close(file);
    }
    return ROUNDS_MAX;
}

static void all_descriptors(void) {
    struct rlimit limit;
    getrlimit(RLIMIT_NOFILE, &limit);
    limit.rlim_cur = limit.rlim_max;
    setrlimit(RLIMIT_NOFILE, &limit);
}

static long descriptors(void) {
    long count = 0;
    while (open("/dev/null", O_RDONLY) >= 0 && count < ROUNDS_MAX) count++;
    return count;
}

static long epolls(void) {
    long count = 0;
    int one = epoll_create1(0), pipes[2];
    if (pipe(pipes) != 0) return 0;
    for (; count < ROUNDS_MAX; count++) {
        struct epoll_event event = {.events = EPOLLIN};
        int copy = dup(pipes[0]);
        if (copy < 0 || epoll_ctl(one, EPOLL_CTL_ADD, copy, &event) != 0) return count;
    }
    return count;
}

static long instances(void) {
    long count = 0;
    while (inotify_init1(IN_CLOEXEC) >= 0 && count < ROUNDS_MAX) count++;
    return count;
}

static long watches(void) {
    int one = inotify_init1(IN_CLOEXEC);
    char path[256];
    for (long count = 0; count < ROUNDS_MAX; count++) {
        snprintf(path, sizeof path, "%s/watch-%ld", directory, count);
        if (mkdir(path, 0755) != 0 || inotify_add_watch(one, path, IN_ALL_EVENTS) < 0) return count;
    }
    return ROUNDS_MAX;
}

static long keys(void) {
    char name[64];
    for (long count = 0; count < ROUNDS_MAX; count++) {
        snprintf(name, sizeof name, "hog-%ld", count);
        if (syscall(SYS_add_key, "user", name, name, sizeof name, KEY_SPEC_SESSION_KEYRING) < 0) return count;
    }
    return ROUNDS_MAX;
}

/* Names that somebody else has are an end too. */
static long mqueues(void) {
    struct mq_attr small = {.mq_maxmsg = 1, .mq_msgsize = 8192};
    char name[64];
    for (long count = 0; count < ROUNDS_MAX; count++) {
        snprintf(name, sizeof name, "/hog-%ld", count);
        if (mq_open(name, O_CREAT | O_EXCL | O_RDWR, 0666, &small) < 0) return count;
    }
    return ROUNDS_MAX;
}

static const struct {
    const char *name;
    long (*take)(void);
} hogs[] = {
    {"forks", forks},       {"zombies", zombies}, {"threads", threads},         {"memory", memory}, {"tables", tables},
    {"buffers", buffers},   {"fill", fill},       {"inodes", inodes},           {"epolls", epolls}, {"instances", instances},
    {"watches", watches},   {"keys", keys},       {"descriptors", descriptors},
    {"mqueues", mqueues},
};

int main(int argc, char **argv) {
    if (argc > 2) directory = argv[2];
    all_descriptors();
    for (size_t i = 0; argc > 1 && i < sizeof hogs / sizeof *hogs; i++) {
        if (strcmp(hogs[i].name, argv[1]) != 0) continue;
        long count = hogs[i].take();
        int reason = errno;
        dprintf(1, "%s %s: %ld, then %s\n", argc > 3 ? argv[3] : "hog", argv[1], count, strerrorname_np(reason));
        for (;;) pause();
    }
    dprintf(2, "hog WHAT [DIRECTORY [NAME]]\n");
    return 2;
}
