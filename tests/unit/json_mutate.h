/* Seeded changes of JSON documents: of their bytes, of their trees, and of how a tree is written. */
#ifndef TESTS_JSON_MUTATE_H
#define TESTS_JSON_MUTATE_H

#include "json_tree.h"

#include <string.h>

enum { MUTATE_NODES_MAX = 4096, MUTATE_CHILDREN_MAX = 2048 };

static inline uint64_t random_next(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed * UINT64_C(0x2545f4914f6cdd1d) >> 16;
}

static inline size_t random_below(uint64_t *seed, size_t limit)
{
    return (size_t)(random_next(seed) % limit);
}

static inline bool random_one_in(uint64_t *seed, size_t n)
{
    return random_below(seed, n) == 0;
}

static inline const char *random_text(uint64_t *seed, const char *const *texts, size_t count)
{
    return texts[random_below(seed, count)];
}
#define RANDOM_OF(seed, texts) random_text(seed, texts, sizeof(texts) / sizeof(texts)[0])

/* ---- bytes ---- */

/* Changes, moves, takes out or cuts some bytes. */
static inline void mutate_bytes(struct buffer *text, uint64_t *seed)
{
    static const char bytes[] = "{}[]\",:\\u0123456789eE.-+tfnd= \x80\xff\xed\xa0\n";
    for (size_t n = 1 + random_below(seed, 3); n > 0 && text->len > 0; n--) {
        size_t at = random_below(seed, text->len);
        size_t other = random_below(seed, text->len);
        size_t span = random_below(seed, 12);
        span = span < text->len - at ? span : text->len - at;
        switch (random_below(seed, 8)) {
        case 0:
        case 1:
        case 2:
            text->data[at] = (uint8_t)bytes[random_below(seed, sizeof bytes - 1)];
            break;
        case 3:
            text->data[at] ^= (uint8_t)(1u << random_below(seed, 8));
            break;
        case 4:
            span = span < text->len - other ? span : text->len - other;
            memmove(text->data + at, text->data + other, span);
            break;
        case 5:
            memmove(text->data + at, text->data + at + span, text->len - at - span);
            text->len -= span;
            break;
        case 6:
            (void)buffer_reserve(text, span);
            memmove(text->data + at + span, text->data + at, text->len - at);
            text->len += span;
            break;
        default:
            text->len = random_one_in(seed, 4) ? at : text->len;
        }
    }
}

/* ---- trees ---- */

struct mutation {
    struct arena *arena;
    uint64_t *seed;
    struct node *nodes[MUTATE_NODES_MAX]; /* of the document */
    size_t count;
    struct node *children[MUTATE_CHILDREN_MAX]; /* of the container at hand */
    size_t child_count;
};

static inline void collect_nodes(struct mutation *m, struct node *n)
{
    if (m->count < MUTATE_NODES_MAX) {
        m->nodes[m->count] = n;
        m->count += 1;
    }
    for (struct node *child = n->first; child != NULL; child = child->next) {
        collect_nodes(m, child);
    }
}

static inline bool is_container(const struct node *n)
{
    return n->kind == JSON_OBJECT || n->kind == JSON_ARRAY;
}

/* A container with something in it, those late in the document (a payload, not a schema) rather than others. */
static inline struct node *any_container(struct mutation *m)
{
    for (int tries = 0; tries < 64; tries++) {
        size_t at = random_below(m->seed, m->count);
        size_t other = random_below(m->seed, m->count);
        struct node *n = m->nodes[random_one_in(m->seed, 3) || at > other ? at : other];
        if (is_container(n) && n->count > 0 && n->count < MUTATE_CHILDREN_MAX - 1) {
            return n;
        }
    }
    return NULL;
}

static inline void take_children(struct mutation *m, struct node *n)
{
    m->child_count = 0;
    for (struct node *child = n->first; child != NULL; child = child->next) {
        m->children[m->child_count] = child;
        m->child_count += 1;
    }
    n->first = NULL;
    n->count = 0;
}

static inline void give_children(struct mutation *m, struct node *n)
{
    for (size_t i = 0; i < m->child_count; i++) {
        m->children[i]->next = NULL;
        node_add(n, m->children[i]);
    }
}

static inline void insert_child(struct mutation *m, struct node *child)
{
    size_t at = random_one_in(m->seed, 2) ? m->child_count : random_below(m->seed, m->child_count + 1);
    memmove(&m->children[at + 1], &m->children[at], (m->child_count - at) * sizeof m->children[0]);
    m->children[at] = child;
    m->child_count += 1;
}

/* A value out of nowhere. */
static inline struct node *garbage(struct mutation *m)
{
    static const char *const texts[] = {
        "null",
        "true",
        "false",
        "0",
        "-0",
        "1",
        "1.0",
        "1e3",
        "-1.5E-7",
        "1e999",
        "123456789012345678901234567890",
        "9223372036854775807",
        "9223372036854775808",
        "\"\"",
        "\"x\"",
        "\"1\"",
        "\"12345678\"",
        "\"MDk=\"",
        "\"NaN\"",
        "\"__debezium_unavailable_value\"",
        "[\"__debezium_unavailable_value\"]",
        "[]",
        "{}",
        "[1,[2,{\"a\":null}]]",
        "{\"a\":{\"b\":[true,\"\\u0000\",{\"c\":{}}]}}",
        "{\"scale\":2,\"value\":\"MDk=\"}",
        "\"\\u0000\"",
        "\"\\ud83d\\ude00\\\"\\\\\\/\"",
        "{\"x\":1.5,\"y\":2}",
        "[1,null,3]",
        "\"2024-02-29T12:34:56.789Z\"",
        "{\"a\\u0000\":1}",
        "[[1,2],[3,4]]",
        "\"t\"",
        "\"c\"",
        "\"d\"",
        "\"u\"",
        "\"operations\"",
        "\"orders\"",
        ("[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]"
         "]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]]")};
    const char *text = RANDOM_OF(m->seed, texts);
    bool fine;
    struct node *n = json_tree(bytes_of(text, strlen(text)), m->arena, &fine);
    n->name = bytes_of("", 0);
    return n;
}

static inline struct bytes any_name(struct mutation *m)
{
    static const char *const names[] = {
        "before",     "after",    "source", "op",        "transaction", "schema", "payload",  "table", "lsn",
        "id",         "order_id", "k",      "v",         "field",       "fields", "type",     "name",  "scale",
        "parameters", "items",    "__op",   "__table",   "__deleted",   "__lsn",  "__schema", "ts_ms", "status",
        "more",       "a b",      "",       "h\xc3\xa9", "sequence",    "txId"};
    const struct node *n = m->nodes[random_below(m->seed, m->count)];
    if (n->name.len > 0 && random_one_in(m->seed, 2)) {
        return n->name;
    }
    const char *name = RANDOM_OF(m->seed, names);
    return bytes_of(name, strlen(name));
}

static inline struct node *copy_of(struct mutation *m, const struct node *n)
{
    struct node *copy = arena_alloc(m->arena, sizeof *copy);
    *copy = *n;
    copy->first = NULL;
    copy->count = 0;
    for (const struct node *child = n->first; child != NULL; child = child->next) {
        node_add(copy, copy_of(m, child));
    }
    copy->next = NULL;
    return copy;
}

static inline void shuffle_children(struct mutation *m)
{
    for (size_t i = m->child_count; i > 1; i--) {
        size_t other = random_below(m->seed, i);
        struct node *n = m->children[i - 1];
        m->children[i - 1] = m->children[other];
        m->children[other] = n;
    }
}

static inline void mutate_children(struct mutation *m)
{
    size_t at = random_below(m->seed, m->child_count);
    struct node *child = m->children[at];
    struct bytes name = child->name;
    switch (random_below(m->seed, 8)) {
    case 0:
        shuffle_children(m);
        break;
    case 1:
        insert_child(m, copy_of(m, child)); /* twice */
        break;
    case 2:
        child = garbage(m);
        child->name = name;
        insert_child(m, child); /* twice, with another value */
        break;
    case 3:
        memmove(&m->children[at], &m->children[at + 1], (m->child_count - at - 1) * sizeof m->children[0]);
        m->child_count -= 1;
        break;
    case 4:
        child->name = any_name(m);
        break;
    case 5:
        child = garbage(m);
        child->name = any_name(m);
        insert_child(m, child);
        break;
    case 6:
        m->children[at] = garbage(m);
        m->children[at]->name = name;
        break;
    default:
        m->children[at] = copy_of(m, m->nodes[random_below(m->seed, m->count)]); /* one from elsewhere */
        m->children[at]->name = name;
    }
}

/* The same or nearly the same number, written in another way. */
static inline void rewrite_number(struct mutation *m, struct node *n)
{
    static const char *const ends[] = {"", ".0", ".50", "e0", "E+0", "e3", "0", "e-2", "000000000000000000000"};
    static const char *const others[] = {
        "-0", "0", "1e3", "1.0", "0e0", "-0.0", "1e400", "0.1e1", "-9223372036854775808"};
    const char *text = random_one_in(m->seed, 3) ? RANDOM_OF(m->seed, others)
                                                 : arena_printf(m->arena, "%.*s%s", (int)n->text.len,
                                                                (const char *)n->text.data, RANDOM_OF(m->seed, ends));
    n->text = bytes_of(text, strlen(text));
}

/* The schema part is taken out, made null or put behind the payload. */
static inline struct node *mutate_wrapper(struct mutation *m, struct node *root)
{
    struct node *payload = node_member(root, "payload");
    struct node *schema = node_member(root, "schema");
    if (payload == NULL || schema == NULL || root->count != 2) {
        return root;
    }
    take_children(m, root);
    switch (random_below(m->seed, 3)) {
    case 0:
        return payload;
    case 1:
        schema->kind = JSON_NULL;
        schema->text = bytes_of("null", 4);
        break;
    default:
        m->children[0] = payload;
        m->children[1] = schema;
    }
    give_children(m, root);
    return root;
}

/* Changes the tree and returns its root. */
static inline struct node *mutate_tree(struct node *root, struct arena *a, uint64_t *seed)
{
    static struct mutation m;
    m.arena = a;
    m.seed = seed;
    for (size_t n = 1 + random_below(seed, 2); n > 0; n--) {
        m.count = 0;
        collect_nodes(&m, root);
        struct node *any = m.nodes[random_below(seed, m.count)];
        if (any->kind == JSON_NUMBER && random_one_in(seed, 2)) {
            rewrite_number(&m, any);
            continue;
        }
        if (random_one_in(seed, 12)) {
            root = mutate_wrapper(&m, root);
            continue;
        }
        struct node *container = any_container(&m);
        if (container != NULL) {
            take_children(&m, container);
            mutate_children(&m);
            give_children(&m, container);
        }
    }
    return root;
}

/* ---- how a tree is written ---- */

/* In so many of 256 places there is white space, so many of 256 characters are escaped. */
struct writing {
    unsigned spaces;
    unsigned escapes;
};

static inline struct writing any_writing(uint64_t *seed)
{
    static const unsigned often[] = {0, 0, 8, 64, 256};
    return (struct writing){.spaces = often[random_below(seed, 5)], .escapes = often[random_below(seed, 5)]};
}

static inline void write_space(struct writing w, uint64_t *seed, struct buffer *out)
{
    while (random_below(seed, 256) < w.spaces / 2) {
        buffer_append_byte(out, (uint8_t) " \n\t\r"[random_below(seed, 4)]);
    }
}

/* The code point at the front of valid UTF-8; `*len` is its length. */
static inline uint32_t code_point(const uint8_t *p, size_t *len)
{
    *len = p[0] < 0x80 ? 1 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : 4;
    uint32_t c = *len == 1 ? p[0] : p[0] & (0x3fu >> (*len - 1));
    for (size_t i = 1; i < *len; i++) {
        c = c << 6 | (p[i] & 0x3f);
    }
    return c;
}

static inline void write_string(struct bytes text, struct writing w, uint64_t *seed, struct buffer *out)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0, len; i < text.len; i += len) {
        uint32_t c = code_point(text.data + i, &len);
        bool must = c < 0x20 || c == '"' || c == '\\';
        bool may = random_below(seed, 256) < w.escapes;
        if ((c == '"' || c == '\\' || (c == '/' && may)) && random_one_in(seed, 2)) {
            buffer_append_byte(out, '\\');
            buffer_append_byte(out, (uint8_t)c);
        } else if (c == '\n' && random_one_in(seed, 2)) {
            buffer_append_text(out, "\\n");
        } else if (!must && !may) {
            buffer_append(out, text.data + i, len);
        } else if (c >= 0x10000) {
            buffer_printf(out, "\\u%04x\\u%04X", 0xd800 + ((c - 0x10000) >> 10), 0xdc00 + ((c - 0x10000) & 0x3ff));
        } else if (random_one_in(seed, 2)) {
            buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_printf(out, "\\u%04X", c);
        }
    }
    buffer_append_byte(out, '"');
}

static inline void write_tree(const struct node *n, struct writing w, uint64_t *seed, struct buffer *out)
{
    bool object = n->kind == JSON_OBJECT;
    if (n->kind == JSON_STRING) {
        write_string(n->text, w, seed, out);
        return;
    }
    if (!is_container(n)) {
        buffer_append(out, n->text.data, n->text.len);
        return;
    }
    buffer_append_byte(out, object ? '{' : '[');
    write_space(w, seed, out);
    for (const struct node *child = n->first; child != NULL; child = child->next) {
        if (child != n->first) {
            buffer_append_byte(out, ',');
            write_space(w, seed, out);
        }
        if (object) {
            write_string(child->name, w, seed, out);
            write_space(w, seed, out);
            buffer_append_byte(out, ':');
            write_space(w, seed, out);
        }
        write_tree(child, w, seed, out);
        write_space(w, seed, out);
    }
    buffer_append_byte(out, object ? '}' : ']');
}

#endif
