/* SPDX-License-Identifier: MIT */
/* Preloaded by run.sh: starts the stacks as the shim does, in a program that knows nothing of it.
 */
#include "track/stacks.h"

__attribute__((constructor)) static void start(void)
{
    aiodebug_stack_init(NULL);
    aiodebug_stack_capture();
}
