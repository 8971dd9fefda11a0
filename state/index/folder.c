/* The folders of a store's state: environments in "state.N", and a file CURRENT whose one line names the one in use. It
 * is replaced as a whole, which is how a rebuilt state takes the old one's place. */
#include "state/index/inner.h"

#include "base/file.h"
#include "base/memory.h"

#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { NAME_BYTES = 32 };

static const char current_name[] = "CURRENT";
static const char folder_prefix[] = "state.";

/* Reads "state.N"; false where the text is something else. */
static bool folder_name_parse(const char *text, uint64_t *env_idx)
{
    size_t head = sizeof folder_prefix - 1;
    if (strncmp(text, folder_prefix, head) != 0 || text[head] < '1' || text[head] > '9') {
        return false;
    }
    char *end;
    errno = 0;
    *env_idx = strtoull(text + head, &end, 10);
    return errno == 0 && *end == '\0';
}

static void current_path(const char *path, char out[static INDEX_PATH_BYTES + NAME_BYTES])
{
    snprintf(out, INDEX_PATH_BYTES + NAME_BYTES, "%s/%s", path, current_name);
}

enum status folder_current(const char *path, uint64_t *env_idx, struct error *err)
{
    char file[INDEX_PATH_BYTES + NAME_BYTES];
    current_path(path, file);
    char *text;
    size_t len;
    TRY(file_read_all(file, &text, &len, err));
    if (len > 0 && text[len - 1] == '\n') {
        text[len - 1] = '\0';
    }
    enum status st = STATUS_OK;
    if (!folder_name_parse(text, env_idx)) {
        st = error_set(err, STATUS_CORRUPT, 0,
                       "could not read %s: it does not name a state folder; remove it to fold the log again", file);
    }
    mem_free(text);
    return st;
}

enum status folder_current_set(const char *path, uint64_t env_idx, struct error *err)
{
    char file[INDEX_PATH_BYTES + NAME_BYTES];
    char line[NAME_BYTES];
    current_path(path, file);
    int len = snprintf(line, sizeof line, "%s%" PRIu64 "\n", folder_prefix, env_idx);
    return file_replace(file, line, (size_t)len, err);
}

void folder_env_path(const char *path, uint64_t env_idx, char out[static INDEX_PATH_BYTES])
{
    snprintf(out, INDEX_PATH_BYTES, "%s/%s%" PRIu64, path, folder_prefix, env_idx);
}

enum status folder_env_remove(const char *path, uint64_t env_idx, struct error *err)
{
    char folder[INDEX_PATH_BYTES];
    char file[INDEX_PATH_BYTES + NAME_BYTES];
    folder_env_path(path, env_idx, folder);
    snprintf(file, sizeof file, "%s/data.mdb", folder);
    TRY(file_remove(file, err));
    snprintf(file, sizeof file, "%s/lock.mdb", folder);
    TRY(file_remove(file, err));
    if (rmdir(folder) != 0 && errno != ENOENT) {
        return error_set(err, STATUS_IO, errno, "could not remove folder %s", folder);
    }
    return STATUS_OK;
}

enum status folder_leftovers_remove(const char *path, uint64_t env_idx, struct error *err)
{
    DIR *folder = opendir(path);
    if (folder == NULL) {
        return error_set(err, STATUS_IO, errno, "could not list folder %s", path);
    }
    enum status st = STATUS_OK;
    const struct dirent *entry;
    while (st == STATUS_OK && (entry = readdir(folder)) != NULL) {
        uint64_t idx;
        if (folder_name_parse(entry->d_name, &idx) && idx != env_idx) {
            st = folder_env_remove(path, idx, err);
        }
    }
    closedir(folder);
    return st;
}
