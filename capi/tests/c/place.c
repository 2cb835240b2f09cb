/*
 * Keys in memory of the caller's; versions, backends and the self-test; and a forked child.
 *
 * Compiled as C11 and as C++17, hence the casts.
 */
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atrest.h"
#include "check.h"

enum { ROOM = 16384, CANARY = 0xa5 };

static uint8_t room[ROOM];

static int untouched(const uint8_t *bytes, size_t len, uint8_t value) {
    for (size_t i = 0; i < len; i++) {
        if (bytes[i] != value) return 0;
    }
    return 1;
}

/* Keys of halves that lie apart: the same as of both in one, on the heap and in the caller's memory. */
static void check_halves(void) {
    uint8_t key[64], key1[33], key2[33], equal[32], data[3][96];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)(5 * i + 1);
    memset(equal, 9, sizeof equal);
    memset(room, CANARY, sizeof room);
    const size_t size = atrest_xts_size(), alignment = atrest_xts_alignment();
    uint8_t *const place = room + (alignment - (uintptr_t)room % alignment) % alignment;
    atrest_xts *const stale = (atrest_xts *)(void *)key;
    atrest_xts *xts[3];
    for (size_t half = 16; half <= 32; half += 16) {
        /* At odd addresses. */
        memcpy(key1 + 1, key, half);
        memcpy(key2 + 1, key + half, half);
        CHECK(atrest_xts_new(key, 2 * half, &xts[0]) == ATREST_OK);
        CHECK(atrest_xts_new_from_halves(key1 + 1, key2 + 1, half, NULL, 0, &xts[1]) == ATREST_OK);
        CHECK(atrest_xts_init_from_halves(place, size, key1 + 1, key2 + 1, half, "soft", 0, &xts[2]) == ATREST_OK);
        CHECK(strcmp(atrest_backend_name(xts[2]), "soft") == 0);
        for (size_t i = 0; i < 3; i++) {
            memset(data[i], 3, sizeof data[i]);
            CHECK(atrest_xts_encrypt_sectors(xts[i], 7, 48, data[i], data[i], sizeof data[i]) == ATREST_OK);
        }
        CHECK(memcmp(data[0], data[1], sizeof data[0]) == 0 && memcmp(data[0], data[2], sizeof data[0]) == 0);
        atrest_xts_free(xts[0]);
        atrest_xts_free(xts[1]);
        atrest_xts_deinit(xts[2]);
        CHECK(untouched(place, size, 0));
        CHECK(atrest_xts_new_from_halves(equal, equal, half, NULL, 1, &xts[0]) == ATREST_OK);
        atrest_xts_free(xts[0]);
    }
    const struct {
        atrest_status status;
        const uint8_t *key1, *key2;
        size_t half_len;
        const char *backend;
        uint32_t flags;
    } bad[] = {
        {ATREST_ERROR_NULL, NULL, key2, 32, NULL, 0},
        {ATREST_ERROR_NULL, key1, NULL, 32, NULL, 0},
        {ATREST_ERROR_KEY_LENGTH, key1, key2, 0, NULL, 0},
        {ATREST_ERROR_KEY_LENGTH, key1, key2, 15, NULL, 0},
        {ATREST_ERROR_KEY_LENGTH, key1, key2, 33, NULL, 0},
        {ATREST_ERROR_KEY_LENGTH, key1, key2, 64, NULL, 0},
        {ATREST_ERROR_KEY_LENGTH, key1, key2, SIZE_MAX, NULL, 0},
        {ATREST_ERROR_EQUAL_HALVES, equal, equal, 32, NULL, 0},
        {ATREST_ERROR_FLAGS, key1, key2, 32, NULL, 2},
        {ATREST_ERROR_UNKNOWN_BACKEND, key1, key2, 32, "fast", 0},
    };
    memset(room, CANARY, sizeof room);
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        xts[0] = stale;
        CHECK(atrest_xts_new_from_halves(bad[i].key1, bad[i].key2, bad[i].half_len, bad[i].backend, bad[i].flags,
                                         &xts[0]) == bad[i].status);
        CHECK(xts[0] == NULL);
        xts[0] = stale;
        CHECK(atrest_xts_init_from_halves(place, size, bad[i].key1, bad[i].key2, bad[i].half_len, bad[i].backend,
                                          bad[i].flags, &xts[0]) == bad[i].status);
        CHECK(xts[0] == NULL);
    }
    CHECK(atrest_xts_init_from_halves(place, size - 1, key1, key2, 32, NULL, 0, &xts[0]) == ATREST_ERROR_MEMORY);
    CHECK(atrest_xts_init_from_halves(NULL, size, key1, key2, 32, NULL, 0, &xts[0]) == ATREST_ERROR_NULL);
    CHECK(atrest_xts_new_from_halves(key1, key2, 32, NULL, 0, NULL) == ATREST_ERROR_NULL);
    CHECK(untouched(room, sizeof room, CANARY));
}

static void check_place(void) {
    const size_t size = atrest_xts_size(), alignment = atrest_xts_alignment();
    CHECK(alignment != 0 && alignment <= 64 && (alignment & (alignment - 1)) == 0);
    CHECK(size >= 3 * 15 * 16 && size + 3 * alignment <= sizeof room);
    memset(room, CANARY, sizeof room);
    uint8_t *const place = room + alignment + (alignment - (uintptr_t)room % alignment) % alignment;

    uint8_t key[64];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    uint8_t equal[64];
    memset(equal, 7, sizeof equal);
    atrest_xts *const stale = (atrest_xts *)(void *)key;
    atrest_xts *xts;

    const struct {
        atrest_status status;
        void *memory;
        size_t memory_len;
        const uint8_t *key;
        size_t key_len;
        const char *backend;
        uint32_t flags;
    } bad[] = {
        {ATREST_ERROR_NULL, NULL, size, key, 64, NULL, 0},
        {ATREST_ERROR_NULL, place, size, NULL, 64, NULL, 0},
        {ATREST_ERROR_MEMORY, place, size - 1, key, 64, NULL, 0},
        {ATREST_ERROR_MEMORY, place, 0, key, 64, NULL, 0},
        {ATREST_ERROR_MEMORY, place + 1, size, key, 64, NULL, 0},
        {ATREST_ERROR_MEMORY, place + alignment / 2, size, key, 64, NULL, 0},
        {ATREST_ERROR_BUFFER_LENGTH, place, SIZE_MAX, key, 64, NULL, 0},
        {ATREST_ERROR_FLAGS, place, size, key, 64, NULL, 2},
        {ATREST_ERROR_FLAGS, place, size, key, 64, NULL, 0x80000001u},
        {ATREST_ERROR_KEY_LENGTH, place, size, key, 63, NULL, 0},
        {ATREST_ERROR_EQUAL_HALVES, place, size, equal, 64, NULL, 0},
        {ATREST_ERROR_UNKNOWN_BACKEND, place, size, key, 64, "fast", 0},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        xts = stale;
        CHECK(atrest_xts_init(bad[i].memory, bad[i].memory_len, bad[i].key, bad[i].key_len, bad[i].backend,
                              bad[i].flags, &xts) == bad[i].status);
        CHECK(xts == NULL);
        CHECK(untouched(room, sizeof room, CANARY));
    }
    CHECK(atrest_xts_init(place, size, key, 64, NULL, 0, NULL) == ATREST_ERROR_NULL);
    CHECK(untouched(room, sizeof room, CANARY));

    /* It does what a key on the heap does, within its memory, and leaves none of itself there. */
    uint8_t expected[1024], found[1024];
    const char *const backends[] = {NULL, "soft"};
    for (size_t i = 0; i < 2; i++) {
        atrest_xts *heap = NULL;
        memset(expected, 1, sizeof expected);
        memset(found, 1, sizeof found);
        CHECK(atrest_xts_new(key, 64, &heap) == ATREST_OK);
        CHECK(atrest_xts_encrypt_sectors(heap, 5, 512, expected, expected, sizeof expected) == ATREST_OK);
        atrest_xts_free(heap);
        CHECK(atrest_xts_init(place, size, key, 64, backends[i], 0, &xts) == ATREST_OK);
        CHECK((void *)xts == (void *)place);
        CHECK(atrest_xts_encrypt_sectors(xts, 5, 512, found, found, sizeof found) == ATREST_OK);
        CHECK(memcmp(found, expected, sizeof found) == 0);
        CHECK(i == 0 || strcmp(atrest_backend_name(xts), "soft") == 0);
        atrest_xts_deinit(xts);
        CHECK(untouched(place, size, 0));
        memset(place, CANARY, size);
        CHECK(untouched(room, sizeof room, CANARY));
    }
    CHECK(atrest_xts_init(place, size, equal, 64, NULL, ATREST_XTS_ALLOW_EQUAL_HALVES, &xts) == ATREST_OK);
    atrest_xts_deinit(xts);
    atrest_xts_deinit(NULL);
}

static void check_info(void) {
    CHECK(strcmp(atrest_version(), ATREST_VERSION) == 0);
    CHECK(atrest_version_number() == ATREST_VERSION_NUMBER);
    CHECK(atrest_selftest() == ATREST_OK);

    uint8_t key[32] = {1};
    size_t count = 0;
    CHECK(strcmp(atrest_usable_backend(0), "soft") == 0);
    for (const char *name; (name = atrest_usable_backend(count)) != NULL; count++) {
        atrest_xts *xts = NULL;
        CHECK(atrest_xts_new_with_backend(key, sizeof key, name, &xts) == ATREST_OK);
        CHECK(strcmp(atrest_backend_name(xts), name) == 0);
        atrest_xts_free(xts);
    }
    CHECK(count >= 1 && count <= 6);
    CHECK(atrest_usable_backend(count + 1) == NULL && atrest_usable_backend(SIZE_MAX) == NULL);
}

/* A key of the parent's works in the child, and the child makes its own. */
static void check_fork(void) {
    uint8_t key[64], expected[4096] = {1}, found[4096] = {1};
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;
    atrest_xts *xts = NULL;
    CHECK(atrest_xts_new(key, sizeof key, &xts) == ATREST_OK);
    CHECK(atrest_xts_encrypt_sectors(xts, 1, 512, expected, expected, sizeof expected) == ATREST_OK);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        atrest_xts *own = NULL;
        int good = atrest_xts_encrypt_sectors(xts, 1, 512, found, found, sizeof found) == ATREST_OK &&
                   memcmp(found, expected, sizeof found) == 0 && atrest_selftest() == ATREST_OK &&
                   atrest_xts_new(key, sizeof key, &own) == ATREST_OK &&
                   atrest_xts_decrypt_sectors(own, 1, 512, found, found, sizeof found) == ATREST_OK && found[0] == 1;
        atrest_xts_free(own);
        _exit(good ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child);
    CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
    atrest_xts_free(xts);
}

void check_place_and_info(void) {
    check_place();
    check_halves();
    check_info();
    check_fork();
}
