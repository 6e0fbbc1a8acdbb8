/* SPDX-License-Identifier: MIT */
/* What the test programs call to have frames named by the shim's code (libprobe.so has it inside).
 */
#ifndef TESTS_SYMBOLS_PROBE_H
#define TESTS_SYMBOLS_PROBE_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Keeps a call from becoming a jump, so that its caller stays on the stack. */
#define STAY() __asm__ volatile("" ::: "memory")
#define NOINLINE __attribute__((noinline))
#define INLINE static inline __attribute__((always_inline))

/* Prints the caller's stack, innermost frame first, without frames of the shim and of start-up:
   "TAG: FUNCTION FILE:LINE[ inlined]", or "TAG: MODULE+OFFSET" for a frame without a function. */
void probe_stack(const char *tag);
/* The same of one return address, or of the function at an address with where it is defined. */
void probe_address(const char *tag, const void *return_address);
void probe_function(const char *tag, const void *function);
/* Tells the shim's list of modules that it may change. */
void probe_modules_changed(void);

#ifdef __cplusplus
}
#endif

#endif
