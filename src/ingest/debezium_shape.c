/* Two ways to compare: by pieces, where values that have been the same so far belong to the literal text, and by slots,
 * where no value does. The second one is for finding out which values are not the same after all: each slot stops being
 * constant at most once, so it is soon not needed. */
#include "ingest/debezium_shape.h"

#include "base/memory.h"
#include "base/sixteen.h"
#include "ingest/debezium_document.h"

#include <string.h>

struct slot {
    uint32_t at; /* in the text, a string's quotes included */
    uint32_t len;
    unsigned depth; /* containers around it, from the payload's own */
    bool constant;
    struct json_value *to;
    struct json_value seen; /* while slots are compared */
};

/* Literal text and the slot behind it. */
struct piece {
    const uint8_t *text; /* may be read for SIXTEEN behind its end */
    uint32_t len;
    unsigned depth;
    bool has_room;         /* JSON_DIGITS_BYTES stand before the value */
    struct json_value *to; /* NULL: the end */
};

struct debezium_shape {
    uint8_t *text; /* of the document it was learned from */
    size_t len;
    struct slot *slots;
    size_t slot_count;
    struct piece *pieces;
    struct debezium_document document;
};

static void release(struct debezium_shape *shape)
{
    mem_free(shape->text);
    mem_free(shape->slots);
    mem_free(shape->pieces);
    debezium_document_release(&shape->document);
    mem_free(shape);
}

void debezium_shapes_release(struct debezium_shapes *s)
{
    for (size_t i = 0; i < s->count; i++) {
        release(s->items[i]);
    }
    s->count = 0;
}

/* ---- comparing ---- */

/* Both may be read for SIXTEEN bytes behind their ends. */
static inline bool literals_equal(const uint8_t *a, const uint8_t *b, size_t len)
{
    for (; len > SIXTEEN; len -= SIXTEEN) {
        if (sixteen_differing(a, b) != 0) {
            return false;
        }
        a += SIXTEEN;
        b += SIXTEEN;
    }
    return (sixteen_differing(a, b) & ((1u << len) - 1)) == 0;
}

static inline bool take_literal(struct json_scan *s, const uint8_t *text, size_t len)
{
    if ((size_t)(s->end - s->next) < len || !bytes_equal(bytes_of(s->next, len), bytes_of(text, len))) {
        return false;
    }
    s->next += len;
    return true;
}

/* The value at `p` in any form; NULL where there is none. */
static const uint8_t *take_any(const struct json_scan *s, const uint8_t *p, const struct piece *piece)
{
    struct json_scan at = *s;
    at.next = p;
    at.depth += piece->depth;
    return json_scan_value(&at, piece->to) ? at.next : NULL;
}

/* The same, tried first as what most values are. */
static inline const uint8_t *take_value(const struct json_scan *s, const uint8_t *p, const struct piece *piece)
{
    const uint8_t *behind = json_take_usual(p, piece->has_room, piece->to);
    return behind != NULL ? behind : take_any(s, p, piece);
}

/* The same near the text's end, where the usual value is read from a copy. */
static const uint8_t *take_near_end(const struct json_scan *s, const uint8_t *p, const struct piece *piece)
{
    uint8_t copy[JSON_USUAL_BYTES] = {0};
    size_t left = (size_t)(s->end - p);
    memcpy(copy, p, left < sizeof copy ? left : sizeof copy);
    const uint8_t *behind = json_take_usual(copy, piece->has_room, piece->to);
    if (behind == NULL) {
        return take_any(s, p, piece);
    }
    piece->to->text.data = p + (piece->to->text.data - copy);
    return p + (behind - copy);
}

/* Where the payload at the position ends; NULL where it has not this shape. */
static const uint8_t *match_pieces(const struct debezium_shape *shape, const struct json_scan *s)
{
    const uint8_t *p = s->next;
    const uint8_t *const end = s->end;
    for (const struct piece *piece = shape->pieces;; piece++) {
        size_t left = (size_t)(end - p);
        bool near_end = left < (size_t)piece->len + JSON_USUAL_BYTES;
        if (near_end ? left < piece->len || !bytes_equal(bytes_of(p, piece->len), bytes_of(piece->text, piece->len))
                     : !literals_equal(p, piece->text, piece->len)) {
            return NULL;
        }
        p += piece->len;
        if (piece->to == NULL) {
            return p;
        }
        p = near_end ? take_near_end(s, p, piece) : take_value(s, p, piece);
        if (p == NULL) {
            return NULL;
        }
    }
}

/* Where literals end, the slots' values in `seen`. */
static bool match_slots(struct debezium_shape *shape, struct json_scan s, const uint8_t **end)
{
    unsigned depth = s.depth;
    size_t at = 0;
    for (size_t i = 0; i < shape->slot_count; i++) {
        struct slot *slot = &shape->slots[i];
        s.depth = depth + slot->depth;
        if (!take_literal(&s, shape->text + at, slot->at - at) || !json_scan_value(&s, &slot->seen)) {
            return false;
        }
        at = slot->at + slot->len;
    }
    if (!take_literal(&s, shape->text + at, shape->len - at)) {
        return false;
    }
    *end = s.next;
    return true;
}

static void find_pieces(struct debezium_shape *shape)
{
    uint32_t at = 0;
    uint32_t literal_bytes = 0;
    size_t count = 0;
    for (size_t i = 0; i < shape->slot_count; i++) {
        const struct slot *slot = &shape->slots[i];
        if (!slot->constant) {
            literal_bytes += slot->at - at;
            shape->pieces[count++] = (struct piece){.text = shape->text + at,
                                                    .len = slot->at - at,
                                                    .depth = slot->depth,
                                                    .has_room = literal_bytes >= JSON_DIGITS_BYTES,
                                                    .to = slot->to};
            at = slot->at + slot->len;
        }
    }
    shape->pieces[count] = (struct piece){.text = shape->text + at, .len = (uint32_t)shape->len - at};
}

/* After match_slots: what differs is constant no longer. */
static void loosen(struct debezium_shape *shape)
{
    for (size_t i = 0; i < shape->slot_count; i++) {
        struct slot *slot = &shape->slots[i];
        bool same = slot->constant && slot->seen.kind == slot->to->kind && bytes_equal(slot->seen.text, slot->to->text);
        if (!same) {
            slot->constant = false;
            *slot->to = slot->seen;
        }
    }
    find_pieces(shape);
}

/* An envelope's op must be text, or it is none; it may be any slot's value by now. */
static bool is_as_learned(const struct debezium_shape *shape)
{
    const struct json_value *op = shape->document.at.op;
    return op == NULL || op->kind == JSON_STRING;
}

/* `*scan` steps over the text where it has the shape. */
static bool match(struct debezium_shape *shape, struct json_scan *scan)
{
    const uint8_t *end = match_pieces(shape, scan);
    if (end == NULL) {
        if (!match_slots(shape, *scan, &end)) {
            return false;
        }
        loosen(shape);
    }
    if (!is_as_learned(shape)) {
        return false;
    }
    scan->next = end;
    return true;
}

static void move_to_front(struct debezium_shapes *s, size_t at)
{
    struct debezium_shape *found = s->items[at];
    memmove(&s->items[1], &s->items[0], at * sizeof s->items[0]);
    s->items[0] = found;
}

struct debezium_document *debezium_shapes_match(struct debezium_shapes *s, struct json_scan *scan)
{
    for (size_t i = 0; i < s->count; i++) {
        if (match(s->items[i], scan)) {
            move_to_front(s, i);
            return &s->items[0]->document;
        }
    }
    return NULL;
}

/* ---- learning ---- */

static bool is_inside(struct bytes part, struct bytes text)
{
    return part.data >= text.data && part.data + part.len <= text.data + text.len;
}

static bool can_be_copied(const struct debezium_members *m, struct bytes text)
{
    for (size_t i = 0; i < m->count; i++) {
        if (!is_inside(m->items[i].name, text)) { /* it had escapes */
            return false;
        }
    }
    return true;
}

static struct bytes moved(struct bytes part, struct bytes from, const uint8_t *to)
{
    return bytes_of(to + (part.data - from.data), part.len);
}

static void add_slot(struct debezium_shape *shape, struct bytes text, unsigned depth, struct json_value *value)
{
    bool quoted = value->kind == JSON_STRING;
    struct slot *slot = &shape->slots[shape->slot_count];
    shape->slot_count += 1;
    *slot = (struct slot){.at = (uint32_t)(value->text.data - text.data - quoted),
                          .len = (uint32_t)(value->text.len + 2 * quoted),
                          .depth = depth,
                          .constant = true,
                          .to = value};
    value->text = moved(value->text, text, shape->text);
}

/* Copies `from`, making a slot of every value but of those that the document enters, and those that it would. */
static void copy_members(struct debezium_shape *shape, struct bytes text, unsigned depth,
                         struct debezium_document *from, const struct debezium_members *members,
                         struct debezium_members *to)
{
    *to = (struct debezium_members){
        .count = members->count, .capacity = members->count + 1, .is_object = members->is_object};
    to->items = mem_zalloc(to->capacity * sizeof *to->items);
    for (size_t i = 0; i < members->count; i++) {
        struct debezium_member *member = &to->items[i];
        *member = members->items[i];
        member->name = moved(member->name, text, shape->text);
        struct debezium_members *part = depth == 1 ? debezium_document_part(from, member->name) : NULL;
        if (part == NULL) {
            add_slot(shape, text, depth, &member->value);
            continue;
        }
        member->value.text = bytes_of(shape->text, 0); /* never looked at */
        if (members->items[i].value.kind == JSON_OBJECT) {
            copy_members(shape, text, depth + 1, from, part, debezium_document_part(&shape->document, member->name));
        }
    }
}

static size_t count_values(const struct debezium_document *d)
{
    return d->all.count + d->before.count + d->after.count + d->source.count + d->transaction.count;
}

/* An envelope, or a row without members that might be entered: there, nobody looks at a part's own text. */
static bool has_shape(struct debezium_document *d, struct bytes text)
{
    bool fine = text.len <= DEBEZIUM_SHAPE_BYTES_MAX && can_be_copied(&d->all, text) &&
                can_be_copied(&d->before, text) && can_be_copied(&d->after, text) && can_be_copied(&d->source, text) &&
                can_be_copied(&d->transaction, text);
    for (size_t i = 0; fine && d->at.op == NULL && i < d->all.count; i++) {
        fine = debezium_document_part(d, d->all.items[i].name) == NULL;
    }
    return fine;
}

static struct debezium_shape *learn(struct bytes text, struct debezium_document *document)
{
    struct debezium_shape *shape = mem_zalloc(sizeof *shape);
    size_t count = count_values(document);
    shape->text = mem_zalloc(text.len + SIXTEEN);
    shape->len = text.len;
    memcpy(shape->text, text.data, text.len);
    shape->slots = mem_zalloc((count + 1) * sizeof *shape->slots);
    shape->pieces = mem_zalloc((count + 1) * sizeof *shape->pieces);
    copy_members(shape, text, 1, document, &document->all, &shape->document.all);
    debezium_document_find_places(&shape->document);
    find_pieces(shape);
    return shape;
}

void debezium_shapes_learn(struct debezium_shapes *s, struct bytes text, struct debezium_document *document)
{
    if (!has_shape(document, text)) {
        return;
    }
    if (s->count == DEBEZIUM_SHAPES_MAX) {
        s->count -= 1;
        release(s->items[s->count]);
    }
    s->items[s->count] = learn(text, document);
    s->serial_next += 1;
    s->items[s->count]->document.shape = s->serial_next;
    s->count += 1;
    move_to_front(s, s->count - 1);
}
