/* SPDX-License-Identifier: MIT */
/* An epoll loop without libuv that is just as slow: nothing is known of it, so nothing is said. */
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

int main(void)
{
    int poll = epoll_create1(0), event = eventfd(1, 0);
    struct epoll_event wanted = {.events = EPOLLIN}, got;
    uint64_t value;
    epoll_ctl(poll, EPOLL_CTL_ADD, event, &wanted);
    epoll_wait(poll, &got, 1, -1);
    if (read(event, &value, sizeof value) != sizeof value) {
        return 1;
    }
    usleep(300000);
    return epoll_wait(poll, &got, 1, 0);
}
