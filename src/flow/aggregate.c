/* Stored form: rows (varint), then for each aggregate but min and max: count (zigzag varint), for bool_and/or the
 * falses too, for sum and avg with count > 0 the sum (row/sum.h). */
#include "flow/aggregate.h"

bool aggregate_keeps_values(const struct plan_aggregate *a)
{
    return a->kind == AGGREGATE_MIN || a->kind == AGGREGATE_MAX || (a->distinct && a->argument != PLAN_NO_COLUMN);
}

static bool has_sum(const struct plan_aggregate *a)
{
    return a->kind == AGGREGATE_SUM || a->kind == AGGREGATE_AVG;
}

static bool has_falses(const struct plan_aggregate *a)
{
    return a->kind == AGGREGATE_BOOL_AND || a->kind == AGGREGATE_BOOL_OR;
}

static bool has_state(const struct plan_aggregate *a)
{
    return a->kind != AGGREGATE_MIN && a->kind != AGGREGATE_MAX;
}

void aggregate_add(const struct aggregate_set *set, uint32_t i, struct aggregate_state *state, const struct datum *d,
                   int64_t weight)
{
    struct aggregate_slot *slot = &state->slots[i];
    if (has_falses(&set->items[i]) && d->v.i == 0) {
        slot->falses += weight;
        return;
    }
    slot->count += weight;
    if (has_sum(&set->items[i])) {
        sum_add(slot->sum, d, weight);
    }
}

static enum status sum_result(const struct plan_aggregate *a, const struct aggregate_slot *slot, struct arena *arena,
                              struct datum *out, struct error *err)
{
    if (slot->count == 0) {
        *out = DATUM_NULL;
        return STATUS_OK;
    }
    return a->kind == AGGREGATE_SUM ? sum_total(slot->sum, slot->count, arena, out, err)
                                    : sum_average(slot->sum, slot->count, arena, out, err);
}

enum status aggregate_result(const struct aggregate_set *set, uint32_t i, const struct aggregate_state *state,
                             struct arena *a, struct datum *out, struct error *err)
{
    const struct aggregate_slot *slot = &state->slots[i];
    switch (set->items[i].kind) {
    case AGGREGATE_COUNT_ROWS:
    case AGGREGATE_COUNT:
        *out = datum_int(slot->count);
        return STATUS_OK;
    case AGGREGATE_SUM:
    case AGGREGATE_AVG:
        return sum_result(&set->items[i], slot, a, out, err);
    case AGGREGATE_BOOL_AND:
        *out = slot->count + slot->falses == 0 ? DATUM_NULL : datum_int(slot->falses == 0);
        return STATUS_OK;
    case AGGREGATE_BOOL_OR:
        *out = slot->count + slot->falses == 0 ? DATUM_NULL : datum_int(slot->count > 0);
        return STATUS_OK;
    case AGGREGATE_MIN:
    case AGGREGATE_MAX:
        break;
    }
    *out = DATUM_NULL;
    return STATUS_OK;
}

static enum status read_number(struct bytes *in, uint64_t *out, struct error *err)
{
    size_t used = varint_decode(*in, out);
    *in = bytes_of(in->data + used, in->len - used);
    return used == 0 ? error_set(err, STATUS_CORRUPT, 0, "the state of a group is broken") : STATUS_OK;
}

static enum status read_slot(const struct plan_aggregate *a, enum type_kind kind, struct bytes *in, struct arena *arena,
                             struct aggregate_slot *out, struct error *err)
{
    uint64_t number;
    TRY(read_number(in, &number, err));
    out->count = zigzag_decode(number);
    if (has_falses(a)) {
        TRY(read_number(in, &number, err));
        out->falses = zigzag_decode(number);
    }
    return has_sum(a) && out->count > 0 ? sum_read(arena, kind, in, &out->sum, err) : STATUS_OK;
}

enum status aggregate_read(const struct aggregate_set *set, struct bytes value, struct arena *a,
                           struct aggregate_state *out, struct error *err)
{
    out->rows = 0;
    out->slots = arena_zalloc(a, (set->count + 1) * sizeof *out->slots);
    if (value.len > 0) {
        uint64_t rows;
        TRY(read_number(&value, &rows, err));
        out->rows = (int64_t)rows;
    }
    for (uint32_t i = 0; i < set->count; i++) {
        const struct plan_aggregate *item = &set->items[i];
        enum type_kind kind = item->argument == PLAN_NO_COLUMN ? TYPE_INT8 : set->input[item->argument].type.kind;
        if (value.len > 0 && has_state(item)) {
            TRY(read_slot(item, kind, &value, a, &out->slots[i], err));
        }
        if (has_sum(item) && out->slots[i].sum == NULL) {
            out->slots[i].sum = sum_new(a, kind);
        }
    }
    return STATUS_OK;
}

void aggregate_append(const struct aggregate_set *set, const struct aggregate_state *state, struct buffer *out)
{
    uint8_t *to = buffer_reserve(out, VARINT_BYTES_MAX * (1 + 2 * (size_t)set->count));
    out->len += varint_encode(to, (uint64_t)state->rows);
    for (uint32_t i = 0; i < set->count; i++) {
        const struct plan_aggregate *item = &set->items[i];
        const struct aggregate_slot *slot = &state->slots[i];
        if (!has_state(item)) {
            continue;
        }
        out->len += varint_encode(buffer_reserve(out, VARINT_BYTES_MAX), zigzag_encode(slot->count));
        if (has_falses(item)) {
            out->len += varint_encode(buffer_reserve(out, VARINT_BYTES_MAX), zigzag_encode(slot->falses));
        }
        if (has_sum(item) && slot->count > 0) {
            sum_append(slot->sum, out);
        }
    }
}
