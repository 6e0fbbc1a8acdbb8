/* SPDX-License-Identifier: MIT */
/*
 * Every public function of libuv 1.44 to 1.52, each in one class. The wrappers, the table of real
 * functions and a test that looks for functions of <uv.h> that are in no class (tests/uvlist) come
 * from these lists. A function that the headers at hand may lack is declared below; where the
 * library at hand lacks it, nobody calls it.
 */
#ifndef AIODEBUG_INTERPOSE_UV_LIST_H
#define AIODEBUG_INTERPOSE_UV_LIST_H

#include <uv.h>

/* Newer than 1.44. */
int uv_pipe_bind2(uv_pipe_t *handle, const char *name, size_t namelen, unsigned int flags);
int uv_pipe_connect2(uv_connect_t *req, uv_pipe_t *handle, const char *name, size_t namelen,
                     unsigned int flags, uv_connect_cb cb);
int uv_tcp_keepalive_ex(uv_tcp_t *handle, int on, unsigned int idle, unsigned int intvl,
                        unsigned int cnt);
int uv_udp_open_ex(uv_udp_t *handle, uv_os_sock_t sock, unsigned int flags);
int uv_udp_try_send2(uv_udp_t *handle, unsigned int count, uv_buf_t *bufs[], unsigned int nbufs[],
                     struct sockaddr *addrs[], unsigned int flags);

/* clang-format off */

/* XX(name, parameters, arguments, the handle) */
#define AIODEBUG_UV_INITS(XX)                                                                      \
    XX(uv_check_init, (uv_loop_t *loop, uv_check_t *check), (loop, check), check)                  \
    XX(uv_fs_event_init, (uv_loop_t *loop, uv_fs_event_t *handle), (loop, handle), handle)         \
    XX(uv_fs_poll_init, (uv_loop_t *loop, uv_fs_poll_t *handle), (loop, handle), handle)           \
    XX(uv_idle_init, (uv_loop_t *loop, uv_idle_t *idle), (loop, idle), idle)                       \
    XX(uv_pipe_init, (uv_loop_t *loop, uv_pipe_t *handle, int ipc), (loop, handle, ipc), handle)   \
    XX(uv_poll_init, (uv_loop_t *loop, uv_poll_t *handle, int fd), (loop, handle, fd), handle)     \
    XX(uv_poll_init_socket, (uv_loop_t *loop, uv_poll_t *handle, uv_os_sock_t socket), (loop,      \
       handle, socket), handle)                                                                    \
    XX(uv_prepare_init, (uv_loop_t *loop, uv_prepare_t *prepare), (loop, prepare), prepare)        \
    XX(uv_signal_init, (uv_loop_t *loop, uv_signal_t *handle), (loop, handle), handle)             \
    XX(uv_tcp_init, (uv_loop_t *loop, uv_tcp_t *handle), (loop, handle), handle)                   \
    XX(uv_tcp_init_ex, (uv_loop_t *loop, uv_tcp_t *handle, unsigned int flags), (loop, handle,     \
       flags), handle)                                                                             \
    XX(uv_timer_init, (uv_loop_t *loop, uv_timer_t *handle), (loop, handle), handle)               \
    XX(uv_tty_init, (uv_loop_t *loop, uv_tty_t *handle, uv_file fd, int readable), (loop,          \
       handle, fd, readable), handle)                                                              \
    XX(uv_udp_init, (uv_loop_t *loop, uv_udp_t *handle), (loop, handle), handle)                   \
    XX(uv_udp_init_ex, (uv_loop_t *loop, uv_udp_t *handle, unsigned int flags), (loop, handle,     \
       flags), handle)

/*
 * Calls on a handle that neither start nor end it.
 *     USE   a mistake on a handle that is closing or closed
 *     SET   a mistake on a closed one; on a closing one it has no effect
 *     ASK   none: a question, or a stop (but for the two that end in an assertion)
 * XX(result, name, use, parameters, arguments, the handle)
 */
#define AIODEBUG_UV_OPS(XX)                                                                        \
    XX(int, uv_accept, USE, (uv_stream_t *server, uv_stream_t *client), (server, client),          \
       server)                                                                                     \
    XX(int, uv_check_stop, ASK, (uv_check_t *check), (check), check)                               \
    XX(int, uv_fileno, ASK, (const uv_handle_t *handle, uv_os_fd_t *fd), (handle, fd), handle)     \
    XX(int, uv_fs_event_stop, ASK, (uv_fs_event_t *handle), (handle), handle)                      \
    XX(int, uv_fs_poll_getpath, ASK, (uv_fs_poll_t *handle, char *buffer, size_t *size),           \
       (handle, buffer, size), handle)                                                             \
    XX(int, uv_fs_poll_stop, ASK, (uv_fs_poll_t *handle), (handle), handle)                        \
    XX(int, uv_has_ref, ASK, (const uv_handle_t *handle), (handle), handle)                        \
    XX(int, uv_idle_stop, ASK, (uv_idle_t *idle), (idle), idle)                                    \
    XX(int, uv_is_active, ASK, (const uv_handle_t *handle), (handle), handle)                      \
    XX(int, uv_is_closing, ASK, (const uv_handle_t *handle), (handle), handle)                     \
    XX(int, uv_is_readable, ASK, (const uv_stream_t *handle), (handle), handle)                    \
    XX(int, uv_is_writable, ASK, (const uv_stream_t *handle), (handle), handle)                    \
    XX(int, uv_pipe_bind, USE, (uv_pipe_t *handle, const char *name), (handle, name), handle)      \
    XX(int, uv_pipe_bind2, USE, (uv_pipe_t *handle, const char *name, size_t namelen,              \
       unsigned int flags), (handle, name, namelen, flags), handle)                                \
    XX(int, uv_pipe_chmod, SET, (uv_pipe_t *handle, int flags), (handle, flags), handle)           \
    XX(int, uv_pipe_getpeername, ASK, (const uv_pipe_t *handle, char *buffer, size_t *size),       \
       (handle, buffer, size), handle)                                                             \
    XX(int, uv_pipe_getsockname, ASK, (const uv_pipe_t *handle, char *buffer, size_t *size),       \
       (handle, buffer, size), handle)                                                             \
    XX(int, uv_pipe_open, USE, (uv_pipe_t *handle, uv_file file), (handle, file), handle)          \
    XX(int, uv_pipe_pending_count, ASK, (uv_pipe_t *handle), (handle), handle)                     \
    XX(void, uv_pipe_pending_instances, SET, (uv_pipe_t *handle, int count), (handle, count),      \
       handle)                                                                                     \
    XX(uv_handle_type, uv_pipe_pending_type, ASK, (uv_pipe_t *handle), (handle), handle)           \
    XX(int, uv_poll_stop, USE, (uv_poll_t *handle), (handle), handle)                              \
    XX(int, uv_prepare_stop, ASK, (uv_prepare_t *prepare), (prepare), prepare)                     \
    XX(int, uv_process_kill, USE, (uv_process_t *handle, int signum), (handle, signum), handle)    \
    XX(int, uv_read_stop, ASK, (uv_stream_t *handle), (handle), handle)                            \
    XX(int, uv_recv_buffer_size, SET, (uv_handle_t *handle, int *value), (handle, value),          \
       handle)                                                                                     \
    XX(void, uv_ref, ASK, (uv_handle_t *handle), (handle), handle)                                 \
    XX(int, uv_send_buffer_size, SET, (uv_handle_t *handle, int *value), (handle, value),          \
       handle)                                                                                     \
    XX(int, uv_signal_stop, USE, (uv_signal_t *handle), (handle), handle)                          \
    XX(size_t, uv_stream_get_write_queue_size, ASK, (const uv_stream_t *stream), (stream),         \
       stream)                                                                                     \
    XX(int, uv_stream_set_blocking, SET, (uv_stream_t *handle, int blocking), (handle,             \
       blocking), handle)                                                                          \
    XX(int, uv_tcp_bind, USE, (uv_tcp_t *handle, const struct sockaddr *addr,                      \
       unsigned int flags), (handle, addr, flags), handle)                                         \
    XX(int, uv_tcp_getpeername, ASK, (const uv_tcp_t *handle, struct sockaddr *name,               \
       int *namelen), (handle, name, namelen), handle)                                             \
    XX(int, uv_tcp_getsockname, ASK, (const uv_tcp_t *handle, struct sockaddr *name,               \
       int *namelen), (handle, name, namelen), handle)                                             \
    XX(int, uv_tcp_keepalive, SET, (uv_tcp_t *handle, int enable, unsigned int delay), (handle,    \
       enable, delay), handle)                                                                     \
    XX(int, uv_tcp_keepalive_ex, SET, (uv_tcp_t *handle, int on, unsigned int idle,                \
       unsigned int intvl, unsigned int cnt), (handle, on, idle, intvl, cnt), handle)              \
    XX(int, uv_tcp_nodelay, SET, (uv_tcp_t *handle, int enable), (handle, enable), handle)         \
    XX(int, uv_tcp_open, USE, (uv_tcp_t *handle, uv_os_sock_t sock), (handle, sock), handle)       \
    XX(int, uv_tcp_simultaneous_accepts, SET, (uv_tcp_t *handle, int enable), (handle, enable),    \
       handle)                                                                                     \
    XX(uint64_t, uv_timer_get_due_in, ASK, (const uv_timer_t *handle), (handle), handle)           \
    XX(uint64_t, uv_timer_get_repeat, ASK, (const uv_timer_t *handle), (handle), handle)           \
    XX(void, uv_timer_set_repeat, ASK, (uv_timer_t *handle, uint64_t repeat), (handle, repeat),    \
       handle)                                                                                     \
    XX(int, uv_timer_stop, ASK, (uv_timer_t *handle), (handle), handle)                            \
    XX(int, uv_try_write, USE, (uv_stream_t *handle, const uv_buf_t bufs[],                        \
       unsigned int nbufs), (handle, bufs, nbufs), handle)                                         \
    XX(int, uv_try_write2, USE, (uv_stream_t *handle, const uv_buf_t bufs[],                       \
       unsigned int nbufs, uv_stream_t *send_handle), (handle, bufs, nbufs, send_handle),          \
       handle)                                                                                     \
    XX(int, uv_tty_get_winsize, SET, (uv_tty_t *handle, int *width, int *height), (handle,         \
       width, height), handle)                                                                     \
    XX(int, uv_tty_set_mode, SET, (uv_tty_t *handle, uv_tty_mode_t mode), (handle, mode),          \
       handle)                                                                                     \
    XX(int, uv_udp_bind, USE, (uv_udp_t *handle, const struct sockaddr *addr,                      \
       unsigned int flags), (handle, addr, flags), handle)                                         \
    XX(int, uv_udp_connect, USE, (uv_udp_t *handle, const struct sockaddr *addr), (handle,         \
       addr), handle)                                                                              \
    XX(size_t, uv_udp_get_send_queue_count, ASK, (const uv_udp_t *handle), (handle), handle)       \
    XX(size_t, uv_udp_get_send_queue_size, ASK, (const uv_udp_t *handle), (handle), handle)        \
    XX(int, uv_udp_getpeername, ASK, (const uv_udp_t *handle, struct sockaddr *name,               \
       int *namelen), (handle, name, namelen), handle)                                             \
    XX(int, uv_udp_getsockname, ASK, (const uv_udp_t *handle, struct sockaddr *name,               \
       int *namelen), (handle, name, namelen), handle)                                             \
    XX(int, uv_udp_open, USE, (uv_udp_t *handle, uv_os_sock_t sock), (handle, sock), handle)       \
    XX(int, uv_udp_open_ex, USE, (uv_udp_t *handle, uv_os_sock_t sock, unsigned int flags),        \
       (handle, sock, flags), handle)                                                              \
    XX(int, uv_udp_recv_stop, ASK, (uv_udp_t *handle), (handle), handle)                           \
    XX(int, uv_udp_set_broadcast, SET, (uv_udp_t *handle, int on), (handle, on), handle)           \
    XX(int, uv_udp_set_membership, SET, (uv_udp_t *handle, const char *multicast_addr,             \
       const char *interface_addr, uv_membership membership), (handle, multicast_addr,             \
       interface_addr, membership), handle)                                                        \
    XX(int, uv_udp_set_multicast_interface, SET, (uv_udp_t *handle,                                \
       const char *interface_addr), (handle, interface_addr), handle)                              \
    XX(int, uv_udp_set_multicast_loop, SET, (uv_udp_t *handle, int on), (handle, on), handle)      \
    XX(int, uv_udp_set_multicast_ttl, SET, (uv_udp_t *handle, int ttl), (handle, ttl), handle)     \
    XX(int, uv_udp_set_source_membership, SET, (uv_udp_t *handle, const char *multicast_addr,      \
       const char *interface_addr, const char *source_addr, uv_membership membership), (handle,    \
       multicast_addr, interface_addr, source_addr, membership), handle)                           \
    XX(int, uv_udp_set_ttl, SET, (uv_udp_t *handle, int ttl), (handle, ttl), handle)               \
    XX(int, uv_udp_try_send, USE, (uv_udp_t *handle, const uv_buf_t bufs[], unsigned int nbufs,    \
       const struct sockaddr *addr), (handle, bufs, nbufs, addr), handle)                          \
    XX(int, uv_udp_try_send2, USE, (uv_udp_t *handle, unsigned int count, uv_buf_t *bufs[],        \
       unsigned int nbufs[], struct sockaddr *addrs[], unsigned int flags), (handle, count,        \
       bufs, nbufs, addrs, flags), handle)                                                         \
    XX(int, uv_udp_using_recvmmsg, ASK, (const uv_udp_t *handle), (handle), handle)                \
    XX(void, uv_unref, ASK, (uv_handle_t *handle), (handle), handle)

/* With a callback they are asynchronous and belong to the loop; without one they run in the caller,
 * whatever the thread, and are let through. XX(name, parameters, arguments) */
#define AIODEBUG_UV_FS(XX)                                                                         \
    XX(uv_fs_access, (uv_loop_t *loop, uv_fs_t *req, const char *path, int mode, uv_fs_cb cb),     \
       (loop, req, path, mode, cb))                                                                \
    XX(uv_fs_chmod, (uv_loop_t *loop, uv_fs_t *req, const char *path, int mode, uv_fs_cb cb),      \
       (loop, req, path, mode, cb))                                                                \
    XX(uv_fs_chown, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_uid_t uid,                \
       uv_gid_t gid, uv_fs_cb cb), (loop, req, path, uid, gid, cb))                                \
    XX(uv_fs_close, (uv_loop_t *loop, uv_fs_t *req, uv_file file, uv_fs_cb cb), (loop, req,        \
       file, cb))                                                                                  \
    XX(uv_fs_closedir, (uv_loop_t *loop, uv_fs_t *req, uv_dir_t *dir, uv_fs_cb cb), (loop, req,    \
       dir, cb))                                                                                   \
    XX(uv_fs_copyfile, (uv_loop_t *loop, uv_fs_t *req, const char *path, const char *new_path,     \
       int flags, uv_fs_cb cb), (loop, req, path, new_path, flags, cb))                            \
    XX(uv_fs_fchmod, (uv_loop_t *loop, uv_fs_t *req, uv_file file, int mode, uv_fs_cb cb),         \
       (loop, req, file, mode, cb))                                                                \
    XX(uv_fs_fchown, (uv_loop_t *loop, uv_fs_t *req, uv_file file, uv_uid_t uid, uv_gid_t gid,     \
       uv_fs_cb cb), (loop, req, file, uid, gid, cb))                                              \
    XX(uv_fs_fdatasync, (uv_loop_t *loop, uv_fs_t *req, uv_file file, uv_fs_cb cb), (loop, req,    \
       file, cb))                                                                                  \
    XX(uv_fs_fstat, (uv_loop_t *loop, uv_fs_t *req, uv_file file, uv_fs_cb cb), (loop, req,        \
       file, cb))                                                                                  \
    XX(uv_fs_fsync, (uv_loop_t *loop, uv_fs_t *req, uv_file file, uv_fs_cb cb), (loop, req,        \
       file, cb))                                                                                  \
    XX(uv_fs_ftruncate, (uv_loop_t *loop, uv_fs_t *req, uv_file file, int64_t offset,              \
       uv_fs_cb cb), (loop, req, file, offset, cb))                                                \
    XX(uv_fs_futime, (uv_loop_t *loop, uv_fs_t *req, uv_file file, double atime, double mtime,     \
       uv_fs_cb cb), (loop, req, file, atime, mtime, cb))                                          \
    XX(uv_fs_lchown, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_uid_t uid,               \
       uv_gid_t gid, uv_fs_cb cb), (loop, req, path, uid, gid, cb))                                \
    XX(uv_fs_link, (uv_loop_t *loop, uv_fs_t *req, const char *path, const char *new_path,         \
       uv_fs_cb cb), (loop, req, path, new_path, cb))                                              \
    XX(uv_fs_lstat, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop, req,    \
       path, cb))                                                                                  \
    XX(uv_fs_lutime, (uv_loop_t *loop, uv_fs_t *req, const char *path, double atime,               \
       double mtime, uv_fs_cb cb), (loop, req, path, atime, mtime, cb))                            \
    XX(uv_fs_mkdir, (uv_loop_t *loop, uv_fs_t *req, const char *path, int mode, uv_fs_cb cb),      \
       (loop, req, path, mode, cb))                                                                \
    XX(uv_fs_mkdtemp, (uv_loop_t *loop, uv_fs_t *req, const char *tpl, uv_fs_cb cb), (loop,        \
       req, tpl, cb))                                                                              \
    XX(uv_fs_mkstemp, (uv_loop_t *loop, uv_fs_t *req, const char *tpl, uv_fs_cb cb), (loop,        \
       req, tpl, cb))                                                                              \
    XX(uv_fs_open, (uv_loop_t *loop, uv_fs_t *req, const char *path, int flags, int mode,          \
       uv_fs_cb cb), (loop, req, path, flags, mode, cb))                                           \
    XX(uv_fs_opendir, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop,       \
       req, path, cb))                                                                             \
    XX(uv_fs_read, (uv_loop_t *loop, uv_fs_t *req, uv_file file, const uv_buf_t bufs[],            \
       unsigned int nbufs, int64_t offset, uv_fs_cb cb), (loop, req, file, bufs, nbufs, offset,    \
       cb))                                                                                        \
    XX(uv_fs_readdir, (uv_loop_t *loop, uv_fs_t *req, uv_dir_t *dir, uv_fs_cb cb), (loop, req,     \
       dir, cb))                                                                                   \
    XX(uv_fs_readlink, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop,      \
       req, path, cb))                                                                             \
    XX(uv_fs_realpath, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop,      \
       req, path, cb))                                                                             \
    XX(uv_fs_rename, (uv_loop_t *loop, uv_fs_t *req, const char *path, const char *new_path,       \
       uv_fs_cb cb), (loop, req, path, new_path, cb))                                              \
    XX(uv_fs_rmdir, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop, req,    \
       path, cb))                                                                                  \
    XX(uv_fs_scandir, (uv_loop_t *loop, uv_fs_t *req, const char *path, int flags,                 \
       uv_fs_cb cb), (loop, req, path, flags, cb))                                                 \
    XX(uv_fs_sendfile, (uv_loop_t *loop, uv_fs_t *req, uv_file out_fd, uv_file in_fd,              \
       int64_t in_offset, size_t length, uv_fs_cb cb), (loop, req, out_fd, in_fd, in_offset,       \
       length, cb))                                                                                \
    XX(uv_fs_stat, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop, req,     \
       path, cb))                                                                                  \
    XX(uv_fs_statfs, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop,        \
       req, path, cb))                                                                             \
    XX(uv_fs_symlink, (uv_loop_t *loop, uv_fs_t *req, const char *path, const char *new_path,      \
       int flags, uv_fs_cb cb), (loop, req, path, new_path, flags, cb))                            \
    XX(uv_fs_unlink, (uv_loop_t *loop, uv_fs_t *req, const char *path, uv_fs_cb cb), (loop,        \
       req, path, cb))                                                                             \
    XX(uv_fs_utime, (uv_loop_t *loop, uv_fs_t *req, const char *path, double atime,                \
       double mtime, uv_fs_cb cb), (loop, req, path, atime, mtime, cb))                            \
    XX(uv_fs_write, (uv_loop_t *loop, uv_fs_t *req, uv_file file, const uv_buf_t bufs[],           \
       unsigned int nbufs, int64_t offset, uv_fs_cb cb), (loop, req, file, bufs, nbufs, offset,    \
       cb))

/* Wrapped by hand, in uv_loop.c, uv_handles.c and uv_requests.c. XX(name) */
#define AIODEBUG_UV_OWN(XX)                                                                        \
    XX(uv_run) XX(uv_stop) XX(uv_loop_init) XX(uv_loop_new) XX(uv_loop_close) XX(uv_loop_delete)   \
    XX(uv_loop_fork) XX(uv_loop_configure) XX(uv_default_loop) XX(uv_loop_alive) XX(uv_now)        \
    XX(uv_update_time) XX(uv_backend_timeout) XX(uv_walk) XX(uv_print_all_handles)                 \
    XX(uv_print_active_handles) XX(uv_async_init) XX(uv_close) XX(uv_tcp_close_reset)              \
    XX(uv_spawn) XX(uv_timer_start) XX(uv_timer_again) XX(uv_idle_start) XX(uv_prepare_start)      \
    XX(uv_check_start) XX(uv_poll_start) XX(uv_signal_start) XX(uv_signal_start_oneshot)           \
    XX(uv_fs_event_start) XX(uv_fs_poll_start) XX(uv_listen) XX(uv_read_start)                     \
    XX(uv_udp_recv_start) XX(uv_write) XX(uv_write2) XX(uv_shutdown) XX(uv_tcp_connect)            \
    XX(uv_pipe_connect) XX(uv_pipe_connect2) XX(uv_udp_send) XX(uv_queue_work) XX(uv_getaddrinfo)  \
    XX(uv_getnameinfo) XX(uv_random) XX(uv_cancel)

/* Of all the above: not in 1.44. Every other one is required; the library that lacks it is older, and
 * is not watched. */
#define AIODEBUG_UV_OPTIONAL(XX)                                                                   \
    XX(uv_pipe_bind2) XX(uv_pipe_connect2) XX(uv_tcp_keepalive_ex) XX(uv_udp_open_ex)              \
    XX(uv_udp_try_send2)

/* Not interposed: documented as thread-safe (uv_async_send() even as async-signal-safe), or a fixed
 * field that embedders may read from any thread (uv_backend_fd). */
#define AIODEBUG_UV_SAFE(XX)                                                                       \
    XX(uv_async_send) XX(uv_backend_fd) XX(uv_loop_size) XX(uv_metrics_idle_time)                  \
    XX(uv_metrics_info)

/* Not interposed: plain fields of an object the caller owns, or of a request that is over. */
#define AIODEBUG_UV_FIELDS(XX)                                                                     \
    XX(uv_freeaddrinfo) XX(uv_fs_event_getpath) XX(uv_fs_get_path) XX(uv_fs_get_ptr)               \
    XX(uv_fs_get_result) XX(uv_fs_get_statbuf) XX(uv_fs_get_system_error) XX(uv_fs_get_type)       \
    XX(uv_fs_req_cleanup) XX(uv_fs_scandir_next) XX(uv_handle_get_data) XX(uv_handle_get_loop)     \
    XX(uv_handle_get_type) XX(uv_handle_set_data) XX(uv_loop_get_data) XX(uv_loop_set_data)        \
    XX(uv_process_get_pid) XX(uv_req_get_data) XX(uv_req_get_type) XX(uv_req_set_data)             \
    XX(uv_req_size) XX(uv_req_type_name)

/* Not interposed: threads and their locks, which libuv itself calls by the thousand. */
#define AIODEBUG_UV_THREADS(XX)                                                                    \
    XX(uv_barrier_destroy) XX(uv_barrier_init) XX(uv_barrier_wait) XX(uv_cond_broadcast)           \
    XX(uv_cond_destroy) XX(uv_cond_init) XX(uv_cond_signal) XX(uv_cond_timedwait)                  \
    XX(uv_cond_wait) XX(uv_key_create) XX(uv_key_delete) XX(uv_key_get) XX(uv_key_set)             \
    XX(uv_mutex_destroy) XX(uv_mutex_init) XX(uv_mutex_init_recursive) XX(uv_mutex_lock)           \
    XX(uv_mutex_trylock) XX(uv_mutex_unlock) XX(uv_once) XX(uv_rwlock_destroy) XX(uv_rwlock_init)  \
    XX(uv_rwlock_rdlock) XX(uv_rwlock_rdunlock) XX(uv_rwlock_tryrdlock) XX(uv_rwlock_trywrlock)    \
    XX(uv_rwlock_wrlock) XX(uv_rwlock_wrunlock) XX(uv_sem_destroy) XX(uv_sem_init)                 \
    XX(uv_sem_post) XX(uv_sem_trywait) XX(uv_sem_wait) XX(uv_thread_create)                        \
    XX(uv_thread_create_ex) XX(uv_thread_detach) XX(uv_thread_equal) XX(uv_thread_getaffinity)     \
    XX(uv_thread_getcpu) XX(uv_thread_getname) XX(uv_thread_getpriority) XX(uv_thread_join)        \
    XX(uv_thread_self) XX(uv_thread_setaffinity) XX(uv_thread_setname) XX(uv_thread_setpriority)

/* Not interposed: what concerns the process, not a loop. */
#define AIODEBUG_UV_PROCESS(XX)                                                                    \
    XX(uv_library_shutdown) XX(uv_replace_allocator) XX(uv_setup_args)

/* Not interposed: they touch no loop. */
#define AIODEBUG_UV_UTILITIES(XX)                                                                  \
    XX(uv_available_parallelism) XX(uv_buf_init) XX(uv_chdir) XX(uv_clock_gettime)                 \
    XX(uv_cpu_info) XX(uv_cpumask_size) XX(uv_cwd) XX(uv_disable_stdio_inheritance)                \
    XX(uv_dlclose) XX(uv_dlerror) XX(uv_dlopen) XX(uv_dlsym) XX(uv_err_name) XX(uv_err_name_r)     \
    XX(uv_exepath) XX(uv_free_cpu_info) XX(uv_free_interface_addresses)                            \
    XX(uv_get_available_memory) XX(uv_get_constrained_memory) XX(uv_get_free_memory)               \
    XX(uv_get_osfhandle) XX(uv_get_process_title) XX(uv_get_total_memory) XX(uv_getrusage)         \
    XX(uv_getrusage_thread) XX(uv_gettimeofday) XX(uv_guess_handle) XX(uv_handle_size)             \
    XX(uv_handle_type_name) XX(uv_hrtime) XX(uv_if_indextoiid) XX(uv_if_indextoname)               \
    XX(uv_inet_ntop) XX(uv_inet_pton) XX(uv_interface_addresses) XX(uv_ip4_addr) XX(uv_ip4_name)   \
    XX(uv_ip6_addr) XX(uv_ip6_name) XX(uv_ip_name) XX(uv_kill) XX(uv_loadavg)                      \
    XX(uv_open_osfhandle) XX(uv_os_environ) XX(uv_os_free_environ) XX(uv_os_free_group)            \
    XX(uv_os_free_passwd) XX(uv_os_get_group) XX(uv_os_get_passwd) XX(uv_os_get_passwd2)           \
    XX(uv_os_getenv) XX(uv_os_gethostname) XX(uv_os_getpid) XX(uv_os_getppid)                      \
    XX(uv_os_getpriority) XX(uv_os_homedir) XX(uv_os_setenv) XX(uv_os_setpriority)                 \
    XX(uv_os_tmpdir) XX(uv_os_uname) XX(uv_os_unsetenv) XX(uv_pipe) XX(uv_resident_set_memory)     \
    XX(uv_set_process_title) XX(uv_sleep) XX(uv_socketpair) XX(uv_strerror) XX(uv_strerror_r)      \
    XX(uv_translate_sys_error) XX(uv_tty_get_vterm_state) XX(uv_tty_reset_mode)                    \
    XX(uv_tty_set_vterm_state) XX(uv_uptime) XX(uv_utf16_length_as_wtf8) XX(uv_utf16_to_wtf8)      \
    XX(uv_version) XX(uv_version_string) XX(uv_wtf8_length_as_utf16) XX(uv_wtf8_to_utf16)

/* clang-format on */

#endif
