/*
 * Measures the decoded size of Parquet pages (bytes and values) before they are decoded.
 *
 * Pages are untrusted: every read stays inside the buffer, and malformed data is rejected. No memory is allocated.
 *
 * Sources: apache/parquet-format, src/main/thrift/parquet.thrift (PageHeader) and Encodings.md; apache/thrift,
 * doc/specs/thrift-compact-protocol.md.
 */

#include <stdbool.h>
#include <stdint.h>

enum wire { STOP, TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID };

#define MAX_NESTING 16
/* decoded_sizes.py has the same numbers. */
#define INCOMPLETE 0
#define MALFORMED (-1)

struct page_header {
    int64_t type, uncompressed, compressed;
    int64_t values, encoding;
    int64_t rows;                   /* of a data page of version 2, else -1 */
    int64_t definition, repetition; /* bytes of levels of a data page of version 2, else -1 */
    int64_t is_compressed;
};

struct cursor {
    const uint8_t *at, *end;
    bool is_short, is_wrong;
};

static uint64_t read_varint(struct cursor *c) {
    uint64_t value = 0;
    for (unsigned shift = 0; shift < 64; shift += 7) {
        if (c->at >= c->end) {
            c->is_short = true;
            return 0;
        }
        uint8_t byte = *c->at++;
        value |= (uint64_t)(byte & 0x7F) << shift;
        if (!(byte & 0x80)) return value;
    }
    c->is_wrong = true;
    return 0;
}

static int64_t read_signed(struct cursor *c) {
    uint64_t value = read_varint(c);
    return (int64_t)(value >> 1) ^ -(int64_t)(value & 1);
}

static bool has_failed(const struct cursor *c) { return c->is_short || c->is_wrong; }

static void skip_bytes(struct cursor *c, uint64_t count) {
    if ((uint64_t)(c->end - c->at) < count)
        c->is_short = true;
    else
        c->at += count;
}

/* Returns the type of the next field, STOP at a structure's end; number becomes the field's. */
static uint8_t read_field(struct cursor *c, int64_t *number) {
    if (c->at >= c->end) {
        c->is_short = true;
        return STOP;
    }
    uint8_t head = *c->at++;
    if ((head & 0x0F) == STOP) return STOP;
    *number = head >> 4 ? *number + (head >> 4) : read_signed(c);
    return head & 0x0F;
}

static void skip_value(struct cursor *c, uint8_t type, unsigned depth);

static void skip_list(struct cursor *c, unsigned depth) {
    if (c->at >= c->end) {
        c->is_short = true;
        return;
    }
    uint8_t head = *c->at++;
    uint64_t count = head >> 4 == 15 ? read_varint(c) : head >> 4;
    for (; count-- > 0 && !has_failed(c);) {
        if ((head & 0x0F) == TRUE || (head & 0x0F) == FALSE)
            skip_bytes(c, 1);
        else
            skip_value(c, head & 0x0F, depth);
    }
}

static void skip_value(struct cursor *c, uint8_t type, unsigned depth) {
    int64_t number = 0;
    if (depth > MAX_NESTING) {
        c->is_wrong = true;
        return;
    }
    switch (type) {
    case TRUE:
    case FALSE:
        return;
    case BYTE:
        skip_bytes(c, 1);
        return;
    case I16:
    case I32:
    case I64:
        read_varint(c);
        return;
    case DOUBLE:
        skip_bytes(c, 8);
        return;
    case BINARY:
        skip_bytes(c, read_varint(c));
        return;
    case LIST:
    case SET:
        skip_list(c, depth + 1);
        return;
    case STRUCT:
        while (!has_failed(c) && (type = read_field(c, &number)) != STOP) skip_value(c, type, depth + 1);
        return;
    default:
        c->is_wrong = true; /* no other type is in a page header */
    }
}

static void read_page_of_data(struct cursor *c, struct page_header *header, int64_t version) {
    int64_t number = 0;
    uint8_t type;
    while (!has_failed(c) && (type = read_field(c, &number)) != STOP) {
        bool is_number = type == I32 || type == I64 || type == I16;
        if (number == 1 && is_number)
            header->values = read_signed(c);
        else if (number == (version == 2 ? 4 : 2) && is_number)
            header->encoding = read_signed(c);
        else if (version == 2 && number == 3 && is_number)
            header->rows = read_signed(c);
        else if (version == 2 && number == 5 && is_number)
            header->definition = read_signed(c);
        else if (version == 2 && number == 6 && is_number)
            header->repetition = read_signed(c);
        else if (version == 2 && number == 7 && (type == TRUE || type == FALSE))
            header->is_compressed = type == TRUE;
        else
            skip_value(c, type, 1);
    }
}

/* Reads the page header that data begins with; returns its length, INCOMPLETE or MALFORMED. */
int64_t read_page_header(const uint8_t *data, int64_t size, struct page_header *header) {
    struct cursor c = {data, data + size, false, false};
    int64_t number = 0;
    uint8_t type;
    *header = (struct page_header){-1, -1, -1, -1, -1, -1, -1, -1, 1};
    while (!has_failed(&c) && (type = read_field(&c, &number)) != STOP) {
        if (number == 1 && type == I32)
            header->type = read_signed(&c);
        else if (number == 2 && type == I32)
            header->uncompressed = read_signed(&c);
        else if (number == 3 && type == I32)
            header->compressed = read_signed(&c);
        else if ((number == 5 || number == 7) && type == STRUCT)
            read_page_of_data(&c, header, 1);
        else if (number == 8 && type == STRUCT)
            read_page_of_data(&c, header, 2);
        else
            skip_value(&c, type, 1);
    }
    if (c.is_wrong) return MALFORMED;
    if (c.is_short) return INCOMPLETE;
    return header->type < 0 || header->uncompressed < 0 || header->compressed < 0 ? MALFORMED : c.at - data;
}

static uint32_t read_word(const uint8_t *at) {
    return (uint32_t)at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

/* Returns the length of the longest text in PLAIN encoding, or MALFORMED. */
int64_t find_longest(const uint8_t *data, int64_t size) {
    int64_t longest = 0, at = 0;
    while (at < size) {
        if (size - at < 4) return MALFORMED;
        int64_t length = read_word(data + at);
        at += 4;
        if (length > size - at) return MALFORMED;
        at += length;
        if (length > longest) longest = length;
    }
    return longest;
}

struct deltas {
    struct cursor cursor;
    uint64_t miniblocks, per_miniblock; /* of a block; values of a miniblock */
    uint64_t left;                      /* values that are still to come */
    uint64_t last, least;
    const uint8_t *widths, *block;
    uint64_t miniblock, place; /* the next value's */
    bool is_first;
};

/* Starts reading numbers in DELTA_BINARY_PACKED encoding. */
static void begin_deltas(struct deltas *d, const uint8_t *data, const uint8_t *end) {
    *d = (struct deltas){.cursor = {data, end, false, false}, .is_first = true};
    uint64_t block = read_varint(&d->cursor);
    d->miniblocks = read_varint(&d->cursor);
    d->left = read_varint(&d->cursor);
    d->last = (uint64_t)read_signed(&d->cursor);
    if (!d->miniblocks || block > 1 << 20 || d->miniblocks > block || block % d->miniblocks)
        d->cursor.is_wrong = true;
    else
        d->per_miniblock = block / d->miniblocks;
    if (d->per_miniblock % 32) d->cursor.is_wrong = true;
    d->miniblock = d->miniblocks;
}

static void begin_block(struct deltas *d) {
    d->least = (uint64_t)read_signed(&d->cursor);
    d->widths = d->cursor.at;
    skip_bytes(&d->cursor, d->miniblocks);
    d->miniblock = d->place = 0;
    d->block = d->cursor.at;
}

/* Moves to the next miniblock; an empty miniblock at the end is not stored. */
static void end_miniblock(struct deltas *d) {
    skip_bytes(&d->cursor, d->per_miniblock / 8 * d->widths[d->miniblock]);
    d->block = d->cursor.at;
    d->miniblock++;
    d->place = 0;
}

static uint64_t read_packed(const uint8_t *data, uint64_t bit, unsigned width) {
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++, bit++) value |= (uint64_t)(data[bit / 8] >> bit % 8 & 1) << i;
    return value;
}

/* Returns the next number; at least one must remain. */
static int64_t next_delta(struct deltas *d) {
    d->left--;
    if (d->is_first) {
        d->is_first = false;
        return (int64_t)d->last;
    }
    if (d->miniblock >= d->miniblocks) begin_block(d);
    if (has_failed(&d->cursor)) return 0;
    unsigned width = d->widths[d->miniblock];
    if (width > 64 || (uint64_t)(d->cursor.end - d->block) < d->per_miniblock / 8 * width) {
        d->cursor.is_wrong = true;
        return 0;
    }
    d->last += d->least + read_packed(d->block, d->place * width, width);
    if (++d->place == d->per_miniblock || !d->left) end_miniblock(d);
    return (int64_t)d->last;
}

/* Returns the length of the longest text in DELTA_LENGTH_BYTE_ARRAY encoding, or MALFORMED. */
int64_t find_longest_delta(const uint8_t *data, int64_t size) {
    struct deltas lengths;
    int64_t longest = 0;
    begin_deltas(&lengths, data, data + size);
    if (has_failed(&lengths.cursor)) return MALFORMED;
    while (lengths.left) {
        int64_t length = next_delta(&lengths);
        if (has_failed(&lengths.cursor) || length < 0 || length > size) return MALFORMED;
        if (length > longest) longest = length;
    }
    return longest;
}

/*
 * Returns the total size of texts in DELTA_BYTE_ARRAY encoding, or MALFORMED; sets longest to the longest length.
 */
int64_t measure_delta_texts(const uint8_t *data, int64_t size, int64_t *longest) {
    struct deltas prefixes, suffixes;
    begin_deltas(&prefixes, data, data + size);
    struct deltas ahead = prefixes;
    while (ahead.left && !has_failed(&ahead.cursor)) next_delta(&ahead);
    if (has_failed(&ahead.cursor)) return MALFORMED;
    begin_deltas(&suffixes, ahead.cursor.at, data + size);
    int64_t total = 0;
    *longest = 0;
    if (has_failed(&suffixes.cursor) || suffixes.left != prefixes.left) return MALFORMED;
    while (prefixes.left) {
        int64_t prefix = next_delta(&prefixes), suffix = next_delta(&suffixes);
        if (has_failed(&suffixes.cursor) || prefix < 0 || suffix < 0 || prefix > INT32_MAX || suffix > INT32_MAX)
            return MALFORMED;
        total += prefix + suffix;
        if (prefix + suffix > *longest) *longest = prefix + suffix;
    }
    return total;
}

struct rows {
    int64_t rows;    /* that begin in the page */
    int64_t lead;    /* values before the first of them */
    int64_t longest; /* values of the longest of them, as far as it is in the page */
    int64_t current;
};

static void add_level(struct rows *rows, uint64_t level, int64_t count) {
    if (level) {
        if (rows->rows)
            rows->current += count;
        else
            rows->lead += count;
    } else {
        rows->rows += count;
        if (rows->longest < 1) rows->longest = 1;
        rows->current = 1;
    }
    if (rows->current > rows->longest) rows->longest = rows->current;
}

/* Counts the rows of repetition levels in RLE/bit-packed hybrid encoding; or returns MALFORMED. */
int64_t count_rows(const uint8_t *data, int64_t size, int64_t width, int64_t values, struct rows *rows) {
    struct cursor c = {data, data + size, false, false};
    *rows = (struct rows){0, 0, 0, 0};
    if (width < 1 || width > 16) return MALFORMED;
    while (values > 0) {
        uint64_t head = read_varint(&c), count = head >> 1;
        if (has_failed(&c) || !count || count > INT32_MAX) return MALFORMED;
        if (head & 1) {
            const uint8_t *packed = c.at;
            skip_bytes(&c, count * (uint64_t)width);
            if (has_failed(&c)) return MALFORMED;
            for (uint64_t i = 0; i < count * 8 && values > 0; i++, values--)
                add_level(rows, read_packed(packed, i * (uint64_t)width, (unsigned)width), 1);
        } else {
            uint64_t level = c.at < c.end ? *c.at : 0;
            if (width > 8 && c.end - c.at > 1) level |= (uint64_t)c.at[1] << 8;
            skip_bytes(&c, (uint64_t)(width + 7) / 8);
            if (has_failed(&c)) return MALFORMED;
            int64_t run = (int64_t)count < values ? (int64_t)count : values;
            add_level(rows, level, run);
            values -= run;
        }
    }
    return rows->rows;
}
