/* JSON documents as trees, by libraries that have nothing in common with the project's scanner. Jansson judges what is
 * JSON; it keeps neither the text of numbers nor members of the same name, so the tree is built by the callbacks of
 * yajl, which is lax but hands out both. */
#ifndef TESTS_JSON_TREE_H
#define TESTS_JSON_TREE_H

#include "base/arena.h"
#include "base/bytes.h"
#include "ingest/json.h"
#include "json_judge.h"

#include <string.h>
#include <yajl/yajl_parse.h>

struct node {
    enum json_kind kind;
    struct bytes name; /* as a member of an object: what it means */
    struct bytes text; /* a string: what it means; else as it stands in the document */
    struct node *first;
    struct node *last;
    struct node *next;
    size_t count;
};

enum { TREE_DEPTH_MAX = 64 };

struct tree_builder {
    yajl_handle parser;
    struct bytes document;
    struct arena *arena;
    struct bytes name;
    struct node *open[TREE_DEPTH_MAX + 1];
    unsigned depth;
    struct node *root;
};

static inline struct node *node_new(struct arena *a, enum json_kind kind, const void *text, size_t len)
{
    struct node *n = arena_zalloc(a, sizeof *n);
    n->kind = kind;
    n->text = bytes_of(arena_dup(a, text, len), len);
    return n;
}

static inline void node_add(struct node *parent, struct node *child)
{
    if (parent->first == NULL) {
        parent->first = child;
    } else {
        parent->last->next = child;
    }
    parent->last = child;
    parent->count += 1;
}

static inline struct node *tree_add(struct tree_builder *b, enum json_kind kind, const void *text, size_t len)
{
    struct node *n = node_new(b->arena, kind, text, len);
    n->name = b->name;
    b->name = bytes_of("", 0);
    if (b->depth > 0) {
        node_add(b->open[b->depth - 1], n);
    } else {
        b->root = n;
    }
    return n;
}

static inline int tree_null(void *ctx)
{
    return tree_add(ctx, JSON_NULL, "null", 4) != NULL;
}

static inline int tree_boolean(void *ctx, int value)
{
    return tree_add(ctx, value ? JSON_TRUE : JSON_FALSE, value ? "true" : "false", value ? 4 : 5) != NULL;
}

static inline int tree_number(void *ctx, const char *text, size_t len)
{
    return tree_add(ctx, JSON_NUMBER, text, len) != NULL;
}

static inline int tree_string(void *ctx, const unsigned char *text, size_t len)
{
    return tree_add(ctx, JSON_STRING, text, len) != NULL;
}

static inline int tree_name(void *ctx, const unsigned char *text, size_t len)
{
    struct tree_builder *b = ctx;
    b->name = bytes_of(arena_dup(b->arena, text, len), len);
    return 1;
}

/* The bracket is the last byte read; the text gets its end where the container is closed. */
static inline int tree_open(struct tree_builder *b, enum json_kind kind)
{
    if (b->depth == TREE_DEPTH_MAX) {
        return 0;
    }
    struct node *n = tree_add(b, kind, "", 0);
    n->text = bytes_of(b->document.data + yajl_get_bytes_consumed(b->parser) - 1, 0);
    b->open[b->depth] = n;
    b->depth += 1;
    return 1;
}

static inline int tree_close(void *ctx)
{
    struct tree_builder *b = ctx;
    b->depth -= 1;
    struct node *n = b->open[b->depth];
    n->text.len = (size_t)(b->document.data + yajl_get_bytes_consumed(b->parser) - n->text.data);
    return 1;
}

static inline int tree_object(void *ctx)
{
    return tree_open(ctx, JSON_OBJECT);
}

static inline int tree_array(void *ctx)
{
    return tree_open(ctx, JSON_ARRAY);
}

/* NULL where the document is not JSON or is nested more than TREE_DEPTH_MAX deep. Lives as long as the arena and the
 * document. `*fine` false where the libraries do not agree. */
static inline struct node *json_tree(struct bytes document, struct arena *a, bool *fine)
{
    static const yajl_callbacks callbacks = {.yajl_null = tree_null,
                                             .yajl_boolean = tree_boolean,
                                             .yajl_number = tree_number,
                                             .yajl_string = tree_string,
                                             .yajl_start_map = tree_object,
                                             .yajl_map_key = tree_name,
                                             .yajl_end_map = tree_close,
                                             .yajl_start_array = tree_array,
                                             .yajl_end_array = tree_close};
    struct tree_builder b = {.document = document, .arena = a, .name = bytes_of("", 0)};
    *fine = true;
    if (!json_judge_accepts(document)) {
        return NULL;
    }
    b.parser = yajl_alloc(&callbacks, NULL, &b);
    yajl_status status = yajl_parse(b.parser, document.data, document.len);
    if (status == yajl_status_ok) {
        status = yajl_complete_parse(b.parser);
    }
    *fine = status != yajl_status_error;
    yajl_free(b.parser);
    return status == yajl_status_ok ? b.root : NULL;
}

/* The first member of that name; NULL where there is none or `object` is no object (it may be NULL). */
static inline struct node *node_member(const struct node *object, const char *name)
{
    size_t len = strlen(name);
    for (struct node *n = object != NULL && object->kind == JSON_OBJECT ? object->first : NULL; n != NULL;
         n = n->next) {
        if (n->name.len == len && memcmp(n->name.data, name, len) == 0) {
            return n;
        }
    }
    return NULL;
}

static inline bool node_is_string(const struct node *n, const char *text)
{
    return n != NULL && n->kind == JSON_STRING && bytes_equal(n->text, bytes_of(text, strlen(text)));
}

/* A string between quotes with as few escapes as may be. */
static inline void node_print_string(struct bytes text, struct buffer *out)
{
    buffer_append_byte(out, '"');
    for (size_t i = 0; i < text.len; i++) {
        uint8_t c = text.data[i];
        if (c < 0x20) {
            buffer_printf(out, "\\u%04x", c);
        } else {
            buffer_append(out, "\\", c == '"' || c == '\\');
            buffer_append_byte(out, c);
        }
    }
    buffer_append_byte(out, '"');
}

/* The tree as JSON without white space. */
static inline void node_print(const struct node *n, struct buffer *out)
{
    bool object = n->kind == JSON_OBJECT;
    if (n->kind == JSON_STRING) {
        node_print_string(n->text, out);
        return;
    }
    if (!object && n->kind != JSON_ARRAY) {
        buffer_append(out, n->text.data, n->text.len);
        return;
    }
    buffer_append_byte(out, object ? '{' : '[');
    for (const struct node *child = n->first; child != NULL; child = child->next) {
        buffer_append(out, ",", child != n->first);
        if (object) {
            node_print_string(child->name, out);
            buffer_append_byte(out, ':');
        }
        node_print(child, out);
    }
    buffer_append_byte(out, object ? '}' : ']');
}

#endif
