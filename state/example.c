/* A word counter on a log-structured store: `example FOLDER` appends lines as commits, folds them into a map of counts,
 * checkpoints, opens the store anew, folds what the checkpoint does not have, and prints the counts. */
#include "state/store.h"

#include <ctype.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static enum status word_count(struct store_map *counts, struct bytes word, struct error *err)
{
    struct bytes value = {0};
    enum status st = store_get(counts, word, &value, err);
    if (st != STATUS_OK && st != STATUS_NOT_FOUND) {
        return st;
    }
    uint8_t out[8];
    store_le64(out, st == STATUS_OK ? load_le64(value.data) + 1 : 1);
    return store_put(counts, word, bytes_of(out, sizeof out), err);
}

static enum status line_fold(struct store_map *counts, struct bytes line, struct error *err)
{
    size_t start = 0;
    for (size_t i = 0; i <= line.len; i++) {
        if (i == line.len || !isalnum(line.data[i])) {
            TRY(i > start ? word_count(counts, bytes_of(line.data + start, i - start), err) : STATUS_OK);
            start = i + 1;
        }
    }
    return STATUS_OK;
}

/* Reads every commit that the map does not have yet, and folds it: state is nothing but fold(log). */
static enum status catch_up(struct store *s, struct store_map *counts, uint64_t *seq_next, struct error *err)
{
    struct store_reader *reader;
    TRY(store_reader_open(s, *seq_next, &reader, err));
    struct store_chunk chunk;
    enum status st;
    while ((st = store_reader_next(reader, &chunk, err)) == STATUS_OK) {
        TRY_GOTO(done, line_fold(counts, chunk.data, err));
        *seq_next = chunk.seq + 1;
        store_reader_recycle(reader);
    }
    st = st == STATUS_END ? STATUS_OK : st;
done:
    store_reader_close(reader);
    return st;
}

static enum status print(struct store_map *counts, struct error *err)
{
    struct store_cursor *cursor;
    TRY(store_cursor_open(counts, &cursor, err));
    struct bytes word;
    struct bytes value;
    enum status st;
    while ((st = store_cursor_next(cursor, &word, &value, err)) == STATUS_OK) {
        printf("%6" PRIu64 " %.*s\n", load_le64(value.data), (int)word.len, (const char *)word.data);
    }
    store_cursor_close(cursor);
    return st == STATUS_END ? STATUS_OK : st;
}

/* Opens the store, appends `line`, folds what is new and prints; without a checkpoint the next run folds it again. */
static enum status run(const char *folder, const char *line, bool checkpoint, struct error *err)
{
    struct store *s;
    struct store_map *counts;
    uint64_t seq;
    enum status st;
    TRY_GOTO(done, store_open(&s, &(struct store_options){.path = folder}, err));
    TRY_GOTO(done, store_map_open(s, "counts", &counts, err));
    TRY_GOTO(done, store_append(s, bytes_of(line, strlen(line)), true, &seq, err));
    uint64_t seq_next = store_checkpoint_seq_next(s);
    TRY_GOTO(done, catch_up(s, counts, &seq_next, err));
    TRY_GOTO(done, checkpoint ? store_checkpoint_begin(s, seq_next, err) : store_wait_durable(s, seq_next, err));
    TRY_GOTO(done, store_checkpoint_wait(s, err));
    printf("%" PRIu64 " commits, %" PRIu64 " of them in the checkpoint\n", seq_next, store_checkpoint_seq_next(s));
    st = print(counts, err);
done:
    store_close(s);
    return st;
}

int main(int argc, char **argv)
{
    struct error err;
    if (argc != 2) {
        fprintf(stderr, "usage: example FOLDER\n");
        return 64;
    }
    if (run(argv[1], "the quick brown fox", true, &err) || run(argv[1], "jumps over the lazy dog", false, &err)) {
        fprintf(stderr, "example: %s\n", err.text);
        return 1;
    }
    return 0;
}
