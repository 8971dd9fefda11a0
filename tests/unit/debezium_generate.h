/* Records as a Debezium of any setting might send them, and some that none would: every form of a record over the
 * tables of a catalog, values of every kind for every type. */
#ifndef TESTS_DEBEZIUM_GENERATE_H
#define TESTS_DEBEZIUM_GENERATE_H

#include "base/bytes.h"
#include "json_mutate.h"
#include "plan/catalog.h"

static inline const char *any_number(uint64_t *seed)
{
    static const char *const texts[] = {"0",
                                        "1",
                                        "-1",
                                        "7",
                                        "32767",
                                        "-32768",
                                        "32768",
                                        "2147483647",
                                        "2147483648",
                                        "9007199254740993",
                                        "9223372036854775807",
                                        "-9223372036854775808",
                                        "9223372036854775808",
                                        "123456789012345678901234567890",
                                        "-0",
                                        "1.0",
                                        "1e3",
                                        "-1.5",
                                        "0.1",
                                        "1.50",
                                        "1E-21",
                                        "-999999999.999",
                                        "1e400",
                                        "19782",
                                        "45296789",
                                        "1709210096789012",
                                        "1709210096789",
                                        "-2147472692",
                                        "9223372036825200000"};
    return RANDOM_OF(seed, texts);
}

static inline const char *any_string(uint64_t *seed)
{
    static const char *const texts[] = {
        "\"\"",
        "\"x\"",
        "\"1\"",
        "\"-1\"",
        "\" 7 \"",
        "\"1234\"",
        "\"12345678\"",
        "\"1.50\"",
        "\"NaN\"",
        "\"Infinity\"",
        "\"-infinity\"",
        "\"MDk=\"",
        "\"Bdw=\"",
        "\"/w==\"",
        "\"AY7pD/bDc+DuTj8K0g==\"",
        "\"AP8Q\"",
        "\"00ff10\"",
        "\"12ab\"",
        "\"\\\\x00ff\"",
        "\"BQ==\"",
        "\"t\"",
        "\"true\"",
        "\"2024-02-29\"",
        "\"2024-02-29Z\"",
        "\"-0043-03-15Z\"",
        "\"12:34:56.789Z\"",
        "\"10:34:56Z\"",
        "\"2024-02-29T12:34:56.789012Z\"",
        "\"2024-02-29T12:34:56+02:00\"",
        "\"P1Y2M3DT4H5M6.7S\"",
        "\"1 day\"",
        "\"$1,234.50\"",
        "\"10.0.0.1/8\"",
        "\"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11\"",
        "\"{\\\"a\\\": [1, 2]}\"",
        "\"[1,2]\"",
        "\"{1,2,NULL}\"",
        "\"h\xc3\xa9llo \\\"q\\\" \\\\ / \\n\\t \\ud83d\\ude00\"",
        "\"a\\u0000b\"",
        "\"__debezium_unavailable_value\"",
        "\"\\u005f_debezium_unavailable_value\"",
        "\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"",
        "\"a text that is longer than the ten characters that a column of varchar(10) holds\""};
    return RANDOM_OF(seed, texts);
}

static inline const char *any_other(uint64_t *seed)
{
    static const char *const texts[] = {
        "null",
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "[1,null,-3]",
        "[ 1 , 2 ]",
        "[\"x\",\"y,z\",\"\",null,\"NULL\"]",
        "[[1,2],[3,4]]",
        "[[\"a\"],[ \"b\" ]]",
        "[true,{\"a\":1}]",
        "{\"scale\":2,\"value\":\"MDk=\"}",
        "{ \"value\" : \"/w==\" , \"scale\" : 21 }",
        "{\"scale\":-2,\"value\":\"MDk=\"}",
        "{\"sc\\u0061le\":0,\"value\":\"AQ==\"}",
        "{\"scale\":1,\"scale\":2,\"value\":\"MDk=\"}",
        "{\"scale\":\"2\",\"value\":\"MDk=\"}",
        "{\"x\":1.5,\"y\":-2}",
        "{\"a\": {\"b\" : [ 1, 2 ]}}",
        "[\"__debezium_unavailable_value\"]",
        "[ \"__debezium_unavailable_value\" ]",
        "[\"__debezium_unavailable_valu\\u0065\"]",
        "[\"X19kZWJleml1bV91bmF2YWlsYWJsZV92YWx1ZQ==\"]",
        "[\"b68a35a7-17ad-35b3-af2a-ae46edb4545a\"]",
        "[95,95,100,101,98,101,122,105,117,109,95,117,110,97,118,97,105,108,97,98,108,101,95,118,97,108,117,101]",
        "[95, 95, 100, 101, 98, 101, 122, 105, 117, 109, 95, 117, 110, 97, 118, 97, 105, 108, 97, 98, 108, 101, 95, "
        "118,"
        " 97, 108, 117, 101]"};
    return RANDOM_OF(seed, texts);
}

/* A value that the type can most often have. */
static inline const char *any_value(const struct type *type, uint64_t *seed)
{
    size_t strings; /* in 10 */
    switch (type->kind) {
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_DATE:
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_INTERVAL:
    case TYPE_FLOAT4:
    case TYPE_FLOAT8:
    case TYPE_NUMERIC:
        strings = 3;
        break;
    case TYPE_UNKNOWN:
    case TYPE_BOOL:
    case TYPE_TEXT:
    case TYPE_VARCHAR:
    case TYPE_BPCHAR:
    case TYPE_BYTEA:
    case TYPE_TIMESTAMPTZ:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
    default:
        strings = 7;
    }
    if (random_one_in(seed, 3)) {
        return any_other(seed);
    }
    return random_below(seed, 10) < strings ? any_string(seed) : any_number(seed);
}

/* Values of the key are few, so that rows meet again. */
static inline const char *any_key(const struct type *type, uint64_t *seed)
{
    static const char *const numbers[] = {"1", "2", "3", "4", "-5"};
    static const char *const strings[] = {"\"a\"", "\"b\"", "\"\\u0061\"", "\"\xc3\xa9\""};
    if (random_one_in(seed, 40)) {
        return any_value(type, seed);
    }
    return type->kind == TYPE_TEXT ? RANDOM_OF(seed, strings) : RANDOM_OF(seed, numbers);
}

static inline bool is_of_key(const struct catalog_table *t, uint32_t column)
{
    bool of_key = false;
    for (uint32_t k = 0; k < t->key_count; k++) {
        of_key = of_key || t->key_columns[k] == column;
    }
    return of_key;
}

/* Most columns NULL, so that many a row is fine as a whole. */
static inline void generate_members(const struct catalog_table *t, bool key_only, uint64_t *seed, struct buffer *out)
{
    const char *comma = "";
    size_t dense = 1 + random_below(seed, 8);
    for (uint32_t i = 0; i < t->column_count; i++) {
        const struct catalog_column *c = &t->columns[i];
        bool key = is_of_key(t, i);
        if ((!key && key_only) || random_one_in(seed, 400)) {
            continue;
        }
        buffer_printf(out, "%s\"%s\":%s", comma, c->name,
                      key                                 ? any_key(&c->type, seed)
                      : random_below(seed, 8) < dense / 4 ? any_value(&c->type, seed)
                                                          : "null");
        comma = ",";
    }
    if (random_one_in(seed, 8)) {
        buffer_printf(out, "%s\"more\":%s", comma, random_one_in(seed, 2) ? any_string(seed) : any_other(seed));
    }
}

static inline void generate_row(const struct catalog_table *t, bool key_only, uint64_t *seed, struct buffer *out)
{
    buffer_append_byte(out, '{');
    generate_members(t, key_only, seed, out);
    buffer_append_byte(out, '}');
}

/* ---- schema parts ---- */

static inline void generate_type(uint64_t *seed, struct buffer *out)
{
    static const char *const plain[] = {"boolean", "int8",   "int16", "int32",  "int64", "float",
                                        "double",  "string", "bytes", "struct", "array", "map"};
    static const char *const logical[] = {"org.apache.kafka.connect.data.Decimal",
                                          "org.apache.kafka.connect.data.Date",
                                          "org.apache.kafka.connect.data.Time",
                                          "org.apache.kafka.connect.data.Timestamp",
                                          "io.debezium.data.VariableScaleDecimal",
                                          "io.debezium.data.Uuid",
                                          "io.debezium.data.Json",
                                          "io.debezium.data.Bits",
                                          "io.debezium.data.Enum",
                                          "io.debezium.time.Date",
                                          "io.debezium.time.IsoDate",
                                          "io.debezium.time.Time",
                                          "io.debezium.time.MicroTime",
                                          "io.debezium.time.NanoTime",
                                          "io.debezium.time.IsoTime",
                                          "io.debezium.time.Timestamp",
                                          "io.debezium.time.MicroTimestamp",
                                          "io.debezium.time.NanoTimestamp",
                                          "io.debezium.time.IsoTimestamp",
                                          "io.debezium.time.ZonedTimestamp",
                                          "io.debezium.time.MicroDuration",
                                          "io.debezium.time.NanoDuration",
                                          "io.debezium.time.Interval"};
    buffer_printf(out, "\"type\":\"%s\",\"optional\":true", RANDOM_OF(seed, plain));
    if (random_one_in(seed, 2)) {
        buffer_printf(out, ",\"name\":\"%s\"", RANDOM_OF(seed, logical));
    }
    if (random_one_in(seed, 3)) {
        buffer_printf(out, ",\"parameters\":{\"scale\":\"%d\",\"connect.decimal.precision\":\"12\"}",
                      (int)random_below(seed, 5) - 1);
    }
}

static inline void generate_fields(const struct catalog_table *t, uint64_t *seed, struct buffer *out)
{
    buffer_append_text(out, "\"type\":\"struct\",\"fields\":[");
    for (uint32_t i = 0; i < t->column_count; i++) {
        buffer_append_byte(out, '{');
        generate_type(seed, out);
        if (random_one_in(seed, 4)) {
            buffer_append_text(out, ",\"items\":{");
            generate_type(seed, out);
            buffer_append_byte(out, '}');
        }
        buffer_printf(out, ",\"field\":\"%s\"},", t->columns[i].name);
    }
    buffer_append_byte(out, '{');
    generate_type(seed, out);
    buffer_append_text(out, ",\"field\":\"more\"}],\"optional\":true");
}

static inline void generate_schema(const struct catalog_table *t, bool envelope, uint64_t *seed, struct buffer *out)
{
    buffer_append_byte(out, '{');
    if (envelope) {
        uint64_t same = *seed;
        buffer_append_text(out, "\"type\":\"struct\",\"fields\":[{");
        generate_fields(t, &same, out);
        buffer_append_text(out, ",\"field\":\"before\"},{");
        generate_fields(t, seed, out);
        buffer_append_text(out, ",\"field\":\"after\"},{\"type\":\"struct\",\"fields\":[],\"field\":\"source\"},"
                                "{\"type\":\"string\",\"field\":\"op\"}],\"name\":\"x.Envelope\"");
    } else {
        generate_fields(t, seed, out);
    }
    buffer_append_byte(out, '}');
}

/* ---- records ---- */

static inline void generate_envelope(const struct catalog_table *t, uint64_t *seed, struct buffer *out)
{
    static const char *const ops[] = {"c", "c", "c", "u", "u", "u", "u", "r", "d", "d", "d", "t", "m", "x"};
    const char *op = RANDOM_OF(seed, ops);
    uint64_t lsn = 27000000 + random_below(seed, 4);
    bool gone = op[0] == 'd' || op[0] == 't';
    buffer_append_text(out, "{\"before\":");
    if (op[0] == 'd' ? random_one_in(seed, 12) : random_one_in(seed, 2)) {
        buffer_append_text(out, "null");
    } else {
        generate_row(t, random_one_in(seed, 3), seed, out);
    }
    buffer_append_text(out, ",\"after\":");
    if (random_one_in(seed, 20) ? !gone : gone) {
        buffer_append_text(out, "null");
    } else {
        generate_row(t, false, seed, out);
    }
    buffer_printf(
        out,
        ",\"source\":{\"version\":\"3.3.1.Final\",\"ts_ms\":1795474540313,\"snapshot\":\"false\",\"sequence\":"
        "\"[\\\"%llu\\\",\\\"%llu\\\"]\",\"schema\":\"%s\",\"table\":\"%s\",\"txId\":848,\"lsn\":%llu}",
        (unsigned long long)lsn, (unsigned long long)lsn, t->schema, t->name, (unsigned long long)lsn);
    if (random_one_in(seed, 2)) {
        buffer_printf(out, ",\"transaction\":{\"id\":\"848:%llu\",\"total_order\":%zu,\"data_collection_order\":1}",
                      (unsigned long long)lsn, 1 + random_below(seed, 9));
    }
    buffer_printf(out, ",\"op\":\"%s\",\"ts_ms\":1795474540812}", op);
}

static inline void generate_flat(const struct catalog_table *t, uint64_t *seed, struct buffer *out)
{
    static const char *const own[] = {",\"__op\":\"c\"",
                                      ",\"__op\":\"u\"",
                                      ",\"__op\":\"d\"",
                                      ",\"__op\":\"r\"",
                                      ",\"__op\":\"t\"",
                                      ",\"__op\":\"x\"",
                                      ",\"__op\":null",
                                      ",\"__deleted\":\"true\"",
                                      ",\"__deleted\":true",
                                      ",\"__deleted\":\"false\"",
                                      ",\"__lsn\":27000001",
                                      ",\"__source_ts_ms\":1795474540313",
                                      ",\"__txId\":848",
                                      ",\"__schema\":\"operations\"",
                                      ",\"__source_lsn\":27000002"};
    buffer_append_byte(out, '{');
    generate_members(t, false, seed, out);
    if (!random_one_in(seed, 4)) {
        buffer_printf(out, ",\"__table\":\"%s\"", t->name);
    }
    for (size_t n = random_below(seed, 4); n > 0; n--) {
        buffer_append_text(out, RANDOM_OF(seed, own));
    }
    buffer_append_byte(out, '}');
}

/* How the connector is set: flattened or not, with schema parts (always the same for the same seed) or not. */
struct setting {
    bool flat;
    bool wrapped;
    uint64_t schema_seed;
};

static inline void generate_record(const struct catalog_table *t, const struct setting *setting, uint64_t *seed,
                                   struct buffer *key, struct buffer *value)
{
    uint64_t schema_seed = setting->schema_seed + t->idx;
    buffer_reset(key);
    buffer_reset(value);
    generate_row(t, true, seed, key);
    if (random_one_in(seed, 12)) {
        return; /* a tombstone */
    }
    if (setting->wrapped) {
        buffer_append_text(value, "{\"schema\":");
        generate_schema(t, !setting->flat, &schema_seed, value);
        buffer_append_text(value, ",\"payload\":");
    }
    if (setting->flat) {
        generate_flat(t, seed, value);
    } else {
        generate_envelope(t, seed, value);
    }
    if (setting->wrapped) {
        buffer_append_byte(value, '}');
    }
}

#endif
