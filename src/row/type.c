/* Type names: one table of the kinds with their spellings and oids (PostgreSQL's pg_type.dat), and a list of the other
 * core types that are carried as text. */
#include "row/type.h"

#include "row/datum_interval.h"

#include <stdio.h>
#include <string.h>

enum { NUMERIC_PRECISION_MAX = 1000, LENGTH_MAX = 10485760, FRACTION_DIGITS_MAX = 6, TYPMOD_HEAD = 4 };

struct kind_row {
    enum type_kind kind;
    uint32_t oid;
    uint32_t array_oid;
    const char *sql; /* as format_type() prints it without modifier */
    const char *names[4];
};

static const struct kind_row kinds[] = {
    {TYPE_UNKNOWN, 705, 0, "unknown", {NULL}},
    {TYPE_BOOL, 16, 1000, "boolean", {"bool", "boolean", NULL}},
    {TYPE_INT2, 21, 1005, "smallint", {"int2", "smallint", "smallserial", "serial2"}},
    {TYPE_INT4, 23, 1007, "integer", {"int4", "integer", "int", "serial"}},
    {TYPE_INT8, 20, 1016, "bigint", {"int8", "bigint", "bigserial", "serial8"}},
    {TYPE_NUMERIC, 1700, 1231, "numeric", {"numeric", "decimal", "dec", NULL}},
    {TYPE_FLOAT4, 700, 1021, "real", {"float4", "real", NULL}},
    {TYPE_FLOAT8, 701, 1022, "double precision", {"float8", "double precision", "float", NULL}},
    {TYPE_TEXT, 25, 1009, "text", {"text", NULL}},
    {TYPE_VARCHAR, 1043, 1015, "character varying", {"varchar", "character varying", NULL}},
    {TYPE_BPCHAR, 1042, 1014, "character", {"bpchar", "character", "char", NULL}},
    {TYPE_BYTEA, 17, 1001, "bytea", {"bytea", NULL}},
    {TYPE_DATE, 1082, 1182, "date", {"date", NULL}},
    {TYPE_TIME, 1083, 1183, "time without time zone", {"time", "time without time zone", NULL}},
    {TYPE_TIMESTAMP, 1114, 1115, "timestamp without time zone", {"timestamp", "timestamp without time zone", NULL}},
    {TYPE_TIMESTAMPTZ, 1184, 1185, "timestamp with time zone", {"timestamptz", "timestamp with time zone", NULL}},
    {TYPE_INTERVAL, 1186, 1187, "interval", {"interval", NULL}},
    {TYPE_UUID, 2950, 2951, "uuid", {"uuid", NULL}},
    {TYPE_JSON, 114, 199, "json", {"json", NULL}},
    {TYPE_JSONB, 3802, 3807, "jsonb", {"jsonb", NULL}},
};
enum { KIND_ROW_COUNT = sizeof kinds / sizeof kinds[0] };

struct other_row {
    const char *name;
    const char *sql;
    uint32_t oid;
    uint32_t array_oid;
};

static const struct other_row others[] = {
    {"\"char\"", "\"char\"", 18, 1002},
    {"name", "name", 19, 1003},
    {"int2vector", "int2vector", 22, 1006},
    {"regproc", "regproc", 24, 1008},
    {"oid", "oid", 26, 1028},
    {"tid", "tid", 27, 1010},
    {"xid", "xid", 28, 1011},
    {"cid", "cid", 29, 1012},
    {"oidvector", "oidvector", 30, 1013},
    {"xml", "xml", 142, 143},
    {"point", "point", 600, 1017},
    {"lseg", "lseg", 601, 1018},
    {"path", "path", 602, 1019},
    {"box", "box", 603, 1020},
    {"polygon", "polygon", 604, 1027},
    {"line", "line", 628, 629},
    {"cidr", "cidr", 650, 651},
    {"circle", "circle", 718, 719},
    {"macaddr8", "macaddr8", 774, 775},
    {"money", "money", 790, 791},
    {"macaddr", "macaddr", 829, 1040},
    {"inet", "inet", 869, 1041},
    {"timetz", "time with time zone", 1266, 1270},
    {"bit", "bit", 1560, 1561},
    {"varbit", "bit varying", 1562, 1563},
    {"refcursor", "refcursor", 1790, 2201},
    {"regprocedure", "regprocedure", 2202, 2207},
    {"regoper", "regoper", 2203, 2208},
    {"regoperator", "regoperator", 2204, 2209},
    {"regclass", "regclass", 2205, 2210},
    {"regtype", "regtype", 2206, 2211},
    {"txid_snapshot", "txid_snapshot", 2970, 2949},
    {"pg_lsn", "pg_lsn", 3220, 3221},
    {"tsvector", "tsvector", 3614, 3643},
    {"tsquery", "tsquery", 3615, 3645},
    {"regconfig", "regconfig", 3734, 3735},
    {"regdictionary", "regdictionary", 3769, 3770},
    {"int4range", "int4range", 3904, 3905},
    {"numrange", "numrange", 3906, 3907},
    {"tsrange", "tsrange", 3908, 3909},
    {"tstzrange", "tstzrange", 3910, 3911},
    {"daterange", "daterange", 3912, 3913},
    {"int8range", "int8range", 3926, 3927},
    {"jsonpath", "jsonpath", 4072, 4073},
    {"regnamespace", "regnamespace", 4089, 4090},
    {"regrole", "regrole", 4096, 4097},
    {"regcollation", "regcollation", 4191, 4192},
    {"int4multirange", "int4multirange", 4451, 6150},
    {"nummultirange", "nummultirange", 4532, 6151},
    {"tsmultirange", "tsmultirange", 4533, 6152},
    {"tstzmultirange", "tstzmultirange", 4534, 6153},
    {"datemultirange", "datemultirange", 4535, 6155},
    {"int8multirange", "int8multirange", 4536, 6157},
    {"pg_snapshot", "pg_snapshot", 5038, 5039},
    {"xid8", "xid8", 5069, 271},
    {"time with time zone", "time with time zone", 1266, 1270},
    {"bit varying", "bit varying", 1562, 1563},
};
enum { OTHER_ROW_COUNT = sizeof others / sizeof others[0] };

/* The fields of an interval's mask as intervaltypmodout prints them; NULL for no mask of the grammar. */
static const char *range_text(uint32_t range)
{
    enum {
        YEAR = 1 << INTERVAL_YEAR_BIT,
        MONTH = 1 << INTERVAL_MONTH_BIT,
        DAY = 1 << INTERVAL_DAY_BIT,
        HOUR = 1 << INTERVAL_HOUR_BIT,
        MINUTE = 1 << INTERVAL_MINUTE_BIT,
        SECOND = 1 << INTERVAL_SECOND_BIT
    };
    static const struct {
        uint32_t range;
        const char *text;
    } ranges[] = {
        {YEAR, " year"},
        {MONTH, " month"},
        {DAY, " day"},
        {HOUR, " hour"},
        {MINUTE, " minute"},
        {SECOND, " second"},
        {YEAR | MONTH, " year to month"},
        {DAY | HOUR, " day to hour"},
        {DAY | HOUR | MINUTE, " day to minute"},
        {DAY | HOUR | MINUTE | SECOND, " day to second"},
        {HOUR | MINUTE, " hour to minute"},
        {HOUR | MINUTE | SECOND, " hour to second"},
        {MINUTE | SECOND, " minute to second"},
    };
    for (size_t i = 0; i < sizeof ranges / sizeof ranges[0]; i++) {
        if (ranges[i].range == range) {
            return ranges[i].text;
        }
    }
    return NULL;
}

struct type type_make(enum type_kind kind)
{
    return (struct type){.kind = kind, .typmod = -1};
}

static const struct kind_row *row_of(enum type_kind kind)
{
    for (size_t i = 0; i < KIND_ROW_COUNT; i++) {
        if (kinds[i].kind == kind) {
            return &kinds[i];
        }
    }
    return NULL;
}

static const struct kind_row *row_by_name(const char *name)
{
    for (size_t i = 0; i < KIND_ROW_COUNT; i++) {
        for (size_t n = 0; n < 4 && kinds[i].names[n] != NULL; n++) {
            if (strcmp(kinds[i].names[n], name) == 0) {
                return &kinds[i];
            }
        }
    }
    return NULL;
}

static enum status check_count(const char *name, struct type_modifiers m, size_t max, struct error *err)
{
    if (m.count <= max) {
        return STATUS_OK;
    }
    if (max > 0) {
        return error_set(err, STATUS_INVALID, 0, "invalid type modifier");
    }
    return error_set(err, STATUS_INVALID, 0, "type modifier is not allowed for type \"%s\"", name);
}

static enum status set_numeric(struct type_modifiers m, struct type *out, struct error *err)
{
    if (m.count == 0) {
        return STATUS_OK;
    }
    if (m.count > 2) {
        return error_set(err, STATUS_INVALID, 0, "invalid NUMERIC type modifier");
    }
    int32_t precision = m.values[0];
    int32_t scale = m.count == 2 ? m.values[1] : 0;
    if (precision < 1 || precision > NUMERIC_PRECISION_MAX) {
        return error_set(err, STATUS_INVALID, 0, "NUMERIC precision %d must be between 1 and %d", precision,
                         NUMERIC_PRECISION_MAX);
    }
    if (scale < -NUMERIC_PRECISION_MAX || scale > NUMERIC_PRECISION_MAX) {
        return error_set(err, STATUS_INVALID, 0, "NUMERIC scale %d must be between %d and %d", scale,
                         -NUMERIC_PRECISION_MAX, NUMERIC_PRECISION_MAX);
    }
    out->typmod = (int32_t)(((uint32_t)precision << 16) | ((uint32_t)scale & 0x7ff)) + TYPMOD_HEAD;
    return STATUS_OK;
}

static enum status set_length(const char *name, struct type_modifiers m, int32_t implied, struct type *out,
                              struct error *err)
{
    TRY(check_count(name, m, 1, err));
    int32_t length = m.count == 1 ? m.values[0] : implied;
    if (length == -1) {
        return STATUS_OK;
    }
    if (length < 1) {
        return error_set(err, STATUS_INVALID, 0, "length for type %s must be at least 1", name);
    }
    if (length > LENGTH_MAX) {
        return error_set(err, STATUS_INVALID, 0, "length for type %s cannot exceed %d", name, LENGTH_MAX);
    }
    out->typmod = length + TYPMOD_HEAD;
    return STATUS_OK;
}

/* More digits than there are is taken as all of them, as PostgreSQL does with a warning. */
static enum status take_precision(const char *name, int32_t given, int32_t *out, struct error *err)
{
    if (given < 0) {
        return error_set(err, STATUS_INVALID, 0, "%s(%d) precision must not be negative", name, given);
    }
    *out = given < FRACTION_DIGITS_MAX ? given : FRACTION_DIGITS_MAX;
    return STATUS_OK;
}

static enum status set_precision(const char *name, struct type_modifiers m, struct type *out, struct error *err)
{
    TRY(check_count(name, m, 1, err));
    return m.count == 0 ? STATUS_OK : take_precision(name, m.values[0], &out->typmod, err);
}

/* The grammar gives the mask of fields, then the precision: INTERVAL DAY is (8), INTERVAL(3) is (0x7fff, 3). */
static enum status set_interval(struct type_modifiers m, struct type *out, struct error *err)
{
    TRY(check_count("interval", m, 2, err));
    if (m.count == 0) {
        return STATUS_OK;
    }
    uint32_t range = (uint32_t)m.values[0];
    if (range > INTERVAL_RANGE_FULL || (range != INTERVAL_RANGE_FULL && range_text(range) == NULL)) {
        return error_set(err, STATUS_INVALID, 0, "invalid type modifier for type \"interval\"");
    }
    int32_t precision = INTERVAL_PRECISION_FULL;
    if (m.count == 2) {
        TRY(take_precision("interval", m.values[1], &precision, err));
    } else if (range == INTERVAL_RANGE_FULL) {
        return STATUS_OK;
    }
    out->typmod = (int32_t)(range << 16 | (uint32_t)precision);
    return STATUS_OK;
}

static enum status set_float(const char *name, struct type_modifiers m, struct type *out, struct error *err)
{
    if (strcmp(name, "float") != 0) {
        return check_count(name, m, 0, err);
    }
    TRY(check_count(name, m, 1, err));
    if (m.count == 1 && (m.values[0] < 1 || m.values[0] > 53)) {
        return error_set(err, STATUS_INVALID, 0, "precision for type float must be between 1 and 53 bits");
    }
    out->kind = m.count == 1 && m.values[0] <= 24 ? TYPE_FLOAT4 : TYPE_FLOAT8;
    return STATUS_OK;
}

static enum status set_modifiers(const char *name, struct type_modifiers m, struct type *out, struct error *err)
{
    switch (out->kind) {
    case TYPE_NUMERIC:
        return set_numeric(m, out, err);
    case TYPE_VARCHAR:
        return set_length("varchar", m, -1, out, err);
    case TYPE_BPCHAR: /* char alone is char(1); bpchar alone has no length */
        return set_length("char", m, strcmp(name, "bpchar") == 0 ? -1 : 1, out, err);
    case TYPE_TIME:
    case TYPE_TIMESTAMP:
    case TYPE_TIMESTAMPTZ:
        return set_precision(name, m, out, err);
    case TYPE_INTERVAL:
        return set_interval(m, out, err);
    case TYPE_FLOAT8:
        return set_float(name, m, out, err);
    case TYPE_UNKNOWN:
    case TYPE_BOOL:
    case TYPE_INT2:
    case TYPE_INT4:
    case TYPE_INT8:
    case TYPE_FLOAT4:
    case TYPE_TEXT:
    case TYPE_BYTEA:
    case TYPE_DATE:
    case TYPE_UUID:
    case TYPE_JSON:
    case TYPE_JSONB:
    case TYPE_OTHER:
        return check_count(name, m, 0, err);
    }
    return STATUS_OK;
}

/* Only time with time zone and bits have modifiers among the core's other types; an extension's are put behind its
 * name. */
static void make_other(const char *sql, struct type_modifiers m, struct type *out)
{
    *out = (struct type){.kind = TYPE_OTHER, .typmod = m.count > 0 ? m.values[0] : -1};
    if (m.count > 0 && strcmp(sql, "time with time zone") == 0) {
        snprintf(out->name, sizeof out->name, "time(%d) with time zone", m.values[0]);
    } else if (m.count == 2) {
        snprintf(out->name, sizeof out->name, "%.90s(%d,%d)", sql, m.values[0], m.values[1]);
    } else if (m.count == 1) {
        snprintf(out->name, sizeof out->name, "%.100s(%d)", sql, m.values[0]);
    } else {
        snprintf(out->name, sizeof out->name, "%.*s", TYPE_NAME_BYTES - 1, sql);
    }
}

static struct type make_array(const struct type *element)
{
    char name[TYPE_NAME_BYTES];
    struct type out = {.kind = TYPE_OTHER, .typmod = element->typmod};
    snprintf(out.name, sizeof out.name, "%.*s[]", TYPE_NAME_BYTES - 3, type_text(element, name));
    return out;
}

static const struct other_row *other_by_name(const char *name)
{
    for (size_t i = 0; i < OTHER_ROW_COUNT; i++) {
        if (strcmp(others[i].name, name) == 0) {
            return &others[i];
        }
    }
    return NULL;
}

enum status type_from_name(const char *name, struct type_modifiers modifiers, bool array, bool allow_other,
                           struct type *out, struct error *err)
{
    *out = (struct type){.kind = TYPE_UNKNOWN, .typmod = -1};
    const struct kind_row *row = row_by_name(name);
    const struct other_row *other = row == NULL ? other_by_name(name) : NULL;
    if (row == NULL && other == NULL && !allow_other) {
        return error_set(err, STATUS_UNSUPPORTED, 0, "type \"%s\" does not exist or is not supported", name);
    }
    if (row != NULL) {
        out->kind = row->kind;
        TRY(set_modifiers(name, modifiers, out, err));
    } else {
        if (strcmp(name, "bit") == 0 && modifiers.count == 0) {
            modifiers = (struct type_modifiers){.values = {1}, .count = 1};
        }
        make_other(other != NULL ? other->sql : name, modifiers, out);
    }
    if (array) {
        *out = make_array(out);
    }
    return STATUS_OK;
}

struct type type_from_oid(uint32_t oid, int32_t typmod)
{
    for (size_t i = 1; i < KIND_ROW_COUNT; i++) { /* the first is unknown, no column's type */
        struct type type = {.kind = kinds[i].kind, .typmod = typmod};
        if (kinds[i].oid == oid || kinds[i].array_oid == oid) {
            return kinds[i].oid == oid ? type : make_array(&type);
        }
    }
    struct type_modifiers m = {.values = {typmod}, .count = typmod >= 0 ? 1 : 0};
    struct type type;
    for (size_t i = 0; i < OTHER_ROW_COUNT; i++) {
        if (others[i].oid == oid || others[i].array_oid == oid) {
            make_other(others[i].sql, m, &type);
            return others[i].oid == oid ? type : make_array(&type);
        }
    }
    type = (struct type){.kind = TYPE_OTHER, .typmod = typmod};
    snprintf(type.name, sizeof type.name, "oid %u", oid);
    return type;
}

uint32_t type_oid(const struct type *type)
{
    const struct kind_row *row = type->kind == TYPE_UNKNOWN ? NULL : row_of(type->kind);
    return row == NULL ? 0 : row->oid;
}

/* Prints the words with the modifier where SQL wants it: "timestamp(3) without time zone". */
static void print_with_precision(const char *sql, int32_t precision, struct buffer *out)
{
    size_t head = strcspn(sql, " ");
    buffer_printf(out, "%.*s(%d)%s", (int)head, sql, precision, sql + head);
}

void type_print(const struct type *type, struct buffer *out)
{
    const struct kind_row *row = row_of(type->kind);
    if (row == NULL) {
        buffer_append_text(out, type->name);
        return;
    }
    int32_t m = type->typmod;
    if (m < 0) {
        buffer_append_text(out, type->kind == TYPE_BPCHAR ? "bpchar" : row->sql);
    } else if (type->kind == TYPE_NUMERIC) {
        int32_t bits = m - TYPMOD_HEAD;
        buffer_printf(out, "numeric(%d,%d)", (bits >> 16) & 0xffff, ((bits & 0x7ff) ^ 1024) - 1024);
    } else if (type->kind == TYPE_VARCHAR || type->kind == TYPE_BPCHAR) {
        buffer_printf(out, "%s(%d)", row->sql, m - TYPMOD_HEAD);
    } else if (type->kind == TYPE_INTERVAL) {
        const char *fields = range_text((uint32_t)m >> 16);
        buffer_printf(out, "interval%s", fields != NULL ? fields : "");
        if ((m & INTERVAL_PRECISION_FULL) != INTERVAL_PRECISION_FULL) {
            buffer_printf(out, "(%d)", m & INTERVAL_PRECISION_FULL);
        }
    } else {
        print_with_precision(row->sql, m & 0xffff, out);
    }
}

const char *type_text(const struct type *type, char out[static TYPE_NAME_BYTES])
{
    struct buffer text = BUFFER_EMPTY;
    type_print(type, &text);
    snprintf(out, TYPE_NAME_BYTES, "%.*s", (int)text.len, (const char *)text.data);
    buffer_release(&text);
    return out;
}

bool type_equal(const struct type *a, const struct type *b)
{
    return a->kind == b->kind && (a->kind == TYPE_OTHER ? strcmp(a->name, b->name) == 0 : a->typmod == b->typmod);
}

bool type_is_integer(enum type_kind kind)
{
    return kind == TYPE_INT2 || kind == TYPE_INT4 || kind == TYPE_INT8;
}

bool type_is_number(enum type_kind kind)
{
    return kind >= TYPE_INT2 && kind <= TYPE_FLOAT8;
}

bool type_is_text(enum type_kind kind)
{
    return kind == TYPE_TEXT || kind == TYPE_VARCHAR || kind == TYPE_BPCHAR;
}

bool type_is_comparable(enum type_kind kind)
{
    return kind > TYPE_UNKNOWN && kind <= TYPE_UUID;
}

bool type_is_image_lossy(enum type_kind kind)
{
    return kind == TYPE_NUMERIC || kind == TYPE_FLOAT4 || kind == TYPE_FLOAT8 || kind == TYPE_INTERVAL ||
           kind == TYPE_BPCHAR;
}
