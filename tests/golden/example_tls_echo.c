/* SPDX-License-Identifier: MIT */
/* The example of that name: a correct program, about which nothing is said. */
#include "../examples/tls_echo.c"
