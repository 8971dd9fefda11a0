/* File calls that finish or say why not. Every open/pwrite/fdatasync of the program goes through here. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include "base/error.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* All paths are borrowed; all errors name the path. EINTR is retried, nothing else is. @thread any */
struct file {
    int fd; /* -1 = closed */
    char path[512];
};

#define FILE_CLOSED ((struct file){.fd = -1})

struct file_options {
    bool write;     /* else read only */
    bool create;    /* make it where missing, mode 0600 */
    bool exclusive; /* with create: fail where it exists */
    bool truncate;
};

/* STATUS_NOT_FOUND where it does not exist and create is not set. */
enum status file_open(struct file *f, const char *path, struct file_options options, struct error *err);
void file_close(struct file *f);

/* Reads exactly `len` bytes; STATUS_END if the file ends before (`*got` tells how many were there). */
enum status file_read_at(const struct file *f, uint64_t offset, void *data, size_t len, size_t *got, struct error *err);
/* Writes all; a full disk is STATUS_IO with os_errno ENOSPC. */
enum status file_write_at(const struct file *f, uint64_t offset, const void *data, size_t len, struct error *err);
enum status file_sync_data(const struct file *f, struct error *err); /* fdatasync */
enum status file_sync(const struct file *f, struct error *err);      /* fsync */
enum status file_bytes(const struct file *f, uint64_t *out, struct error *err);
enum status file_truncate(const struct file *f, uint64_t bytes, struct error *err);

/* Reads a whole file into the heap, ended by a NUL that `*len` does not count; the caller frees with mem_free. */
enum status file_read_all(const char *path, char **out, size_t *len, struct error *err);
/* Writes a whole small file so that it is either there complete or not at all: temp, fsync, rename, fsync of the
 * folder. */
enum status file_replace(const char *path, const void *data, size_t len, struct error *err);

enum status folder_make(const char *path, struct error *err); /* with its parents, mode 0700; existing is fine */
enum status folder_sync(const char *path, struct error *err);
enum status file_rename(const char *from, const char *to, struct error *err); /* and syncs the folder of `to` */
enum status file_remove(const char *path, struct error *err);                 /* missing is fine */
bool file_exists(const char *path);

#endif
