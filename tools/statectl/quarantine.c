/* quarantine: what could not be decoded or applied. */
#include "ctl.h"

#include "flow/view.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct showing {
    struct buffer out;
    bool json;
    bool with_raw;
    bool one_seq;
    uint64_t seq;
};

static void print_entry_json(struct showing *s, const struct quarantine_entry *e)
{
    buffer_printf(&s->out, "{\"seq\":%" PRIu64 ",\"ordinal\":%" PRIu64 ",\"origin\":", e->seq, e->ordinal);
    print_json_text(&s->out, e->origin);
    buffer_append_text(&s->out, ",\"reason\":");
    print_json_text(&s->out, e->reason);
    if (s->with_raw) {
        buffer_append_text(&s->out, ",\"raw\":");
        print_json_text(&s->out, e->raw);
    }
    buffer_append_text(&s->out, "}\n");
}

static int show(void *ctx, const struct quarantine_entry *e)
{
    struct showing *s = ctx;
    if (s->one_seq && e->seq != s->seq) {
        return 0;
    }
    if (s->json) {
        print_entry_json(s, e);
    } else {
        buffer_printf(&s->out, "%" PRIu64 ".%" PRIu64 "\t%.*s\t%.*s\n", e->seq, e->ordinal, (int)e->origin.len,
                      (const char *)e->origin.data, (int)e->reason.len, (const char *)e->reason.data);
        if (s->with_raw) {
            print_json_text(&s->out, e->raw);
            buffer_append_byte(&s->out, '\n');
        }
    }
    print_flush(&s->out);
    return 0;
}

struct walk {
    struct ctl *ctl;
    int (*visit)(void *ctx, const struct quarantine_entry *entry);
    void *ctx;
};

static int visit_open(void *ctx, const struct quarantine_entry *e)
{
    const struct walk *w = ctx;
    bool left = w->ctl->redriven_unfolded && redriven_find(&w->ctl->redriven, e->seq, e->ordinal) != NULL;
    return left ? 0 : w->visit(w->ctx, e);
}

enum status ctl_quarantine(struct ctl *c, int (*visit)(void *ctx, const struct quarantine_entry *entry), void *ctx,
                           struct error *err)
{
    struct walk w = {.ctl = c, .visit = visit, .ctx = ctx};
    TRY(ctl_load_redriven(c, err));
    return quarantine_entries(c->store, visit_open, &w, err);
}

int verb_quarantine(struct ctl *c)
{
    const struct ctl_options *o = &c->options;
    struct showing s = {.json = o->json};
    if (o->word_count == 1 && strcmp(o->words[0], "redrive") == 0) {
        return verb_redrive(c);
    }
    if (o->word_count < 1 || (strcmp(o->words[0], "list") != 0 && strcmp(o->words[0], "show") != 0)) {
        return ctl_usage("quarantine: say list or show [SEQ], or redrive");
    }
    s.with_raw = strcmp(o->words[0], "show") == 0;
    if (o->word_count > 1) {
        char *end;
        s.one_seq = true;
        s.seq = strtoull(o->words[1], &end, 10);
        if (end == o->words[1] || *end != '\0') {
            return ctl_usage("quarantine: \"%s\" is not a commit's number", o->words[1]);
        }
    }
    struct error err;
    enum status st = ctl_quarantine(c, show, &s, &err);
    buffer_release(&s.out);
    return st == STATUS_OK ? 0 : ctl_fail(EXIT_NO_ANSWER, &err);
}
