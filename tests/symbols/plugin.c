/* SPDX-License-Identifier: MIT */
/* A library: linked to program.c, opened and replaced by reload.c. ALPHA and PADDING make different
 * ones. */
#include "plugin.h"
#include "probe.h"

#ifndef HELPER
#define HELPER helper
#endif

#ifdef PADDING
NOINLINE int padding(volatile int n);
NOINLINE int padding(volatile int n)
{
    n += 3;
    return n * n;
}
#endif

NOINLINE static void HELPER(plugin_function_t *function, const char *tag)
{
#ifdef PADDING
    padding(3);
#endif
    function(tag); /* @helper */
    STAY();
}

__attribute__((visibility("default"))) void plugin_enter(
    plugin_function_t *function, const char *tag) /* @plugin_enter_definition */
{
    HELPER(function, tag); /* @plugin_enter */
    STAY();
}
