// SPDX-License-Identifier: MIT OR Apache-2.0
// The floor of a jail spawn: clone3 with namespaces, the ids dropped, exec. Nothing is watched or supervised.
// gcc -O2 -o floor floor.c
//
// floor [-v] [-p POOL] [-r ROOT -b DIRECTORY] [-1 NAME] NAMESPACES PROGRAM
//   NAMESPACES  any of m(ount) n(et) i(pc) p(id) u(ts) c(group) U(ser) T(ime), or - for none
//   -v          vfork-like (CLONE_VM|CLONE_VFORK, own stack) instead of a copy of the process
//   -p POOL     network namespaces made beforehand, POOL of them, each used once
//   -r ROOT     this directory, read-only, is the root, with a proc of its own where there is a pid namespace
//   -b DIR      this directory is in that root at the same path
//   -1 NAME     spawns one at once and does nothing else
// It reads orders from standard input and answers each with one line:
//   one NAME    spawns PROGRAM NAME        ->  NANOSECONDS-BEFORE NANOSECONDS-AFTER
//   many COUNT  spawns PROGRAM j0 j1 ...   ->  the same, for all of them
//   fill        makes the pool full again  ->  its size
//   end         kills and reaps them all   ->  how many
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { ID = 1000, STACK = 65536, CHILDREN_MAX = 20000, CAPABILITY_LAST = 40 };

static unsigned long flags;
static int vfork_like, pool_size, pooled, *pool;
static const char *program, *root, *bound;
static char proc_at[512], bound_at[512];
static int clocks; /* a time namespace of its own */
static char *stack;
static pid_t children[CHILDREN_MAX];
static int born;

struct child {
    const char *name;
    int network; /* descriptor of a pooled network namespace, or -1 */
    int gate[2]; /* pipe on which it waits for the map of its user namespace, or -1 */
};

static void die(const char *what)
{
    fprintf(stderr, "floor: %s: %s\n", what, strerror(errno));
    _exit(99);
}

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec * 1000000000ull + t.tv_nsec;
}

/* Raw system calls for the ids: the vfork-like child must not touch the state of libc. */
static void drop(void)
{
    struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
    struct __user_cap_data_struct none[2] = { { 0 } };
    for (int c = 0; c <= CAPABILITY_LAST; c++)
        prctl(PR_CAPBSET_DROP, c, 0, 0, 0);
    if (syscall(SYS_setgroups, 0, NULL) || syscall(SYS_setresgid, ID, ID, ID) || syscall(SYS_setresuid, ID, ID, ID))
        die("ids");
    if (syscall(SYS_capset, &header, none))
        die("capset");
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0))
        die("prctl");
}

static void await(int *gate)
{
    char go;
    close(gate[1]);
    if (read(gate[0], &go, 1) != 1)
        die("gate");
}

static void write_file(pid_t pid, const char *name, const char *text)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", pid, name);
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write(file, text, strlen(text)) < 0)
        die(path);
    close(file);
}

/* One id, the same inside and outside; written from outside, so that setgroups stays allowed. */
static void open_gate(pid_t pid, int *gate)
{
    char map[32];
    snprintf(map, sizeof map, "%d %d 1", ID, ID);
    write_file(pid, "uid_map", map);
    write_file(pid, "gid_map", map);
    if (write(gate[1], "", 1) != 1)
        die("gate");
    close(gate[0]);
    close(gate[1]);
}

/* The kernel makes it for children alone; so it is entered by its file. */
static void enter_clocks(void)
{
    if (unshare(CLONE_NEWTIME))
        die("a time namespace");
    int made = open("/proc/self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
    if (made < 0 || setns(made, CLONE_NEWTIME))
        die("a time namespace");
    close(made);
}

static void enter_root(void)
{
    if (mount(root, root, NULL, MS_BIND | MS_REC, NULL) || mount(bound, bound_at, NULL, MS_BIND, NULL))
        die("bind");
    if (flags & CLONE_NEWPID && mount("proc", proc_at, "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL))
        die(proc_at);
    if (mount(NULL, root, NULL, MS_REMOUNT | MS_BIND | MS_RDONLY | MS_NOSUID | MS_NODEV, NULL))
        die("read-only");
    if (chdir(root) || syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH) || chdir("/"))
        die("pivot_root");
}

static int child(void *argument)
{
    struct child *it = argument;
    char *argv[] = { (char *)program, (char *)it->name, NULL };
    char *environment[] = { NULL };
    if (it->gate[0] >= 0)
        await(it->gate);
    if (it->network >= 0 && setns(it->network, CLONE_NEWNET))
        die("setns");
    if (flags & CLONE_NEWNS && mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL))
        die("private mounts");
    if (clocks)
        enter_clocks();
    if (root)
        enter_root();
    if (flags || clocks)
        drop();
    execve(program, argv, environment);
    die(program);
    return 99;
}

static pid_t spawn(const char *name)
{
    struct child it = { name, pooled ? pool[--pooled] : -1, { -1, -1 } };
    unsigned long own = it.network >= 0 ? flags & ~CLONE_NEWNET : flags;
    pid_t pid;
    if (flags & CLONE_NEWUSER && (vfork_like || pipe2(it.gate, O_CLOEXEC)))
        die("a user namespace, which takes a copy of the process and a pipe");
    if (vfork_like) {
        pid = clone(child, stack + STACK, own | CLONE_VM | CLONE_VFORK | SIGCHLD, &it);
    } else {
        struct clone_args args = { .flags = own, .exit_signal = SIGCHLD };
        pid = syscall(SYS_clone3, &args, sizeof args);
        if (pid == 0)
            child(&it);
    }
    if (pid < 0)
        die("clone3");
    if (it.gate[0] >= 0)
        open_gate(pid, it.gate);
    if (it.network >= 0)
        close(it.network);
    if (born == CHILDREN_MAX)
        die("too many children");
    return children[born++] = pid;
}

static void fill(void)
{
    int own = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    while (pooled < pool_size) {
        if (unshare(CLONE_NEWNET))
            die("unshare");
        pool[pooled++] = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    }
    setns(own, CLONE_NEWNET);
    close(own);
}

static void end(void)
{
    for (int i = 0; i < born; i++)
        kill(children[i], SIGKILL);
    for (int i = 0; i < born; i++)
        waitpid(children[i], NULL, 0);
    printf("%d\n", born);
    born = 0;
}

static unsigned long parse(const char *letters)
{
    unsigned long set = 0;
    for (; *letters; letters++)
        set |= *letters == 'm' ? CLONE_NEWNS : *letters == 'n' ? CLONE_NEWNET : *letters == 'i' ? CLONE_NEWIPC
             : *letters == 'p' ? CLONE_NEWPID : *letters == 'u' ? CLONE_NEWUTS
             : *letters == 'c' ? CLONE_NEWCGROUP : *letters == 'U' ? CLONE_NEWUSER : 0;
    return set;
}

static void obey(char *order)
{
    uint64_t before;
    char name[32];
    if (!strncmp(order, "one ", 4)) {
        before = now();
        spawn(order + 4);
        printf("%lu %lu\n", before, now());
    } else if (!strncmp(order, "many ", 5)) {
        before = now();
        for (int i = 0, count = atoi(order + 5); i < count; i++) {
            snprintf(name, sizeof name, "j%d", i);
            spawn(name);
        }
        printf("%lu %lu\n", before, now());
    } else if (!strcmp(order, "fill")) {
        fill();
        printf("%d\n", pooled);
    } else if (!strcmp(order, "end")) {
        end();
    } else {
        die(order);
    }
    fflush(stdout);
}

int main(int argc, char **argv)
{
    char line[256];
    const char *only = NULL;
    int option;
    while ((option = getopt(argc, argv, "vp:r:b:1:")) > 0) {
        if (option == 'v')
            vfork_like = 1;
        else if (option == 'p')
            pool_size = atoi(optarg);
        else if (option == 'r')
            root = optarg;
        else if (option == 'b')
            bound = optarg;
        else if (option == '1')
            only = optarg;
        else
            return 2;
    }
    if (argc - optind != 2)
        return 2;
    flags = parse(argv[optind]);
    clocks = !!strchr(argv[optind], 'T');
    if (!root != !bound || (root && !(flags & CLONE_NEWNS)) || (clocks && vfork_like))
        return 2;
    if (root) {
        snprintf(proc_at, sizeof proc_at, "%s/proc", root);
        snprintf(bound_at, sizeof bound_at, "%s%s", root, bound);
    }
    program = argv[optind + 1];
    stack = mmap(NULL, STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK, -1, 0);
    pool = calloc(pool_size + 1, sizeof *pool);
    fill();
    if (only) {
        spawn(only);
        pause();
    }
    while (fgets(line, sizeof line, stdin)) {
        line[strcspn(line, "\n")] = 0;
        obey(line);
    }
    return 0;
}
