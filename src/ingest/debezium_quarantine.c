#include "ingest/debezium_quarantine.h"

#include "event/event.h"
#include "ingest/source_methods.h"

#include <string.h>

enum { TEXTS_BYTES_MAX = 8192 }; /* origin, reason and topic */
_Static_assert(DEBEZIUM_RAW_BYTES_MAX + DEBEZIUM_KEY_BYTES_MAX + TEXTS_BYTES_MAX <
                   SOURCE_CHUNK_BYTES_MAX - SOURCE_CHUNK_BYTES / 4,
               "a QUARANTINE item must fit into a chunk");

/* Reasons quote what was sent, cut anywhere. */
static void clean_reason(char *reason)
{
    if (!bytes_is_utf8(bytes_of(reason, strlen(reason)))) {
        for (char *p = reason; *p != '\0'; p++) {
            *p = (unsigned char)*p < 0x80 ? *p : '?';
        }
    }
}

void debezium_quarantine_append(const struct debezium_record *record, uint32_t context, struct error *err,
                                struct buffer *out)
{
    struct bytes raw = record->value;
    clean_reason(err->text);
    if (raw.len > DEBEZIUM_RAW_BYTES_MAX || record->key.len > DEBEZIUM_KEY_BYTES_MAX) {
        raw.len = raw.len < DEBEZIUM_BEGINNING_BYTES ? raw.len : DEBEZIUM_BEGINNING_BYTES;
        event_append_quarantine(out, record->origin, err->text, raw);
        return;
    }
    const char *topic = record->topic != NULL ? record->topic : "";
    event_append_quarantined_record(out, record->origin, err->text,
                                    &(struct event_record){.raw = raw,
                                                           .topic = bytes_of(topic, strlen(topic)),
                                                           .key = record->key,
                                                           .may_repeat = record->may_repeat,
                                                           .context = context});
}
