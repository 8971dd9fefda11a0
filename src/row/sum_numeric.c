/* The total is an int128 at the total's scale while it is less than 2^126, a GMP integer beyond.
 *
 * Stored form: number of scales times two, plus one where the counts of specials follow; each scale and its count,
 * ascending; number of bytes of a wide total (0 = it is a number) times two, plus one where the total's scale follows,
 * because it is not the greatest; the total, a number or in two's complement, big-endian, shortest. */
#include "row/sum_numeric.h"

#include "row/decimal.h"
#include "row/decimal_wide.h"

#include <gmp.h>

enum { SMALL_BITS = 126, SCALES_SPARE = 2 };

static bool is_small(int128 v)
{
    const int128 limit = (int128)1 << SMALL_BITS;
    return v > -limit && v < limit;
}

static void total_load(const struct sum_numeric *s, mpz_t out)
{
    if (s->is_wide) {
        decimal_load_wide(&s->wide_total, out);
        return;
    }
    uint128 magnitude = decimal_magnitude(s->total);
    mpz_import(out, 1, -1, sizeof magnitude, 0, 0, &magnitude);
    if (s->total < 0) {
        mpz_neg(out, out);
    }
}

static void total_store(struct sum_numeric *s, struct arena *a, const mpz_t value)
{
    s->is_wide = mpz_sizeinbase(value, 2) > SMALL_BITS;
    if (s->is_wide) {
        s->wide_total = decimal_store_wide(a, value, 0);
        return;
    }
    uint128 magnitude = 0;
    mpz_export(&magnitude, NULL, -1, sizeof magnitude, 0, 0, value);
    s->total = mpz_sgn(value) < 0 ? -(int128)magnitude : (int128)magnitude;
}

/* False where the numbers are too big for it. */
static bool add_small(struct sum_numeric *s, const struct datum *d, int32_t scale, int64_t weight)
{
    if (s->is_wide || d->big) {
        return false;
    }
    int128 product = (int128)d->v.i * weight;
    int128 total = s->total;
    if ((scale < s->scale && !decimal_scale_up(product, s->scale - scale, &product)) ||
        (scale > s->scale && !decimal_scale_up(total, scale - s->scale, &total))) {
        return false;
    }
    if (__builtin_add_overflow(total, product, &total) || !is_small(total)) {
        return false;
    }
    s->total = total;
    s->scale = scale > s->scale ? scale : s->scale;
    return true;
}

static void add_wide(struct sum_numeric *s, struct arena *a, const struct datum *d, int32_t scale, int64_t weight)
{
    mpz_t value;
    mpz_t total;
    mpz_init(value);
    mpz_init(total);
    decimal_load_wide(d, value);
    mpz_mul_si(value, value, weight);
    total_load(s, total);
    if (scale > s->scale) {
        decimal_scale_up_wide(total, scale - s->scale);
        s->scale = scale;
    } else {
        decimal_scale_up_wide(value, s->scale - scale);
    }
    mpz_add(total, total, value);
    total_store(s, a, total);
    mpz_clear(value);
    mpz_clear(total);
}

static void count_scale(struct sum_numeric *s, struct arena *a, int32_t scale, int64_t weight)
{
    size_t at = s->scale_count;
    while (at > 0 && s->scales[at - 1].scale >= scale) {
        at--;
    }
    if (at == s->scale_count || s->scales[at].scale != scale) {
        if (s->scale_count == s->scale_capacity) {
            s->scale_capacity = s->scale_capacity * 2 + SCALES_SPARE;
            struct sum_scale *grown = arena_alloc(a, s->scale_capacity * sizeof *grown);
            if (s->scale_count > 0) {
                memcpy(grown, s->scales, s->scale_count * sizeof *grown);
            }
            s->scales = grown;
        }
        memmove(s->scales + at + 1, s->scales + at, (s->scale_count - at) * sizeof *s->scales);
        s->scales[at] = (struct sum_scale){.scale = scale};
        s->scale_count += 1;
    }
    s->scales[at].count += weight;
    if (s->scales[at].count == 0) {
        s->scale_count -= 1;
        memmove(s->scales + at, s->scales + at + 1, (s->scale_count - at) * sizeof *s->scales);
    }
}

static int32_t greatest_scale(const struct sum_numeric *s)
{
    return s->scale_count == 0 ? 0 : s->scales[s->scale_count - 1].scale;
}

/* Brings the total down to the greatest scale present, as far as nothing is lost. */
static void lower_scale(struct sum_numeric *s, struct arena *a)
{
    int32_t greatest = greatest_scale(s);
    if (!s->is_wide) {
        while (s->scale > greatest && s->total % 10 == 0) {
            s->total /= 10;
            s->scale -= 1;
        }
        return;
    }
    mpz_t total;
    mpz_init(total);
    total_load(s, total);
    while (s->scale > greatest && mpz_divisible_ui_p(total, 10)) {
        mpz_divexact_ui(total, total, 10);
        s->scale -= 1;
    }
    total_store(s, a, total);
    mpz_clear(total);
}

void sum_numeric_add(struct sum_numeric *s, struct arena *a, const struct datum *d, int64_t weight)
{
    if (weight == 0) {
        return;
    }
    switch (decimal_kind(d)) {
    case DECIMAL_NAN:
        s->specials.nans += weight;
        return;
    case DECIMAL_MINUS_INFINITY:
        s->specials.minus_infinities += weight;
        return;
    case DECIMAL_INFINITY:
        s->specials.infinities += weight;
        return;
    case DECIMAL_FINITE:
        break;
    }
    int32_t scale = decimal_scale(d);
    if (!add_small(s, d, scale, weight)) {
        add_wide(s, a, d, scale, weight);
    }
    count_scale(s, a, scale, weight);
    if (s->scale > greatest_scale(s)) {
        lower_scale(s, a);
    }
}

enum status sum_numeric_total(const struct sum_numeric *s, struct arena *a, struct datum *out, struct error *err)
{
    if (sum_specials_decide(&s->specials)) {
        static const char *const words[] = {"-Infinity", "NaN", "Infinity"};
        const char *word = words[sum_specials_sign(&s->specials) + 1];
        return decimal_parse(bytes_of(word, strlen(word)), a, out, err);
    }
    if (!s->is_wide) {
        *out = decimal_from_int128(a, s->total, s->scale);
        return STATUS_OK;
    }
    mpz_t total;
    mpz_init(total);
    total_load(s, total);
    enum status st = decimal_store_checked(a, total, s->scale, out, err);
    mpz_clear(total);
    return st;
}

bool sum_numeric_is_zero(const struct sum_numeric *s)
{
    return !s->is_wide && s->total == 0 && s->scale_count == 0 && !sum_specials_any(&s->specials);
}

void sum_numeric_append(const struct sum_numeric *s, struct buffer *out)
{
    bool specials = sum_specials_any(&s->specials);
    sum_number_append(out, (int128)s->scale_count * 2 + (specials ? 1 : 0));
    if (specials) {
        sum_specials_append(&s->specials, out);
    }
    for (size_t i = 0; i < s->scale_count; i++) {
        sum_number_append(out, s->scales[i].scale);
        sum_number_append(out, s->scales[i].count);
    }
    bool finer = s->scale != greatest_scale(s);
    size_t wide_bytes = s->is_wide ? s->wide_total.len - WIDE_COEFFICIENT_AT : 0;
    sum_number_append(out, (int128)wide_bytes * 2 + (finer ? 1 : 0));
    if (finer) {
        sum_number_append(out, s->scale);
    }
    if (s->is_wide) {
        buffer_append(out, s->wide_total.v.p + WIDE_COEFFICIENT_AT, wide_bytes);
    } else {
        sum_number_append(out, s->total);
    }
}

static enum status read_scales(struct sum_numeric *s, struct arena *a, int64_t count, struct bytes *in,
                               struct error *err)
{
    if ((uint64_t)count > in->len) {
        return sum_broken(err);
    }
    s->scale_count = (size_t)count;
    s->scale_capacity = s->scale_count + SCALES_SPARE;
    s->scales = arena_alloc(a, s->scale_capacity * sizeof *s->scales);
    int64_t least = 0;
    for (size_t i = 0; i < s->scale_count; i++) {
        int64_t scale = 0;
        TRY(sum_number_read_within(in, least, DECIMAL_SCALE_MAX, &scale, err));
        TRY(sum_number_read_within(in, INT64_MIN, INT64_MAX, &s->scales[i].count, err));
        s->scales[i].scale = (int32_t)scale;
        least = scale + 1;
    }
    s->scale = greatest_scale(s);
    return STATUS_OK;
}

static enum status read_total(struct sum_numeric *s, struct arena *a, int64_t wide_bytes, struct bytes *in,
                              struct error *err)
{
    if (wide_bytes == 0) {
        TRY(sum_number_read(in, &s->total, err));
        return is_small(s->total) ? STATUS_OK : sum_broken(err);
    }
    if ((uint64_t)wide_bytes > in->len) {
        return sum_broken(err);
    }
    s->wide_total = decimal_from_coefficient(a, bytes_of(in->data, (size_t)wide_bytes), 0);
    s->is_wide = true;
    *in = bytes_of(in->data + wide_bytes, in->len - (size_t)wide_bytes);
    return s->wide_total.big && s->wide_total.len == (size_t)wide_bytes + WIDE_COEFFICIENT_AT ? STATUS_OK
                                                                                              : sum_broken(err);
}

enum status sum_numeric_read(struct sum_numeric *s, struct arena *a, struct bytes *in, struct error *err)
{
    int64_t head = 0;
    TRY(sum_number_read_within(in, 0, INT64_MAX, &head, err));
    if (head % 2 != 0) {
        TRY(sum_specials_read(&s->specials, in, err));
    }
    TRY(read_scales(s, a, head / 2, in, err));
    TRY(sum_number_read_within(in, 0, INT64_MAX, &head, err));
    if (head % 2 != 0) {
        int64_t scale = 0;
        TRY(sum_number_read_within(in, s->scale + 1, DECIMAL_SCALE_MAX, &scale, err));
        s->scale = (int32_t)scale;
    }
    return read_total(s, a, head / 2, in, err);
}
