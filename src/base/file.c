#include "base/file.h"

#include "base/memory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum status file_open(struct file *f, const char *path, struct file_options options, struct error *err)
{
    *f = FILE_CLOSED;
    if (strlen(path) >= sizeof f->path) {
        return error_set(err, STATUS_INVALID, 0, "path is too long: %.100s...", path);
    }
    int flags = O_CLOEXEC | (options.write ? O_RDWR : O_RDONLY) | (options.create ? O_CREAT : 0) |
                (options.exclusive ? O_EXCL : 0) | (options.truncate ? O_TRUNC : 0);
    int fd;
    do {
        fd = open(path, flags, 0600);
    } while (fd < 0 && errno == EINTR);
    if (fd < 0) {
        enum status status = errno == ENOENT ? STATUS_NOT_FOUND : STATUS_IO;
        return error_set(err, status, errno, "could not open %s", path);
    }
    f->fd = fd;
    snprintf(f->path, sizeof f->path, "%s", path);
    return STATUS_OK;
}

void file_close(struct file *f)
{
    if (f->fd >= 0) {
        close(f->fd);
    }
    *f = FILE_CLOSED;
}

enum status file_read_at(const struct file *f, uint64_t offset, void *data, size_t len, size_t *got, struct error *err)
{
    *got = 0;
    while (*got < len) {
        ssize_t n = pread(f->fd, (char *)data + *got, len - *got, (off_t)(offset + *got));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return error_set(err, STATUS_IO, errno, "could not read %s at %llu", f->path,
                             (unsigned long long)(offset + *got));
        }
        if (n == 0) {
            return error_set(err, STATUS_END, 0, "%s ends at %llu", f->path, (unsigned long long)(offset + *got));
        }
        *got += (size_t)n;
    }
    return STATUS_OK;
}

enum status file_write_at(const struct file *f, uint64_t offset, const void *data, size_t len, struct error *err)
{
    size_t done = 0;
    while (done < len) {
        ssize_t n = pwrite(f->fd, (const char *)data + done, len - done, (off_t)(offset + done));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            return error_set(err, STATUS_IO, n < 0 ? errno : ENOSPC, "could not write %zu bytes to %s at %llu",
                             len - done, f->path, (unsigned long long)(offset + done));
        }
        done += (size_t)n;
    }
    return STATUS_OK;
}

enum status file_sync_data(const struct file *f, struct error *err)
{
    if (fdatasync(f->fd) != 0) {
        return error_set(err, STATUS_IO, errno, "could not sync %s", f->path);
    }
    return STATUS_OK;
}

enum status file_sync(const struct file *f, struct error *err)
{
    if (fsync(f->fd) != 0) {
        return error_set(err, STATUS_IO, errno, "could not sync %s", f->path);
    }
    return STATUS_OK;
}

enum status file_bytes(const struct file *f, uint64_t *out, struct error *err)
{
    struct stat info;
    if (fstat(f->fd, &info) != 0) {
        return error_set(err, STATUS_IO, errno, "could not stat %s", f->path);
    }
    *out = (uint64_t)info.st_size;
    return STATUS_OK;
}

enum status file_truncate(const struct file *f, uint64_t bytes, struct error *err)
{
    if (ftruncate(f->fd, (off_t)bytes) != 0) {
        return error_set(err, STATUS_IO, errno, "could not set the length of %s to %llu", f->path,
                         (unsigned long long)bytes);
    }
    return STATUS_OK;
}

enum status file_read_all(const char *path, char **out, size_t *len, struct error *err)
{
    *out = NULL;
    *len = 0;
    struct file f;
    TRY(file_open(&f, path, (struct file_options){0}, err));
    size_t capacity = 64 * 1024;
    char *data = mem_alloc(capacity);
    enum status st = STATUS_OK;
    while (st == STATUS_OK) {
        mem_grow(&data, &capacity, *len + 64 * 1024, 1);
        size_t got;
        st = file_read_at(&f, *len, data + *len, capacity - *len - 1, &got, err);
        *len += got;
    }
    file_close(&f);
    if (st != STATUS_END) {
        mem_free(data);
        *len = 0;
        return st;
    }
    data[*len] = '\0';
    *out = data;
    return STATUS_OK;
}

static void parent_of(const char *path, char out[static 512])
{
    snprintf(out, 512, "%s", path);
    char *slash = strrchr(out, '/');
    if (slash == NULL) {
        snprintf(out, 512, ".");
    } else if (slash == out) {
        out[1] = '\0';
    } else {
        *slash = '\0';
    }
}

enum status file_replace(const char *path, const void *data, size_t len, struct error *err)
{
    char temp[512];
    if (snprintf(temp, sizeof temp, "%s.tmp", path) >= (int)sizeof temp) {
        return error_set(err, STATUS_INVALID, 0, "path is too long: %.100s...", path);
    }
    struct file f = FILE_CLOSED;
    enum status st;
    TRY_GOTO(done, file_open(&f, temp, (struct file_options){.write = true, .create = true, .truncate = true}, err));
    TRY_GOTO(done, file_write_at(&f, 0, data, len, err));
    TRY_GOTO(done, file_sync(&f, err));
    TRY_GOTO(done, file_rename(temp, path, err));
done:
    file_close(&f);
    return st;
}

enum status folder_make(const char *path, struct error *err)
{
    char part[512];
    if (snprintf(part, sizeof part, "%s", path) >= (int)sizeof part) {
        return error_set(err, STATUS_INVALID, 0, "path is too long: %.100s...", path);
    }
    for (char *c = part + 1;; c++) {
        if (*c != '/' && *c != '\0') {
            continue;
        }
        char saved = *c;
        *c = '\0';
        if (mkdir(part, 0700) != 0 && errno != EEXIST) {
            return error_set(err, STATUS_IO, errno, "could not make folder %s", part);
        }
        *c = saved;
        if (saved == '\0') {
            return STATUS_OK;
        }
    }
}

enum status folder_sync(const char *path, struct error *err)
{
    struct file f;
    TRY(file_open(&f, path, (struct file_options){0}, err));
    enum status st = file_sync(&f, err);
    file_close(&f);
    return st;
}

enum status file_rename(const char *from, const char *to, struct error *err)
{
    if (rename(from, to) != 0) {
        return error_set(err, STATUS_IO, errno, "could not rename %s to %s", from, to);
    }
    char parent[512];
    parent_of(to, parent);
    return folder_sync(parent, err);
}

enum status file_remove(const char *path, struct error *err)
{
    if (unlink(path) != 0 && errno != ENOENT) {
        return error_set(err, STATUS_IO, errno, "could not remove %s", path);
    }
    return STATUS_OK;
}

bool file_exists(const char *path)
{
    struct stat info;
    return stat(path, &info) == 0;
}
