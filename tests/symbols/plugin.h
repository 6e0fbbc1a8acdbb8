/* SPDX-License-Identifier: MIT */
#ifndef TESTS_SYMBOLS_PLUGIN_H
#define TESTS_SYMBOLS_PLUGIN_H

typedef void plugin_function_t(const char *tag);

void plugin_enter(plugin_function_t *function, const char *tag);

#endif
