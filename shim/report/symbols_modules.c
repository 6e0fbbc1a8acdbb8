/* SPDX-License-Identifier: MIT */
/*
 * Which modules are loaded, and which have been.
 *
 * The loader counts what it loads and unloads; the list is read again when these counts have moved.
 * A module that has gone stays in the list, as stacks in it may still be waiting to be named, and
 * is taken up again when the same file returns to the same place. When another module has come to
 * lie where it was, both are given for an address, and the caller judges (symbols.c).
 *
 * Under the list lock nothing is allocated while the loader's lock is held: a malloc that walks
 * stacks, of a heap profiler say, takes the two in the other order.
 */
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "symbols_internal.h"

enum { GONE_MAX = 64, INTERNAL_MAX = 8, NAME_MAX_SEEN = 512 };

/* One module as dl_iterate_phdr() tells it. */
typedef struct {
    uintptr_t bias, low, high;
    uint64_t phdr_hash;
    size_t id_length;
    unsigned char id[BUILD_ID_MAX];
    bool first;
    char name[NAME_MAX_SEEN];
} sighting_t;

typedef struct {
    sighting_t *sightings;
    size_t count, capacity;
    uint64_t adds, subs;
} scan_t;

static pthread_mutex_t list_lock = PTHREAD_MUTEX_INITIALIZER;
static aiodebug_module_t **modules;
static size_t module_count, module_capacity;
static uint64_t unloads;    /* the order in which modules went */
static uint64_t generation; /* moves when answers given before may have become ambiguous */
static _Atomic uint64_t known_adds, known_subs;
static struct {
    _Atomic uintptr_t low, high;
} internal[INTERNAL_MAX];

static int count_changes(struct dl_phdr_info *info, size_t size, void *argument)
{
    scan_t *scan = argument;
    (void)size;
    scan->adds = info->dlpi_adds;
    scan->subs = info->dlpi_subs;
    return 1;
}

static bool list_is_current(void)
{
    scan_t now = {0};
    dl_iterate_phdr(count_changes, &now);
    return now.adds == atomic_load_explicit(&known_adds, memory_order_acquire) &&
           now.subs == atomic_load_explicit(&known_subs, memory_order_acquire);
}

static bool in_load_segment(const struct dl_phdr_info *info, const ElfW(Phdr) * part)
{
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        if (h->p_type == PT_LOAD && (h->p_flags & PF_R) && part->p_vaddr >= h->p_vaddr &&
            part->p_vaddr - h->p_vaddr <= h->p_filesz &&
            part->p_filesz <= h->p_filesz - (part->p_vaddr - h->p_vaddr))
            return true;
    }
    return false;
}

static int see_module(struct dl_phdr_info *info, size_t size, void *argument)
{
    scan_t *scan = argument;
    (void)size;
    scan->adds = info->dlpi_adds;
    scan->subs = info->dlpi_subs;
    if (scan->count++ >= scan->capacity)
        return 0;
    sighting_t *s = &scan->sightings[scan->count - 1];
    *s = (sighting_t){.bias = info->dlpi_addr, .low = UINTPTR_MAX, .first = scan->count == 1};
    s->phdr_hash = aiodebug_phdr_hash(info->dlpi_phdr, info->dlpi_phnum);
    /* A longer name is found in /proc/self/maps, as an empty one is. */
    if (info->dlpi_name && strlen(info->dlpi_name) < sizeof s->name)
        strcpy(s->name, info->dlpi_name);
    for (size_t i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *h = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + h->p_vaddr;
        if (h->p_type == PT_LOAD) {
            s->low = start < s->low ? start : s->low;
            s->high = start + h->p_memsz > s->high ? start + h->p_memsz : s->high;
        } else if (h->p_type == PT_NOTE && s->id_length == 0 && in_load_segment(info, h)) {
            s->id_length =
                aiodebug_note_build_id((const void *)start, h->p_filesz, h->p_align, s->id);
        }
    }
    return 0;
}

/* True with everything seen; the caller frees the sightings. */
static bool scan_all(scan_t *scan)
{
    *scan = (scan_t){.capacity = module_count + 32};
    for (;;) {
        scan->sightings = malloc(scan->capacity * sizeof *scan->sightings);
        if (!scan->sightings)
            return false;
        scan->count = 0;
        dl_iterate_phdr(see_module, scan);
        if (scan->count <= scan->capacity)
            return true;
        free(scan->sightings);
        scan->capacity = scan->count + 32;
    }
}

/* One line of /proc/self/maps: "low-high rwxp offset device inode   path". */
static bool parse_mapping(const char *line, uintptr_t address, char *path, size_t size,
                          uint64_t *inode)
{
    unsigned long low, high, number;
    int at = 0;
    if (sscanf(line, "%lx-%lx %*s %*s %*s %lu %n", &low, &high, &number, &at) < 3 || at == 0 ||
        address < low || address >= high)
        return false;
    size_t length = strcspn(line + at, "\n");
    static const char deleted[] = " (deleted)";
    const size_t tail = sizeof deleted - 1;
    *inode = number;
    if (length > tail && memcmp(line + at + length - tail, deleted, tail) == 0) {
        length -= tail;
        *inode = 0;
    }
    if (length >= size || line[at] != '/')
        return false;
    memcpy(path, line + at, length);
    path[length] = 0;
    return true;
}

/* The file mapped at `address`; its inode is given as 0 when it has been deleted since. */
static bool mapped_file(uintptr_t address, char *path, size_t size, uint64_t *inode)
{
    bool found = false;
    char *line = NULL;
    size_t capacity = 0;
    FILE *maps = fopen("/proc/self/maps", "re");
    *inode = 0;
    if (!maps)
        return false;
    while (!found && getline(&line, &capacity, maps) > 0)
        found = parse_mapping(line, address, path, size, inode);
    free(line);
    fclose(maps);
    return found;
}

static const char *hexadecimal(const unsigned char *id, size_t length)
{
    char text[2 * BUILD_ID_MAX + 1];
    for (size_t i = 0; i < length; i++)
        snprintf(text + 2 * i, 3, "%02x", id[i]);
    return length ? aiodebug_text(text) : NULL;
}

static aiodebug_module_t *new_module(const sighting_t *s)
{
    char path[PATH_MAX];
    aiodebug_module_t *module = calloc(1, sizeof *module);
    if (!module)
        return NULL;
    module->bias = s->bias;
    module->low = s->low;
    module->high = s->high;
    module->phdr_hash = s->phdr_hash;
    module->id_length = s->id_length;
    memcpy(module->id, s->id, s->id_length);
    module->build_id = hexadecimal(s->id, s->id_length);
    module->main = s->first;
    module->in_memory = s->low == getauxval(AT_SYSINFO_EHDR);
    module->file.fd = module->debug.fd = -1;
    module->name = s->name[0] ? aiodebug_text(s->name) : NULL;
    /* A relative name means something else after chdir(); the program itself has none at all. */
    if (!module->in_memory && (s->name[0] != '/' || s->id_length == 0) &&
        mapped_file(s->low, path, sizeof path, &module->inode))
        module->name = aiodebug_text(path);
    if (!module->name) {
        ssize_t length = s->first ? readlink("/proc/self/exe", path, sizeof path) : -1;
        module->name = length > 0 ? aiodebug_text_n(path, (size_t)length) : "?";
    }
    return module;
}

static bool same_place(const aiodebug_module_t *module, const sighting_t *s)
{
    return module->bias == s->bias && module->low == s->low && module->high == s->high;
}

/* For a module without build-id that was unloaded there is no telling: it is not taken up again. */
static bool same_module(const aiodebug_module_t *module, const sighting_t *s)
{
    return same_place(module, s) && module->phdr_hash == s->phdr_hash &&
           module->id_length == s->id_length && memcmp(module->id, s->id, s->id_length) == 0 &&
           (s->id_length > 0 || !module->gone);
}

/* For fork(), which is not to be held up for long, nor for ever where the holder needs what the
   forking thread has. */
bool aiodebug_lock_soon(pthread_mutex_t *lock)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 100 * 1000 * 1000;
    until.tv_sec += until.tv_nsec / (1000 * 1000 * 1000);
    until.tv_nsec %= 1000 * 1000 * 1000;
    return pthread_mutex_timedlock(lock, &until) == 0;
}

/* A lock that can be unlocked is: ThreadSanitizer would take a new one at its place for locked. */
bool aiodebug_lock_in_child(pthread_mutex_t *lock)
{
    bool was_locked = pthread_mutex_trylock(lock) != 0;
    if (was_locked)
        *lock = (pthread_mutex_t)PTHREAD_MUTEX_INITIALIZER;
    else
        pthread_mutex_unlock(lock);
    return was_locked;
}

bool aiodebug_module_path_is(const char *path, const char *prefix)
{
    const char *slash = strrchr(path, '/');
    return strncmp(slash ? slash + 1 : path, prefix, strlen(prefix)) == 0;
}

static bool is_internal(const aiodebug_module_t *module)
{
    uintptr_t self = (uintptr_t)&aiodebug_symbols_internal;
    return aiodebug_module_path_is(module->name, "libaiort.so") ||
           aiodebug_module_path_is(module->name, "libaiodebug.so") ||
           (!module->main && self >= module->low && self < module->high);
}

static void publish_internal(void)
{
    size_t used = 0;
    for (size_t i = 0; i < INTERNAL_MAX; i++)
        atomic_store_explicit(&internal[i].high, 0, memory_order_release);
    for (size_t i = 0; i < module_count && used < INTERNAL_MAX; i++) {
        if (modules[i]->gone || !is_internal(modules[i]))
            continue;
        atomic_store_explicit(&internal[used].low, modules[i]->low, memory_order_release);
        atomic_store_explicit(&internal[used++].high, modules[i]->high, memory_order_release);
    }
}

static bool overlaps_a_gone(const sighting_t *s)
{
    for (size_t i = 0; i < module_count; i++) {
        if (modules[i]->gone && modules[i]->low < s->high && s->low < modules[i]->high)
            return true;
    }
    return false;
}

static void take_up(const sighting_t *s)
{
    for (size_t i = 0; i < module_count; i++) {
        if (same_module(modules[i], s)) {
            if (modules[i]->gone && overlaps_a_gone(s))
                generation++;
            modules[i]->gone = 0;
            modules[i]->seen = true;
            return;
        }
    }
    if (overlaps_a_gone(s))
        generation++;
    if (module_count == module_capacity) {
        size_t capacity = module_capacity ? 2 * module_capacity : 32;
        aiodebug_module_t **grown = realloc(modules, capacity * sizeof(aiodebug_module_t *));
        if (!grown)
            return;
        modules = grown;
        module_capacity = capacity;
    }
    aiodebug_module_t *module = new_module(s);
    if (module) {
        module->seen = true;
        modules[module_count++] = module;
    }
}

static void read_list(void)
{
    scan_t scan;
    if (!scan_all(&scan))
        return;
    for (size_t i = 0; i < module_count; i++)
        modules[i]->seen = false;
    /* Those that have gone first, for the others to be told apart from them. */
    for (size_t i = 0; i < scan.count; i++) {
        for (size_t j = 0; j < module_count; j++) {
            if (!modules[j]->gone && same_module(modules[j], &scan.sightings[i]))
                modules[j]->seen = true;
        }
    }
    for (size_t i = 0; i < module_count; i++) {
        if (!modules[i]->seen && !modules[i]->gone)
            modules[i]->gone = ++unloads;
    }
    for (size_t i = 0; i < scan.count; i++)
        take_up(&scan.sightings[i]);
    free(scan.sightings);
    publish_internal();
    atomic_store_explicit(&known_adds, scan.adds, memory_order_release);
    atomic_store_explicit(&known_subs, scan.subs, memory_order_release);
}

/* Reads the list again if it has changed; true when it had. */
static bool refresh_has_news(void)
{
    pthread_mutex_lock(&list_lock);
    bool news = !list_is_current();
    if (news)
        read_list();
    pthread_mutex_unlock(&list_lock);
    return news;
}

/* Calls dl_iterate_phdr(), of which all calls are made under the list lock. */
void aiodebug_modules_iterate(int (*look)(struct dl_phdr_info *, size_t, void *), void *argument)
{
    pthread_mutex_lock(&list_lock);
    dl_iterate_phdr(look, argument);
    pthread_mutex_unlock(&list_lock);
}

/* Gives a number that differs from the last one when answers given before may no longer hold. */
uint64_t aiodebug_modules_refresh(void)
{
    pthread_mutex_lock(&list_lock);
    if (!list_is_current())
        read_list();
    uint64_t now = generation;
    pthread_mutex_unlock(&list_lock);
    return now;
}

/* How often the loader has loaded or unloaded something, as of the last look. */
uint64_t aiodebug_modules_changes(void)
{
    return atomic_load_explicit(&known_adds, memory_order_acquire) +
           atomic_load_explicit(&known_subs, memory_order_acquire);
}

/* The module loaded at `address`, or NULL; in `gone` the last one that was unloaded there, if any.
 */
aiodebug_module_t *aiodebug_module_at(uintptr_t address, aiodebug_module_t **gone)
{
    aiodebug_module_t *loaded = NULL;
    *gone = NULL;
    pthread_mutex_lock(&list_lock);
    for (size_t i = 0; i < module_count; i++) {
        aiodebug_module_t *m = modules[i];
        if (address < m->low || address >= m->high)
            continue;
        if (!m->gone)
            loaded = m;
        else if (!*gone || m->gone > (*gone)->gone)
            *gone = m;
    }
    pthread_mutex_unlock(&list_lock);
    return loaded;
}

/* The loaded modules one by one, in the order in which they were first seen, the program first. */
aiodebug_module_t *aiodebug_module_next(size_t *index)
{
    aiodebug_module_t *next = NULL;
    pthread_mutex_lock(&list_lock);
    while (!next && *index < module_count) {
        next = modules[(*index)++];
        if (next->gone)
            next = NULL;
    }
    pthread_mutex_unlock(&list_lock);
    return next;
}

bool aiodebug_modules_internal(uintptr_t pc)
{
    for (int attempt = 0; attempt < 2; attempt++) {
        for (size_t i = 0; i < INTERNAL_MAX; i++) {
            if (pc < atomic_load_explicit(&internal[i].high, memory_order_acquire) &&
                pc >= atomic_load_explicit(&internal[i].low, memory_order_acquire))
                return true;
        }
        if (attempt == 0 && !refresh_has_news())
            return false;
    }
    return false;
}

static size_t oldest_gone(size_t *gone_count)
{
    size_t oldest = SIZE_MAX;
    *gone_count = 0;
    for (size_t i = 0; i < module_count; i++) {
        if (!modules[i]->gone)
            continue;
        ++*gone_count;
        if (oldest == SIZE_MAX || modules[i]->gone < modules[oldest]->gone)
            oldest = i;
    }
    return oldest;
}

/* Forgets the modules that went first when there are too many. Needs the work lock: their files and
   DWARF are closed. */
void aiodebug_modules_trim(void)
{
    for (;;) {
        size_t gone_count;
        pthread_mutex_lock(&list_lock);
        size_t oldest = oldest_gone(&gone_count);
        aiodebug_module_t *module = gone_count > GONE_MAX ? modules[oldest] : NULL;
        if (module) {
            memmove(&modules[oldest], &modules[oldest + 1],
                    (--module_count - oldest) * sizeof(aiodebug_module_t *));
        }
        pthread_mutex_unlock(&list_lock);
        if (!module)
            return;
        aiodebug_dwarf_close(module->dwarf);
        aiodebug_symtab_free(&module->table);
        aiodebug_image_close(&module->file);
        aiodebug_image_close(&module->debug);
        free(module);
    }
}

/* With the list lock held across fork() the loader's lock is not held by a look at the list, which
   in the child would be for ever. True when it was had. */
bool aiodebug_modules_before_fork(void)
{
    return aiodebug_lock_soon(&list_lock);
}

void aiodebug_modules_after_fork_parent(void)
{
    pthread_mutex_unlock(&list_lock);
}

/* `complete`: the list lock was had. `drop`: the modules' files and DWARF were being worked on. */
void aiodebug_modules_after_fork_child(bool complete, bool drop)
{
    if (complete)
        pthread_mutex_unlock(&list_lock);
    bool was_locked = aiodebug_lock_in_child(&list_lock);
    if (!drop && !was_locked)
        return;
    /* Left to leak: what was half changed cannot be freed. */
    modules = NULL;
    module_count = module_capacity = 0;
    generation++;
    atomic_store(&known_adds, 0);
    atomic_store(&known_subs, 0);
}
