/*
 * Joins the texts of columns to rows of CSV or JSON, and quotes and escapes them in the same pass.
 *
 * Columns are Arrow's strings (columnar format, "Variable-size Binary Layout"), timestamps or 64-bit integers.
 * measure_rows returns an upper bound of the rows' size; join_rows writes them. Texts are copied and checked eight
 * bytes at a time; only texts that need quotes or escapes are written again, byte by byte. For a null only the validity
 * bit is used; the bytes of its slot never reach a row.
 *
 * Nothing is read beyond a column's last text: a word that would cross its end is assembled from the remaining bytes.
 * Up to one word is written beyond a row's end; measure_rows reserves room for it.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define WORD 8

/* row_joining.py declares the same structures. */
enum mode { AS_IS, CSV, JSON, TIME, INTEGER };

/* Among the bytes of all literals, which end with WORD bytes more. */
struct literal {
    uint32_t start, length;
};

struct column {
    const int32_t *offsets;  /* of the first row; of times and integers none */
    const uint8_t *data;     /* of times and integers the first row's */
    const uint8_t *validity; /* NULL: no nulls */
    int64_t first_bit;       /* the first row's in validity */
    struct literal before, after, null;
    uint32_t mode;
    uint32_t digits;    /* of a time's fraction of a second */
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
 * Copies a text, and returns whether it contains a byte that mode quotes or escapes. Writes whole words; reads nothing
 * from limit on.
 *
 * Both processors of Lambda are little-endian.
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

/* Escapes only what RFC 8259 requires. */
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

static inline void write_number(uint8_t *to, uint32_t number, unsigned digits) {
    for (; digits-- > 0; number /= 10) to[digits] = (uint8_t)('0' + number % 10);
}

/*
 * Writes the date a number of days after 0000-03-01. Years begin in March, so that a leap day is a year's last day.
 *
 * Source: Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms", civil_from_days.
 */
static inline void write_day(uint8_t *to, uint32_t days) {
    uint32_t era = days / 146097, day = days % 146097;
    uint32_t year = (day - day / 1460 + day / 36524 - day / 146096) / 365;
    day -= 365 * year + year / 4 - year / 100;
    uint32_t month = (5 * day + 2) / 153;
    write_number(to, era * 400 + year + (month >= 10), 4);
    to[4] = to[7] = '-';
    write_number(to + 5, month < 10 ? month + 3 : month - 9, 2);
    write_number(to + 8, day - (153 * month + 2) / 5 + 1, 2);
}

#define DAY_SECONDS 86400
#define EPOCH_DAYS 719468 /* from 0000-03-01 to 1970-01-01 */
#define SECOND_LENGTH 19

/* Writes a time such as 2024-05-31T09:30:00.000, which must be in the years 1 to 9999. */
static inline uint8_t *write_time(uint8_t *to, int64_t count, uint32_t digits) {
    static const int64_t units[] = {1, 10, 100, 1000, 10000, 100000, 1000000, 10000000, 100000000, 1000000000};
    int64_t seconds = count / units[digits], fraction = count % units[digits];
    if (fraction < 0) {
        seconds--;
        fraction += units[digits];
    }
    uint64_t since = (uint64_t)(seconds + (int64_t)EPOCH_DAYS * DAY_SECONDS);
    uint32_t second = (uint32_t)(since % DAY_SECONDS);
    write_day(to, (uint32_t)(since / DAY_SECONDS));
    to[10] = 'T';
    write_number(to + 11, second / 3600, 2);
    to[13] = to[16] = ':';
    write_number(to + 14, second / 60 % 60, 2);
    write_number(to + 17, second % 60, 2);
    if (!digits) return to + SECOND_LENGTH;
    to[SECOND_LENGTH] = '.';
    write_number(to + SECOND_LENGTH + 1, (uint32_t)fraction, digits);
    return to + SECOND_LENGTH + 1 + digits;
}

#define INTEGER_LENGTH 20 /* -9223372036854775808 */

static inline uint8_t *write_integer(uint8_t *to, int64_t value) {
    uint64_t rest = value < 0 ? 0 - (uint64_t)value : (uint64_t)value, limit = 10;
    unsigned digits = 1;
    for (; digits < INTEGER_LENGTH - 1 && rest >= limit; digits++) limit *= 10;
    if (value < 0) *to++ = '-';
    for (unsigned place = digits; place-- > 0; rest /= 10) to[place] = (uint8_t)('0' + rest % 10);
    return to + digits;
}

static inline uint8_t *write_value(uint8_t *to, const struct table *table, const struct column *column, int64_t row) {
    if (!column->offsets) {
        int64_t value;
        memcpy(&value, column->data + row * (int64_t)sizeof value, sizeof value);
        return column->mode == TIME ? write_time(to, value, column->digits) : write_integer(to, value);
    }
    const int32_t *offset = column->offsets + row;
    return write_text(to, column, column->data + offset[0], column->data + offset[1],
                      column->data + column->offsets[table->rows]);
}

static inline uint8_t *write_cell(uint8_t *to, const struct table *table, const struct column *column, int64_t row) {
    int64_t bit = column->first_bit + row;
    if (column->validity && !(column->validity[bit / 8] >> bit % 8 & 1)) return write_literal(to, table, &column->null);
    to = write_literal(to, table, &column->before);
    to = write_value(to, table, column, row);
    return column->after.length ? write_literal(to, table, &column->after) : to;
}

/* Counts what is written as two bytes (quotes; in JSON backslashes too), and what else is a stop. */
static void count_stops(place at, place end, enum mode mode, int64_t *pairs, int64_t *others) {
    while (at < end) {
        /* Few enough for counts in bytes, so that the compiler vectorizes the loop. */
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

/* Returns an upper bound of the size of a column's texts, without the literals around them. */
static int64_t measure_texts(struct column *column, int64_t rows) {
    if (column->mode == TIME) return rows * (SECOND_LENGTH + 1 + (int64_t)column->digits);
    if (column->mode == INTEGER) return rows * INTEGER_LENGTH;
    int64_t pairs = 0, others = 0, start = column->offsets[0], end = column->offsets[rows];
    if (column->mode != AS_IS) count_stops(column->data + start, column->data + end, column->mode, &pairs, &others);
    column->has_stops = pairs || others;
    return end - start + pairs + (column->mode == CSV ? 2 * rows : 5 * others);
}

/*
 * Returns an upper bound of the bytes that join_rows writes; call it first.
 *
 * That is enough: each text counts with its length, in CSV with two quotes, which any may get, and with one byte more
 * for each quote; in JSON with one byte more for each quote and backslash, and five for each control character, whose
 * longest escape has six. All times have the same length; no
 * integer has a longer one than the least. The bytes of nulls count, but are not written. Each cell
 * counts with the longer of what stands around a text and what stands for a null. At the end there is room for a word
 * beyond the last row.
 */
int64_t measure_rows(struct table *table) {
    int64_t size = WORD + table->rows * table->end.length;
    for (struct column *column = table->columns; column < table->columns + table->width; column++) {
        int64_t around = (int64_t)column->before.length + column->after.length, null = column->null.length;
        size += table->rows * (around > null ? around : null) + measure_texts(column, table->rows);
    }
    return size;
}

/*
 * Writes the rows, and returns their size in bytes.
 *
 * ends: the end of each row after a first 0, like Arrow's offsets; or NULL. They are valid up to 2 GiB.
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
