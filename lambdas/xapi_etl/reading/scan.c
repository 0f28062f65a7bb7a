/*
 * Fast path of the xAPI ETL: finds the mapped values in lines of JSON and builds nothing else.
 *
 * find_lines finds the start and end of each line, scan_lines the position of each mapped value in a line, and
 * copy_texts copies the values into Arrow columns.
 *
 * A line that is not strict JSON (RFC 8259), or that needs a closer look, takes the slow path: it is left to the
 * careful parser, documents.py. Reasons are repeated keys, values of another type, numbers near the limits and deep
 * nesting. For any other line both parsers give the same values. The caller checks that texts are UTF-8.
 *
 * No byte is read beyond the block's end. Each line is followed by a line end, or by the NUL that follows the bytes of
 * a Python object, and reading never continues past such a byte: white space within a line is blanks and tabs, and a
 * control character within a text sends the line to the slow path.
 */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Deeper lines take the slow path: each level uses some stack. */
#define MAX_DEPTH 64
/* Longer numbers take the slow path; with an exponent of two digits, shorter ones are within a double's range. */
#define MAX_NUMBER_LENGTH 200
#define MAX_EXPONENT_DIGITS 2
/* Any whole number of at most this many characters fits into 64 bits. */
#define MAX_INTEGER_LENGTH 18

/* 2^64 divided by the golden ratio. */
#define GOLDEN 0x9E3779B97F4A7C15ull

/* scanner.py defines these four structures, too. */
enum kind { OBJECT, TEXT, NUMBER, INTEGER, FLAG, RAW };

/* A key on a mapped path; the first node, without a key, is the document. */
struct node {
    uint32_t key_start, key_length; /* in the bytes of all keys */
    uint32_t slots_start, slots;    /* hash table of its children: a power of two, or 0 for a leaf */
    uint32_t kind;
    uint32_t leaf; /* number of the leaf, unless the node is an object */
};

struct tree {
    const struct node *nodes;
    const uint8_t *keys;
    const uint32_t *slots; /* numbers of nodes; 0 is an empty slot */
};

/* Position of a value; of a text, without its quotes. A line begins with a brace, so 0 means no value. */
struct span {
    uint32_t start;
    uint32_t length; /* ESCAPED is set if the text contains escapes */
};
#define ESCAPED 0x80000000u

struct block {
    const uint8_t *data;
    uint64_t size;
    const int64_t *starts, *ends;
    uint32_t lines;
};

/* State of the scan of a line. */
struct scan {
    const struct tree *tree;
    const uint8_t *data, *end; /* of the block */
    uint32_t line, lines;
    uint32_t *seen;     /* for each node, the last line that contained it, from 1 */
    struct span *spans; /* [leaf][line] */
};

/* Position in the block. Functions that read a token return its end, or NULL for the slow path. */
typedef const uint8_t *cursor;

static cursor read_value(const struct scan *scan, cursor at, unsigned depth);

static inline cursor skip_blanks(cursor at) {
    while (*at == ' ' || *at == '\t') at++;
    return at;
}

static inline bool is_digit(uint8_t byte) { return byte >= '0' && byte <= '9'; }

static inline cursor read_word(cursor at, const char *word) {
    for (; *word; at++, word++)
        if (*at != (uint8_t)*word) return NULL;
    return at;
}

static cursor read_hex(cursor at, uint32_t *number) {
    *number = 0;
    for (cursor end = at + 4; at < end; at++) {
        uint8_t lower = *at | 0x20;
        if (!is_digit(*at) && (lower < 'a' || lower > 'f')) return NULL;
        *number = *number << 4 | (uint32_t)(is_digit(*at) ? *at - '0' : lower - 'a' + 10);
    }
    return at;
}

static inline bool is_high(uint32_t number) { return number >= 0xD800 && number <= 0xDBFF; }
static inline bool is_low(uint32_t number) { return number >= 0xDC00 && number <= 0xDFFF; }

/* Starts after the backslash. A character beyond U+FFFF is a surrogate pair; an unpaired one takes the slow path. */
static cursor read_escape(cursor at, uint32_t *character) {
    static const char letters[] = "\"\\/bfnrt", meanings[] = "\"\\/\b\f\n\r\t";
    uint32_t low;
    if (*at != 'u') {
        for (unsigned i = 0; i < sizeof letters - 1; i++)
            if (*at == (uint8_t)letters[i]) {
                *character = (uint8_t)meanings[i];
                return at + 1;
            }
        return NULL;
    }
    if (!(at = read_hex(at + 1, character)) || is_low(*character)) return NULL;
    if (!is_high(*character)) return at;
    if (at[0] != '\\' || at[1] != 'u' || !(at = read_hex(at + 2, &low)) || !is_low(low)) return NULL;
    *character = 0x10000 + ((*character - 0xD800) << 10) + (low - 0xDC00);
    return at;
}

/* Texts are scanned eight bytes at a time; both of Lambda's architectures are little-endian. */
#define EACH_BYTE 0x0101010101010101ull

/* Sets the highest bit of each quote, backslash and control character; valid up to the first one. */
static inline uint64_t mark_stops(uint64_t word) {
    uint64_t quotes = word ^ EACH_BYTE * '"', slashes = word ^ EACH_BYTE * '\\';
    uint64_t below = (word - EACH_BYTE * 0x20) | (quotes - EACH_BYTE) | (slashes - EACH_BYTE);
    return below & ~word & EACH_BYTE * 0x80;
}

/* Reads from after the opening quote to the closing quote. */
static inline cursor find_quote(const struct scan *scan, cursor at, bool *has_escapes) {
    uint32_t character;
    for (;;) {
        for (uint64_t word, stops; scan->end - at >= 8; at += 8) {
            memcpy(&word, at, 8);
            if ((stops = mark_stops(word))) {
                at += __builtin_ctzll(stops) / 8;
                break;
            }
        }
        while (*at >= 0x20 && *at != '"' && *at != '\\') at++;
        if (*at == '"') return at;
        if (*at != '\\' || !(at = read_escape(at + 1, &character))) return NULL;
        *has_escapes = true;
    }
}

static inline cursor read_digits(cursor at) {
    if (!is_digit(*at)) return NULL;
    while (is_digit(*at)) at++;
    return at;
}

static cursor read_number(cursor at, bool *is_whole, bool *is_huge) {
    cursor start = at, exponent;
    at += *at == '-';
    at = *at == '0' ? at + 1 : read_digits(at);
    if (at && *at == '.') {
        *is_whole = false;
        at = read_digits(at + 1);
    }
    if (at && (*at | 0x20) == 'e') {
        *is_whole = false;
        exponent = at + 1 + (at[1] == '+' || at[1] == '-');
        at = read_digits(exponent);
        *is_huge |= at && at - exponent > MAX_EXPONENT_DIGITS;
    }
    *is_huge |= at && at - start > MAX_NUMBER_LENGTH;
    return at;
}

static cursor read_list(const struct scan *scan, cursor at, unsigned depth) {
    if (depth == MAX_DEPTH) return NULL;
    at = skip_blanks(at + 1);
    if (*at == ']') return at + 1;
    for (;; at++) {
        if (!(at = read_value(scan, skip_blanks(at), depth + 1))) return NULL;
        at = skip_blanks(at);
        if (*at == ']') return at + 1;
        if (*at != ',') return NULL;
    }
}

/* Reads from a key's opening quote to its value. */
static inline cursor read_key(const struct scan *scan, cursor at, size_t *length, bool *has_escapes) {
    cursor start = at + 1;
    if (*at != '"' || !(at = find_quote(scan, start, has_escapes))) return NULL;
    *length = (size_t)(at - start);
    at = skip_blanks(at + 1);
    return *at == ':' ? skip_blanks(at + 1) : NULL;
}

static cursor read_object(const struct scan *scan, cursor at, unsigned depth) {
    size_t length;
    bool has_escapes = false;
    if (depth == MAX_DEPTH) return NULL;
    at = skip_blanks(at + 1);
    if (*at == '}') return at + 1;
    for (;; at++) {
        if (!(at = read_key(scan, skip_blanks(at), &length, &has_escapes))) return NULL;
        if (!(at = read_value(scan, at, depth + 1))) return NULL;
        at = skip_blanks(at);
        if (*at == '}') return at + 1;
        if (*at != ',') return NULL;
    }
}

/* Reads a value that no column needs. */
static cursor read_value(const struct scan *scan, cursor at, unsigned depth) {
    bool has_escapes = false, is_whole = true, is_huge = false;
    switch (*at) {
    case '"':
        at = find_quote(scan, at + 1, &has_escapes);
        return at ? at + 1 : NULL;
    case '{':
        return read_object(scan, at, depth);
    case '[':
        return read_list(scan, at, depth);
    case 't':
        return read_word(at, "true");
    case 'f':
        return read_word(at, "false");
    case 'n':
        return read_word(at, "null");
    default:
        return read_number(at, &is_whole, &is_huge);
    }
}

/* Records the position of a leaf's value; a raw value is kept as JSON. */
static cursor extract_value(const struct scan *scan, cursor at, const struct node *node, unsigned depth) {
    bool has_escapes = false, is_whole = true, is_huge = false;
    cursor start = at;
    if (*at == 'n') return read_word(at, "null");
    switch (node->kind) {
    case TEXT:
        at = *at == '"' ? find_quote(scan, ++start, &has_escapes) : NULL;
        break;
    case RAW:
        at = read_value(scan, at, depth);
        break;
    case FLAG:
        at = read_word(at, *at == 't' ? "true" : "false");
        break;
    default:
        at = read_number(at, &is_whole, &is_huge);
        if (at && node->kind == INTEGER) is_huge |= !is_whole || at - start > MAX_INTEGER_LENGTH;
    }
    if (!at || is_huge) return NULL;
    /* The careful parser reads -0 as a whole number, which has no sign. */
    if (node->kind == NUMBER && at - start == 2 && !memcmp(start, "-0", 2)) return NULL;
    scan->spans[(size_t)node->leaf * scan->lines + scan->line] =
        (struct span){(uint32_t)(start - scan->data), (uint32_t)(at - start) | (has_escapes ? ESCAPED : 0)};
    return at + (node->kind == TEXT);
}

static inline uint64_t load_bytes(cursor at, size_t length) {
    uint64_t word = 0;
    if (length >= 8)
        memcpy(&word, at, 8);
    else
        while (length-- > 0) word = word << 8 | at[length];
    return word;
}

/*
 * Returns a key's first slot, computed from its length and its first and last eight bytes as in scanner.py. The highest
 * bits of a product depend on all bits of the factors (Fibonacci hashing).
 */
static inline uint32_t choose_slot(cursor key, size_t length, uint32_t slots) {
    uint64_t head = load_bytes(key, length), tail = length > 8 ? load_bytes(key + length - 8, 8) : 0;
    uint64_t product = (head * GOLDEN ^ tail) * GOLDEN;
    return (uint32_t)((product >> 32) * slots >> 32) + (uint32_t)length;
}

static inline const struct node *find_child(const struct tree *tree, const struct node *parent, cursor key,
                                            size_t length) {
    const uint32_t *slots = tree->slots + parent->slots_start;
    for (uint32_t slot = choose_slot(key, length, parent->slots);; slot++) {
        const struct node *node = tree->nodes + slots[slot & (parent->slots - 1)];
        if (node == tree->nodes) return NULL;
        if (node->key_length == length && !memcmp(tree->keys + node->key_start, key, length)) return node;
    }
}

/* Reads an object on a mapped path. A repeated key takes the slow path, where the last value counts. */
static cursor extract_object(const struct scan *scan, cursor at, const struct node *node, unsigned depth) {
    if (*at == 'n') return read_word(at, "null");
    if (*at != '{' || depth == MAX_DEPTH) return NULL;
    at = skip_blanks(at + 1);
    if (*at == '}') return at + 1;
    for (;; at++) {
        size_t length;
        bool has_escapes = false;
        cursor quote = skip_blanks(at);
        if (!(at = read_key(scan, quote, &length, &has_escapes)) || has_escapes) return NULL;
        const struct node *child = find_child(scan->tree, node, quote + 1, length);
        if (!child) {
            at = read_value(scan, at, depth + 1);
        } else {
            uint32_t *seen = &scan->seen[child - scan->tree->nodes];
            if (*seen == scan->line + 1) return NULL;
            *seen = scan->line + 1;
            at = child->kind == OBJECT ? extract_object(scan, at, child, depth + 1)
                                       : extract_value(scan, at, child, depth + 1);
        }
        if (!at) return NULL;
        at = skip_blanks(at);
        if (*at == '}') return at + 1;
        if (*at != ',') return NULL;
    }
}

static inline cursor find_byte(cursor at, cursor limit, int byte) {
    cursor found = memchr(at, byte, (size_t)(limit - at));
    return found ? found : limit;
}

/*
 * Finds the lines of a block without blank ones and returns their number; CR, LF and CR LF each end a line. Without
 * arrays for the positions, returns an upper limit of the number.
 */
uint64_t find_lines(const uint8_t *data, uint64_t size, int64_t *starts, int64_t *ends) {
    cursor limit = data + size, feed = find_byte(data, limit, '\n'), back = find_byte(data, limit, '\r');
    uint64_t lines = 0;
    for (cursor at = data, end; at < limit; at = end + 1) {
        end = feed < back ? feed : back;
        /* Each search starts after the previous result, so that no byte is searched twice. */
        if (end < limit && end == feed) feed = find_byte(end + 1, limit, '\n');
        if (end < limit && end == back) back = find_byte(end + 1, limit, '\r');
        if (starts) {
            if (skip_blanks(at) == end) continue;
            starts[lines] = at - data;
            ends[lines] = end - data;
        }
        lines++;
    }
    return lines;
}

static bool extract_line(const struct scan *scan, cursor at, cursor end) {
    if (*end != '\n' && *end != '\r' && *end != '\0') return false;
    at = skip_blanks(at);
    if (*at != '{') return false; /* null is not a document */
    at = extract_object(scan, at, scan->tree->nodes, 0);
    return at && skip_blanks(at) == end;
}

/*
 * Finds the mapped values of the block's lines.
 *
 * seen: one number for each node, all 0. spans: [leaf][line], all 0; a missing value and all values of a slow-path line
 * stay 0. slow_path: receives 1 or 0 for each line.
 */
void scan_lines(const struct block *block, const struct tree *tree, uint32_t leaves, uint32_t *seen, struct span *spans,
                uint8_t *slow_path) {
    struct scan scan = {tree, block->data, block->data + block->size, 0, block->lines, seen, spans};
    for (uint32_t line = 0; line < block->lines; line++) {
        scan.line = line;
        slow_path[line] = !extract_line(&scan, block->data + block->starts[line], block->data + block->ends[line]);
        if (slow_path[line])
            for (uint32_t leaf = 0; leaf < leaves; leaf++)
                spans[(size_t)leaf * block->lines + line] = (struct span){0, 0};
    }
}

static uint8_t *write_utf8(uint8_t *to, uint32_t character) {
    if (character < 0x80) {
        *to++ = (uint8_t)character;
        return to;
    }
    unsigned more = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    *to++ = (uint8_t)(0xF0u << (3 - more) | character >> 6 * more);
    while (more-- > 0) *to++ = (uint8_t)(0x80 | (character >> 6 * more & 0x3F));
    return to;
}

/* Unescapes a text; an escape is never shorter than the bytes that it stands for. */
static uint8_t *write_text(uint8_t *to, cursor at, cursor end) {
    while (at < end) {
        uint32_t character;
        if (*at != '\\') {
            *to++ = *at++;
        } else {
            at = read_escape(at + 1, &character);
            to = write_utf8(to, character);
        }
    }
    return to;
}

/* Returns the number of values that are present. */
static uint32_t copy_leaf(const uint8_t *data, const struct span *spans, uint32_t lines, int32_t *offsets,
                          uint8_t *validity, uint8_t *texts) {
    uint8_t *to = texts;
    uint32_t found = 0;
    for (uint32_t line = 0; line < lines; line++) {
        offsets[line] = (int32_t)(to - texts);
        if (!spans[line].start) continue;
        cursor from = data + spans[line].start;
        uint32_t length = spans[line].length & ~ESCAPED;
        if (spans[line].length & ESCAPED) {
            to = write_text(to, from, from + length);
        } else {
            memcpy(to, from, length);
            to += length;
        }
        validity[line / 8] |= (uint8_t)(1u << line % 8);
        found++;
    }
    offsets[lines] = (int32_t)(to - texts);
    return found;
}

/*
 * Copies the values of each leaf one after another, in the layout of Arrow's strings (columnar format, "Variable-size
 * Binary Layout").
 *
 * offsets: [leaf][lines + 1]. validity: [leaf][one bit for each line, in whole bytes], all 0. texts: room for all
 * spans. starts: the start of each leaf's values in texts. found: receives the number of values of each leaf.
 */
void copy_texts(const uint8_t *data, const struct span *spans, uint32_t leaves, uint32_t lines, int32_t *offsets,
                uint8_t *validity, uint8_t *texts, const int64_t *starts, uint32_t *found) {
    size_t all = lines, bytes = (all + 7) / 8;
    for (size_t leaf = 0; leaf < leaves; leaf++)
        found[leaf] = copy_leaf(data, spans + leaf * all, lines, offsets + leaf * (all + 1), validity + leaf * bytes,
                                texts + starts[leaf]);
}
