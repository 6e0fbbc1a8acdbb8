/* SPDX-License-Identifier: MIT */
/* Without stacks: which thread called is said all the same, and no heading stands above nothing. */
#include "../examples/wrong_thread.c"
