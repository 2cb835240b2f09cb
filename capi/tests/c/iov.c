/*
 * Sectors in pieces of memory become what they become in one buffer, wherever they are cut; and nothing beside the
 * pieces is written.
 *
 * Compiled as C11 and as C++17, hence the casts.
 */
#include <stdint.h>
#include <string.h>

#include "atrest.h"
#include "check.h"

enum { CANARY = 0xa5, MARGIN = 16, MOST_BYTES = 2 * 12319, MOST_PIECES = 2 * MOST_BYTES, MOST_GAP = 8 };

/* The numbers run over 2^64, where a list has that many sectors. */
#define FIRST (UINT64_MAX - 1)

/* Pieces in memory of their own: in ascending order, or alternately from the front and from the back. */
typedef struct {
    struct iovec pieces[MOST_PIECES];
    size_t count;
    size_t extent;
    uint8_t memory[2 * MARGIN + MOST_BYTES + MOST_PIECES * MOST_GAP];
    uint8_t expected[2 * MARGIN + MOST_BYTES + MOST_PIECES * MOST_GAP];
} list;

/* Where to cut: pieces of one length, or random ones of up to a length. */
typedef struct {
    size_t most;
    int random;
} cut;

static uint64_t state = 1;

/* Knuth's MMIX generator; its upper bits are good enough. */
static size_t random_below(size_t end) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (size_t)(state >> 33) % end;
}

static void add(list *l, uint8_t *base, size_t len) {
    CHECK(l->count < MOST_PIECES);
    l->pieces[l->count].iov_base = base;
    l->pieces[l->count].iov_len = len;
    l->count++;
}

/* An empty piece, at NULL or anywhere else. */
static void add_empty(list *l) { add(l, l->count % 2 == 0 ? NULL : (uint8_t *)(uintptr_t)1, 0); }

/* Cuts `len` bytes into pieces with canaries between them, and empty pieces before, after and among them. */
static void make_list(list *l, const uint8_t *data, size_t len, cut where, int ascending) {
    size_t front = MARGIN, back = sizeof l->memory - MARGIN, done = 0;
    l->count = 0;
    add_empty(l);
    while (done < len) {
        size_t now = where.random ? random_below(where.most + 1) : where.most;
        const size_t gap = random_below(MOST_GAP + 1);
        if (now > len - done) now = len - done;
        if (now == 0) {
            add_empty(l);
        } else if (ascending || l->count % 2 == 0) {
            add(l, l->memory + front, now);
            front += now + gap;
        } else {
            back -= now;
            add(l, l->memory + back, now);
            back -= gap;
        }
        done += now;
    }
    add_empty(l);
    CHECK(front + MARGIN <= back);
    /* A list that ascends does not touch the rest, which then need not be looked at. */
    l->extent = ascending ? front + MARGIN : sizeof l->memory;
    memset(l->memory, CANARY, l->extent);
    for (size_t i = 0; i < l->count; i++) {
        if (l->pieces[i].iov_len != 0) {
            memcpy(l->pieces[i].iov_base, data, l->pieces[i].iov_len);
            data += l->pieces[i].iov_len;
        }
    }
}

/* The pieces hold `data`, and all beside them is as it was. */
static void check_list(list *l, const uint8_t *data) {
    memset(l->expected, CANARY, l->extent);
    for (size_t i = 0; i < l->count; i++) {
        const struct iovec *const piece = &l->pieces[i];
        if (piece->iov_len != 0) {
            memcpy(l->expected + ((const uint8_t *)piece->iov_base - l->memory), data, piece->iov_len);
            data += piece->iov_len;
        }
    }
    CHECK(memcmp(l->memory, l->expected, l->extent) == 0);
}

typedef atrest_status iov_call(const atrest_xts *, uint64_t, size_t, const struct iovec *, size_t, const struct iovec *,
                               size_t);

static list source, target;
static struct iovec copy[MOST_PIECES];
static uint8_t blank[MOST_BYTES];

static void check_in_place(const atrest_xts *xts, iov_call *call, size_t size, const uint8_t *from, const uint8_t *to,
                           size_t len, cut where, int ascending) {
    list *const l = &target;
    make_list(l, from, len, where, ascending);
    memcpy(copy, l->pieces, l->count * sizeof copy[0]);
    CHECK(call(xts, FIRST, size, l->pieces, l->count, l->pieces, l->count) == ATREST_OK);
    check_list(l, to);
    CHECK(memcmp(copy, l->pieces, l->count * sizeof copy[0]) == 0);

    /* Another array that lists the same pieces. */
    make_list(l, from, len, where, ascending);
    memcpy(copy, l->pieces, l->count * sizeof copy[0]);
    CHECK(call(xts, FIRST, size, copy, l->count, l->pieces, l->count) == ATREST_OK);
    check_list(l, to);
    CHECK(memcmp(copy, l->pieces, l->count * sizeof copy[0]) == 0);
}

static void check_apart(const atrest_xts *xts, iov_call *call, size_t size, const uint8_t *from, const uint8_t *to,
                        size_t len, const cut cuts[2], int ascending) {
    make_list(&source, from, len, cuts[0], ascending);
    make_list(&target, blank, len, cuts[1], ascending);
    CHECK(call(xts, FIRST, size, source.pieces, source.count, target.pieces, target.count) == ATREST_OK);
    check_list(&target, to);
    check_list(&source, from);
}

static void check_size(const atrest_xts *xts, size_t size, size_t sectors) {
    static uint8_t plain[MOST_BYTES], cipher[MOST_BYTES];
    const size_t len = size * sectors;
    CHECK(len <= MOST_BYTES);
    for (size_t i = 0; i < len; i++) plain[i] = (uint8_t)random_below(256);
    CHECK(atrest_xts_encrypt_sectors(xts, FIRST, size, plain, cipher, len) == ATREST_OK);

    /* Sectors and blocks straddle pieces, and many of them. The first one, "nowhere", is repeated as the last. */
    const cut cuts[] = {
        {MOST_BYTES, 0}, {1, 0}, {size, 0}, {16, 0}, {3 * size, 0}, {size + 1, 0}, {7, 0}, {size - 1, 0},
        {40, 1}, {size + 100, 1}, {5 * size, 1}, {MOST_BYTES, 0},
    };
    for (int decrypt = 0; decrypt < 2; decrypt++) {
        iov_call *const call = decrypt ? atrest_xts_decrypt_iov : atrest_xts_encrypt_iov;
        const uint8_t *const from = decrypt ? cipher : plain, *const to = decrypt ? plain : cipher;
        for (size_t i = 0; i + 1 < sizeof cuts / sizeof cuts[0]; i++) {
            const int ascending = i % 2 == 0;
            const cut same[2] = {cuts[i], cuts[i]}, joined[2] = {cuts[i], cuts[0]};
            check_in_place(xts, call, size, from, to, len, cuts[i], ascending);
            check_in_place(xts, call, size, from, to, len, cuts[i], !ascending);
            check_apart(xts, call, size, from, to, len, &cuts[i], ascending);
            check_apart(xts, call, size, from, to, len, &cuts[i], !ascending);
            check_apart(xts, call, size, from, to, len, same, ascending);
            check_apart(xts, call, size, from, to, len, joined, ascending);
        }
    }
}

/* No bytes at all, in any form. */
static void check_nothing(const atrest_xts *xts) {
    struct iovec empty[3] = {{NULL, 0}, {NULL, 0}, {NULL, 0}};
    iov_call *const calls[] = {atrest_xts_encrypt_iov, atrest_xts_decrypt_iov};
    for (size_t i = 0; i < 2; i++) {
        CHECK(calls[i](xts, 0, 512, NULL, 0, NULL, 0) == ATREST_OK);
        CHECK(calls[i](xts, 0, 512, empty, 0, empty, 0) == ATREST_OK);
        CHECK(calls[i](xts, 0, 512, empty, 3, empty, 3) == ATREST_OK);
        CHECK(calls[i](xts, 0, 512, empty, 3, empty + 1, 2) == ATREST_OK);
        CHECK(calls[i](xts, 0, 512, empty, 3, NULL, 0) == ATREST_OK);
        CHECK(calls[i](xts, 0, 512, NULL, 0, empty, 1) == ATREST_OK);
    }
}

/* One piece of a source may stand for several. */
static void check_repeated_source(const atrest_xts *xts) {
    static uint8_t piece[700], whole[512 * 700 / 4], expected[sizeof whole], found[sizeof whole];
    static struct iovec pieces[sizeof whole / sizeof piece];
    const size_t count = sizeof pieces / sizeof pieces[0];
    for (size_t i = 0; i < sizeof piece; i++) piece[i] = (uint8_t)random_below(256);
    for (size_t i = 0; i < count; i++) {
        memcpy(whole + i * sizeof piece, piece, sizeof piece);
        pieces[i].iov_base = piece;
        pieces[i].iov_len = sizeof piece;
    }
    const struct iovec dst = {found, sizeof found};
    CHECK(atrest_xts_encrypt_sectors(xts, 5, 512, whole, expected, sizeof whole) == ATREST_OK);
    CHECK(atrest_xts_encrypt_iov(xts, 5, 512, pieces, count, &dst, 1) == ATREST_OK);
    CHECK(memcmp(found, expected, sizeof found) == 0);
}

void check_iov(void) {
    const struct {
        size_t size, sectors;
    } cases[] = {{16, 140}, {17, 131}, {512, 20}, {520, 20}, {4096, 3}, {8193, 2}, {12319, 2}};
    uint8_t key[64];
    atrest_xts *xts = NULL;
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    CHECK(atrest_xts_new(key, sizeof key, &xts) == ATREST_OK);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) check_size(xts, cases[i].size, cases[i].sectors);
    check_nothing(xts);
    check_repeated_source(xts);
    atrest_xts_free(xts);
}
