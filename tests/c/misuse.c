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
    for (int status = ATREST_OK; status <= ATREST_ERROR_LENGTH_MISMATCH; status++) {
        const char *message = atrest_status_message((atrest_status)status);
        CHECK(message != NULL && strlen(message) > 0);
        CHECK(strcmp(message, unknown) != 0);
        for (int other = ATREST_OK; other < status; other++) {
            CHECK(strcmp(message, atrest_status_message((atrest_status)other)) != 0);
        }
    }
    const int nonsense[] = {-1, ATREST_ERROR_LENGTH_MISMATCH + 1, 255, 256, INT_MIN, INT_MAX};
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

    /* Each backend runs here or says that it does not; the key tells which one it is on. */
    const char *const known[] = {"soft", "aesni", "vaes256", "vaes512", "armv8", "armv8-eor3"};
    for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
        out = stale;
        atrest_status status = atrest_xts_new_with_backend(key, 64, known[i], &out);
        if (status == ATREST_ERROR_UNSUPPORTED_BACKEND) {
            CHECK(i != 0);
            CHECK(out == NULL);
        } else {
            CHECK(status == ATREST_OK);
            CHECK(strcmp(atrest_backend_name(out), known[i]) == 0);
            atrest_xts_free(out);
        }
    }

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
    check_longest(xts);
    check_tweaks(xts);
    atrest_xts_free(xts);
}
