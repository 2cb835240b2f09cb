/*
 * Every wrong argument is answered with its status, dst is then as it was, and *out is NULL. And the edges of what
 * is right: no bytes at all, neighbouring buffers, the longest unit.
 *
 * Compiled as C11 and as C++17, hence the casts of malloc().
 */
#include <limits.h>
#include <stdint.h>
#include <string.h>

#include "atrest.h"
#include "check.h"

#define MAX_UNIT ((size_t)16777216)
#define LAST_STATUS ATREST_ERROR_TWEAK_COUNT
#define PTRDIFF_MAX_PLUS_1 ((size_t)PTRDIFF_MAX + 1)

static uint8_t arena[64 * 1024];
static uint8_t arena_before[sizeof arena];

static const uint8_t tweak[16] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16};

static void fill(uint8_t *bytes, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((i * 167 + seed + (i >> 8)) & 0xff);
}

/* The four data calls under one signature. */
typedef enum { ENCRYPT_SECTORS, DECRYPT_SECTORS, ENCRYPT_UNIT, DECRYPT_UNIT, CALLS } data_call;

static int takes_sectors(int call) { return call == ENCRYPT_SECTORS || call == DECRYPT_SECTORS; }

static atrest_status run(int call, const atrest_xts *xts, size_t sector_size, const uint8_t *src, uint8_t *dst,
                         size_t len) {
    switch (call) {
    case ENCRYPT_SECTORS: return atrest_xts_encrypt_sectors(xts, 7, sector_size, src, dst, len);
    case DECRYPT_SECTORS: return atrest_xts_decrypt_sectors(xts, 7, sector_size, src, dst, len);
    case ENCRYPT_UNIT: return atrest_xts_encrypt_unit(xts, tweak, src, dst, len);
    default: return atrest_xts_decrypt_unit(xts, tweak, src, dst, len);
    }
}

/* Runs a data call that must fail with `expected` and leave the whole arena as it was. */
#define REFUSED(expected, ...) refused(__LINE__, expected, __VA_ARGS__)
static void refused(int line, atrest_status expected, int call, const atrest_xts *xts, size_t sector_size,
                    const uint8_t *src, uint8_t *dst, size_t len) {
    memcpy(arena_before, arena, sizeof arena);
    atrest_status status = run(call, xts, sector_size, src, dst, len);
    if (status != expected || memcmp(arena, arena_before, sizeof arena) != 0) {
        fprintf(stderr, "misuse.c:%d: call %d: \"%s\" instead of \"%s\", or dst was written\n", line, call,
                atrest_status_message(status), atrest_status_message(expected));
        exit(EXIT_FAILURE);
    }
}

static void check_messages(void) {
    const char *unknown = atrest_status_message((atrest_status)12345);
    CHECK(unknown != NULL && strlen(unknown) > 0);
    for (int status = ATREST_OK; status <= LAST_STATUS; status++) {
        const char *message = atrest_status_message((atrest_status)status);
        CHECK(message != NULL && strlen(message) > 0);
        CHECK(strcmp(message, unknown) != 0);
        for (int other = ATREST_OK; other < status; other++) {
            CHECK(strcmp(message, atrest_status_message((atrest_status)other)) != 0);
        }
    }
    const int nonsense[] = {-1, LAST_STATUS + 1, 255, 256, INT_MIN, INT_MAX};
    for (size_t i = 0; i < sizeof nonsense / sizeof nonsense[0]; i++) {
        CHECK(strcmp(atrest_status_message((atrest_status)nonsense[i]), unknown) == 0);
    }
}

/* The makers of keys under one signature; the third ignores nothing but equal halves. */
static atrest_status make(int maker, const uint8_t *key, size_t key_len, atrest_xts **out) {
    switch (maker) {
    case 0: return atrest_xts_new(key, key_len, out);
    case 1: return atrest_xts_new_with_backend(key, key_len, "soft", out);
    default: return atrest_xts_new_allowing_equal_halves(key, key_len, out);
    }
}

static void check_keys(void) {
    uint8_t key[66];
    fill(key, sizeof key, 1);
    /* Anything but NULL, to see that *out is written. */
    atrest_xts *const stale = (atrest_xts *)(void *)key;
    atrest_xts *out;

    for (int maker = 0; maker < 3; maker++) {
        const size_t bad[] = {0, 1, 16, 31, 33, 63, 65, PTRDIFF_MAX, PTRDIFF_MAX_PLUS_1, SIZE_MAX};
        for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
            out = stale;
            CHECK(make(maker, key, bad[i], &out) == ATREST_ERROR_KEY_LENGTH);
            CHECK(out == NULL);
        }
        for (size_t len = 0; len <= 64; len += 32) {
            out = stale;
            CHECK(make(maker, NULL, len, &out) == ATREST_ERROR_NULL);
            CHECK(out == NULL);
            CHECK(make(maker, key, len, NULL) == ATREST_ERROR_NULL);
        }
        for (size_t len = 32; len <= 64; len += 32) {
            /* A key may lie anywhere. */
            for (size_t shift = 0; shift < 3; shift++) {
                out = NULL;
                CHECK(make(maker, key + shift, len, &out) == ATREST_OK);
                CHECK(out != NULL);
                CHECK(atrest_backend_name(out) != NULL && strlen(atrest_backend_name(out)) > 0);
                atrest_xts_free(out);
            }
        }
    }

    uint8_t equal[64];
    for (size_t len = 32; len <= 64; len += 32) {
        fill(equal, len / 2, 2);
        memcpy(equal + len / 2, equal, len / 2);
        for (int maker = 0; maker < 2; maker++) {
            out = stale;
            CHECK(make(maker, equal, len, &out) == ATREST_ERROR_EQUAL_HALVES);
            CHECK(out == NULL);
        }
        CHECK(make(2, equal, len, &out) == ATREST_OK);
        atrest_xts_free(out);
        /* One bit apart is apart. */
        equal[len - 1] ^= 0x80;
        CHECK(make(0, equal, len, &out) == ATREST_OK);
        atrest_xts_free(out);
    }

    const char *const unknown[] = {"", " ", "Soft", "soft ", "vaes", "vaes256x", "\xff\xfe", "%s"};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        out = stale;
        CHECK(atrest_xts_new_with_backend(key, 64, unknown[i], &out) == ATREST_ERROR_UNKNOWN_BACKEND);
        CHECK(out == NULL);
    }
    out = stale;
    CHECK(atrest_xts_new_with_backend(key, 64, NULL, &out) == ATREST_ERROR_NULL);
    CHECK(out == NULL);

    /* Each backend that runs here says on the key that it does. */
    size_t usable = 0;
    for (const char *name; (name = atrest_usable_backend(usable)) != NULL; usable++) {
        CHECK(atrest_xts_new_with_backend(key, 64, name, &out) == ATREST_OK);
        CHECK(strcmp(atrest_backend_name(out), name) == 0);
        atrest_xts_free(out);
    }
    CHECK(usable != 0 && strcmp(atrest_usable_backend(0), "soft") == 0);
    /* One of another architecture says that it does not. */
#if defined(__x86_64__)
    const char *const other = "armv8";
#else
    const char *const other = "aesni";
#endif
    out = stale;
    CHECK(atrest_xts_new_with_backend(key, 64, other, &out) == ATREST_ERROR_UNSUPPORTED_BACKEND);
    CHECK(out == NULL);

    atrest_xts_free(NULL);
    CHECK(atrest_backend_name(NULL) == NULL);
}

static void check_data_calls(const atrest_xts *xts) {
    uint8_t *const src = arena + 16 * 1024;
    uint8_t *const dst = arena + 32 * 1024;

    for (int call = 0; call < CALLS; call++) {
        /* NULL, for each argument and for several. */
        REFUSED(ATREST_ERROR_NULL, call, NULL, 512, src, dst, 512);
        REFUSED(ATREST_ERROR_NULL, call, NULL, 512, src, src, 512);
        REFUSED(ATREST_ERROR_NULL, call, xts, 512, NULL, dst, 512);
        REFUSED(ATREST_ERROR_NULL, call, xts, 512, src, NULL, 512);
        REFUSED(ATREST_ERROR_NULL, call, xts, 512, NULL, NULL, 512);
        REFUSED(ATREST_ERROR_NULL, call, NULL, 0, NULL, NULL, 512);
        REFUSED(ATREST_ERROR_NULL, call, NULL, 512, NULL, NULL, 0);

        /* Lengths that no object can have, and buffers that wrap around the end of the address space. */
        const size_t oversize[] = {PTRDIFF_MAX_PLUS_1, PTRDIFF_MAX_PLUS_1 + 511, SIZE_MAX - 511, SIZE_MAX};
        for (size_t i = 0; i < sizeof oversize / sizeof oversize[0]; i++) {
            REFUSED(ATREST_ERROR_BUFFER_LENGTH, call, xts, 512, src, dst, oversize[i]);
            REFUSED(ATREST_ERROR_BUFFER_LENGTH, call, xts, 512, src, src, oversize[i]);
        }
        uint8_t *const last = (uint8_t *)(UINTPTR_MAX - 15);
        REFUSED(ATREST_ERROR_BUFFER_LENGTH, call, xts, 32, last, dst, 32);
        REFUSED(ATREST_ERROR_BUFFER_LENGTH, call, xts, 32, src, last, 32);
        REFUSED(ATREST_ERROR_BUFFER_LENGTH, call, xts, 32, last, last, 32);

        /* Partial overlap from either side: by all but one byte, by half, by one byte. */
        const size_t lens[] = {16, 17, 512, 4096};
        for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
            const size_t len = lens[i], shifts[] = {1, len / 2, len - 1};
            for (size_t j = 0; j < sizeof shifts / sizeof shifts[0]; j++) {
                REFUSED(ATREST_ERROR_OVERLAP, call, xts, len, src, src + shifts[j], len);
                REFUSED(ATREST_ERROR_OVERLAP, call, xts, len, src, src - shifts[j], len);
            }
            /* Neighbours do not overlap. */
            CHECK(run(call, xts, len, src, src + len, len) == ATREST_OK);
            CHECK(run(call, xts, len, src, src - len, len) == ATREST_OK);
        }

        if (takes_sectors(call)) {
            const size_t bad[] = {0, 1, 8, 15, MAX_UNIT + 1, PTRDIFF_MAX_PLUS_1, SIZE_MAX};
            for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
                REFUSED(ATREST_ERROR_SECTOR_SIZE, call, xts, bad[i], src, dst, 4096);
                REFUSED(ATREST_ERROR_SECTOR_SIZE, call, xts, bad[i], src, src, 4096);
                REFUSED(ATREST_ERROR_SECTOR_SIZE, call, xts, bad[i], NULL, NULL, 0);
            }
            const size_t sizes[] = {16, 17, 512, 520, 4096, 4104};
            for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
                const size_t size = sizes[i], parts[] = {1, size - 1, size + 1, 3 * size - 1, 3 * size + 1};
                for (size_t j = 0; j < sizeof parts / sizeof parts[0]; j++) {
                    REFUSED(ATREST_ERROR_DATA_LENGTH, call, xts, size, src, dst, parts[j]);
                    REFUSED(ATREST_ERROR_DATA_LENGTH, call, xts, size, src, src, parts[j]);
                }
            }
            /* No sector at all is none too few, wherever the buffers are. */
            REFUSED(ATREST_OK, call, xts, 512, NULL, NULL, 0);
            REFUSED(ATREST_OK, call, xts, 512, src, NULL, 0);
            REFUSED(ATREST_OK, call, xts, 512, src, dst, 0);
            REFUSED(ATREST_OK, call, xts, 512, src, src + 1, 0);
        } else {
            for (size_t len = 0; len < 16; len++) {
                REFUSED(ATREST_ERROR_UNIT_LENGTH, call, xts, 0, src, dst, len);
                REFUSED(ATREST_ERROR_UNIT_LENGTH, call, xts, 0, src, src, len);
            }
            REFUSED(ATREST_ERROR_UNIT_LENGTH, call, xts, 0, NULL, NULL, 0);
        }
    }

    const uint8_t *const no_tweak = NULL;
    memcpy(arena_before, arena, sizeof arena);
    CHECK(atrest_xts_encrypt_unit(xts, no_tweak, src, dst, 512) == ATREST_ERROR_NULL);
    CHECK(atrest_xts_decrypt_unit(xts, no_tweak, src, dst, 512) == ATREST_ERROR_NULL);
    CHECK(memcmp(arena, arena_before, sizeof arena) == 0);
}

/* Runs a call on pieces that must fail with `expected`, and leave the whole arena and the lists as they were. */
#define REFUSED_IOV(expected, ...) refused_iov(__LINE__, expected, __VA_ARGS__)
static void refused_iov(int line, atrest_status expected, const atrest_xts *xts, size_t sector_size,
                        const struct iovec *src, size_t src_count, const struct iovec *dst, size_t dst_count) {
    for (int decrypt = 0; decrypt < 2; decrypt++) {
        memcpy(arena_before, arena, sizeof arena);
        const atrest_status status =
            decrypt ? atrest_xts_decrypt_iov(xts, 7, sector_size, src, src_count, dst, dst_count)
                    : atrest_xts_encrypt_iov(xts, 7, sector_size, src, src_count, dst, dst_count);
        if (status != expected || memcmp(arena, arena_before, sizeof arena) != 0) {
            fprintf(stderr, "misuse.c:%d: decrypt %d: \"%s\" instead of \"%s\", or dst was written\n", line, decrypt,
                    atrest_status_message(status), atrest_status_message(expected));
            exit(EXIT_FAILURE);
        }
    }
}

static struct iovec piece(uint8_t *base, size_t len) {
    struct iovec made;
    made.iov_base = base;
    made.iov_len = len;
    return made;
}

enum { LISTED = 200 };

/* Pieces of 16 bytes, 32 bytes apart. */
static void list_pieces(struct iovec *list, size_t count, uint8_t *base) {
    for (size_t i = 0; i < count; i++) list[i] = piece(base + 32 * i, 16);
}

static void reverse(struct iovec *list, size_t count) {
    for (size_t i = 0; i < count / 2; i++) {
        const struct iovec first = list[i];
        list[i] = list[count - 1 - i];
        list[count - 1 - i] = first;
    }
}

static void check_overlap_of_pieces(const atrest_xts *xts) {
    uint8_t *const a = arena + 16 * 1024;
    uint8_t *const b = arena + 32 * 1024;
    struct iovec src[LISTED], dst[LISTED];

    /* A piece of dst and one of src, by all but one byte, by half, by one byte. */
    const size_t lens[] = {16, 17, 512, 4096};
    for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
        const size_t len = lens[i], shifts[] = {1, len / 2, len - 1};
        for (size_t j = 0; j < sizeof shifts / sizeof shifts[0]; j++) {
            src[0] = piece(a, len);
            dst[0] = piece(a + shifts[j], len);
            REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, len, src, 1, dst, 1);
            REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, len, dst, 1, src, 1);
        }
        /* Neighbours do not overlap. */
        dst[0] = piece(a + len, len);
        CHECK(atrest_xts_encrypt_iov(xts, 7, len, src, 1, dst, 1) == ATREST_OK);
        CHECK(atrest_xts_decrypt_iov(xts, 7, len, dst, 1, src, 1) == ATREST_OK);
    }

    /* The same memory cut otherwise, or in another order, is not in place. */
    src[0] = piece(a, 1024);
    dst[0] = piece(a, 512);
    dst[1] = piece(a + 512, 512);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, src, 1, dst, 2);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, dst, 2, src, 1);
    src[0] = dst[1];
    src[1] = dst[0];
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, src, 2, dst, 2);

    /* Pieces of dst, in place and apart: the same one twice; by one byte; behind others and before them. */
    struct iovec own[3];
    src[0] = piece(b, 512 * 3);
    own[0] = own[2] = piece(a, 512);
    own[1] = piece(a + 600, 512);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, src, 1, own, 3);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, own, 3, own, 3);
    own[2] = piece(a + 1111, 512);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, src, 1, own, 3);
    own[2] = piece(a - 511, 512);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, src, 1, own, 3);
    own[2] = piece(a + 200, 100);
    own[1].iov_len = 924;
    src[0].iov_len = 512 + 924 + 100;
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, src, 1, own, 3);
    REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 512, own, 3, own, 3);

    /* Long lists that ascend, and short ones that do not: one byte of any piece of the other list is seen. */
    for (int ascending = 0; ascending < 2; ascending++) {
        const size_t count = ascending ? LISTED : 64;
        for (size_t i = 0; i < count; i++) {
            list_pieces(src, count, a);
            list_pieces(dst, count, b);
            /* Its last byte is the first of piece i of the source; and the other way round. */
            dst[0] = piece((uint8_t *)src[i].iov_base - 15, 16);
            if (!ascending) reverse(src, count);
            REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 16, src, count, dst, count);
            REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 16, dst, count, src, count);
            /* Two pieces of one list, far apart in it. */
            list_pieces(dst, count, b);
            if (!ascending && i != 0) {
                reverse(dst, count);
                dst[i] = piece((uint8_t *)dst[0].iov_base + 15, 16);
                REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 16, src, count, dst, count);
                REFUSED_IOV(ATREST_ERROR_OVERLAP, xts, 16, dst, count, dst, count);
            }
        }
        /* Each piece of one list right between two of the other does not overlap them; nor do empty ones anywhere. */
        list_pieces(src, count, a);
        list_pieces(dst, count, a + 16);
        dst[1] = piece(a + 3, 0);
        src[1] = piece(a + 16, 0);
        if (!ascending) reverse(dst, count);
        CHECK(atrest_xts_encrypt_iov(xts, 7, 16, src, count, dst, count) == ATREST_OK);
        CHECK(atrest_xts_decrypt_iov(xts, 7, 16, src, count, dst, count) == ATREST_OK);
    }
}

static void check_iov_calls(const atrest_xts *xts) {
    uint8_t *const a = arena + 16 * 1024;
    uint8_t *const b = arena + 32 * 1024;
    struct iovec src[3], dst[3];
    src[0] = piece(a, 500);
    src[1] = piece(a + 600, 12);
    dst[0] = piece(b, 1);
    dst[1] = piece(b + 1, 511);

    /* NULL, for each argument, for several, and in any piece that is not empty. */
    REFUSED_IOV(ATREST_ERROR_NULL, NULL, 512, src, 2, dst, 2);
    REFUSED_IOV(ATREST_ERROR_NULL, NULL, 512, dst, 2, dst, 2);
    REFUSED_IOV(ATREST_ERROR_NULL, NULL, 512, NULL, 0, NULL, 0);
    REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, NULL, 2, dst, 2);
    REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, src, 2, NULL, 2);
    REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, NULL, 2, NULL, 2);
    REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, NULL, 1, NULL, 2);
    for (size_t i = 0; i < 2; i++) {
        const struct iovec good = src[i];
        src[i].iov_base = NULL;
        REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, src, 2, dst, 2);
        REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, dst, 2, src, 2);
        REFUSED_IOV(ATREST_ERROR_NULL, xts, 512, src, 2, src, 2);
        src[i] = good;
    }

    /* Lengths that no object can have, pieces that wrap around the end of the address space, in any place. */
    const struct iovec impossible[] = {
        piece(a, PTRDIFF_MAX_PLUS_1), piece(a, SIZE_MAX - 511), piece(a, SIZE_MAX),
        piece((uint8_t *)(UINTPTR_MAX - 15), 32), piece((uint8_t *)UINTPTR_MAX, PTRDIFF_MAX),
    };
    for (size_t i = 0; i < sizeof impossible / sizeof impossible[0]; i++) {
        for (size_t j = 0; j < 2; j++) {
            const struct iovec good = src[j];
            src[j] = impossible[i];
            REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, src, 2, dst, 2);
            REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, dst, 2, src, 2);
            REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, src, 2, src, 2);
            src[j] = good;
        }
    }
    /* Possible ones that are too long together, and lists that are too long. */
    const struct iovec most = piece(a, PTRDIFF_MAX), three[3] = {most, most, most};
    REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, three, 3, dst, 2);
    REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, dst, 2, three, 3);
    REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, three, 3, three, 3);
    REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, three, 2, dst, 2);
    const size_t counts[] = {PTRDIFF_MAX / sizeof(struct iovec) + 1, SIZE_MAX / sizeof(struct iovec) + 1, SIZE_MAX};
    for (size_t i = 0; i < sizeof counts / sizeof counts[0]; i++) {
        REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, src, counts[i], dst, 2);
        REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, src, 2, dst, counts[i]);
        REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, src, counts[i], src, counts[i]);
    }
    const struct iovec *const last = (const struct iovec *)(UINTPTR_MAX - 15);
    REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, last, 2, dst, 2);
    REFUSED_IOV(ATREST_ERROR_BUFFER_LENGTH, xts, 512, src, 2, last, 2);

    /* Totals that differ. */
    REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, src, 1, dst, 2);
    REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, src, 2, dst, 1);
    REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, src, 2, src, 1);
    REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, NULL, 0, dst, 2);
    REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, src, 2, NULL, 0);
    for (size_t len = 510; len <= 1024; len++) {
        dst[1].iov_len = len;
        if (len != 511) REFUSED_IOV(ATREST_ERROR_LENGTH_MISMATCH, xts, 512, src, 2, dst, 2);
    }
    dst[1].iov_len = 511;

    const size_t bad[] = {0, 1, 8, 15, MAX_UNIT + 1, PTRDIFF_MAX_PLUS_1, SIZE_MAX};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        REFUSED_IOV(ATREST_ERROR_SECTOR_SIZE, xts, bad[i], src, 2, dst, 2);
        REFUSED_IOV(ATREST_ERROR_SECTOR_SIZE, xts, bad[i], src, 2, src, 2);
        REFUSED_IOV(ATREST_ERROR_SECTOR_SIZE, xts, bad[i], NULL, 0, NULL, 0);
    }
    const size_t sizes[] = {17, 100, 500, 511, 513, 520, 4096, 12319};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        REFUSED_IOV(ATREST_ERROR_DATA_LENGTH, xts, sizes[i], src, 2, dst, 2);
        REFUSED_IOV(ATREST_ERROR_DATA_LENGTH, xts, sizes[i], src, 2, src, 2);
    }
    CHECK(atrest_xts_encrypt_iov(xts, 7, 512, src, 2, dst, 2) == ATREST_OK);
    check_overlap_of_pieces(xts);
}

/* The longest unit, as a unit and as a sector; one byte more is refused. */
static void check_longest(const atrest_xts *xts) {
    uint8_t *const data = (uint8_t *)malloc(MAX_UNIT + 1);
    uint8_t *const copy = (uint8_t *)malloc(MAX_UNIT + 1);
    CHECK(data != NULL && copy != NULL);
    fill(data, MAX_UNIT + 1, 3);
    memcpy(copy, data, MAX_UNIT + 1);

    CHECK(atrest_xts_encrypt_unit(xts, tweak, data, data, MAX_UNIT + 1) == ATREST_ERROR_UNIT_LENGTH);
    CHECK(atrest_xts_decrypt_unit(xts, tweak, data, data, MAX_UNIT + 1) == ATREST_ERROR_UNIT_LENGTH);
    CHECK(atrest_xts_encrypt_sectors(xts, 1, MAX_UNIT + 1, data, data, MAX_UNIT + 1) == ATREST_ERROR_SECTOR_SIZE);
    CHECK(memcmp(data, copy, MAX_UNIT + 1) == 0);

    const uint8_t one[16] = {1};
    CHECK(atrest_xts_encrypt_unit(xts, one, data, data, MAX_UNIT) == ATREST_OK);
    CHECK(memcmp(data + MAX_UNIT - 16, copy + MAX_UNIT - 16, 16) != 0);
    CHECK(data[MAX_UNIT] == copy[MAX_UNIT]);
    CHECK(atrest_xts_decrypt_sectors(xts, 1, MAX_UNIT, data, data, MAX_UNIT) == ATREST_OK);
    CHECK(memcmp(data, copy, MAX_UNIT + 1) == 0);
    free(data);
    free(copy);
}

/* What the header says beside the limits: sector numbers carry into the tweak's upper half, a tweak may lie in dst. */
static void check_tweaks(const atrest_xts *xts) {
    uint8_t batch[3 * 48], units[3 * 48], number[16];
    fill(batch, sizeof batch, 4);
    memcpy(units, batch, sizeof batch);
    CHECK(atrest_xts_encrypt_sectors(xts, UINT64_MAX - 1, 48, batch, batch, sizeof batch) == ATREST_OK);
    for (size_t i = 0; i < 3; i++) {
        memset(number, 0, sizeof number);
        if (i < 2) {
            memset(number, 0xff, 8);
            number[0] = (uint8_t)(0xfe + i);
        } else {
            number[8] = 1;
        }
        CHECK(atrest_xts_encrypt_unit(xts, number, units + 48 * i, units + 48 * i, 48) == ATREST_OK);
    }
    CHECK(memcmp(batch, units, sizeof batch) == 0);

    uint8_t expected[48], inside[48];
    fill(inside, sizeof inside, 5);
    memcpy(number, inside + 16, 16);
    CHECK(atrest_xts_encrypt_unit(xts, number, inside, expected, sizeof inside) == ATREST_OK);
    CHECK(atrest_xts_encrypt_unit(xts, inside + 16, inside, inside, sizeof inside) == ATREST_OK);
    CHECK(memcmp(inside, expected, sizeof inside) == 0);
}

void check_misuse(void) {
    uint8_t key[64];
    atrest_xts *xts = NULL;
    fill(key, sizeof key, 6);
    fill(arena, sizeof arena, 7);
    CHECK(atrest_xts_new(key, sizeof key, &xts) == ATREST_OK);

    check_messages();
    check_keys();
    check_data_calls(xts);
    check_iov_calls(xts);
    check_longest(xts);
    check_tweaks(xts);
    atrest_xts_free(xts);
}
