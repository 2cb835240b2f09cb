/*
 * Every tweak layout, every sequence of tweaks and every list makes of sectors what single units under the tweaks of its
 * definition become; and tweaks that are no tweaks are refused with nothing written.
 *
 * Compiled as C11 and as C++17, hence the casts.
 */
#include <stdint.h>
#include <string.h>

#include "atrest.h"
#include "check.h"

enum { SECTORS = 5, MOST = SECTORS * 4096, LAST_LAYOUT = ATREST_LAYOUT_COUNTER32 };

static uint8_t plain[MOST], expected[MOST], found[MOST];

static atrest_tweaks make(atrest_layout layout, uint64_t first_upper, uint64_t first) {
    atrest_tweaks tweaks;
    memset(&tweaks, 0, sizeof tweaks);
    tweaks.layout = layout;
    tweaks.first_upper = first_upper;
    tweaks.first = first;
    return tweaks;
}

static int has_upper(int layout) {
    return layout == ATREST_LAYOUT_NUMBER128 || layout == ATREST_LAYOUT_NUMBER128BE ||
           layout == ATREST_LAYOUT_COUNTER32;
}

/* The tweak of sector i, byte by byte from the definition. */
static void tweak_of(const atrest_tweaks *tweaks, size_t i, size_t size, uint8_t tweak[16]) {
    const int in_512 =
        tweaks->layout == ATREST_LAYOUT_PLAIN64_IN_512 || tweaks->layout == ATREST_LAYOUT_UPPER64_IN_512;
    const uint64_t step = in_512 ? size / 512 : 1;
    uint64_t low = tweaks->first + step * i;
    uint64_t high = tweaks->first_upper + (low < tweaks->first ? 1 : 0);
    if (tweaks->layout == ATREST_LAYOUT_PLAIN) {
        low &= UINT32_MAX;
        high = 0;
    } else if (tweaks->layout == ATREST_LAYOUT_UPPER64 || tweaks->layout == ATREST_LAYOUT_UPPER64_IN_512) {
        high = low;
        low = 0;
    } else if (tweaks->layout == ATREST_LAYOUT_WITH_COMPLEMENT) {
        high = ~low & INT64_MAX;
    }
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
    const struct {
        atrest_layout layout;
        uint64_t upper, most;
    } bounded[] = {
        {ATREST_LAYOUT_PLAIN64BE, 0, UINT64_MAX},
        {ATREST_LAYOUT_NUMBER128, UINT64_MAX, UINT64_MAX},
        {ATREST_LAYOUT_NUMBER128BE, UINT64_MAX, UINT64_MAX},
        {ATREST_LAYOUT_UPPER64, 0, UINT64_MAX},
        {ATREST_LAYOUT_WITH_COMPLEMENT, 0, INT64_MAX},
        {ATREST_LAYOUT_COUNTER32, 0, UINT32_MAX},
        {ATREST_LAYOUT_COUNTER32, 99, UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof bounded / sizeof bounded[0]; i++) {
        atrest_tweaks tweaks = make(bounded[i].layout, bounded[i].upper, bounded[i].most - 4);
        check_layout(xts, &tweaks, 48);
        tweaks.first++;
        REFUSED(ATREST_ERROR_SECTOR_NUMBER, xts, &tweaks, 48);
    }
    atrest_tweaks tweaks = make(ATREST_LAYOUT_UPPER64_IN_512, 0, UINT64_MAX - 8);
    check_layout(xts, &tweaks, 1024);
    tweaks.first++;
    REFUSED(ATREST_ERROR_SECTOR_NUMBER, xts, &tweaks, 1024);
    REFUSED(ATREST_ERROR_SECTOR_SIZE, xts, &tweaks, 520);
    tweaks = make(ATREST_LAYOUT_PLAIN64_IN_512, 0, 8);
    REFUSED(ATREST_ERROR_SECTOR_SIZE, xts, &tweaks, 520);

    const int unknown[] = {-1, LAST_LAYOUT + 1, 256, 1 << 30};
    for (size_t i = 0; i < sizeof unknown / sizeof unknown[0]; i++) {
        tweaks = make((atrest_layout)unknown[i], 0, 8);
        REFUSED(ATREST_ERROR_TWEAKS, xts, &tweaks, 512);
    }
    for (int layout = ATREST_LAYOUT_PLAIN64; layout <= LAST_LAYOUT; layout++) {
        tweaks = make((atrest_layout)layout, 0, 8);
        tweaks.reserved = 1;
        REFUSED(ATREST_ERROR_TWEAKS, xts, &tweaks, 512);
        if (!has_upper(layout)) {
            tweaks = make((atrest_layout)layout, 1, 8);
            REFUSED(ATREST_ERROR_TWEAKS, xts, &tweaks, 512);
        }
    }
    REFUSED(ATREST_ERROR_NULL, xts, NULL, 512);
    tweaks = make(ATREST_LAYOUT_PLAIN64, 0, 8);
    REFUSED(ATREST_ERROR_NULL, NULL, &tweaks, 512);
}

/* Makes `expected` of `plain` with single units. */
static void expect(const atrest_xts *xts, uint8_t tweaks[SECTORS][16], size_t size) {
    for (size_t i = 0; i < SECTORS; i++) {
        CHECK(atrest_xts_encrypt_unit(xts, tweaks[i], plain + i * size, expected + i * size, size) == ATREST_OK);
    }
}

static void check_sequence(const atrest_xts *xts, const atrest_tweak_sequence *sequence, size_t size) {
    const size_t len = SECTORS * size, times = sequence->flags & ATREST_SEQUENCE_IN_512 ? size / 512 : 1;
    uint8_t number[16], step[16], tweaks[SECTORS][16];
    for (size_t i = 0; i < 16; i++) {
        number[i] = (uint8_t)((i < 8 ? sequence->first : sequence->first_upper) >> 8 * (i % 8) & 0xff);
        step[i] = (uint8_t)((i < 8 ? sequence->step : sequence->step_upper) >> 8 * (i % 8) & 0xff);
    }
    for (size_t sector = 0; sector < SECTORS; sector++) {
        const int big = (sequence->flags & ATREST_SEQUENCE_BIG_ENDIAN) != 0;
        for (size_t i = 0; i < 16; i++) tweaks[sector][big ? 15 - i : i] = number[i];
        for (size_t n = 0; n < times; n++) {
            unsigned carry = 0;
            for (size_t i = 0; i < sequence->width / 8; i++) {
                carry += (unsigned)number[i] + step[i];
                number[i] = (uint8_t)(carry & 0xff);
                carry >>= 8;
            }
        }
    }
    expect(xts, tweaks, size);
    const struct iovec from[2] = {{plain, len / 3}, {plain + len / 3, len - len / 3}};
    const struct iovec to[2] = {{found, len / 2}, {found + len / 2, len - len / 2}};
    memset(found, 0, len);
    CHECK(atrest_xts_encrypt_sectors_sequence(xts, sequence, size, plain, found, len) == ATREST_OK);
    CHECK(memcmp(found, expected, len) == 0);
    CHECK(atrest_xts_decrypt_sectors_sequence(xts, sequence, size, found, found, len) == ATREST_OK);
    CHECK(memcmp(found, plain, len) == 0);
    CHECK(atrest_xts_encrypt_iov_sequence(xts, sequence, size, from, 2, to, 2) == ATREST_OK);
    CHECK(memcmp(found, expected, len) == 0);
    CHECK(atrest_xts_decrypt_iov_sequence(xts, sequence, size, to, 2, to, 2) == ATREST_OK);
    CHECK(memcmp(found, plain, len) == 0);
}

static void check_sequences(const atrest_xts *xts, size_t size) {
    const uint64_t firsts[][2] = {{0, 0}, {0x0102030405060708u, UINT64_MAX - 1}, {UINT64_MAX, 0xfffffffdu}, {77, 2}};
    const uint64_t steps[][2] = {{0, 1}, {UINT64_MAX, UINT64_MAX}, {1, 0}, {UINT64_MAX, 1}, {3, UINT64_MAX - 9}};
    for (size_t i = 0; i < 4; i++) {
        for (size_t j = 0; j < 5; j++) {
            for (uint32_t width = 32; width <= 128; width *= 2) {
                for (uint32_t flags = 0; flags < 8; flags++) {
                    if ((flags & ATREST_SEQUENCE_IN_512) != 0 && size % 512 != 0) continue;
                    atrest_tweak_sequence sequence;
                    sequence.first_upper = firsts[i][0];
                    sequence.first = firsts[i][1];
                    sequence.step_upper = steps[j][0];
                    sequence.step = steps[j][1];
                    sequence.width = width;
                    sequence.flags = flags | ATREST_SEQUENCE_WRAPS;
                    check_sequence(xts, &sequence, size);
                }
            }
        }
    }
}

/* All four calls give `status`, and write nothing. */
static void sequence_refused(atrest_status status, const atrest_xts *xts, const atrest_tweak_sequence *sequence,
                             size_t size) {
    const size_t len = SECTORS * size;
    const struct iovec from[1] = {{plain, len}}, to[1] = {{found, len}};
    memset(found, 0xa5, sizeof found);
    CHECK(atrest_xts_encrypt_sectors_sequence(xts, sequence, size, plain, found, len) == status);
    CHECK(atrest_xts_decrypt_sectors_sequence(xts, sequence, size, found, found, len) == status);
    CHECK(atrest_xts_encrypt_iov_sequence(xts, sequence, size, from, 1, to, 1) == status);
    CHECK(atrest_xts_decrypt_iov_sequence(xts, sequence, size, to, 1, to, 1) == status);
    for (size_t i = 0; i < sizeof found; i++) CHECK(found[i] == 0xa5);
}

static void check_refused_sequences(const atrest_xts *xts) {
    for (uint32_t width = 32; width <= 128; width *= 2) {
        /* Up to the last number, and down to 0; then one more. */
        atrest_tweak_sequence sequence = {UINT64_MAX - 4, UINT64_MAX, 1, 0, width, 0};
        check_sequence(xts, &sequence, 48);
        sequence.first++;
        sequence_refused(ATREST_ERROR_SECTOR_NUMBER, xts, &sequence, 48);
        const atrest_tweak_sequence down = {4, 0, UINT64_MAX, UINT64_MAX, width, ATREST_SEQUENCE_BIG_ENDIAN};
        check_sequence(xts, &down, 48);
        sequence = down;
        sequence.first--;
        sequence_refused(ATREST_ERROR_SECTOR_NUMBER, xts, &sequence, 48);
    }
    const atrest_tweak_sequence good = {5, 0, 1, 0, 128, 0};
    const uint32_t widths[] = {0, 1, 31, 33, 127, 129, 256, UINT32_MAX};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        atrest_tweak_sequence sequence = good;
        sequence.width = widths[i];
        sequence_refused(ATREST_ERROR_TWEAKS, xts, &sequence, 512);
    }
    const uint32_t flags[] = {8, 9, 0x80000000u};
    for (size_t i = 0; i < sizeof flags / sizeof flags[0]; i++) {
        atrest_tweak_sequence sequence = good;
        sequence.flags = flags[i];
        sequence_refused(ATREST_ERROR_FLAGS, xts, &sequence, 512);
    }
    atrest_tweak_sequence in_512 = good;
    in_512.flags = ATREST_SEQUENCE_IN_512;
    sequence_refused(ATREST_ERROR_SECTOR_SIZE, xts, &in_512, 520);
    sequence_refused(ATREST_ERROR_NULL, xts, NULL, 512);
    sequence_refused(ATREST_ERROR_NULL, NULL, &good, 512);
}

static void check_list(const atrest_xts *xts, size_t size) {
    const size_t len = SECTORS * size;
    uint8_t tweaks[SECTORS][16], odd[SECTORS * 16 + 1];
    for (size_t i = 0; i < sizeof tweaks; i++) tweaks[i / 16][i % 16] = (uint8_t)((i * 77 + size) & 0xff);
    expect(xts, tweaks, size);
    /* At any address. */
    uint8_t *const list = odd + 1;
    memcpy(list, tweaks, sizeof tweaks);
    const struct iovec from[2] = {{plain, len / 3}, {plain + len / 3, len - len / 3}};
    const struct iovec to[2] = {{found, len / 2}, {found + len / 2, len - len / 2}};
    memset(found, 0, len);
    CHECK(atrest_xts_encrypt_sectors_list(xts, list, SECTORS, size, plain, found, len) == ATREST_OK);
    CHECK(memcmp(found, expected, len) == 0);
    CHECK(atrest_xts_decrypt_sectors_list(xts, list, SECTORS, size, found, found, len) == ATREST_OK);
    CHECK(memcmp(found, plain, len) == 0);
    CHECK(atrest_xts_encrypt_iov_list(xts, list, SECTORS, size, from, 2, to, 2) == ATREST_OK);
    CHECK(memcmp(found, expected, len) == 0);
    CHECK(atrest_xts_decrypt_iov_list(xts, list, SECTORS, size, to, 2, to, 2) == ATREST_OK);
    CHECK(memcmp(found, plain, len) == 0);
    CHECK(memcmp(list, tweaks, sizeof tweaks) == 0);
}

/* All four calls give `status`, and write nothing; the data begins 32 bytes into `found`. */
static void list_refused(atrest_status status, const atrest_xts *xts, const uint8_t *tweaks, size_t count) {
    const size_t size = 48, len = SECTORS * size;
    uint8_t *const data = found + 32;
    const struct iovec from[1] = {{plain, len}}, to[2] = {{data, 64}, {data + 64, len - 64}};
    memset(found, 0xa5, sizeof found);
    CHECK(atrest_xts_encrypt_sectors_list(xts, tweaks, count, size, plain, data, len) == status);
    CHECK(atrest_xts_decrypt_sectors_list(xts, tweaks, count, size, data, data, len) == status);
    CHECK(atrest_xts_encrypt_iov_list(xts, tweaks, count, size, from, 1, to, 2) == status);
    CHECK(atrest_xts_decrypt_iov_list(xts, tweaks, count, size, to, 2, to, 2) == status);
    for (size_t i = 0; i < sizeof found; i++) CHECK(found[i] == 0xa5);
}

static void check_refused_lists(const atrest_xts *xts) {
    uint8_t list[(SECTORS + 1) * 16] = {1};
    list_refused(ATREST_ERROR_TWEAK_COUNT, xts, list, SECTORS - 1);
    list_refused(ATREST_ERROR_TWEAK_COUNT, xts, list, SECTORS + 1);
    list_refused(ATREST_ERROR_TWEAK_COUNT, xts, list, 0);
    list_refused(ATREST_ERROR_TWEAK_COUNT, xts, NULL, 0);
    list_refused(ATREST_ERROR_NULL, xts, NULL, SECTORS);
    list_refused(ATREST_ERROR_NULL, NULL, list, SECTORS);
    list_refused(ATREST_ERROR_BUFFER_LENGTH, xts, list, SIZE_MAX / 16);
    list_refused(ATREST_ERROR_BUFFER_LENGTH, xts, list, SIZE_MAX / 16 + 1);
    list_refused(ATREST_ERROR_BUFFER_LENGTH, xts, list, SIZE_MAX);
    /* The data lies in bytes 32 to 271 of `found`: the list's end in it, the list in it, and the list's start in it. */
    const size_t len = SECTORS * 48, at[] = {0, 32, 100, 32 + len - 1};
    for (size_t i = 0; i < sizeof at / sizeof at[0]; i++) {
        list_refused(ATREST_ERROR_OVERLAP, xts, found + at[i], SECTORS);
    }
    /* Beside it, and in the source, they are good. */
    uint8_t *const data = found + SECTORS * 16;
    const struct iovec piece[1] = {{data, len}};
    CHECK(atrest_xts_encrypt_sectors_list(xts, found, SECTORS, 48, data, data, len) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors_list(xts, data + len, SECTORS, 48, data, data, len) == ATREST_OK);
    CHECK(atrest_xts_encrypt_iov_list(xts, found, SECTORS, 48, piece, 1, piece, 1) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors_list(xts, plain + 7, SECTORS, 48, plain, found, len) == ATREST_OK);
    /* No sectors take no tweaks. */
    CHECK(atrest_xts_encrypt_sectors_list(xts, NULL, 0, 48, NULL, NULL, 0) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors_list(xts, list, 1, 48, NULL, NULL, 0) == ATREST_ERROR_TWEAK_COUNT);
}

void check_layouts(void) {
    uint8_t key[64];
    atrest_xts *xts = NULL;
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(3 * i);
    for (size_t i = 0; i < sizeof plain; i++) plain[i] = (uint8_t)((i * 31 + (i >> 8)) & 0xff);
    CHECK(atrest_xts_new(key, sizeof key, &xts) == ATREST_OK);

    const size_t sizes[] = {48, 512, 520, 1024, 4096};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        for (int layout = ATREST_LAYOUT_PLAIN64; layout <= LAST_LAYOUT; layout++) {
            const int in_512 = layout == ATREST_LAYOUT_PLAIN64_IN_512 || layout == ATREST_LAYOUT_UPPER64_IN_512;
            if (in_512 && sizes[i] % 512 != 0) continue;
            atrest_tweaks tweaks = make((atrest_layout)layout, 0, 0x0102030405060708u);
            check_layout(xts, &tweaks, sizes[i]);
            if (has_upper(layout)) tweaks.first_upper = 0x1112131415161718u;
            check_layout(xts, &tweaks, sizes[i]);
            /* Past 2^64, or past 2^32. */
            tweaks.first = UINT64_MAX - 1;
            if (layout < ATREST_LAYOUT_UPPER64 && layout != ATREST_LAYOUT_PLAIN64BE) {
                check_layout(xts, &tweaks, sizes[i]);
            }
        }
        check_sequences(xts, sizes[i]);
        check_list(xts, sizes[i]);
    }
    /* Tweaks may lie at any address, and in what is written. */
    const atrest_tweaks inside = make(ATREST_LAYOUT_PLAIN64BE, 0, 77);
    memcpy(found, plain, 512);
    memcpy(found + 1, &inside, sizeof inside);
    CHECK(atrest_xts_encrypt_sectors_tweaks(xts, &inside, 512, found, expected, 512) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors_tweaks(xts, (const atrest_tweaks *)(const void *)(found + 1), 512, found, found,
                                            512) == ATREST_OK);
    CHECK(memcmp(found, expected, 512) == 0);

    /* So may those of a sequence. */
    const atrest_tweak_sequence sequence = {77, 5, 3, 0, 64, 0};
    memcpy(found, plain, 512);
    memcpy(found + 1, &sequence, sizeof sequence);
    CHECK(atrest_xts_encrypt_sectors_sequence(xts, &sequence, 512, found, expected, 512) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors_sequence(xts, (const atrest_tweak_sequence *)(const void *)(found + 1), 512,
                                              found, found, 512) == ATREST_OK);
    CHECK(memcmp(found, expected, 512) == 0);

    check_refused(xts);
    check_refused_sequences(xts);
    check_refused_lists(xts);
    atrest_xts_free(xts);
}
