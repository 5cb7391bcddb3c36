// SPDX-License-Identifier: MIT OR Apache-2.0
// The smallest program on demand: accepts one connection of the listener that it was given (descriptor 0, or 3 as from
// systemd), answers one byte, and ends.
// gcc -static -O2 -o answer answer.c
//
// `answer --listen PATH` is the floor: it listens there and, for each connection that waits, starts itself with the listener
// as descriptor 0 and waits for its end. Nothing that starts a program by its first connection can do less.
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

static int answer(void)
{
    int client = accept(0, 0, 0);
    if (client < 0)
        client = accept(3, 0, 0);
    return client < 0 || write(client, "a", 1) != 1;
}

static int listen_at(const char *path)
{
    struct sockaddr_un address = { .sun_family = AF_UNIX };
    strncpy(address.sun_path, path, sizeof address.sun_path - 1);
    int listener = socket(AF_UNIX, SOCK_STREAM, 0);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 100))
        return -1;
    return listener;
}

static void serve_one(int listener)
{
    struct pollfd one = { .fd = listener, .events = POLLIN };
    poll(&one, 1, -1);
    pid_t child = vfork();
    if (child == 0) {
        dup2(listener, 0);
        execl("/proc/self/exe", "answer", (char *)0);
        _exit(127);
    }
    waitpid(child, 0, 0);
}

int main(int argc, char **argv)
{
    if (argc < 3 || strcmp(argv[1], "--listen"))
        return answer();
    int listener = listen_at(argv[2]);
    if (listener < 0)
        return 1;
    for (;;)
        serve_one(listener);
}
