/* SPDX-License-Identifier: MIT */
/* The same of libuv's: neither where the request was submitted first nor where again. */
#include "../uv/reuse_work_req.c"
