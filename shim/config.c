/* SPDX-License-Identifier: MIT */
/*
 * Every AIODEBUG_ variable, in one table: what it is called, what it may be, what it means and
 * how it is read. The documentation is printed from the same lines.
 *
 * A bad value never stops the program: the default is used, and one line says so, but only once
 * the process turns out to use one of the libraries (aiodebug_config_complain). A preloaded shim
 * is inherited by every child, and a child's stderr may be somebody's protocol.
 *
 * Runs in the constructor, before there are threads; allocates nothing.
 */
#include <errno.h>
#include <limits.h>
#include <math.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "config.h"
#include "say.h"

/* Inert until it is loaded: a wrapper that runs before the constructor must see no check on. */
aiodebug_config_t aiodebug_config = {.exitcode = -1, .level = AIODEBUG_LEVEL_CRITICAL};

const aiodebug_check_info_t aiodebug_checks[AIODEBUG_CHECK_COUNT] = {
#define XX(id, slug, level, meaning, cause, hint)                                                  \
    [AIODEBUG_CHECK_##id] = {slug, AIODEBUG_LEVEL_##level, meaning, cause, hint},
    AIODEBUG_CHECK_MAP(XX)
#undef XX
};

static const uint64_t all_checks =
    AIODEBUG_CHECK_COUNT == 64 ? UINT64_MAX : (UINT64_C(1) << AIODEBUG_CHECK_COUNT) - 1;

/* Where paths of the environment are kept: it may be overwritten later (setproctitle). */
static char log_path[PATH_MAX], suppress_path[PATH_MAX];

/* What aiodebug_config_complain() will say. */
static char complaints[4096];
static size_t complaints_length;

const char *aiodebug_level_name(aiodebug_level_t level)
{
    if (level >= AIODEBUG_LEVEL_CRITICAL) {
        return "CRITICAL";
    }
    if (level >= AIODEBUG_LEVEL_ERROR) {
        return "ERROR";
    }
    if (level >= AIODEBUG_LEVEL_WARNING) {
        return "WARNING";
    }
    return level >= AIODEBUG_LEVEL_INFO ? "INFO" : "DEBUG";
}


/* ------------------------------------------------------------------ one parser for each type */

/* Each sets the field and returns true, or returns false and leaves it alone. */
typedef bool parse_t(const char *text, void *field);

static bool parse_main_switch(const char *text, void *field)
{
    aiodebug_config_t *config = field;
    bool help = strcmp(text, "help") == 0, help_json = strcmp(text, "help-json") == 0;
    if (!help && !help_json && strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
        return false;
    }
    config->help = help;
    config->help_json = help_json;
    config->enabled = help || help_json || *text == '1';
    return true;
}

static bool parse_bool(const char *text, void *field)
{
    if (strcmp(text, "0") != 0 && strcmp(text, "1") != 0) {
        return false;
    }
    *(bool *)field = *text == '1';
    return true;
}

/* Digits with an optional decimal point, then "s", "ms" or nothing. Not strtod(): that asks the
 * program's locale what a decimal point is, and takes hexadecimal, "nan" and "inf". */
static bool parse_seconds(const char *text, void *field)
{
    double value = 0, scale = 1;
    const char *p = text;
    int digits = 0;
    for (; *p >= '0' && *p <= '9'; p++, digits++) {
        value = value * 10 + (*p - '0');
    }
    if (*p == '.') {
        for (p++; *p >= '0' && *p <= '9'; p++, digits++) {
            scale /= 10;
            value += (*p - '0') * scale;
        }
    }
    if (digits == 0 || digits > 18) {
        return false;
    }
    if (strcmp(p, "ms") == 0) {
        value /= 1000;
    } else if (*p && strcmp(p, "s") != 0) {
        return false;
    }
    *(double *)field = value;
    return true;
}

static bool parse_seconds_or_off(const char *text, void *field)
{
    if (strcmp(text, "off") != 0) {
        return parse_seconds(text, field);
    }
    *(double *)field = INFINITY;
    return true;
}

/* A whole decimal number from lowest to highest. */
static bool parse_int(const char *text, int lowest, int highest, int *value)
{
    char *end;
    if (*text < '0' || *text > '9') {
        return false;
    }
    errno = 0;
    long number = strtol(text, &end, 10);
    if (*end || errno || number < lowest || number > highest) {
        return false;
    }
    *value = (int)number;
    return true;
}

static bool parse_depth(const char *text, void *field)
{
    return parse_int(text, 0, 64, field);
}

static bool parse_exitcode(const char *text, void *field)
{
    return parse_int(text, 1, 255, field);
}

static bool parse_policy(const char *text, void *field)
{
    static const char *const names[] = {
        [AIODEBUG_POLICY_WARN] = "warn",
        [AIODEBUG_POLICY_ERROR] = "error",
        [AIODEBUG_POLICY_ABORT] = "abort",
    };
    for (unsigned i = AIODEBUG_POLICY_WARN; i <= AIODEBUG_POLICY_ABORT; i++) {
        if (strcmp(text, names[i]) == 0) {
            *(aiodebug_thread_policy_t *)field = (aiodebug_thread_policy_t)i;
            return true;
        }
    }
    return false;
}

static bool parse_level(const char *text, void *field)
{
    static const aiodebug_level_t levels[] = {AIODEBUG_LEVEL_DEBUG, AIODEBUG_LEVEL_INFO,
                                              AIODEBUG_LEVEL_WARNING, AIODEBUG_LEVEL_ERROR,
                                              AIODEBUG_LEVEL_CRITICAL};
    for (size_t i = 0; i < sizeof levels / sizeof *levels; i++) {
        if (strcasecmp(text, aiodebug_level_name(levels[i])) == 0) {
            *(aiodebug_level_t *)field = levels[i];
            return true;
        }
    }
    return false;
}

/* The path, made absolute: the program may change its directory before the file is opened. */
static bool keep_path(const char *text, char keep[static PATH_MAX])
{
    size_t length = 0;
    if (*text != '/' && getcwd(keep, PATH_MAX)) {
        length = strlen(keep);
        keep[length++] = '/';
    }
    if (length + strlen(text) >= PATH_MAX) {
        return false;
    }
    strcpy(keep + length, text);
    return true;
}

static bool parse_log(const char *text, void *field)
{
    aiodebug_config_t *config = field;
    if (strcmp(text, "stderr") == 0) {
        config->log = AIODEBUG_LOG_STDERR;
        return true;
    }
    if (strncmp(text, "fd:", 3) == 0) {
        config->log = AIODEBUG_LOG_FD;
        return parse_int(text + 3, 0, INT_MAX, &config->log_fd);
    }
    for (const char *p = text; (p = strchr(p, '%')); p += 2) {
        if (!p[1] || !strchr("pe%", p[1])) {
            return false;
        }
    }
    config->log = AIODEBUG_LOG_PATH;
    config->log_path = log_path;
    return keep_path(text, log_path);
}

static bool parse_format(const char *text, void *field)
{
    bool json = strcmp(text, "json") == 0;
    if (!json && strcmp(text, "text") != 0) {
        return false;
    }
    *(aiodebug_format_t *)field = json ? AIODEBUG_FORMAT_JSON : AIODEBUG_FORMAT_TEXT;
    return true;
}

/* The check with this slug, or -1. */
static int find_check(const char *slug, size_t length)
{
    for (int i = 0; i < AIODEBUG_CHECK_COUNT; i++) {
        if (strlen(aiodebug_checks[i].slug) == length &&
            memcmp(aiodebug_checks[i].slug, slug, length) == 0) {
            return i;
        }
    }
    return -1;
}

/* "a,b": these. "-a": all but this. "all,-a" and "a,b,-b" mean what they seem to. */
static bool parse_checks(const char *text, void *field)
{
    uint64_t with = 0, without = 0;
    for (const char *p = text; *p;) {
        size_t length = strcspn(p, ",");
        bool minus = *p == '-';
        int check = find_check(p + minus, length - minus);
        if (check >= 0) {
            *(minus ? &without : &with) |= UINT64_C(1) << check;
        } else if (length == 3 && memcmp(p, "all", 3) == 0) {
            with = all_checks;
        } else {
            return false;
        }
        p += length;
        p += *p == ',';
    }
    *(uint64_t *)field = (with ? with : all_checks) & ~without;
    return true;
}

static bool parse_suppress(const char *text, void *field)
{
    if (!keep_path(text, suppress_path) || access(suppress_path, R_OK) != 0) {
        return false;
    }
    *(const char **)field = suppress_path;
    return true;
}


/* ---------------------------------------------------------------------------------- the table */

typedef struct {
    const char *name, *standard; /* the default as text; "": unset */
    const char *accepted, *meaning;
    parse_t *parse;
    size_t offset; /* of what parse sets, within aiodebug_config_t */
} variable_t;

#define FIELD(name) offsetof(aiodebug_config_t, name)

/* What AIODEBUG_CHECKS takes when it is unset, and what stands for no list at all. */
static const char a_list[] = "`all`, or slugs separated by commas, of which `-slug` leaves one out "
                             "(AIODEBUG=help lists them)";
static const char seconds[] = "seconds, such as 0.15, or 150ms";
static const char seconds_or_off[] = "seconds, such as 0.15, or 150ms, or `off`";

static const variable_t variables[] = {
    {"AIODEBUG", "1", "0, 1, `help` or `help-json`",
     "0: the shim stays inert; `help`: this page is printed on stderr and the program goes on; "
     "`help-json`: the same as one JSON object",
     parse_main_switch, 0},
    {"AIODEBUG_SLOW_CALLBACK", "0.1", seconds,
     "seconds from which a callback or a task step is slow; 0: every one is reported",
     parse_seconds, FIELD(slow_callback)},
    {"AIODEBUG_SLOW_ITERATION", "0.25", seconds,
     "seconds from which one turn of the loop is slow though no callback was", parse_seconds,
     FIELD(slow_iteration)},
    {"AIODEBUG_SLOW_POLL", "1.0", seconds,
     "seconds by which the selector may take longer than it was asked to", parse_seconds,
     FIELD(slow_poll)},
    {"AIODEBUG_SLOW_QUEUE", "1.0", seconds, "seconds a job may wait for a free thread of the pool",
     parse_seconds, FIELD(slow_queue)},
    {"AIODEBUG_BLOCKING", "0.05", seconds_or_off,
     "seconds from which a blocking libc call on a loop's thread, inside a callback, is reported",
     parse_seconds_or_off, FIELD(blocking)},
    {"AIODEBUG_HANG", "5.0", seconds_or_off,
     "seconds after which a callback that is still running is reported with its live stack",
     parse_seconds_or_off, FIELD(hang)},
    {"AIODEBUG_THREAD", "", "`warn`, `error` or `abort`",
     "a call from the wrong thread is reported and let through, refused with an error code, or "
     "ends the program; unset: libaiort's calls are refused, libuv's let through",
     parse_policy, FIELD(thread)},
    {"AIODEBUG_RESOURCE", "0", "0 or 1",
     "1: what is left open at exit is reported, as Python's ResourceWarning", parse_bool,
     FIELD(resource)},
    {"AIODEBUG_LEVEL", "WARNING", "DEBUG, INFO, WARNING, ERROR or CRITICAL", "lowest level written",
     parse_level, FIELD(level)},
    {"AIODEBUG_LOG", "stderr", "`stderr`, `fd:N`, or a path; of % only %p, %e and %% may follow",
     "where the log goes; in a path %p is the process id and %e the program's name; a file is "
     "appended to",
     parse_log, 0},
    {"AIODEBUG_FORMAT", "text", "`text` or `json`", "text is for people, json is one object a line",
     parse_format, FIELD(format)},
    {"AIODEBUG_STACK_DEPTH", "16", "0 to 64", "frames kept of each stack; 0: none are taken",
     parse_depth, FIELD(stack_depth)},
    {"AIODEBUG_CHECKS", "all", a_list, "the checks that are on", parse_checks, FIELD(checks)},
    {"AIODEBUG_SUPPRESS", "", "the path of a readable file",
     "a file of lines `slug:glob`: mistakes of that check (`*`: any) with a function or module "
     "that matches on one of their stacks are not reported; `#` starts a comment",
     parse_suppress, FIELD(suppress)},
    {"AIODEBUG_EXITCODE", "", "1 to 255",
     "exit status to use instead of 0 when anything at WARNING or above was logged", parse_exitcode,
     FIELD(exitcode)},
    {"AIODEBUG_ABORT", "", a_list, "checks that abort the program at once, for a core file",
     parse_checks, FIELD(abort_checks)},
};
enum { VARIABLES = sizeof variables / sizeof *variables };


/* --------------------------------------------------------------------------------- complaining */

/* Adds one line, whole or not at all. */
static void complain(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void complain(const char *format, ...)
{
    size_t room = sizeof complaints - complaints_length;
    va_list args;
    va_start(args, format);
    int length = vsnprintf(complaints + complaints_length, room, format, args);
    va_end(args);
    if (length > 0 && (size_t)length < room) {
        complaints_length += (size_t)length;
    }
}

void aiodebug_config_complain(void)
{
    aiodebug_stderr_write(complaints, complaints_length);
    complaints_length = 0;
}

/* How many characters must be typed, dropped or changed to make b of a. */
static int edit_distance(const char *a, const char *b)
{
    enum { LONGEST = 64 };
    int row[LONGEST + 1];
    int width = (int)strnlen(b, LONGEST);
    for (int j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (int i = 0; a[i] && i < LONGEST; i++) {
        int diagonal = row[0];
        row[0] = i + 1;
        for (int j = 0; j < width; j++) {
            int changed = diagonal + (a[i] != b[j]);
            diagonal = row[j + 1];
            int moved = (row[j] < diagonal ? row[j] : diagonal) + 1;
            row[j + 1] = changed < moved ? changed : moved;
        }
    }
    return row[width];
}

static void complain_of_name(const char *name)
{
    const char *nearest = NULL;
    int least = INT_MAX;
    for (int i = 0; i < VARIABLES; i++) {
        int distance = edit_distance(name, variables[i].name);
        if (distance < least) {
            least = distance;
            nearest = variables[i].name;
        }
    }
    complain("aiodebug: %s is not a variable of aiodebug; the nearest is %s\n", name, nearest);
}

static void complain_of_value(const variable_t *variable, const char *value)
{
    char shown[96];
    size_t length = 0;
    for (; value[length] && length < sizeof shown - 1; length++) {
        shown[length] = (unsigned char)value[length] < ' ' ? '?' : value[length];
    }
    shown[length] = '\0';
    complain("aiodebug: %s=%s is not valid: accepted are %s; using %s\n", variable->name, shown,
             variable->accepted, *variable->standard ? variable->standard : "none");
}


/* ------------------------------------------------------------------------------------- loading */

static void set_from_environment(uint32_t *seen, const char *name, size_t length, const char *value)
{
    for (int i = 0; i < VARIABLES; i++) {
        const variable_t *variable = &variables[i];
        if (strlen(variable->name) != length || memcmp(variable->name, name, length) != 0) {
            continue;
        }
        /* Of two of the same name getenv() takes the first. Empty is as good as unset. */
        if (*seen >> i & 1 || !*value) {
            return;
        }
        *seen |= UINT32_C(1) << i;
        void *field = (char *)&aiodebug_config + variable->offset;
        aiodebug_config_t before = aiodebug_config;
        if (!variable->parse(value, field)) {
            aiodebug_config = before;
            complain_of_value(variable, value);
        }
        return;
    }
    char unknown[64];
    snprintf(unknown, sizeof unknown, "%.*s", (int)length, name);
    complain_of_name(unknown);
}

void aiodebug_config_load(void)
{
    static const char prefix[] = "AIODEBUG";
    uint32_t seen = 0;
    for (int i = 0; i < VARIABLES; i++) {
        if (*variables[i].standard) {
            variables[i].parse(variables[i].standard,
                               (char *)&aiodebug_config + variables[i].offset);
        }
    }
    for (char **entry = environ; entry && *entry; entry++) {
        if (strncmp(*entry, prefix, sizeof prefix - 1) != 0) {
            continue;
        }
        const char *name = *entry, *equals = strchr(name, '=');
        char next = name[sizeof prefix - 1];
        if (equals && (next == '=' || next == '_')) {
            set_from_environment(&seen, name, (size_t)(equals - name), equals + 1);
        }
    }
    /* A set-user-id program must not be made to write files by whoever starts it. */
    if (getauxval(AT_SECURE)) {
        aiodebug_config.enabled = aiodebug_config.help = aiodebug_config.help_json = false;
    }
    if (!aiodebug_config.enabled) {
        aiodebug_config.checks = 0;
    }
}


/* ------------------------------------------------------------------------------- documentation */

void aiodebug_config_print_markdown(int fd)
{
    dprintf(fd,
            "# Environment\n\nAn empty value counts as unset. A bad one is reported in one line "
            "on stderr and the default is used.\n\n"
            "| variable | default | accepted | meaning |\n| --- | --- | --- | --- |\n");
    for (int i = 0; i < VARIABLES; i++) {
        const variable_t *v = &variables[i];
        dprintf(fd, "| `%s` | %s | %s | %s |\n", v->name, v->standard, v->accepted, v->meaning);
    }
    dprintf(fd, "\n# Checks\n\n| slug | level | meaning | usual cause | what to do |\n"
                "| --- | --- | --- | --- | --- |\n");
    for (int i = 0; i < AIODEBUG_CHECK_COUNT; i++) {
        const aiodebug_check_info_t *c = &aiodebug_checks[i];
        dprintf(fd, "| `%s` | %s | %s | %s | %s |\n", c->slug, aiodebug_level_name(c->level),
                c->meaning, c->cause, c->hint);
    }
}

/* `"key": "value"` and a separator. The tables hold printable ASCII only. */
static void print_json_string(int fd, const char *key, const char *value, const char *separator)
{
    char escaped[512];
    size_t n = 0;
    for (; *value && n < sizeof escaped - 2; value++) {
        if (*value == '"' || *value == '\\') {
            escaped[n++] = '\\';
        }
        escaped[n++] = *value;
    }
    escaped[n] = '\0';
    dprintf(fd, "\"%s\": \"%s\"%s", key, escaped, separator);
}

void aiodebug_config_print_json(int fd)
{
    dprintf(fd, "{\"variables\": [");
    for (int i = 0; i < VARIABLES; i++) {
        dprintf(fd, "%s\n  {", i ? "," : "");
        print_json_string(fd, "name", variables[i].name, ", ");
        print_json_string(fd, "default", variables[i].standard, ", ");
        print_json_string(fd, "accepted", variables[i].accepted, ", ");
        print_json_string(fd, "meaning", variables[i].meaning, "}");
    }
    dprintf(fd, "\n], \"checks\": [");
    for (int i = 0; i < AIODEBUG_CHECK_COUNT; i++) {
        const aiodebug_check_info_t *c = &aiodebug_checks[i];
        dprintf(fd, "%s\n  {", i ? "," : "");
        print_json_string(fd, "slug", c->slug, ", ");
        print_json_string(fd, "level", aiodebug_level_name(c->level), ", ");
        print_json_string(fd, "meaning", c->meaning, ", ");
        print_json_string(fd, "cause", c->cause, ", ");
        print_json_string(fd, "hint", c->hint, "}");
    }
    dprintf(fd, "\n]}\n");
}
