/*
 * Parses a Parquet footer (FileMetaData, in Thrift's compact protocol) into tables of numbers, and checks it.
 *
 * The footer is untrusted: every read stays inside the buffer, counts are checked against the remaining bytes, and
 * nesting is bounded. Texts and statistics are not copied; their offsets in the footer are returned.
 *
 * Sources: apache/parquet-format, src/main/thrift/parquet.thrift; apache/thrift, doc/specs/thrift-compact-protocol.md.
 */

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

enum wire { STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID };

#define MAX_NESTING 64 /* of Thrift structures, and of a schema */
#define MAX_TYPE 7     /* FIXED_LEN_BYTE_ARRAY */
#define NONE (-1)

/* Return values of read_footer for a rejected footer; footer_library.py has the same numbers. */
enum refusal {
    MALFORMED = -1,
    TOO_DEEP = -2,
    BAD_SCHEMA = -3,
    BAD_COUNT = -4,
    NO_ROOM = -5,
    ENCRYPTED = -6,
    ELSEWHERE = -7,
    BAD_CHUNK = -8,
    OUTSIDE = -9
};

/* footer_library.py declares the same structures. */
struct place {
    int64_t start, length; /* in the footer; start is NONE for what is absent */
};

struct element {
    int64_t type, type_length, repetition, children, converted, scale, precision, field_id;
    int64_t logical;      /* the LogicalType union's field, 0 for none */
    int64_t unit, is_utc; /* of TIME and TIMESTAMP: 1 ms, 2 us, 3 ns; 0 for none */
    struct place name, logical_bytes, bytes;
};

struct group {
    int64_t rows, bytes, columns;
};

struct chunk {
    int64_t is_described; /* whether it has metadata in the clear */
    int64_t is_encrypted;
    int64_t is_elsewhere; /* in another file */
    int64_t type, codec, values, uncompressed, compressed, data_offset, dictionary_offset;
    int64_t nulls; /* NONE: not known */
    struct place min_value, max_value, old_min, old_max;
    int64_t min_is_inexact, max_is_inexact;
};

struct footer {
    int64_t rows, is_encrypted, leaves;
    struct place created_by, schema; /* schema: the list with its header */
    int64_t element_count, group_count, chunk_count, order_count;
    /* With room for so many each; read_footer counts in *_count what there is. */
    struct element *elements;
    struct group *groups;
    struct chunk *chunks;
    int64_t *orders; /* a ColumnOrder union's field for each leaf: 1 is the type's order */
    int64_t element_room, group_room, chunk_room, order_room;
    int64_t end;          /* of the data before the footer, to be set by the caller */
    int64_t faulty_chunk; /* the number of the one for which the footer is refused */
};

struct cursor {
    const uint8_t *start, *at, *end;
    int64_t refusal;
    int depth;
};

static void refuse(struct cursor *c, enum refusal why) {
    if (!c->refusal) c->refusal = why;
    c->at = c->end;
}

static uint8_t read_byte(struct cursor *c) {
    if (c->at >= c->end) {
        refuse(c, MALFORMED);
        return 0;
    }
    return *c->at++;
}

static uint64_t read_varint(struct cursor *c) {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
        uint8_t byte = read_byte(c);
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return value;
    }
    refuse(c, MALFORMED);
    return 0;
}

static int64_t read_integer(struct cursor *c) {
    uint64_t value = read_varint(c);
    return (int64_t)(value >> 1 ^ (0 - (value & 1)));
}

struct field {
    int type;
    int64_t id;
    uint64_t seen; /* of the structure's fields up to 63 */
};

/* Moves to a structure's next field; returns false at its end. A repeated field is rejected. */
static bool next_field(struct cursor *c, struct field *field) {
    uint8_t byte = read_byte(c);
    field->type = byte & 0x0F;
    if (c->refusal || field->type == STOP) return false;
    field->id = byte >> 4 ? field->id + (byte >> 4) : read_integer(c);
    if (field->id < 0 || field->id > INT16_MAX) refuse(c, MALFORMED);
    if (c->refusal) return false;
    if (field->id < 64) {
        if (field->seen >> field->id & 1) refuse(c, MALFORMED);
        field->seen |= 1ull << field->id;
    }
    return !c->refusal;
}

static struct place read_binary(struct cursor *c) {
    uint64_t length = read_varint(c);
    if (length > (uint64_t)(c->end - c->at)) {
        refuse(c, MALFORMED);
        return (struct place){NONE, 0};
    }
    struct place place = {c->at - c->start, (int64_t)length};
    c->at += length;
    return place;
}

/* Every element takes at least one byte. */
static uint64_t read_list(struct cursor *c, int *type) {
    uint8_t byte = read_byte(c);
    uint64_t count = byte >> 4;
    *type = byte & 0x0F;
    if (count == 15) count = read_varint(c);
    if (count > (uint64_t)(c->end - c->at)) refuse(c, MALFORMED);
    return c->refusal ? 0 : count;
}

static void skip(struct cursor *c, int type, bool in_list);

static void enter(struct cursor *c) {
    if (++c->depth > MAX_NESTING) refuse(c, TOO_DEEP);
}

static void skip_struct(struct cursor *c) {
    struct field field = {0};
    while (next_field(c, &field)) skip(c, field.type, false);
}

static void skip_list(struct cursor *c) {
    int type;
    for (uint64_t left = read_list(c, &type); left-- && !c->refusal;) skip(c, type, true);
}

static void skip_map(struct cursor *c) {
    uint64_t count = read_varint(c);
    if (!count) return;
    uint8_t types = read_byte(c);
    if (count > (uint64_t)(c->end - c->at)) refuse(c, MALFORMED);
    while (count-- && !c->refusal) {
        skip(c, types >> 4, true);
        skip(c, types & 0x0F, true);
    }
}

static void skip_bytes(struct cursor *c, int64_t count) {
    if (c->end - c->at < count)
        refuse(c, MALFORMED);
    else
        c->at += count;
}

/* A boolean is part of its field's header, but takes a byte in a list. */
static void skip(struct cursor *c, int type, bool in_list) {
    enter(c);
    switch (c->refusal ? STOP : type) {
    case TRUE:
    case FALSE:
        skip_bytes(c, in_list);
        break;
    case BYTE:
        skip_bytes(c, 1);
        break;
    case I16:
    case I32:
    case I64:
        read_varint(c);
        break;
    case DOUBLE:
        skip_bytes(c, 8);
        break;
    case BINARY:
        read_binary(c);
        break;
    case LIST:
    case SET:
        skip_list(c);
        break;
    case MAP:
        skip_map(c);
        break;
    case STRUCT:
        skip_struct(c);
        break;
    case UUID:
        skip_bytes(c, 16);
        break;
    default:
        refuse(c, MALFORMED);
    }
    c->depth--;
}

/* These read a field of the expected type; like Thrift, they treat a field of another type as absent. */
static bool is_number(const struct field *field) {
    return field->type == I16 || field->type == I32 || field->type == I64;
}

static void take_number(struct cursor *c, const struct field *field, int64_t *value) {
    if (is_number(field))
        *value = read_integer(c);
    else
        skip(c, field->type, false);
}

static void take_binary(struct cursor *c, const struct field *field, struct place *place) {
    if (field->type == BINARY)
        *place = read_binary(c);
    else
        skip(c, field->type, false);
}

/* Reads the unit and the flag of a TIME or TIMESTAMP. */
static void read_time(struct cursor *c, struct element *element) {
    struct field field = {0};
    while (next_field(c, &field)) {
        if (field.id == 1 && (field.type == TRUE || field.type == FALSE)) {
            element->is_utc = field.type == TRUE;
        } else if (field.id == 2 && field.type == STRUCT) {
            struct field unit = {0};
            while (next_field(c, &unit)) {
                element->unit = unit.id;
                skip(c, unit.type, false);
            }
        } else {
            skip(c, field.type, false);
        }
    }
}

static void read_logical(struct cursor *c, struct element *element) {
    struct field field = {0};
    const uint8_t *start = c->at;
    while (next_field(c, &field)) {
        element->logical = field.id;
        if ((field.id == 7 || field.id == 8) && field.type == STRUCT)
            read_time(c, element);
        else
            skip(c, field.type, false);
    }
    element->logical_bytes = (struct place){start - c->start, c->at - start};
}

static void read_element(struct cursor *c, struct element *element) {
    struct field field = {0};
    *element = (struct element){.type = NONE,
                                .repetition = NONE,
                                .converted = NONE,
                                .field_id = NONE,
                                .name = {NONE, 0},
                                .logical_bytes = {NONE, 0}};
    const uint8_t *start = c->at;
    while (next_field(c, &field)) switch (field.id) {
        case 1:
            take_number(c, &field, &element->type);
            break;
        case 2:
            take_number(c, &field, &element->type_length);
            break;
        case 3:
            take_number(c, &field, &element->repetition);
            break;
        case 4:
            take_binary(c, &field, &element->name);
            break;
        case 5:
            take_number(c, &field, &element->children);
            break;
        case 6:
            take_number(c, &field, &element->converted);
            break;
        case 7:
            take_number(c, &field, &element->scale);
            break;
        case 8:
            take_number(c, &field, &element->precision);
            break;
        case 9:
            take_number(c, &field, &element->field_id);
            break;
        case 10:
            if (field.type == STRUCT) {
                read_logical(c, element);
                break;
            } /* fall through */
        default:
            skip(c, field.type, false);
        }
    element->bytes = (struct place){start - c->start, c->at - start};
}

static void read_statistics(struct cursor *c, struct chunk *chunk) {
    struct field field = {0};
    while (next_field(c, &field)) switch (field.id) {
        case 1:
            take_binary(c, &field, &chunk->old_max);
            break;
        case 2:
            take_binary(c, &field, &chunk->old_min);
            break;
        case 3:
            take_number(c, &field, &chunk->nulls);
            break;
        case 5:
            take_binary(c, &field, &chunk->max_value);
            break;
        case 6:
            take_binary(c, &field, &chunk->min_value);
            break;
        case 7:
            chunk->max_is_inexact = field.type == FALSE;
            skip(c, field.type, false);
            break;
        case 8:
            chunk->min_is_inexact = field.type == FALSE;
            skip(c, field.type, false);
            break;
        default:
            skip(c, field.type, false);
        }
}

static void read_column(struct cursor *c, struct chunk *chunk) {
    struct field field = {0};
    chunk->is_described = true;
    while (next_field(c, &field)) switch (field.id) {
        case 1:
            take_number(c, &field, &chunk->type);
            break;
        case 4:
            take_number(c, &field, &chunk->codec);
            break;
        case 5:
            take_number(c, &field, &chunk->values);
            break;
        case 6:
            take_number(c, &field, &chunk->uncompressed);
            break;
        case 7:
            take_number(c, &field, &chunk->compressed);
            break;
        case 9:
            take_number(c, &field, &chunk->data_offset);
            break;
        case 11:
            take_number(c, &field, &chunk->dictionary_offset);
            break;
        case 12:
            if (field.type == STRUCT) {
                read_statistics(c, chunk);
                break;
            } /* fall through */
        default:
            skip(c, field.type, false);
        }
}

static void read_chunk(struct cursor *c, struct chunk *chunk) {
    static const struct place absent = {NONE, 0};
    struct field field = {0};
    *chunk = (struct chunk){.type = NONE,
                            .codec = NONE,
                            .values = NONE,
                            .uncompressed = NONE,
                            .compressed = NONE,
                            .data_offset = NONE,
                            .dictionary_offset = NONE,
                            .nulls = NONE,
                            .min_value = absent,
                            .max_value = absent,
                            .old_min = absent,
                            .old_max = absent};
    while (next_field(c, &field)) {
        struct place path = absent;
        if (field.id == 1) {
            take_binary(c, &field, &path);
            chunk->is_elsewhere = path.length > 0;
        } else if (field.id == 3 && field.type == STRUCT) {
            read_column(c, chunk);
        } else {
            if (field.id == 8 || field.id == 9) chunk->is_encrypted = true;
            skip(c, field.type, false);
        }
    }
}

static void read_chunks(struct cursor *c, struct footer *footer, struct group *group) {
    int type;
    uint64_t count = read_list(c, &type);
    if (type != STRUCT) refuse(c, MALFORMED);
    group->columns = (int64_t)count;
    for (; count-- && !c->refusal; footer->chunk_count++) {
        struct chunk spare;
        bool has_room = footer->chunk_count < footer->chunk_room;
        read_chunk(c, has_room ? footer->chunks + footer->chunk_count : &spare);
    }
}

static void read_group(struct cursor *c, struct footer *footer, struct group *group) {
    struct field field = {0};
    *group = (struct group){.rows = NONE};
    while (next_field(c, &field)) switch (field.id) {
        case 1:
            if (field.type == LIST) {
                read_chunks(c, footer, group);
                break;
            } /* fall through */
        default:
            skip(c, field.type, false);
            break;
        case 2:
            take_number(c, &field, &group->bytes);
            break;
        case 3:
            take_number(c, &field, &group->rows);
            break;
        }
}

static int64_t read_order(struct cursor *c) {
    struct field field = {0};
    int64_t order = 0;
    while (next_field(c, &field)) {
        order = field.id;
        skip(c, field.type, false);
    }
    return order;
}

/* Reads a list of structures that are kept: the schema's, the row groups', or the column orders'. */
static void read_table(struct cursor *c, struct footer *footer, int64_t id) {
    int type;
    uint64_t count = read_list(c, &type);
    if (count && type != STRUCT) refuse(c, MALFORMED);
    for (; count-- && !c->refusal;) {
        struct element element;
        struct group group;
        int64_t order;
        if (id == 2) {
            read_element(c, &element);
            if (footer->element_count < footer->element_room) footer->elements[footer->element_count] = element;
            footer->element_count++;
        } else if (id == 4) {
            read_group(c, footer, &group);
            if (footer->group_count < footer->group_room) footer->groups[footer->group_count] = group;
            footer->group_count++;
        } else {
            order = read_order(c);
            if (footer->order_count < footer->order_room) footer->orders[footer->order_count] = order;
            footer->order_count++;
        }
    }
}

/* Checks that the elements are one tree of bounded depth, and counts its leaves. */
static void check_schema(struct cursor *c, struct footer *footer) {
    int64_t left[MAX_NESTING];
    int depth = 0;
    for (int64_t number = 0; number < footer->element_count && !c->refusal; number++) {
        const struct element *element = footer->elements + number;
        bool is_typed = element->type != NONE;
        if (number && !depth) refuse(c, BAD_SCHEMA); /* more than the root's tree */
        if (element->children < 0 || (is_typed && (element->type < 0 || element->type > MAX_TYPE)))
            refuse(c, BAD_SCHEMA);
        if (element->type_length < 0 || element->type_length > INT32_MAX) refuse(c, BAD_SCHEMA);
        if (element->name.start < 0 || (number && (element->repetition < 0 || element->repetition > 2)))
            refuse(c, BAD_SCHEMA);
        if (c->refusal) return;
        if (depth) left[depth - 1]--;
        /* A group may have no fields; then it has no type either. */
        if (element->children) {
            if (depth == MAX_NESTING) {
                refuse(c, TOO_DEEP);
                return;
            }
            left[depth++] = element->children;
        } else if (number && is_typed) {
            footer->leaves++;
        }
        while (depth && !left[depth - 1]) depth--;
    }
    if (depth || !footer->element_count) refuse(c, BAD_SCHEMA);
}

static void check_groups(struct cursor *c, struct footer *footer) {
    int64_t rows = 0;
    for (int64_t number = 0; number < footer->group_count && !c->refusal; number++) {
        const struct group *group = footer->groups + number;
        if (group->rows < 0 || group->columns != footer->leaves || group->rows > INT64_MAX - rows) refuse(c, BAD_COUNT);
        if (!c->refusal) rows += group->rows;
    }
    if (rows != footer->rows) refuse(c, BAD_COUNT);
}

static enum refusal judge_chunk(const struct chunk *chunk, int64_t type, int64_t end) {
    if (chunk->is_encrypted) return ENCRYPTED;
    if (chunk->is_elsewhere) return ELSEWHERE;
    if (!chunk->is_described || chunk->type != type || chunk->values < 0 || chunk->compressed < 0 ||
        chunk->uncompressed < 0 || chunk->data_offset < 0)
        return BAD_CHUNK;
    if (!chunk->compressed) return 0;
    int64_t start = chunk->data_offset, dictionary = chunk->dictionary_offset;
    if (dictionary > 0 && dictionary < start) start = dictionary;
    return start > end || chunk->compressed > end - start || chunk->data_offset > end ? OUTSIDE : 0;
}

/* At this point, every row group has a chunk for each leaf. */
static void check_chunks(struct cursor *c, struct footer *footer) {
    int64_t number = 0;
    while (number < footer->chunk_count)
        for (const struct element *element = footer->elements + 1;
             element < footer->elements + footer->element_count && !c->refusal; element++) {
            if (element->children || element->type == NONE) continue;
            enum refusal refusal = judge_chunk(footer->chunks + number, element->type, footer->end);
            footer->faulty_chunk = number++;
            if (refusal) {
                refuse(c, refusal);
                return;
            }
        }
}

/*
 * Reads a footer into its tables. Returns 0, or the reason for the rejection; NO_ROOM requests tables of the sizes in
 * *_count.
 */
int64_t read_footer(const uint8_t *data, int64_t size, struct footer *footer) {
    struct cursor c = {.start = data, .at = data, .end = data + size};
    struct field field = {0};
    footer->rows = footer->is_encrypted = footer->leaves = 0;
    footer->element_count = footer->group_count = footer->chunk_count = footer->order_count = 0;
    footer->created_by = footer->schema = (struct place){NONE, 0};
    while (next_field(&c, &field)) {
        if ((field.id == 2 || field.id == 4 || field.id == 7) && field.type == LIST) {
            const uint8_t *start = c.at;
            read_table(&c, footer, field.id);
            if (field.id == 2) footer->schema = (struct place){start - c.start, c.at - start};
        } else if (field.id == 3) {
            take_number(&c, &field, &footer->rows);
        } else if (field.id == 6) {
            take_binary(&c, &field, &footer->created_by);
        } else {
            footer->is_encrypted |= field.id == 8 || field.id == 9;
            skip(&c, field.type, false);
        }
    }
    if (c.refusal) return c.refusal;
    if (footer->element_count > footer->element_room || footer->group_count > footer->group_room ||
        footer->chunk_count > footer->chunk_room || footer->order_count > footer->order_room)
        return NO_ROOM;
    check_schema(&c, footer);
    if (!c.refusal) check_groups(&c, footer);
    if (!c.refusal) check_chunks(&c, footer);
    return c.refusal;
}
