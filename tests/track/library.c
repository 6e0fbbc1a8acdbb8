/* SPDX-License-Identifier: MIT */
/* A library for stress.c to load and unload; run.sh makes one for each thread that does. */
void call_back(void (*function)(void));

void call_back(void (*function)(void))
{
    function();
    __asm__ volatile("" ::: "memory");
}
