/* SPDX-License-Identifier: MIT */
/*
 * Suppressions: lines of `slug:glob`, as the sanitizers' files have them. The slug may be `*`; the
 * glob is matched against each frame's function, its module's path and the module's name without
 * directories. Blank lines and those that begin with # are passed over.
 */
#include <errno.h>
#include <fcntl.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "../config.h"
#include "../say.h"
#include "names.h"
#include "suppress.h"

enum { LARGEST_FILE = 1 << 20 };

typedef struct rule {
    struct rule *next;
    uint64_t checks;
    const char *glob; /* within the file's text, which is kept */
} rule_t;

static rule_t *rules;
static bool loaded;

/* The file, terminated; NULL with errno set. */
static char *read_file(const char *path)
{
    struct stat st;
    char *text = NULL;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
    if (fd < 0) {
        return NULL;
    }
    if (fstat(fd, &st) == 0 && st.st_size <= LARGEST_FILE) {
        text = malloc((size_t)st.st_size + 1);
    } else {
        errno = EFBIG;
    }
    ssize_t n = text ? read(fd, text, (size_t)st.st_size) : -1;
    if (n >= 0) {
        text[n] = '\0';
    } else {
        free(text);
        text = NULL;
    }
    close(fd);
    return text;
}

/* The checks a slug stands for; 0: none. */
static uint64_t checks_of(const char *slug)
{
    if (strcmp(slug, "*") == 0) {
        return UINT64_MAX;
    }
    for (int i = 0; i < AIODEBUG_CHECK_COUNT; i++) {
        if (strcmp(slug, aiodebug_checks[i].slug) == 0) {
            return UINT64_C(1) << i;
        }
    }
    return 0;
}

static char *trim(char *text)
{
    static const char blanks[] = " \t\r";
    text += strspn(text, blanks);
    for (size_t n = strlen(text); n > 0 && strchr(blanks, text[n - 1]); n--) {
        text[n - 1] = '\0';
    }
    return text;
}

static void add_line(char *line, int number)
{
    line = trim(line);
    if (!*line || *line == '#') {
        return;
    }
    char *colon = strchr(line, ':');
    if (colon) {
        *colon = '\0';
    }
    const char *slug = trim(line);
    const char *glob = colon ? trim(colon + 1) : "";
    uint64_t checks = checks_of(slug);
    rule_t *rule = checks && *glob ? malloc(sizeof *rule) : NULL;
    if (rule) {
        *rule = (rule_t){rules, checks, glob};
        rules = rule;
        return;
    }
    aiodebug_say("%s:%d: accepted are `slug:function-or-module-glob` and comments with #; %s%s%s",
                 aiodebug_config.suppress, number, checks ? "" : "there is no check `",
                 checks ? "the glob is missing" : slug, checks ? "" : "`");
}

static void load(void)
{
    char *text = read_file(aiodebug_config.suppress);
    if (!text) {
        aiodebug_say("cannot read %s: %s; nothing is suppressed", aiodebug_config.suppress,
                     strerrordesc_np(errno));
        return;
    }
    int number = 1;
    for (char *line = text; line; number++) {
        char *end = strchr(line, '\n');
        if (end) {
            *end = '\0';
        }
        add_line(line, number);
        line = end ? end + 1 : NULL;
    }
}

static bool frame_matches(const aiodebug_frame_t *frame, const char *glob)
{
    const char *slash = frame->module ? strrchr(frame->module, '/') : NULL;
    return (frame->function && fnmatch(glob, frame->function, 0) == 0) ||
           (frame->module && fnmatch(glob, frame->module, 0) == 0) ||
           (slash && fnmatch(glob, slash + 1, 0) == 0);
}

static bool stack_matches(uint32_t stack, uint64_t check)
{
    const aiodebug_frame_t *frames;
    int n = aiodebug_names_whole_stack(stack, &frames);
    for (const rule_t *rule = rules; rule; rule = rule->next) {
        for (int i = 0; i < n && rule->checks & check; i++) {
            if (frame_matches(&frames[i], rule->glob)) {
                return true;
            }
        }
    }
    return false;
}

bool aiodebug_suppressed(const aiodebug_record_t *r)
{
    if (!aiodebug_config.suppress) {
        return false;
    }
    if (!loaded) {
        load();
        loaded = true;
    }
    for (int i = 0; rules && i < r->stack_count; i++) {
        if (stack_matches(r->stacks[i].stack, UINT64_C(1) << r->check)) {
            return true;
        }
    }
    return false;
}

void aiodebug_suppress_after_fork_child(void)
{
    if (!loaded) {
        rules = NULL;
    }
}
