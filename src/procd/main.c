/* procd: options, wiring, signals. */
#include "base/bytes.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/message.h"
#include "pipeline/pipeline.h"
#include "plan/plan.h"
#include "procd/options.h"
#include "procd/version.h"
#include "sql/sql.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

enum { EXIT_BAD = 1, EXIT_USAGE = 64, EXIT_AGAIN = 75 };

static int exit_code(enum status st)
{
    switch (st) {
    case STATUS_OK:
        return 0;
    case STATUS_RETRY:
    case STATUS_LOCKED:
    case STATUS_STOPPED:
        return EXIT_AGAIN;
    case STATUS_NOT_FOUND:
    case STATUS_END:
    case STATUS_INVALID:
    case STATUS_UNSUPPORTED:
    case STATUS_IO:
    case STATUS_CORRUPT:
    case STATUS_MISMATCH:
        return EXIT_BAD;
    }
    return EXIT_BAD;
}

static void on_ready(void *ctx)
{
    (void)ctx;
    (void)sd_notify(0, "READY=1");
}

static void on_turn(void *ctx)
{
    (void)ctx;
    (void)sd_notify(0, "WATCHDOG=1");
}

/* A store on a disk that has vanished shows as SIGBUS under a memory map: say so and end, everything acknowledged is
 * safe. */
static void on_bus_error(int number)
{
    (void)number;
    static const char text[] = "fatal state: could not read the memory-mapped state (disk error or truncated file)\n";
    ssize_t ignored = write(STDERR_FILENO, text, sizeof text - 1);
    (void)ignored;
    _exit(EXIT_BAD);
}

/* SIGTERM and SIGINT become a descriptor; blocked before any thread starts, so that all of them inherit it. */
static int open_stop_fd(void)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigprocmask(SIG_BLOCK, &set, NULL);
    struct sigaction bus = {.sa_handler = on_bus_error};
    sigaction(SIGBUS, &bus, NULL);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    sigaction(SIGPIPE, &ignore, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

static enum status read_schema_text(const struct config *c, struct buffer *out, struct error *err)
{
    for (size_t i = 0; i < c->schema_count; i++) {
        char *text;
        size_t len;
        TRY(file_read_all(c->schemas[i], &text, &len, err));
        buffer_append(out, text, len);
        buffer_append_text(out, "\n");
        mem_free(text);
    }
    buffer_append_byte(out, '\0');
    return STATUS_OK;
}

static void print_check(const struct catalog *catalog)
{
    for (uint32_t i = 0; i < catalog->table_count; i++) {
        const struct catalog_table *t = catalog->tables[i];
        printf("table %s.%s: %u columns, key", t->schema, t->name, t->column_count);
        for (uint32_t k = 0; k < t->key_count; k++) {
            printf("%s%s", k > 0 ? ", " : " ", t->columns[t->key_columns[k]].name);
        }
        printf("\n");
    }
    for (uint32_t i = 0; i < catalog->view_count; i++) {
        const struct catalog_view *v = catalog->views[i];
        struct buffer text = BUFFER_EMPTY;
        plan_print(v->plan, &text);
        printf("%s %s.%s\n%.*s", v->materialized ? "materialized view" : "view (not kept)", v->schema, v->name,
               (int)text.len, (const char *)text.data);
        buffer_release(&text);
    }
}

static enum status run(const struct options *o, const struct catalog *catalog, const char *schema_text,
                       struct error *err)
{
    const struct config *c = &o->config;
    struct pipeline_options options = {.name = c->pipeline_name,
                                       .catalog = catalog,
                                       .schema_text = schema_text,
                                       .store_path = c->store,
                                       .cache_bytes = c->cache_bytes,
                                       .segment_bytes = c->segment_bytes,
                                       .checkpoint_interval_us = c->checkpoint_interval_us,
                                       .source_url = c->source_url,
                                       .source_publication = c->source_publication,
                                       .source_slot = c->source_slot,
                                       .source_create = c->source_create,
                                       .kafka = c->kafka,
                                       .kafka_count = c->kafka_count,
                                       .source_topic_prefix = c->source_topic_prefix,
                                       .source_transaction_topic = c->source_transaction_topic,
                                       .source_transaction_timeout_us = c->source_transaction_timeout_us,
                                       .source_time_precision = c->source_time_precision,
                                       .source_unavailable_value = c->source_unavailable_value,
                                       .quarantine_max = c->source_quarantine_max.count,
                                       .quarantine_share = c->source_quarantine_max.share,
                                       .sink_url = c->sink_url,
                                       .sink_schema = c->sink_schema,
                                       .once = o->once,
                                       .replay = o->replay,
                                       .stop_fd = open_stop_fd(),
                                       .on_ready = on_ready,
                                       .on_turn = on_turn};
    if (options.stop_fd < 0) {
        return error_set(err, STATUS_IO, errno, "could not watch for signals");
    }
    return pipeline_run(&options, err);
}

static enum status load_and_run(const struct options *o, struct error *err)
{
    struct catalog catalog = {0};
    struct buffer schema_text = BUFFER_EMPTY;
    enum status st;
    TRY_GOTO(done, sql_load(&catalog, o->config.schemas, (uint32_t)o->config.schema_count, err));
    TRY_GOTO(done, read_schema_text(&o->config, &schema_text, err));
    if (o->check) {
        print_check(&catalog);
    } else {
        st = run(o, &catalog, (const char *)schema_text.data, err);
    }
done:
    buffer_release(&schema_text);
    catalog_release(&catalog);
    return st;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    struct options o;
    umask(077);
    if (options_read(&o, argc, argv, getenv("LOGFOLD_CONF"), &err) != STATUS_OK) {
        fprintf(stderr, "procd: %s\n", err.text);
        options_release(&o);
        return EXIT_USAGE;
    }
    if (o.help || o.version) {
        if (o.help) {
            options_print_help();
        } else {
            printf("procd (logfold) %s\n", LOGFOLD_VERSION);
        }
        options_release(&o);
        return 0;
    }
    mem_keep_freed();
    message_level_set(o.verbose ? MESSAGE_DEBUG : MESSAGE_INFO);
    enum status st = load_and_run(&o, &err);
    if (st != STATUS_OK) {
        message_line(MESSAGE_ERROR, "procd", "%s", err.text);
    }
    options_release(&o);
    return exit_code(st);
}
