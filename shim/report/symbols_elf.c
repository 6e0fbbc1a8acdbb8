/* SPDX-License-Identifier: MIT */
/*
 * One ELF file: mapping it, reading its headers, and deciding whether it may be believed.
 *
 * A file belongs to a module when its program headers are those in memory and its build-id is the
 * one in memory; a module without build-id must still have the inode that was mapped. Nothing else
 * is read: a library that was replaced on disk would give the names of the new one to the code of
 * the old.
 *
 * Headers and tables are used in place, so what is misaligned or out of bounds counts as absent.
 */
#include <elf.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbols_internal.h"

enum { WORD = sizeof(ElfW(Addr)) }; /* what headers and tables are aligned to */

static const char *debug_directory = "/usr/lib/debug";

void aiodebug_elf_set_debug_directory(const char *directory)
{
    debug_directory = directory;
}

static bool within(const aiodebug_image_t *image, uint64_t offset, uint64_t length, size_t align)
{
    return offset % align == 0 && offset <= image->size && length <= image->size - offset;
}

const ElfW(Ehdr) * aiodebug_image_header(const aiodebug_image_t *image)
{
    return (const ElfW(Ehdr) *)(const void *)image->data;
}

static bool header_is_ours(const aiodebug_image_t *image)
{
    const ElfW(Ehdr) *header = aiodebug_image_header(image);
    const unsigned char native_class = sizeof(void *) == 8 ? ELFCLASS64 : ELFCLASS32;
    const unsigned char native_data = __BYTE_ORDER == __LITTLE_ENDIAN ? ELFDATA2LSB : ELFDATA2MSB;
    return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
           header->e_ident[EI_CLASS] == native_class && header->e_ident[EI_DATA] == native_data &&
           (header->e_phnum == 0 || header->e_phentsize == sizeof(ElfW(Phdr))) &&
           within(image, header->e_phoff, (uint64_t)header->e_phnum * sizeof(ElfW(Phdr)), WORD);
}

/* Regular files only: opening anything else may block or do something. */
bool aiodebug_image_open(aiodebug_image_t *image, const char *path)
{
    struct stat st;
    memset(image, 0, sizeof *image);
    image->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (image->fd < 0)
        return false;
    if (fstat(image->fd, &st) == 0 && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_size >= sizeof(ElfW(Ehdr)) && (uint64_t)st.st_size < SIZE_MAX) {
        image->size = (size_t)st.st_size;
        image->modified = st.st_mtime;
        void *data = mmap(NULL, image->size, PROT_READ, MAP_PRIVATE, image->fd, 0);
        if (data != MAP_FAILED) {
            image->data = data;
            if (header_is_ours(image))
                return true;
        }
    }
    aiodebug_image_close(image);
    return false;
}

void aiodebug_image_close(aiodebug_image_t *image)
{
    if (image->data)
        munmap((void *)(uintptr_t)image->data, image->size);
    if (image->fd >= 0)
        close(image->fd);
    memset(image, 0, sizeof *image);
    image->fd = -1;
}

/* Closes the descriptor; the mapping stays. */
void aiodebug_image_release(aiodebug_image_t *image)
{
    if (image->fd >= 0)
        close(image->fd);
    image->fd = -1;
}

static const ElfW(Phdr) * program_headers(const aiodebug_image_t *image, size_t *count)
{
    const ElfW(Ehdr) *header = aiodebug_image_header(image);
    *count = header->e_phnum;
    return (const ElfW(Phdr) *)(const void *)(image->data + header->e_phoff);
}

/* With 65280 sections or more the number is in the first section's header. */
const ElfW(Shdr) * aiodebug_image_sections(const aiodebug_image_t *image, size_t *count)
{
    *count = 0;
    if (!image->data)
        return NULL;
    const ElfW(Ehdr) *header = aiodebug_image_header(image);
    if (header->e_shoff == 0 || header->e_shentsize != sizeof(ElfW(Shdr)) ||
        !within(image, header->e_shoff, sizeof(ElfW(Shdr)), WORD))
        return NULL;
    const ElfW(Shdr) *sections = (const ElfW(Shdr) *)(const void *)(image->data + header->e_shoff);
    uint64_t number = header->e_shnum ? header->e_shnum : sections[0].sh_size;
    if (number > image->size / sizeof(ElfW(Shdr)) ||
        !within(image, header->e_shoff, number * sizeof(ElfW(Shdr)), WORD))
        return NULL;
    *count = (size_t)number;
    return sections;
}

const void *aiodebug_image_content(const aiodebug_image_t *image, const ElfW(Shdr) * section,
                                   size_t *size)
{
    *size = 0;
    if (!section || section->sh_type == SHT_NOBITS ||
        !within(image, section->sh_offset, section->sh_size, 1))
        return NULL;
    *size = (size_t)section->sh_size;
    return image->data + section->sh_offset;
}

const ElfW(Shdr) * aiodebug_image_section(const aiodebug_image_t *image, const char *name)
{
    size_t count, size, length = strlen(name) + 1;
    const ElfW(Shdr) *sections = aiodebug_image_sections(image, &count);
    if (!sections)
        return NULL;
    size_t index = aiodebug_image_header(image)->e_shstrndx;
    if (index == SHN_XINDEX)
        index = sections[0].sh_link;
    if (index >= count)
        return NULL;
    const char *names = aiodebug_image_content(image, &sections[index], &size);
    for (size_t i = 1; names && i < count; i++) {
        size_t at = sections[i].sh_name;
        if (at < size && length <= size - at && memcmp(names + at, name, length) == 0)
            return &sections[i];
    }
    return NULL;
}

/* The bytes that were loaded to `address` (the file's own, without bias), NULL when there are none.
 */
const unsigned char *aiodebug_image_at(const aiodebug_image_t *image, uint64_t address,
                                       size_t length)
{
    size_t count;
    if (!image->data)
        return NULL;
    const ElfW(Phdr) *headers = program_headers(image, &count);
    for (size_t i = 0; i < count; i++) {
        const ElfW(Phdr) *h = &headers[i];
        if (h->p_type != PT_LOAD || address < h->p_vaddr || address - h->p_vaddr > h->p_filesz)
            continue;
        uint64_t into = address - h->p_vaddr;
        if (length <= h->p_filesz - into && within(image, h->p_offset, h->p_filesz, 1))
            return image->data + h->p_offset + into;
    }
    return NULL;
}

uint64_t aiodebug_phdr_hash(const ElfW(Phdr) * headers, size_t count)
{
    const unsigned char *bytes = (const unsigned char *)headers;
    uint64_t hash = 14695981039346656037U;
    for (size_t i = 0; i < count * sizeof *headers; i++)
        hash = (hash ^ bytes[i]) * 1099511628211U;
    return hash;
}

/* Gives the length of the build-id, 0 when there is none. `id` has room for BUILD_ID_MAX bytes. */
size_t aiodebug_note_build_id(const void *notes, size_t size, size_t align, unsigned char *id)
{
    const unsigned char *at = notes;
    ElfW(Nhdr) note;
    align = align == 8 ? 8 : 4;
    while (size > sizeof note) {
        memcpy(&note, at, sizeof note);
        size_t name = ((size_t)note.n_namesz + 3) & ~(size_t)3;
        size_t description = sizeof note + name;
        if (align == 8)
            description = (description + 7) & ~(size_t)7;
        size_t end = (description + note.n_descsz + align - 1) & ~(align - 1);
        if (note.n_namesz > size || note.n_descsz > size || description + note.n_descsz > size)
            return 0;
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
            memcmp(at + sizeof note, "GNU", 4) == 0 && note.n_descsz > 1 &&
            note.n_descsz <= BUILD_ID_MAX) {
            memcpy(id, at + description, note.n_descsz);
            return note.n_descsz;
        }
        if (end >= size)
            return 0;
        at += end;
        size -= end;
    }
    return 0;
}

/* A debug file's program headers point at what was left out of it: its sections tell. */
static size_t image_build_id(const aiodebug_image_t *image, unsigned char *id)
{
    size_t count, size, length;
    const ElfW(Shdr) *sections = aiodebug_image_sections(image, &count);
    for (size_t i = 0; i < count; i++) {
        if (sections[i].sh_type != SHT_NOTE)
            continue;
        const void *notes = aiodebug_image_content(image, &sections[i], &size);
        length = notes ? aiodebug_note_build_id(notes, size, sections[i].sh_addralign, id) : 0;
        if (length)
            return length;
    }
    const ElfW(Phdr) *headers = program_headers(image, &count);
    for (size_t i = 0; sections == NULL && i < count; i++) {
        const ElfW(Phdr) *h = &headers[i];
        if (h->p_type != PT_NOTE || !within(image, h->p_offset, h->p_filesz, 1))
            continue;
        length = aiodebug_note_build_id(image->data + h->p_offset, h->p_filesz, h->p_align, id);
        if (length)
            return length;
    }
    return 0;
}

static bool has_build_id_of(const aiodebug_image_t *image, const aiodebug_module_t *module)
{
    unsigned char id[BUILD_ID_MAX];
    size_t length = image_build_id(image, id);
    return length == module->id_length && memcmp(id, module->id, length) == 0;
}

static bool is_what_was_loaded(const aiodebug_image_t *image, const aiodebug_module_t *module,
                               bool running)
{
    size_t count;
    struct stat st;
    const ElfW(Phdr) *headers = program_headers(image, &count);
    if (aiodebug_phdr_hash(headers, count) != module->phdr_hash || !has_build_id_of(image, module))
        return false;
    return module->id_length > 0 || running ||
           (module->inode != 0 && fstat(image->fd, &st) == 0 && st.st_ino == module->inode);
}

/* The checksum of .gnu_debuglink, the one of zlib and Ethernet. */
static uint32_t image_crc(const aiodebug_image_t *image)
{
    uint32_t table[256], crc = ~(uint32_t)0;
    for (uint32_t i = 0; i < 256; i++) {
        table[i] = i;
        for (int bit = 0; bit < 8; bit++)
            table[i] = (table[i] >> 1) ^ (table[i] & 1 ? 0xedb88320U : 0);
    }
    for (size_t i = 0; i < image->size; i++)
        crc = table[(crc ^ image->data[i]) & 255] ^ (crc >> 8);
    return ~crc;
}

static bool has_dwarf(const aiodebug_image_t *image)
{
    size_t size;
    const ElfW(Shdr) *info = aiodebug_image_section(image, ".debug_info");
    if (!info)
        info = aiodebug_image_section(image, ".zdebug_info");
    return info && aiodebug_image_content(image, info, &size) && size > 0;
}

static bool debug_by_build_id(aiodebug_module_t *module)
{
    char path[PATH_MAX];
    if (!module->build_id)
        return false;
    int n = snprintf(path, sizeof path, "%s/.build-id/%.2s/%s.debug", debug_directory,
                     module->build_id, module->build_id + 2);
    if (n < 0 || (size_t)n >= sizeof path || !aiodebug_image_open(&module->debug, path))
        return false;
    if (has_build_id_of(&module->debug, module))
        return true;
    aiodebug_image_close(&module->debug);
    return false;
}

static bool try_debug_link(aiodebug_module_t *module, const char *path, uint32_t crc)
{
    if (!aiodebug_image_open(&module->debug, path))
        return false;
    if (module->id_length ? has_build_id_of(&module->debug, module)
                          : image_crc(&module->debug) == crc)
        return true;
    aiodebug_image_close(&module->debug);
    return false;
}

/* .gnu_debuglink: a file name, and at the next multiple of four the checksum of that file. It is
   looked for where gdb does: beside the module, in .debug there, under the debug directory. */
static bool debug_by_link(aiodebug_module_t *module)
{
    char path[PATH_MAX];
    size_t size;
    uint32_t crc;
    const aiodebug_image_t *file = &module->file;
    const char *link =
        aiodebug_image_content(file, aiodebug_image_section(file, ".gnu_debuglink"), &size);
    size_t length = link ? strnlen(link, size) : 0;
    size_t crc_at = (length + 4) & ~(size_t)3;
    const char *slash = strrchr(module->name, '/');
    if (length == 0 || crc_at + sizeof crc > size || !slash || memchr(link, '/', length))
        return false;
    memcpy(&crc, link + crc_at, sizeof crc);
    const char *const before[] = {"", "", debug_directory};
    const char *const after[] = {"", "/.debug", ""};
    for (size_t i = 0; i < sizeof before / sizeof before[0]; i++) {
        int n = snprintf(path, sizeof path, "%s%.*s%s/%s", before[i], (int)(slash - module->name),
                         module->name, after[i], link);
        if (n > 0 && (size_t)n < sizeof path && try_debug_link(module, path, crc))
            return true;
    }
    return false;
}

/* Finds the module's file and its debug information, once. /proc/self/exe is the program that runs
   even when its name now belongs to another file, or to none. */
void aiodebug_module_open(aiodebug_module_t *module)
{
    if (module->opened)
        return;
    module->opened = true;
    module->file.fd = module->debug.fd = -1;
    if (module->in_memory)
        return;
    const char *const candidates[] = {module->name, module->main ? "/proc/self/exe" : NULL};
    for (size_t i = 0; i < 2 && !module->file.data; i++) {
        if (candidates[i] && aiodebug_image_open(&module->file, candidates[i]) &&
            !is_what_was_loaded(&module->file, module, i == 1))
            aiodebug_image_close(&module->file);
    }
    if (!module->file.data || !has_dwarf(&module->file)) {
        if (!debug_by_build_id(module) && module->file.data)
            debug_by_link(module);
    }
}
