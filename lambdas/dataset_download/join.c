/*
 * Puts the texts of columns together to rows, quoting and escaping them on the way: for CSV and JSON.
 *
 * Columns are Arrow's strings (columnar format, "Variable-size Binary Layout"). measure_rows says how much room the
 * rows may need, join_rows writes them. Texts are copied eight bytes at a time, and looked at meanwhile; only those
 * that turn out to need it are written anew, byte by byte. Of a null nothing but that it is one comes into a row.
 *
 * Nothing is read beyond a column's last text: words that would reach further are put together from what is there.
 * Beyond a row's end up to seven bytes are written, for which measure_rows leaves room.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD 8

/* These structures are joining.py's, too. */
enum mode { AS_IS, CSV, JSON };

/* Among the bytes of all literals, which end with WORD bytes more. */
struct literal {
    uint32_t start, length;
};

struct column {
    const int32_t *offsets; /* of the first row */
    const uint8_t *data;
    const uint8_t *validity; /* NULL: no nulls */
    int64_t first_bit;       /* the first row's in validity */
    struct literal before, after, null;
    uint32_t mode;
    uint32_t has_stops; /* measure_rows sets it: whether any text holds what mode quotes or escapes */
};

struct table {
    struct column *columns;
    int64_t width, rows;
    const uint8_t *literals;
    int64_t literals_size;
    struct literal end; /* of a row */
};

typedef const uint8_t *place;

#define EACH_BYTE 0x0101010101010101ull

/* The highest bit of each byte that is the character; right up to the first one. */
static inline uint64_t mark_character(uint64_t word, uint8_t character) {
    uint64_t others = word ^ EACH_BYTE * character;
    return (others - EACH_BYTE) & ~others & EACH_BYTE * 0x80;
}

/* The same for each byte that mode quotes or escapes. */
static inline uint64_t mark_stops(uint64_t word, enum mode mode) {
    if (mode == AS_IS) return 0;
    uint64_t quotes = mark_character(word, '"');
    if (mode == JSON)
        return quotes | mark_character(word, '\\') | ((word - EACH_BYTE * 0x20) & ~word & EACH_BYTE * 0x80);
    return quotes | mark_character(word, ',') | mark_character(word, '\n') | mark_character(word, '\r');
}

/*
 * Copies a text, and tells whether it holds what mode quotes or escapes. Writes whole words; reads nothing from limit
 * on.
 *
 * Both of Lambda's processors have a word's lowest byte first.
 */
static inline bool copy_text(uint8_t *to, place at, int64_t length, place limit, enum mode mode) {
    uint64_t word, found = 0;
    for (; length > WORD; at += WORD, to += WORD, length -= WORD) {
        memcpy(&word, at, WORD);
        memcpy(to, &word, WORD);
        found |= mark_stops(word, mode);
    }
    if (limit - at >= WORD) {
        memcpy(&word, at, WORD);
    } else {
        word = 0;
        for (int64_t i = length; i-- > 0;) word = word << 8 | at[i];
    }
    memcpy(to, &word, WORD);
    uint64_t inside = length == WORD ? ~0ull : (1ull << 8 * length) - 1;
    return (found | (mark_stops(word, mode) & inside)) != 0;
}

static inline uint8_t *write_literal(uint8_t *to, const struct table *table, const struct literal *literal) {
    place limit = table->literals + table->literals_size;
    copy_text(to, table->literals + literal->start, literal->length, limit, AS_IS);
    return to + literal->length;
}

static uint8_t *write_csv(uint8_t *to, place at, place end) {
    *to++ = '"';
    for (; at < end; at++) {
        if (*at == '"') *to++ = '"';
        *to++ = *at;
    }
    *to++ = '"';
    return to;
}

/* Escapes what RFC 8259 does not allow in a text, and nothing else. */
static uint8_t *write_json(uint8_t *to, place at, place end) {
    static const char letters[] = "uuuuuuuubtnufruuuuuuuuuuuuuuuuuu", digits[] = "0123456789abcdef";
    for (; at < end; at++) {
        if (*at >= ' ') {
            if (*at == '"' || *at == '\\') *to++ = '\\';
            *to++ = *at;
            continue;
        }
        *to++ = '\\';
        *to++ = (uint8_t)letters[*at];
        if (letters[*at] != 'u') continue;
        *to++ = '0';
        *to++ = '0';
        *to++ = (uint8_t)digits[*at >> 4];
        *to++ = (uint8_t)digits[*at & 0xF];
    }
    return to;
}

/* An empty text is quoted in CSV, so that it is not a null. */
static inline uint8_t *write_text(uint8_t *to, const struct column *column, place at, place end, place limit) {
    bool has_stops;
    if (column->mode == CSV && at == end) return write_csv(to, at, end);
    if (!column->has_stops)
        has_stops = copy_text(to, at, end - at, limit, AS_IS);
    else if (column->mode == CSV)
        has_stops = copy_text(to, at, end - at, limit, CSV);
    else
        has_stops = copy_text(to, at, end - at, limit, JSON);
    if (!has_stops) return to + (end - at);
    return column->mode == CSV ? write_csv(to, at, end) : write_json(to, at, end);
}

static inline uint8_t *write_cell(uint8_t *to, const struct table *table, const struct column *column, int64_t row) {
    int64_t bit = column->first_bit + row;
    if (column->validity && !(column->validity[bit / 8] >> bit % 8 & 1)) return write_literal(to, table, &column->null);
    to = write_literal(to, table, &column->before);
    const int32_t *offset = column->offsets + row;
    to = write_text(to, column, column->data + offset[0], column->data + offset[1],
                    column->data + column->offsets[table->rows]);
    return column->after.length ? write_literal(to, table, &column->after) : to;
}

/* Counts what is written as two bytes (quotes; in JSON backslashes too), and what else is a stop. */
static void count_stops(place at, place end, enum mode mode, int64_t *pairs, int64_t *others) {
    while (at < end) {
        /* So few that bytes hold the counts: the compiler makes vectors of them. */
        place stop = end - at > UINT8_MAX ? at + UINT8_MAX : end;
        uint8_t few_pairs = 0, few_others = 0;
        if (mode == CSV)
            for (; at < stop; at++) {
                few_pairs += *at == '"';
                few_others += (*at == ',') | (*at == '\n') | (*at == '\r');
            }
        else
            for (; at < stop; at++) {
                few_pairs += (*at == '"') | (*at == '\\');
                few_others += *at < ' ';
            }
        *pairs += few_pairs;
        *others += few_others;
    }
}

/*
 * Returns how many bytes join_rows may write; to be called before it.
 *
 * That is enough: each text counts with its length, in CSV with two quotes, which any may get, and with one byte more
 * for each quote; in JSON with one byte more for each quote and backslash, and five for each control character, whose
 * longest escape has six. The bytes of nulls count, but are not written. Each cell counts with the longer of what
 * stands around a text and what stands for a null. At the end there is room for a word beyond the last row.
 */
int64_t measure_rows(struct table *table) {
    int64_t size = WORD + table->rows * table->end.length;
    for (struct column *column = table->columns; column < table->columns + table->width; column++) {
        int64_t around = (int64_t)column->before.length + column->after.length, null = column->null.length;
        int64_t pairs = 0, others = 0, start = column->offsets[0], end = column->offsets[table->rows];
        if (column->mode != AS_IS) count_stops(column->data + start, column->data + end, column->mode, &pairs, &others);
        column->has_stops = pairs || others;
        size += table->rows * (around > null ? around : null) + end - start + pairs;
        size += column->mode == CSV ? 2 * table->rows : 5 * others;
    }
    return size;
}

/*
 * Writes the rows, and returns how many bytes they have.
 *
 * ends: where each row ends, after a first 0, as Arrow's offsets are; or NULL. They are right up to 2 GiB.
 */
int64_t join_rows(const struct table *table, uint8_t *rows, int32_t *ends) {
    uint8_t *to = rows;
    if (ends) *ends++ = 0;
    for (int64_t row = 0; row < table->rows; row++) {
        for (const struct column *column = table->columns; column < table->columns + table->width; column++)
            to = write_cell(to, table, column, row);
        to = write_literal(to, table, &table->end);
        if (ends) *ends++ = (int32_t)(to - rows);
    }
    return to - rows;
}
