/*
 * Every tweak layout makes of sectors what single units under the tweaks of its definition become; and tweaks that are
 * no tweaks are refused with nothing written.
 *
 * Compiled as C11 and as C++17, hence the casts.
 */
#include <stdint.h>
#include <string.h>

#include "atrest.h"
#include "check.h"

enum { SECTORS = 5, MOST = SECTORS * 4096 };

static uint8_t plain[MOST], expected[MOST], found[MOST];

static atrest_tweaks make(atrest_layout layout, uint64_t first_upper, uint64_t first) {
    atrest_tweaks tweaks;
    memset(&tweaks, 0, sizeof tweaks);
    tweaks.layout = layout;
    tweaks.first_upper = first_upper;
    tweaks.first = first;
    return tweaks;
}

/* The tweak of sector i, byte by byte from the definition. */
static void tweak_of(const atrest_tweaks *tweaks, size_t i, size_t size, uint8_t tweak[16]) {
    const uint64_t step = tweaks->layout == ATREST_LAYOUT_PLAIN64_IN_512 ? size / 512 : 1;
    const uint64_t low = tweaks->first + step * i;
    const uint64_t high = tweaks->first_upper + (low < tweaks->first ? 1 : 0);
    const int big = tweaks->layout == ATREST_LAYOUT_PLAIN64BE || tweaks->layout == ATREST_LAYOUT_NUMBER128BE;
    for (unsigned byte = 0; byte < 16; byte++) {
        const uint64_t half = byte < 8 ? low : high;
        tweak[big ? 15 - byte : byte] = (uint8_t)(half >> 8 * (byte % 8) & 0xff);
    }
}

static atrest_status in_pieces(int decrypt, const atrest_xts *xts, const atrest_tweaks *tweaks, size_t size,
                               uint8_t *src, uint8_t *dst, size_t len) {
    const struct iovec from[2] = {{src, len / 3}, {src + len / 3, len - len / 3}};
    const struct iovec to[2] = {{dst, len / 2}, {dst + len / 2, len - len / 2}};
    return decrypt ? atrest_xts_decrypt_iov_tweaks(xts, tweaks, size, from, 2, to, 2)
                   : atrest_xts_encrypt_iov_tweaks(xts, tweaks, size, from, 2, to, 2);
}

static void check_layout(const atrest_xts *xts, const atrest_tweaks *tweaks, size_t size) {
    const size_t len = SECTORS * size;
    for (size_t i = 0; i < SECTORS; i++) {
        uint8_t tweak[16];
        tweak_of(tweaks, i, size, tweak);
        CHECK(atrest_xts_encrypt_unit(xts, tweak, plain + i * size, expected + i * size, size) == ATREST_OK);
    }
    memset(found, 0, len);
    CHECK(atrest_xts_encrypt_sectors_tweaks(xts, tweaks, size, plain, found, len) == ATREST_OK);
    CHECK(memcmp(found, expected, len) == 0);
    CHECK(atrest_xts_decrypt_sectors_tweaks(xts, tweaks, size, found, found, len) == ATREST_OK);
    CHECK(memcmp(found, plain, len) == 0);
    CHECK(in_pieces(0, xts, tweaks, size, plain, found, len) == ATREST_OK);
    CHECK(memcmp(found, expected, len) == 0);
    CHECK(in_pieces(1, xts, tweaks, size, expected, found, len) == ATREST_OK);
    CHECK(memcmp(found, plain, len) == 0);
}

/* All four calls give `status`, and write nothing. */
static void refused(int line, atrest_status status, const atrest_xts *xts, const atrest_tweaks *tweaks, size_t size) {
    const size_t len = SECTORS * size;
    atrest_status given[4];
    memset(found, 0xa5, sizeof found);
    given[0] = atrest_xts_encrypt_sectors_tweaks(xts, tweaks, size, plain, found, len);
    given[1] = atrest_xts_decrypt_sectors_tweaks(xts, tweaks, size, plain, found, len);
    given[2] = in_pieces(0, xts, tweaks, size, plain, found, len);
    given[3] = in_pieces(1, xts, tweaks, size, plain, found, len);
    for (size_t i = 0; i < 4; i++) {
        if (given[i] != status) {
            fprintf(stderr, "layouts.c:%d: call %u: \"%s\"\n", line, (unsigned)i, atrest_status_message(given[i]));
            exit(EXIT_FAILURE);
        }
    }
    for (size_t i = 0; i < sizeof found; i++) CHECK(found[i] == 0xa5);
}
#define REFUSED(status, xts, tweaks, size) refused(__LINE__, status, xts, tweaks, size)

static void check_refused(const atrest_xts *xts) {
    /* The last of five numbers fits, or is one too many. */
    const atrest_layout bounded[] = {ATREST_LAYOUT_PLAIN64BE, ATREST_LAYOUT_NUMBER128, ATREST_LAYOUT_NUMBER128BE};
    for (size_t i = 0; i < sizeof bounded / sizeof bounded[0]; i++) {
        const uint64_t upper = bounded[i] == ATREST_LAYOUT_PLAIN64BE ? 0 : UINT64_MAX;
        atrest_tweaks tweaks = make(bounded[i], upper, UINT64_MAX - 4);
        check_layout(xts, &tweaks, 48);
        tweaks.first++;
        REFUSED(ATREST_ERROR_SECTOR_NUMBER, xts, &tweaks, 48);
    }
    atrest_tweaks tweaks = make(ATREST_LAYOUT_PLAIN64_IN_512, 0, 8);
    REFUSED(ATREST_ERROR_SECTOR_SIZE, xts, &tweaks, 520);

    const int unknown[] = {-1, ATREST_LAYOUT_NUMBER128BE + 1, 256, 1 << 30};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        tweaks = make((atrest_layout)unknown[i], 0, 8);
        REFUSED(ATREST_ERROR_TWEAKS, xts, &tweaks, 512);
    }
    for (int layout = ATREST_LAYOUT_PLAIN64; layout <= ATREST_LAYOUT_NUMBER128BE; layout++) {
        tweaks = make((atrest_layout)layout, 0, 8);
        tweaks.reserved = 1;
        REFUSED(ATREST_ERROR_TWEAKS, xts, &tweaks, 512);
        if (layout < ATREST_LAYOUT_NUMBER128) {
            tweaks = make((atrest_layout)layout, 1, 8);
            REFUSED(ATREST_ERROR_TWEAKS, xts, &tweaks, 512);
        }
    }
    REFUSED(ATREST_ERROR_NULL, xts, NULL, 512);
    tweaks = make(ATREST_LAYOUT_PLAIN64, 0, 8);
    REFUSED(ATREST_ERROR_NULL, NULL, &tweaks, 512);
}

void check_layouts(void) {
    uint8_t key[64];
    atrest_xts *xts = NULL;
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(3 * i);
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)((i * 31 + (i >> 8)) & 0xff);
    CHECK(atrest_xts_new(key, sizeof key, &xts) == ATREST_OK);

    const size_t sizes[] = {48, 512, 520, 1024, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int layout = ATREST_LAYOUT_PLAIN64; layout <= ATREST_LAYOUT_NUMBER128BE; layout++) {
            if (layout == ATREST_LAYOUT_PLAIN64_IN_512 && sizes[i] % 512 != 0) continue;
            atrest_tweaks tweaks = make((atrest_layout)layout, 0, 0x0102030405060708u);
            check_layout(xts, &tweaks, sizes[i]);
            tweaks.first = UINT64_MAX - 1;
            if (layout != ATREST_LAYOUT_PLAIN64BE) check_layout(xts, &tweaks, sizes[i]);
            tweaks.first_upper = 0x1112131415161718u;
            if (layout >= ATREST_LAYOUT_NUMBER128) check_layout(xts, &tweaks, sizes[i]);
        }
    }
    /* Tweaks may lie at any address, and in what is written. */
    const atrest_tweaks inside = make(ATREST_LAYOUT_PLAIN64BE, 0, 77);
    memcpy(found, plain, 512);
    memcpy(found + 1, &inside, sizeof inside);
    CHECK(atrest_xts_encrypt_sectors_tweaks(xts, &inside, 512, found, expected, 512) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors_tweaks(xts, (const atrest_tweaks *)(const void *)(found + 1), 512, found, found,
                                            512) == ATREST_OK);
    CHECK(memcmp(found, expected, 512) == 0);

    check_refused(xts);
    atrest_xts_free(xts);
}
