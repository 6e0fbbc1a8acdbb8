/* SPDX-License-Identifier: MIT */
/* Subprocesses: CPython's test_subprocess.py, and what C has of its own. */
#include "streams.h"

#include <signal.h>
#include <sys/wait.h>

enum { PIPE = AIORT_PROCESS_PIPE };

static const char *out, *err_text;
static size_t out_size, err_size;

static aiort_process_t *shell(const char *command, int in, int to, int errors)
{
    aiort_process_options_t options = {.in = in, .out = to, .err = errors};
    aiort_process_t *process;

    assert_ok(aiort_create_subprocess_shell(command, &options, &process));
    return process;
}

static int wait_status(aiort_process_t *process)
{
    int status = -1000;

    assert_ok(aiort_process_wait(process, &status));
    return status;
}

static void exchange(aiort_process_t *process, const char *input)
{
    assert_ok(aiort_process_communicate(process, input, input ? strlen(input) : 0, &out, &out_size,
                                        &err_text, &err_size));
}

static void assert_text(const char *text, size_t size, const char *expected)
{
    assert_int_equal(size, strlen(expected));
    assert_memory_equal(text, expected, size);
}

/* ---- Streams ---- */

TASK_TEST(stdin_stdout)
{
    aiort_process_t *process = shell("cat", PIPE, PIPE, 0);
    const char *data;

    assert_ok(aiort_stream_write(aiort_process_stdin(process), "some data", 9));
    assert_ok(aiort_stream_drain(aiort_process_stdin(process)));
    assert_ok(aiort_stream_close(aiort_process_stdin(process)));
    assert_int_equal(aiort_stream_read_all(aiort_process_stdout(process), &data), 9);
    assert_memory_equal(data, "some data", 9);
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

TASK_TEST(communicate)
{
    aiort_process_t *process = shell("cat; echo error >&2", PIPE, PIPE, PIPE);

    exchange(process, "some data");
    assert_text(out, out_size, "some data");
    assert_text(err_text, err_size, "error\n");
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

TASK_TEST(subprocess_stderr_redirect_to_stdout)
{
    aiort_process_t *process = shell("echo out; echo error >&2", 0, PIPE, AIORT_PROCESS_STDOUT);

    assert_null(aiort_process_stderr(process));
    exchange(process, NULL);
    assert_text(out, out_size, "out\nerror\n");
    assert_null(err_text);
    aiort_unref(process);
}

TASK_TEST(empty_input)
{
    aiort_process_t *process = shell("wc -c", PIPE, PIPE, 0);

    exchange(process, "");
    assert_int_equal(atoi(out), 0);
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

TASK_TEST(communicate_none_input)
{
    aiort_process_t *process = shell("wc -c", PIPE, PIPE, 0);

    exchange(process, NULL);
    assert_int_equal(atoi(out), 0);
    aiort_unref(process);
}

TASK_TEST(devnull_input)
{
    aiort_process_t *process = shell("wc -c", AIORT_PROCESS_DEVNULL, PIPE, 0);

    assert_null(aiort_process_stdin(process));
    exchange(process, NULL);
    assert_int_equal(atoi(out), 0);
    aiort_unref(process);
}

TASK_TEST(devnull_output)
{
    aiort_process_t *process = shell("echo nothing", 0, AIORT_PROCESS_DEVNULL, 0);

    exchange(process, NULL);
    assert_null(out);
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

TASK_TEST(devnull_error)
{
    aiort_process_t *process = shell("echo nothing >&2", 0, 0, AIORT_PROCESS_DEVNULL);

    exchange(process, NULL);
    assert_null(err_text);
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

/* More than two pipes hold, in both directions: nobody waits for the other. */
TASK_TEST(subprocess_communicate_stdout)
{
    enum { MANY = 1 << 20 };
    aiort_process_t *process = shell("cat", PIPE, PIPE, 0);
    char *input = malloc(MANY + 1);

    memset(input, 'x', MANY);
    input[MANY] = '\0';
    exchange(process, input);
    assert_int_equal(out_size, MANY);
    assert_memory_equal(out, input, MANY);
    free(input);
    aiort_unref(process);
}

TASK_TEST(pause_reading)
{
    aiort_process_options_t options = {.out = PIPE, .limit = 16};
    aiort_process_t *process;
    const char *data;

    assert_ok(aiort_create_subprocess_shell("head -c 100000 /dev/zero", &options, &process));
    assert_ok(aiort_sleep(0.05)); /* the reader has stopped the pipe meanwhile */
    assert_int_equal(aiort_stream_read_all(aiort_process_stdout(process), &data), 100000);
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

/* Writing to a child that has closed its end is an error of drain(). */
TASK_TEST(stdin_broken_pipe)
{
    enum { MANY = 1 << 20 };
    aiort_process_t *process = shell("exit 0", PIPE, 0, 0);
    char *input = calloc(1, MANY);

    assert_int_equal(wait_status(process), 0);
    int err = aiort_stream_write(aiort_process_stdin(process), input, MANY);
    err = err ? err : aiort_stream_drain(aiort_process_stdin(process));
    assert_true(err == UV_EPIPE || err == UV_ECONNRESET);
    free(input);
    aiort_unref(process);
}

TASK_TEST(communicate_ignore_broken_pipe)
{
    enum { MANY = 1 << 20 };
    aiort_process_t *process = shell("exec <&-; sleep 0.02", PIPE, PIPE, 0);
    char *input = malloc(MANY + 1);

    memset(input, 'x', MANY);
    input[MANY] = '\0';
    exchange(process, input);
    assert_int_equal(wait_status(process), 0);
    free(input);
    aiort_unref(process);
}

TASK_TEST(read_stdout_after_process_exit)
{
    aiort_process_t *process = shell("echo line", 0, PIPE, 0);
    const char *data;

    assert_int_equal(wait_status(process), 0);
    assert_int_equal(aiort_stream_readline(aiort_process_stdout(process), &data), 5);
    assert_memory_equal(data, "line\n", 5);
    aiort_unref(process);
}

/* Whoever closes a child's output stops it from writing. */
TASK_TEST(subprocess_close_client_stream)
{
    aiort_process_t *process = shell("exec cat", PIPE, PIPE, 0);

    assert_ok(aiort_transport_close(aiort_stream_reader_transport(aiort_process_stdout(process))));
    assert_ok(aiort_sleep(0));
    assert_ok(aiort_stream_write(aiort_process_stdin(process), "x", 1));
    assert_ok(aiort_stream_drain(aiort_process_stdin(process)));
    assert_int_equal(wait_status(process), -SIGPIPE);
    aiort_unref(process);
}

/* A child does not inherit the other children's pipes: this one sees the end of its input. */
TASK_TEST(stdin_not_inheritable)
{
    aiort_process_t *first = shell("cat", PIPE, PIPE, 0);
    aiort_process_t *second = shell("sleep 5", PIPE, 0, 0);

    exchange(first, "x");
    assert_text(out, out_size, "x");
    assert_ok(aiort_process_kill(second));
    assert_int_equal(wait_status(second), -SIGKILL);
    aiort_unref(first);
    aiort_unref(second);
}

/* ---- Ends ---- */

TASK_TEST(process_shell)
{
    aiort_process_t *process = shell("exit 7", 0, 0, 0);

    assert_int_equal(wait_status(process), 7);
    aiort_unref(process);
}

TASK_TEST(start_new_session)
{
    aiort_process_options_t options = {.out = PIPE, .new_session = 1};
    aiort_process_t *process;

    assert_ok(aiort_create_subprocess_shell("read line < /proc/$$/stat; set -- $line; echo $6",
                                            &options, &process));
    exchange(process, NULL);
    assert_int_equal(atoi(out), aiort_process_pid(process));
    aiort_unref(process);
}

TASK_TEST(process_kill)
{
    aiort_process_t *process = shell("exec sleep 60", 0, 0, 0);

    assert_ok(aiort_process_kill(process));
    assert_int_equal(wait_status(process), -SIGKILL);
    aiort_unref(process);
}

TASK_TEST(process_terminate)
{
    aiort_process_t *process = shell("exec sleep 60", 0, 0, 0);

    assert_ok(aiort_process_terminate(process));
    assert_int_equal(wait_status(process), -SIGTERM);
    aiort_unref(process);
}

TASK_TEST(process_send_signal)
{
    aiort_process_t *process =
        shell("trap 'exit 3' HUP; echo ready; while :; do sleep 0.01; done", 0, PIPE, 0);
    const char *data;

    assert_int_equal(aiort_stream_readline(aiort_process_stdout(process), &data), 6);
    assert_ok(aiort_process_send_signal(process, SIGHUP));
    assert_int_equal(wait_status(process), 3);
    aiort_unref(process);
}

TASK_TEST(proc_exited)
{
    aiort_process_t *process = shell("exit 0", 0, 0, 0);
    int status = -1;

    assert_int_equal(aiort_process_returncode(process, &status), 0);
    assert_int_equal(status, -1);
    assert_int_equal(wait_status(process), 0);
    assert_int_equal(aiort_process_returncode(process, &status), 1);
    assert_int_equal(status, 0);
    assert_int_equal(aiort_process_send_signal(process, SIGTERM), UV_ESRCH);
    assert_int_equal(aiort_process_terminate(process), UV_ESRCH);
    assert_int_equal(aiort_process_kill(process), UV_ESRCH);
    aiort_unref(process);
}

TASK_TEST(subprocess_repr)
{
    aiort_process_t *process = shell("exit 0", 0, 0, 0);
    char text[64];

    snprintf(text, sizeof text, "<Process %d>", aiort_process_pid(process));
    assert_string_equal(repr(process), text);
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

static int wait_for_it(void *arg, void **result)
{
    (void)result;
    return aiort_process_wait(arg, NULL);
}

TASK_TEST(cancel_process_wait)
{
    aiort_process_t *process = shell("exec sleep 60", 0, 0, 0);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(wait_for_it, process));

    assert_ok(aiort_sleep(0));
    aiort_task_cancel(task, NULL);
    assert_int_equal(aiort_await(AIORT_FUTURE(task), NULL), UV_ECANCELED);
    aiort_unref(task);
    assert_ok(aiort_process_kill(process));
    assert_int_equal(wait_status(process), -SIGKILL);
    aiort_unref(process);
}

TASK_TEST(subprocess_concurrent_wait)
{
    aiort_process_t *process = shell("sleep 0.02", 0, 0, 0);
    aiort_task_t *tasks[3];

    for (int i = 0; i < 3; i++)
        tasks[i] = aiort_create_task(AIORT_CORO(wait_for_it, process));
    for (int i = 0; i < 3; i++) {
        assert_ok(aiort_await(AIORT_FUTURE(tasks[i]), NULL));
        aiort_unref(tasks[i]);
    }
    aiort_unref(process);
}

static int communicate_with_it(void *arg, void **result)
{
    (void)result;
    return aiort_process_communicate(arg, "x", 1, NULL, NULL, NULL, NULL);
}

TASK_TEST(subprocess_read_write_pipe_cancelled)
{
    aiort_process_t *process = shell("exec sleep 60", PIPE, PIPE, PIPE);
    aiort_task_t *task = aiort_create_task(AIORT_CORO(communicate_with_it, process));

    assert_ok(aiort_sleep(0.01));
    assert_int_equal(aiort_process_communicate(process, NULL, 0, NULL, NULL, NULL, NULL),
                     AIORT_EMISUSE);
    aiort_task_cancel(task, NULL);
    assert_int_equal(aiort_await(AIORT_FUTURE(task), NULL), UV_ECANCELED);
    aiort_unref(task);
    assert_ok(aiort_process_kill(process));
    assert_int_equal(wait_status(process), -SIGKILL);
    aiort_unref(process);
}

/* ---- Beginnings ---- */

TASK_TEST(popen_error)
{
    char *argv[] = {(char *)"/no/such/program", NULL};
    aiort_process_t *process;

    assert_int_equal(aiort_create_subprocess_exec(argv[0], argv, NULL, &process), UV_ENOENT);
    assert_message("/no/such/program");
    assert_null(process);
}

static int open_descriptors(void)
{
    int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

TASK_TEST(popen_error_with_stdin_pipe)
{
    char *argv[] = {(char *)"/no/such/program", NULL};
    aiort_process_options_t options = {.in = PIPE, .out = PIPE, .err = PIPE};
    aiort_process_t *process;

    int err = aiort_create_subprocess_exec(argv[0], argv, &options, &process);
    assert_int_equal(err, UV_ENOENT);
    assert_ok(aiort_sleep(0.01)); /* what was opened is closed by now */
    int before = open_descriptors();
    for (int i = 0; i < 5; i++)
        assert_int_equal(aiort_create_subprocess_exec(argv[0], argv, &options, &process),
                         UV_ENOENT);
    assert_ok(aiort_sleep(0.01));
    assert_int_equal(open_descriptors(), before);
}

TASK_TEST(create_subprocess_exec_with_path)
{
    char *argv[] = {(char *)"true", NULL};
    aiort_process_t *process;

    assert_ok(aiort_create_subprocess_exec("true", argv, NULL, &process));
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
    assert_ok(aiort_create_subprocess_exec("/bin/true", argv, NULL, &process));
    assert_int_equal(wait_status(process), 0);
    aiort_unref(process);
}

TASK_TEST(create_subprocess_env_shell)
{
    char *env[] = {(char *)"FOO=bar", NULL};
    aiort_process_options_t options = {.out = PIPE, .env = env};
    aiort_process_t *process;

    assert_ok(aiort_create_subprocess_shell("echo $FOO", &options, &process));
    exchange(process, NULL);
    assert_text(out, out_size, "bar\n");
    aiort_unref(process);
}

TASK_TEST(create_subprocess_env_exec)
{
    char *env[] = {(char *)"FOO=baz", NULL},
         *argv[] = {(char *)"/bin/sh", (char *)"-c", (char *)"echo $FOO", NULL};
    aiort_process_options_t options = {.out = PIPE, .env = env};
    aiort_process_t *process;

    assert_ok(aiort_create_subprocess_exec(argv[0], argv, &options, &process));
    exchange(process, NULL);
    assert_text(out, out_size, "baz\n");
    aiort_unref(process);
}

TASK_TEST(working_directory)
{
    aiort_process_options_t options = {.out = PIPE, .cwd = "/usr"};
    aiort_process_t *process;

    assert_ok(aiort_create_subprocess_shell("pwd", &options, &process));
    exchange(process, NULL);
    assert_text(out, out_size, "/usr\n");
    aiort_unref(process);
}

TASK_TEST(descriptors_of_the_caller)
{
    int fds[2];
    char text[16];

    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    aiort_process_t *process = shell("echo given", 0, fds[1], 0);
    assert_int_equal(wait_status(process), 0);
    close(fds[1]); /* stayed ours */
    assert_int_equal(read(fds[0], text, sizeof text), 6);
    assert_memory_equal(text, "given\n", 6);
    close(fds[0]);
    aiort_unref(process);
}

TASK_TEST(subprocess_exec_invalid_args)
{
    char *none[] = {NULL}, *argv[] = {(char *)"true", NULL};
    aiort_process_options_t options = {.in = AIORT_PROCESS_STDOUT};
    aiort_process_t *process;

    assert_int_equal(aiort_create_subprocess_exec("true", none, NULL, &process), UV_EINVAL);
    assert_int_equal(aiort_create_subprocess_exec(NULL, argv, NULL, &process), UV_EINVAL);
    assert_int_equal(aiort_create_subprocess_shell(NULL, NULL, &process), UV_EINVAL);
    assert_int_equal(aiort_create_subprocess_exec("true", argv, &options, &process), UV_EINVAL);
    options.in = -77;
    assert_int_equal(aiort_create_subprocess_exec("true", argv, &options, &process), UV_EINVAL);
}

TEST(without_a_loop)
{
    char *argv[] = {(char *)"true", NULL};
    aiort_process_t *process;

    assert_int_equal(aiort_create_subprocess_exec("true", argv, NULL, &process), AIORT_ENOLOOP);
}

/* ---- The loop's end ---- */

static int leave_running(void *arg, void **result)
{
    aiort_process_t *process = shell("exec sleep 60", PIPE, PIPE, 0);

    (void)result;
    *(int *)arg = aiort_process_pid(process);
    aiort_unref(process);
    return 0;
}

/* Gone, or a zombie that this process has not waited for. */
static void assert_dead(int pid)
{
    for (int i = 0; i < 500; i++) {
        if (waitpid(pid, NULL, WNOHANG) != 0)
            return;
        usleep(10000);
    }
    fail();
}

TEST(close_kill_running)
{
    int pid = 0;

    assert_ok(aiort_run(AIORT_CORO(leave_running, &pid), NULL));
    assert_dead(pid);
}

static int leave_finished(void *arg, void **result)
{
    aiort_process_t **process = arg;

    (void)result;
    *process = shell("exit 5", 0, 0, 0);
    return aiort_process_wait(*process, NULL);
}

TEST(close_dont_kill_finished)
{
    aiort_process_t *process;
    int status = 0;

    assert_ok(aiort_run(AIORT_CORO(leave_finished, &process), NULL));
    assert_int_equal(aiort_process_returncode(process, &status), 1);
    assert_int_equal(status, 5);
    aiort_unref(process);
}

static int communicate_at_close(void *arg, void **result)
{
    aiort_process_t *process = shell("exec sleep 60", PIPE, PIPE, PIPE);

    (void)arg;
    (void)result;
    int err = aiort_process_communicate(process, "x", 1, NULL, NULL, NULL, NULL);
    assert_true(err == UV_ECANCELED || err == AIORT_ECLOSED);
    aiort_unref(process);
    return err;
}

static int start_communicating(void *arg, void **result)
{
    (void)arg;
    (void)result;
    aiort_unref(aiort_create_task(AIORT_CORO(communicate_at_close, NULL)));
    return aiort_sleep(0.02);
}

TEST(communicating_when_the_loop_closes)
{
    aiort_loop_t *loop = new_loop();
    reports_t reports;

    record(loop, &reports);
    assert_ok(aiort_loop_run_until_complete(loop, AIORT_CORO(start_communicating, NULL), NULL));
    drop_loop(loop);
    assert_true(reports.calls >= 1); /* the tasks that were pending */
}
