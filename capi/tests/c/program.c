/*
 * The C11 test program: all vectors of IEEE Std 1619-2007, Annex B, through the header, in one buffer and in pieces,
 * then the calls on pieces at length, then every misuse.
 *
 * Arguments: the file of vectors, and the version that the library must report.
 */
#include <stdint.h>
#include <string.h>

#include "atrest.h"
#include "check.h"

enum { MAX_LEN = 512, CANARY = 0xa5, MARGIN = 16 };

typedef struct {
    unsigned number;
    uint8_t key[64];
    size_t key_len;
    uint8_t tweak[16];
    uint8_t ptx[MAX_LEN];
    uint8_t ctx[MAX_LEN];
    size_t len;
} vector;

static unsigned nibble(char digit) {
    const char *const digits = "0123456789abcdef";
    const char *const found = digit == '\0' ? NULL : strchr(digits, digit);
    CHECK(found != NULL);
    return (unsigned)(found - digits);
}

/* Reads hex up to the end of the line; returns the number of bytes. */
static size_t unhex(const char *text, uint8_t *out, size_t room) {
    const size_t digits = strcspn(text, "\r\n");
    CHECK(digits % 2 == 0 && digits / 2 <= room);
    for (size_t i = 0; i < digits / 2; i++) {
        out[i] = (uint8_t)(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    }
    return digits / 2;
}

/* A buffer with margins, at an odd address, that notices writes outside. */
typedef struct {
    uint8_t bytes[MARGIN + 1 + 2 * MAX_LEN + MARGIN];
} guarded_buffer;

static uint8_t *prepare(guarded_buffer *buffer) {
    memset(buffer->bytes, CANARY, sizeof buffer->bytes);
    return buffer->bytes + MARGIN + 1;
}

static void check_margins(const guarded_buffer *buffer, size_t len) {
    for (size_t i = 0; i < sizeof buffer->bytes; i++) {
        const int inside = i >= MARGIN + 1 && i < MARGIN + 1 + len;
        CHECK(inside || buffer->bytes[i] == CANARY);
    }
}

typedef atrest_status unit_call(const atrest_xts *, const uint8_t[16], const uint8_t *, uint8_t *, size_t);
typedef atrest_status sectors_call(const atrest_xts *, uint64_t, size_t, const uint8_t *, uint8_t *, size_t);

static void check_unit(const atrest_xts *xts, const vector *v, unit_call *call, const uint8_t *from,
                       const uint8_t *to) {
    guarded_buffer buffer;
    uint8_t *dst = prepare(&buffer);
    uint8_t src[MAX_LEN];
    memcpy(src, from, v->len);
    CHECK(call(xts, v->tweak, src, dst, v->len) == ATREST_OK);
    CHECK(memcmp(dst, to, v->len) == 0);
    CHECK(memcmp(src, from, v->len) == 0);
    check_margins(&buffer, v->len);

    dst = prepare(&buffer);
    memcpy(dst, from, v->len);
    CHECK(call(xts, v->tweak, dst, dst, v->len) == ATREST_OK);
    CHECK(memcmp(dst, to, v->len) == 0);
    check_margins(&buffer, v->len);
}

/* The vector as a sector alone, and as the second of two: its number is then the first one's plus one. */
static void check_sectors(const atrest_xts *xts, const vector *v, uint64_t number, sectors_call *call,
                          const uint8_t *from, const uint8_t *to) {
    const size_t before_max = number == 0 ? 0 : 1;
    for (size_t before = 0; before <= before_max; before++) {
        const size_t len = (before + 1) * v->len;
        const uint64_t first = number - before;
        guarded_buffer buffer;
        uint8_t *dst = prepare(&buffer);
        uint8_t src[2 * MAX_LEN];
        memcpy(src, from, v->len);
        memcpy(src + before * v->len, from, v->len);
        CHECK(call(xts, first, v->len, src, dst, len) == ATREST_OK);
        CHECK(memcmp(dst + before * v->len, to, v->len) == 0);
        CHECK(memcmp(src + before * v->len, from, v->len) == 0);
        /* Another number makes another tweak. */
        CHECK(before == 0 || memcmp(dst, to, v->len) != 0);
        check_margins(&buffer, len);

        dst = prepare(&buffer);
        memcpy(dst, src, len);
        CHECK(call(xts, first, v->len, dst, dst, len) == ATREST_OK);
        CHECK(memcmp(dst + before * v->len, to, v->len) == 0);
        check_margins(&buffer, len);
    }
}

/* Cuts a buffer after `first` bytes, and after each 13 more. */
static size_t cut(struct iovec *pieces, uint8_t *bytes, size_t len, size_t first) {
    size_t count = 0, done = 0;
    while (done < len) {
        size_t now = done == 0 ? first : 13;
        if (now > len - done) now = len - done;
        pieces[count].iov_base = bytes + done;
        pieces[count].iov_len = now;
        done += now;
        count++;
    }
    return count;
}

typedef atrest_status iov_call(const atrest_xts *, uint64_t, size_t, const struct iovec *, size_t, const struct iovec *,
                               size_t);

static atrest_status in_pieces(iov_call *call, const atrest_xts *xts, uint64_t first, size_t size, const uint8_t *src,
                               uint8_t *dst, size_t len) {
    struct iovec from[2 * MAX_LEN], to[2 * MAX_LEN];
    uint8_t source[2 * MAX_LEN];
    const size_t count = cut(to, dst, len, 5);
    if (src == dst) return call(xts, first, size, to, count, to, count);
    /* A copy, since an iovec is not for memory that is const. */
    memcpy(source, src, len);
    return call(xts, first, size, from, cut(from, source, len, 9), to, count);
}

static atrest_status encrypt_in_pieces(const atrest_xts *xts, uint64_t first, size_t size, const uint8_t *src,
                                       uint8_t *dst, size_t len) {
    return in_pieces(atrest_xts_encrypt_iov, xts, first, size, src, dst, len);
}

static atrest_status decrypt_in_pieces(const atrest_xts *xts, uint64_t first, size_t size, const uint8_t *src,
                                       uint8_t *dst, size_t len) {
    return in_pieces(atrest_xts_decrypt_iov, xts, first, size, src, dst, len);
}

static void check_vector(const vector *v) {
    atrest_xts *xts = NULL;
    if (v->number == 1) {
        /* key1 = key2: only on request. */
        CHECK(atrest_xts_new(v->key, v->key_len, &xts) == ATREST_ERROR_EQUAL_HALVES);
        CHECK(xts == NULL);
        CHECK(atrest_xts_new_allowing_equal_halves(v->key, v->key_len, &xts) == ATREST_OK);
    } else {
        CHECK(atrest_xts_new(v->key, v->key_len, &xts) == ATREST_OK);
    }
    CHECK(xts != NULL);

    check_unit(xts, v, atrest_xts_encrypt_unit, v->ptx, v->ctx);
    check_unit(xts, v, atrest_xts_decrypt_unit, v->ctx, v->ptx);

    uint64_t number = 0;
    for (size_t i = 8; i > 0; i--) number = number << 8 | v->tweak[i - 1];
    for (size_t i = 8; i < 16; i++) CHECK(v->tweak[i] == 0);
    check_sectors(xts, v, number, atrest_xts_encrypt_sectors, v->ptx, v->ctx);
    check_sectors(xts, v, number, atrest_xts_decrypt_sectors, v->ctx, v->ptx);
    check_sectors(xts, v, number, encrypt_in_pieces, v->ptx, v->ctx);
    check_sectors(xts, v, number, decrypt_in_pieces, v->ctx, v->ptx);
    atrest_xts_free(xts);
}

static unsigned check_vectors(const char *path) {
    FILE *const file = fopen(path, "r");
    CHECK(file != NULL);
    static char line[2 * MAX_LEN + 64];
    static vector v;
    unsigned done = 0;
    size_t ptx_len = 0, bits = 0;
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, "VECTOR ", 7) == 0) {
            memset(&v, 0, sizeof v);
            v.number = (unsigned)strtoul(line + 7, NULL, 10);
        } else if (strncmp(line, "AES ", 4) == 0) {
            bits = strtoul(line + 4, NULL, 10);
        } else if (strncmp(line, "KEY1 ", 5) == 0) {
            v.key_len = unhex(line + 5, v.key, 32);
        } else if (strncmp(line, "KEY2 ", 5) == 0) {
            v.key_len += unhex(line + 5, v.key + v.key_len, 32);
        } else if (strncmp(line, "TWEAK ", 6) == 0) {
            CHECK(unhex(line + 6, v.tweak, sizeof v.tweak) == sizeof v.tweak);
        } else if (strncmp(line, "PTX ", 4) == 0) {
            ptx_len = unhex(line + 4, v.ptx, sizeof v.ptx);
        } else if (strncmp(line, "CTX ", 4) == 0) {
            v.len = unhex(line + 4, v.ctx, sizeof v.ctx);
            CHECK(v.len == ptx_len && v.key_len * 8 == 2 * bits);
            check_vector(&v);
            done++;
        } else {
            CHECK(line[0] == '#' || line[0] == '\n');
        }
    }
    CHECK(ferror(file) == 0);
    fclose(file);
    return done;
}

int main(int argc, char **argv) {
    CHECK(argc == 3);
    CHECK(strcmp(atrest_version(), argv[2]) == 0);
    const unsigned vectors = check_vectors(argv[1]);
    check_iov();
    check_misuse();
    check_layouts();
    check_place_and_info();
    printf("%u vectors, pieces, layouts, places and every misuse: as they should be\n", vectors);
    return EXIT_SUCCESS;
}
