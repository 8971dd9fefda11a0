/* The JSON scanner accepts what jansson accepts, nothing else; walking through a document and stepping over it agree;
 * texts of strings are valid UTF-8. */
#include "base/arena.h"
#include "ingest/json.h"
#include "tests/unit/json_judge.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len);

static void walk(struct json_scan *s, struct arena *a)
{
    enum json_kind kind;
    struct json_value v;
    if (json_scan_peek(s, &kind) && kind == JSON_OBJECT && json_scan_object(s)) {
        for (bool first = true; json_scan_member(s, first, &v); first = false) {
            walk(s, a);
        }
    } else if (json_scan_peek(s, &kind) && kind == JSON_ARRAY && json_scan_array(s)) {
        for (bool first = true; json_scan_element(s, first);) {
            walk(s, a);
            first = false;
        }
    } else if (json_scan_value(s, &v) && v.kind == JSON_STRING && !bytes_is_utf8(json_value_text(&v, a))) {
        abort();
    }
}

static bool is_deep(const struct json_scan *s)
{
    return s->wrong != NULL && strcmp(s->wrong, "nested too deeply") == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct arena a = ARENA_EMPTY;
    struct json_value v;
    struct json_scan whole = json_scan_of(bytes_of(data, len));
    struct json_scan walked = whole;
    bool accepted = json_scan_value(&whole, &v) && json_scan_end(&whole);
    walk(&walked, &a);
    if (accepted != json_scan_end(&walked) ||
        (!is_deep(&whole) && accepted != json_judge_accepts(bytes_of(data, len)))) {
        abort();
    }
    arena_release(&a);
    return 0;
}
