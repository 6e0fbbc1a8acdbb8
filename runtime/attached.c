/* SPDX-License-Identifier: MIT */
/*
 * What is attached to a loop and ends with it. Only on the loop's thread. A loop that is closed
 * takes no more: whoever attaches has asked before.
 */
#include "combine.h"

void aiort__attach(aiort_loop_t *loop, aiort__attached_t *attached,
                   void (*close)(aiort__attached_t *))
{
    attached->close = close;
    attached->previous = NULL;
    attached->following = loop->attached;
    if (loop->attached) {
        loop->attached->previous = attached;
    }
    loop->attached = attached;
}

void aiort__detach(aiort_loop_t *loop, aiort__attached_t *attached)
{
    if (attached->previous) {
        attached->previous->following = attached->following;
    } else {
        loop->attached = attached->following;
    }
    if (attached->following) {
        attached->following->previous = attached->previous;
    }
    attached->previous = attached->following = NULL;
}

void aiort__attached_close(aiort_loop_t *loop)
{
    while (loop->attached) {
        loop->attached->close(loop->attached);
    }
}
