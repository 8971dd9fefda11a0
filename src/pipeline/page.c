#include "pipeline/page.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/memory.h"

#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

enum { PAGE_HEAD_BYTES = 16 };

struct page {
    uint8_t *memory;
    bool write;
};

static _Atomic uint64_t *version_of(struct page *p)
{
    return (_Atomic uint64_t *)(void *)p->memory;
}

enum status page_open(struct page **out, const char *store_path, bool write, struct error *err)
{
    char path[512];
    snprintf(path, sizeof path, "%s/status", store_path);
    struct file file;
    TRY(file_open(&file, path, (struct file_options){.write = write, .create = write}, err));
    enum status st = STATUS_OK;
    uint64_t bytes = 0;
    if (write) {
        st = file_truncate(&file, PAGE_BYTES, err);
    } else {
        st = file_bytes(&file, &bytes, err);
        if (st == STATUS_OK && bytes < PAGE_BYTES) {
            st = error_set(err, STATUS_NOT_FOUND, 0, "%s is not a status page", path);
        }
    }
    void *memory = MAP_FAILED;
    if (st == STATUS_OK) {
        memory = mmap(NULL, PAGE_BYTES, write ? PROT_READ | PROT_WRITE : PROT_READ, MAP_SHARED, file.fd, 0);
        if (memory == MAP_FAILED) {
            st = error_set(err, STATUS_IO, errno, "could not map %s", path);
        }
    }
    file_close(&file);
    if (st != STATUS_OK) {
        return st;
    }
    struct page *p = mem_zalloc(sizeof *p);
    p->memory = memory;
    p->write = write;
    *out = p;
    if (write) {
        page_write(p, bytes_of(NULL, 0));
    }
    return STATUS_OK;
}

void page_close(struct page *p)
{
    if (p == NULL) {
        return;
    }
    if (p->write) {
        store_le32(p->memory + 12, 0);
    }
    munmap(p->memory, PAGE_BYTES);
    mem_free(p);
}

void page_write(struct page *p, struct bytes text)
{
    size_t len = text.len < PAGE_BYTES - PAGE_HEAD_BYTES ? text.len : PAGE_BYTES - PAGE_HEAD_BYTES;
    uint64_t version = atomic_load(version_of(p)) | 1;
    atomic_store(version_of(p), version);
    atomic_thread_fence(memory_order_seq_cst);
    store_le32(p->memory + 8, (uint32_t)len);
    store_le32(p->memory + 12, (uint32_t)getpid());
    if (len > 0) {
        memcpy(p->memory + PAGE_HEAD_BYTES, text.data, len);
    }
    atomic_thread_fence(memory_order_seq_cst);
    atomic_store(version_of(p), version + 1);
}

bool page_read(struct page *p, struct buffer *out)
{
    enum { TRIES_MAX = 1000, PAUSE_US = 100 };
    for (int i = 0; i < TRIES_MAX; i++) {
        uint64_t before = atomic_load(version_of(p));
        uint32_t len = load_le32(p->memory + 8);
        uint32_t pid = load_le32(p->memory + 12);
        if (pid == 0 || (kill((pid_t)pid, 0) != 0 && errno == ESRCH)) {
            return false;
        }
        if (before % 2 == 0 && len <= PAGE_BYTES - PAGE_HEAD_BYTES) {
            buffer_reset(out);
            buffer_append(out, p->memory + PAGE_HEAD_BYTES, len);
            atomic_thread_fence(memory_order_seq_cst);
            if (atomic_load(version_of(p)) == before) {
                return true;
            }
        }
        clock_sleep_us(PAUSE_US);
    }
    return false;
}

bool page_find(struct bytes text, const char *key, struct bytes *value)
{
    size_t key_len = strlen(key);
    for (size_t at = 0; at < text.len;) {
        const uint8_t *end = memchr(text.data + at, '\n', text.len - at);
        size_t line_len = end == NULL ? text.len - at : (size_t)(end - (text.data + at));
        if (line_len > key_len && memcmp(text.data + at, key, key_len) == 0 && text.data[at + key_len] == '=') {
            *value = bytes_of(text.data + at + key_len + 1, line_len - key_len - 1);
            return true;
        }
        at += line_len + 1;
    }
    return false;
}
