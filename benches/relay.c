// SPDX-License-Identifier: MIT OR Apache-2.0
// The floor of a router in user space: one process holds a tun device of either side and copies packets, judging nothing.
// gcc -O2 -o relay relay.c
//
// relay [-v] NETNS-A NETNS-B
//   NETNS  a file of a network namespace; a device named tun0 is made in each
//   -v     packets have a virtio_net_hdr: 64 KiB of a stream pass as one
// It says "ready" when both devices are there, and ends with its standard input.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { BATCH = 64, EVENTS = 4, PACKET_MAX = 66000 };

static char packet[PACKET_MAX];

static void die(const char *what)
{
    fprintf(stderr, "relay: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void enter(const char *network)
{
    int fd = open(network, O_RDONLY | O_CLOEXEC);
    if (fd < 0 || setns(fd, CLONE_NEWNET))
        die(network);
    close(fd);
}

static void offload(int tun)
{
    unsigned streams = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
    if (ioctl(tun, TUNSETOFFLOAD, streams | TUN_F_USO4 | TUN_F_USO6) && ioctl(tun, TUNSETOFFLOAD, streams))
        die("TUNSETOFFLOAD");
}

static int make(const char *network, int headers)
{
    struct ifreq request = {.ifr_name = "tun0"};
    enter(network);
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0)
        die("/dev/net/tun");
    request.ifr_flags = IFF_TUN | IFF_NO_PI | (headers ? IFF_VNET_HDR : 0);
    if (ioctl(tun, TUNSETIFF, &request))
        die("TUNSETIFF");
    if (headers)
        offload(tun);
    return tun;
}

static void put(int to, ssize_t length)
{
    while (write(to, packet, length) < 0 && errno == EAGAIN) {
        struct pollfd room = {.fd = to, .events = POLLOUT};
        poll(&room, 1, 100);
    }
}

static void carry(int from, int to)
{
    for (int count = 0; count < BATCH; count++) {
        ssize_t length = read(from, packet, sizeof packet);
        if (length <= 0)
            return;
        put(to, length);
    }
}

static void listen_to(int poller, int fd)
{
    struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};
    if (epoll_ctl(poller, EPOLL_CTL_ADD, fd, &event))
        die("epoll_ctl");
}

static void serve(int a, int b)
{
    int poller = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event events[EVENTS];
    listen_to(poller, a);
    listen_to(poller, b);
    listen_to(poller, STDIN_FILENO);
    for (;;) {
        int count = epoll_wait(poller, events, EVENTS, -1);
        for (int index = 0; index < count; index++) {
            int ready = events[index].data.fd;
            if (ready == STDIN_FILENO)
                return;
            carry(ready, ready == a ? b : a);
        }
    }
}

int main(int count, char **words)
{
    int headers = count > 1 && !strcmp(words[1], "-v");
    if (count != 3 + headers) {
        fprintf(stderr, "relay [-v] NETNS-A NETNS-B\n");
        return 2;
    }
    int a = make(words[1 + headers], headers);
    int b = make(words[2 + headers], headers);
    puts("ready");
    fflush(stdout);
    serve(a, b);
    return 0;
}
