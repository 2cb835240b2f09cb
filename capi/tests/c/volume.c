/*
 * The C11 test program of volumes, envelopes and key providers: what they do, and every misuse.
 *
 * Argument: an empty directory.
 */
#define _DEFAULT_SOURCE
#include <errno.h>
#include <fcntl.h>
#ifdef ATREST_WITH_KMS
#include <netinet/in.h>
#include <sys/socket.h>
#include <time.h>
#endif
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atrest.h"
#include "check.h"

enum { SIZE = 1000003, WAIT = -1, DATA = 16 << 20 };

static const char *base;

/* A path in the directory; the last four stay valid. */
static const char *in(const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    CHECK((size_t)snprintf(path, sizeof paths[0], "%s/%s", base, name) < sizeof paths[0]);
    return path;
}

static void expect(int line, atrest_status status, atrest_status expected, const char *error) {
    if (status != expected) {
        fprintf(stderr, "volume.c:%d: \"%s\" instead of \"%s\" (%s)\n", line, atrest_status_message(status),
                atrest_status_message(expected), error);
        exit(EXIT_FAILURE);
    }
}

/* The status, and a sentence with a word in it. */
static char error[1000];
#define IS(expected, call) expect(__LINE__, call, expected, error)
#define SAYS(word)                                                                \
    do {                                                                          \
        CHECK(strlen(error) > 0 && strchr(error, '\n') == NULL);                  \
        if (strstr(error, word) == NULL) fprintf(stderr, "said: %s\n", error);    \
        CHECK(strstr(error, word) != NULL);                                       \
        error[0] = '\0';                                                          \
    } while (0)
#define ERROR error, sizeof error

static void fill(uint8_t *bytes, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((i * 167 + seed + (i >> 8) * 3) & 0xff);
}

static atrest_providers *providers_of(const char *keystore) {
    atrest_providers *providers;
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_OK, atrest_providers_add_local(providers, keystore, ERROR));
    CHECK(error[0] == '\0');
    return providers;
}

/* For tests that ask something else than what is expected. */
static atrest_providers *providers_expecting_any(const char *keystore) {
    atrest_providers *providers = providers_of(keystore);
    IS(ATREST_OK, atrest_providers_expect_any(providers));
    return providers;
}

static atrest_volume *open_volume(const char *path, uint32_t flags, const atrest_providers *providers) {
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_open(path, flags, providers, 0, &volume, ERROR));
    CHECK(volume != NULL && error[0] == '\0');
    return volume;
}

static void check_messages(void) {
    const char *unknown = atrest_status_message((atrest_status)31);
    int count = 0;
    for (int status = 32; status <= 255; status++) {
        const char *message = atrest_status_message((atrest_status)status);
        if (strcmp(message, unknown) == 0) continue;
        count++;
        for (int other = 0; other < status; other++) {
            CHECK(strcmp(message, atrest_status_message((atrest_status)other)) != 0);
        }
    }
    CHECK(count >= 47);
}

static void check_keys(void) {
    IS(ATREST_OK, atrest_local_create_key(in("keys"), "local:default", ERROR));
    CHECK(error[0] == '\0');
    IS(ATREST_ERROR_KEY_EXISTS, atrest_local_create_key(in("keys"), "local:default", ERROR));
    SAYS("exists already");
    IS(ATREST_ERROR_KEY_NAME, atrest_local_create_key(in("keys"), "default", ERROR));
    SAYS("local:NAME");
    IS(ATREST_ERROR_KEY_NAME, atrest_local_create_key(in("keys"), "local:../x", ERROR));
    SAYS("no name for a local key");
    IS(ATREST_ERROR_KEY_NAME, atrest_local_create_key(in("keys"), "local:\xff\xfe\x1b[2J\n", ERROR));
    SAYS("names no key");
    IS(ATREST_ERROR_KEY_NAME, atrest_local_create_key(in("keys"), "aws:alias/x", ERROR));
    SAYS("only local keys");
    IS(ATREST_ERROR_NULL, atrest_local_create_key(in("keys"), NULL, NULL, 0));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_local_create_key(in("keys"), "local:x", error, SIZE_MAX));
    /* Another keystore whose key has the same name. */
    IS(ATREST_OK, atrest_local_create_key(in("other"), "local:default", NULL, 77));

    atrest_providers *providers = NULL;
    IS(ATREST_ERROR_NULL, atrest_providers_new(NULL));
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_ERROR_NULL, atrest_providers_add_local(NULL, in("keys"), NULL, 0));
    IS(ATREST_ERROR_KEYSTORE_IO, atrest_providers_add_local(providers, in("nowhere"), ERROR));
    SAYS("nowhere");
    CHECK(mkdir(in("open"), 0755) == 0 && chmod(in("open"), 0755) == 0 && mkdir(in("open/keys"), 0700) == 0);
    IS(ATREST_ERROR_KEYSTORE_PERMISSIONS, atrest_providers_add_local(providers, in("open"), ERROR));
    SAYS("open");
    /* The user's own, which the caller of this program has put there. */
    IS(ATREST_OK, atrest_local_create_key(NULL, "local:own", ERROR));
    IS(ATREST_OK, atrest_providers_add_local(providers, NULL, ERROR));
    CHECK(access(in("home/keys/own.json"), R_OK) == 0);
    atrest_providers_free(providers);
    atrest_providers_free(NULL);
}

/* A key that a passphrase guards: Python made its file, with the passphrase "p\xc3\xa4ssword" and a cheap Argon2id. */
static void check_passphrase(void) {
    static const char file[] =
        "{\"version\":2,\"name\":\"default\",\"created\":1,\"passphrase\":{\"kdf\":\"argon2id\",\"memory_kib\":64,"
        "\"passes\":2,\"lanes\":2,\"salt\":\"AAECAwQFBgcICQoLDA0ODw==\","
        "\"check\":\"wB9MbPAppr9i5bsRKN85bUFZU583qq7Cvx4U0jPMvNY=\"},\"current\":\"0b0e4c4e-7d0f-4f4a-9d0c-6d1f2a3b4c5d\","
        "\"materials\":[{\"id\":\"0b0e4c4e-7d0f-4f4a-9d0c-6d1f2a3b4c5d\",\"created\":1,"
        "\"key\":\"QEFCQ0RFRkdISUpLlyZWDb1xsy4rVUrhPEWjZSy2Y5Dm536BVbLtU+Q4PQjrsh3dzJ5sDD92Fv3+6cXK\"}]}";
    CHECK(mkdir(in("guarded"), 0700) == 0 && mkdir(in("guarded/keys"), 0700) == 0);
    const int fd = open(in("guarded/keys/default.json"), O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0 && write(fd, file, sizeof file - 1) == (ssize_t)(sizeof file - 1) && close(fd) == 0);

    /* The caller's copy may go when the call returns. */
    uint8_t phrase[] = {'p', 0xc3, 0xa4, 's', 's', 'w', 'o', 'r', 'd'};
    atrest_providers *providers = NULL;
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_ERROR_NULL, atrest_providers_add_local_with_passphrase(NULL, in("guarded"), phrase, 9, ERROR));
    IS(ATREST_ERROR_NULL, atrest_providers_add_local_with_passphrase(providers, in("guarded"), NULL, 9, ERROR));
    IS(ATREST_ERROR_NULL, atrest_providers_add_local_with_passphrase(providers, in("guarded"), NULL, 0, NULL, 0));
    IS(ATREST_ERROR_INVALID_REQUEST,
       atrest_providers_add_local_with_passphrase(providers, in("guarded"), phrase, 0, ERROR));
    SAYS("1 to 1024 bytes");
    static uint8_t long_one[1025];
    IS(ATREST_ERROR_INVALID_REQUEST,
       atrest_providers_add_local_with_passphrase(providers, in("guarded"), long_one, sizeof long_one, ERROR));
    SAYS("1025");
    IS(ATREST_ERROR_BUFFER_LENGTH,
       atrest_providers_add_local_with_passphrase(providers, in("guarded"), phrase, SIZE_MAX, ERROR));
    IS(ATREST_ERROR_KEYSTORE_IO,
       atrest_providers_add_local_with_passphrase(providers, in("nowhere"), phrase, 9, ERROR));
    SAYS("nowhere");

    atrest_envelope *envelope = NULL;
    IS(ATREST_OK, atrest_providers_add_local(providers, in("guarded"), ERROR));
    IS(ATREST_ERROR_PASSPHRASE_REQUIRED,
       atrest_envelope_create(providers, "local:default", NULL, WAIT, &envelope, ERROR));
    SAYS("passphrase");
    IS(ATREST_OK, atrest_providers_add_local_with_passphrase(providers, in("guarded"), phrase, 8, ERROR));
    IS(ATREST_ERROR_WRONG_PASSPHRASE,
       atrest_envelope_create(providers, "local:default", NULL, WAIT, &envelope, ERROR));
    SAYS("not the passphrase");
    CHECK(envelope == NULL);
    IS(ATREST_OK, atrest_providers_add_local_with_passphrase(providers, in("guarded"), phrase, 9, ERROR));
    memset(phrase, 0, sizeof phrase);
    uint8_t key[64];
    IS(ATREST_OK, atrest_envelope_create(providers, "local:default", NULL, WAIT, &envelope, ERROR));
    IS(ATREST_OK, atrest_envelope_unwrap_key(envelope, providers, WAIT, key, ERROR));
    atrest_envelope_free(envelope);
    atrest_providers_free(providers);
}

/* Text that is cut ends between two characters, with a NUL, and nothing is written behind the buffer. */
static void check_error_buffers(const atrest_providers *providers) {
    const char *key = "local:\xc3\xa9\xe2\x82\xac\xf0\x9f\x94\x91\xc3\xa9"; /* 2, 3, 4 and 2 bytes */
    char whole[256];
    atrest_envelope *envelope = (atrest_envelope *)&base;
    IS(ATREST_ERROR_KEY_NAME, atrest_envelope_create(providers, key, NULL, WAIT, &envelope, whole, sizeof whole));
    CHECK(envelope == NULL);
    const size_t len = strlen(whole);
    CHECK(len > 20 && len < sizeof whole);
    for (size_t room = 0; room <= len + 2; room++) {
        char *buffer = malloc(room + 1); /* the sanitizers and memcheck watch its end, and so does this byte */
        CHECK(buffer != NULL);
        memset(buffer, 0x7e, room + 1);
        IS(ATREST_ERROR_KEY_NAME, atrest_envelope_create(providers, key, NULL, WAIT, &envelope, buffer, room));
        CHECK(buffer[room] == 0x7e);
        if (room > 0) {
            const size_t kept = strlen(buffer);
            CHECK(kept < room && kept + 4 >= (room < len + 1 ? room : len + 1));
            CHECK(memcmp(buffer, whole, kept) == 0 && ((unsigned char)whole[kept] & 0xc0) != 0x80);
        }
        free(buffer);
    }
}

static atrest_status create(const char *path, uint64_t size, size_t sector_size, uint32_t flags,
                            const atrest_providers *providers, const char *key) {
    atrest_volume *volume = (atrest_volume *)&base;
    const atrest_status status =
        atrest_volume_create(path, size, sector_size, flags, providers, key, WAIT, &volume, ERROR);
    CHECK((volume != NULL) == (status == ATREST_OK));
    atrest_volume_close(volume);
    return status;
}

static void check_create(const atrest_providers *providers) {
    const char *key = "local:default";
    IS(ATREST_ERROR_NULL, create(NULL, 1, 0, 0, providers, key));
    IS(ATREST_ERROR_NULL, create(in("v"), 1, 0, 0, NULL, key));
    IS(ATREST_ERROR_NULL, create(in("v"), 1, 0, 0, providers, NULL));
    // Without a place for the result there still is a line, which a careless caller prints.
    memset(error, 'x', sizeof error);
    IS(ATREST_ERROR_NULL, atrest_volume_create(in("v"), 1, 0, 0, providers, key, WAIT, NULL, ERROR));
    CHECK(memchr(error, '\0', sizeof error) != NULL && strstr(error, "NULL") != NULL);
    IS(ATREST_ERROR_FLAGS, create(in("v"), 1, 0, ATREST_VOLUME_READ_ONLY, providers, key));
    SAYS("flags");
    IS(ATREST_ERROR_FLAGS, create(in("v"), 1, 0, 0x80000000u, providers, key));
    const size_t sizes[] = {1, 511, 513, 520, 8192, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        IS(ATREST_ERROR_VOLUME_SECTOR_SIZE, create(in("v"), 1, sizes[i], 0, providers, key));
        SAYS("512, 1024, 2048 or 4096");
    }
    IS(ATREST_ERROR_VOLUME_SIZE, create(in("v"), UINT64_MAX, 0, 0, providers, key));
    SAYS("too large");
    IS(ATREST_ERROR_VOLUME_SIZE, create(in("v"), (uint64_t)1 << 63, 0, 0, providers, key));
    IS(ATREST_ERROR_KEY_NOT_FOUND, create(in("v"), 1, 0, 0, providers, "local:nobody"));
    SAYS("nobody");
    IS(ATREST_ERROR_UNREACHABLE, create(in("v"), 1, 0, 0, providers, "aws:alias/x"));
    SAYS("aws");
    IS(ATREST_ERROR_NOT_FOUND, create(in("nowhere/v"), 1, 0, 0, providers, key));
    SAYS("making the file");
    IS(ATREST_ERROR_EXISTS, create(in("keys"), 1, 0, 0, providers, key));
    SAYS("exists");
    CHECK(access(in("v"), F_OK) != 0 && errno == ENOENT);

    IS(ATREST_OK, create(in("v"), SIZE, 0, 0, providers, key));
    struct stat before, after;
    CHECK(stat(in("v"), &before) == 0);
    IS(ATREST_ERROR_EXISTS, create(in("v"), 1, 0, 0, providers, key));
    CHECK(stat(in("v"), &after) == 0 && before.st_size == after.st_size);
    IS(ATREST_OK, create(in("empty"), 0, 512, 0, providers, key));

    /* In files that are open already. */
    atrest_volume *volume = NULL;
    const int fd = open(in("fd"), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    IS(ATREST_OK, atrest_volume_create_fd(fd, 5000, 1024, 0, providers, key, 0, &volume, ERROR));
    atrest_volume_close(volume);
    IS(ATREST_ERROR_EXISTS, atrest_volume_create_fd(fd, 5000, 1024, 0, providers, key, 0, &volume, ERROR));
    SAYS("empty file");
    CHECK(volume == NULL && close(fd) == 0);
    IS(ATREST_ERROR_DESCRIPTOR, atrest_volume_create_fd(fd, 1, 0, 0, providers, key, 0, &volume, ERROR));
    IS(ATREST_ERROR_DESCRIPTOR, atrest_volume_create_fd(-1, 1, 0, 0, providers, key, 0, &volume, ERROR));
    SAYS("descriptor");
    int ends[2];
    CHECK(pipe(ends) == 0);
    IS(ATREST_ERROR_FILE_TYPE, atrest_volume_create_fd(ends[1], 1, 0, 0, providers, key, 0, &volume, ERROR));
    SAYS("neither");
    CHECK(close(ends[0]) == 0 && close(ends[1]) == 0);
}

static void check_data(const atrest_providers *providers) {
    static uint8_t content[SIZE], found[SIZE];
    fill(content, SIZE, 1);
    atrest_volume *volume = open_volume(in("v"), 0, providers);
    CHECK(atrest_volume_size(volume) == SIZE && atrest_volume_sector_size(volume) == 4096);
    CHECK(atrest_volume_size(NULL) == 0 && atrest_volume_sector_size(NULL) == 0);
    IS(ATREST_OK, atrest_volume_write(volume, content, SIZE, 0));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(content, found, SIZE) == 0);
    fill(content + 77, 200000, 2);
    IS(ATREST_OK, atrest_volume_write(volume, content + 77, 200000, 77));
    memset(content + 4095, 0, 300001);
    IS(ATREST_OK, atrest_volume_write_zeros(volume, 300001, 4095));
    IS(ATREST_OK, atrest_volume_flush(volume));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(content, found, SIZE) == 0);
    IS(ATREST_ERROR_DISCARD_OFF, atrest_volume_discard(volume, 4096, 0));
    IS(ATREST_OK, atrest_volume_read(volume, NULL, 0, SIZE));
    IS(ATREST_OK, atrest_volume_write(volume, NULL, 0, 0));
    IS(ATREST_OK, atrest_volume_write_zeros(volume, 0, SIZE));

    IS(ATREST_ERROR_NULL, atrest_volume_read(NULL, found, 1, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_write(NULL, found, 1, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_read(volume, NULL, 1, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_write(volume, NULL, 1, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_flush(NULL));
    IS(ATREST_ERROR_NULL, atrest_volume_discard(NULL, 0, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_write_zeros(NULL, 0, 0));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_read(volume, found, SIZE_MAX, 0));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_write(volume, found, (size_t)PTRDIFF_MAX + 1, 0));
    memset(found, 9, SIZE);
    const struct { size_t len; uint64_t offset; } beyond[] = {
        {SIZE, 1}, {1, SIZE}, {0, SIZE + 1}, {1, UINT64_MAX}, {0, UINT64_MAX}, {SIZE, UINT64_MAX - 5},
    };
    for (size_t i = 0; i < sizeof beyond / sizeof beyond[0]; i++) {
        IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_volume_read(volume, found, beyond[i].len, beyond[i].offset));
        IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_volume_write(volume, found, beyond[i].len, beyond[i].offset));
        IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_volume_write_zeros(volume, beyond[i].len, beyond[i].offset));
    }
    IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_volume_write_zeros(volume, UINT64_MAX, 1));
    for (size_t i = 0; i < SIZE; i++) CHECK(found[i] == 9);

    uint8_t uuid[16] = {0}, again[16] = {0};
    IS(ATREST_OK, atrest_volume_uuid(volume, uuid));
    CHECK((uuid[6] & 0xf0) == 0x40);
    IS(ATREST_ERROR_NULL, atrest_volume_uuid(volume, NULL));
    IS(ATREST_ERROR_NULL, atrest_volume_uuid(NULL, uuid));
    atrest_envelope *envelope = NULL;
    IS(ATREST_ERROR_NULL, atrest_volume_envelope(NULL, &envelope));
    IS(ATREST_ERROR_NULL, atrest_volume_envelope(volume, NULL));
    IS(ATREST_OK, atrest_volume_envelope(volume, &envelope));
    atrest_volume_close(volume);
    IS(ATREST_OK, atrest_envelope_uuid(envelope, again));
    CHECK(memcmp(uuid, again, 16) == 0 && strcmp(atrest_envelope_key(envelope, 0), "local:default") == 0);
    atrest_envelope_free(envelope);
    atrest_volume_close(NULL);

    volume = open_volume(in("v"), ATREST_VOLUME_READ_ONLY | ATREST_VOLUME_DISCARD, providers);
    IS(ATREST_OK, atrest_volume_uuid(volume, again));
    CHECK(memcmp(uuid, again, 16) == 0);
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_write(volume, content, 1, 0));
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_write_zeros(volume, 1, 0));
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_discard(volume, 4096, 0));
    IS(ATREST_OK, atrest_volume_flush(volume));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(content, found, SIZE) == 0);
    atrest_volume_close(volume);

    volume = open_volume(in("v"), ATREST_VOLUME_DISCARD, providers);
    IS(ATREST_OK, atrest_volume_discard(volume, 409600, 2 * 4096 - 1));
    IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_volume_discard(volume, UINT64_MAX, 1));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(content, found, 2 * 4096) == 0);
    CHECK(memcmp(content + 101 * 4096, found + 101 * 4096, SIZE - 101 * 4096) == 0);
    CHECK(memcmp(content + 100 * 4096, found + 100 * 4096, 4096) != 0);
    IS(ATREST_OK, atrest_volume_write(volume, content, SIZE, 0));
    atrest_volume_close(volume);

    /* A descriptor of the caller's, which may close it. */
    const int fd = open(in("fd"), O_RDWR);
    CHECK(fd >= 0);
    IS(ATREST_OK, atrest_volume_open_fd(fd, 0, providers, 0, &volume, ERROR));
    CHECK(close(fd) == 0 && atrest_volume_size(volume) == 5000 && atrest_volume_sector_size(volume) == 1024);
    IS(ATREST_OK, atrest_volume_write(volume, content, 5000, 0));
    IS(ATREST_OK, atrest_volume_read(volume, found, 5000, 0));
    CHECK(memcmp(content, found, 5000) == 0);
    atrest_volume_close(volume);
    volume = open_volume(in("empty"), 0, providers);
    CHECK(atrest_volume_size(volume) == 0);
    IS(ATREST_OK, atrest_volume_read(volume, NULL, 0, 0));
    IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_volume_read(volume, found, 1, 0));
    atrest_volume_close(volume);
}

static void copy(const char *from, const char *to, off_t length) {
    static uint8_t bytes[DATA + SIZE + 4096];
    const int source = open(from, O_RDONLY), target = open(to, O_WRONLY | O_CREAT | O_EXCL, 0600);
    CHECK(source >= 0 && target >= 0);
    const ssize_t got = read(source, bytes, sizeof bytes);
    CHECK(got >= length);
    CHECK(write(target, bytes, (size_t)length) == length);
    CHECK(close(source) == 0 && close(target) == 0);
}

static void overwrite(const char *path, off_t offset, size_t length) {
    const uint8_t junk[64] = {1};
    const int fd = open(path, O_WRONLY);
    CHECK(fd >= 0 && pwrite(fd, junk, length, offset) == (ssize_t)length && close(fd) == 0);
}

static atrest_status open_fails(const char *path, uint32_t flags, const atrest_providers *providers) {
    atrest_volume *volume = (atrest_volume *)&base;
    const atrest_status status = atrest_volume_open(path, flags, providers, WAIT, &volume, ERROR);
    CHECK(status != ATREST_OK && volume == NULL);
    return status;
}

static void check_open(const atrest_providers *providers) {
    atrest_volume *volume = NULL;
    IS(ATREST_ERROR_NULL, open_fails(NULL, 0, providers));
    IS(ATREST_ERROR_NULL, open_fails(in("v"), 0, NULL));
    IS(ATREST_ERROR_NULL, atrest_volume_open(in("v"), 0, providers, WAIT, NULL, ERROR));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_open(in("v"), 0, providers, WAIT, &volume, error, SIZE_MAX));
    IS(ATREST_ERROR_FLAGS, open_fails(in("v"), 8, providers));
    IS(ATREST_ERROR_NOT_FOUND, open_fails(in("nowhere"), 0, providers));
    SAYS("opening the file");
    IS(ATREST_ERROR_FILE_TYPE, open_fails(base, ATREST_VOLUME_READ_ONLY, providers));
    IS(ATREST_ERROR_FILE_TYPE, open_fails(base, 0, providers));
    CHECK(mkfifo(in("fifo"), 0600) == 0);
    IS(ATREST_ERROR_FILE_TYPE, open_fails(in("fifo"), ATREST_VOLUME_READ_ONLY, providers));
    SAYS("neither");
    IS(ATREST_ERROR_FILE_TYPE, open_fails("/dev/null", 0, providers));

    /* Content that is no volume, or not all of one. */
    const int fd = open(in("junk"), O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    IS(ATREST_ERROR_NOT_A_VOLUME, open_fails(in("junk"), 0, providers));
    SAYS("0 bytes long");
    CHECK(ftruncate(fd, 1 << 20) == 0 && close(fd) == 0);
    IS(ATREST_ERROR_NOT_A_VOLUME, open_fails(in("junk"), 0, providers));
    SAYS("no LUKS2 header");
    copy(in("v"), in("short"), DATA + SIZE / 4096 * 4096);
    IS(ATREST_ERROR_TRUNCATED, open_fails(in("short"), 0, providers));
    SAYS("cut off");
    copy(in("v"), in("broken"), DATA + SIZE / 4096 * 4096 + 4096);
    overwrite(in("broken"), 5000, 1);
    IS(ATREST_OK, atrest_volume_open(in("broken"), 0, providers, WAIT, &volume, ERROR));
    SAYS("copy of the header is damaged");
    atrest_volume_close(volume);
    IS(ATREST_OK, atrest_volume_open(in("broken"), 0, providers, WAIT, &volume, NULL, 0));
    atrest_volume_close(volume);
    overwrite(in("broken"), 16384 + 5000, 1);
    IS(ATREST_ERROR_DAMAGED, open_fails(in("broken"), 0, providers));
    SAYS("both copies");

    /* Keys that do not open it. */
    atrest_providers *none, *other = providers_expecting_any(in("other"));
    IS(ATREST_OK, atrest_providers_new(&none));
    IS(ATREST_ERROR_UNREACHABLE, open_fails(in("v"), ATREST_VOLUME_READ_ONLY, none));
    SAYS("local");
    IS(ATREST_ERROR_WRONG_KEY, open_fails(in("v"), 0, other));
    SAYS("default");
    IS(ATREST_OK, atrest_providers_add_local(other, in("keys"), ERROR));
    atrest_volume_close(open_volume(in("v"), 0, other));
    atrest_providers_free(none);
    atrest_providers_free(other);

    /* Descriptors that do not fit. */
    const int read_only = open(in("v"), O_RDONLY), append = open(in("v"), O_RDWR | O_APPEND);
    CHECK(read_only >= 0 && append >= 0);
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_open_fd(read_only, 0, providers, WAIT, &volume, ERROR));
    SAYS("reading only");
    IS(ATREST_ERROR_DESCRIPTOR, atrest_volume_open_fd(append, 0, providers, WAIT, &volume, ERROR));
    SAYS("appending");
    IS(ATREST_OK, atrest_volume_open_fd(read_only, ATREST_VOLUME_READ_ONLY, providers, WAIT, &volume, ERROR));
    atrest_volume_close(volume);
    CHECK(close(read_only) == 0 && close(append) == 0);
    IS(ATREST_ERROR_DESCRIPTOR, atrest_volume_open_fd(append, 0, providers, WAIT, &volume, ERROR));
    IS(ATREST_ERROR_DESCRIPTOR, atrest_volume_open_fd(INT_MIN, 0, providers, WAIT, &volume, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_open_fd(0, 0, NULL, WAIT, &volume, ERROR));
    CHECK(volume == NULL);
}

static void check_envelopes(const atrest_providers *providers) {
    atrest_envelope *envelope = NULL, *parsed = NULL;
    const uint8_t uuid[16] = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    uint8_t found[16] = {0};
    IS(ATREST_OK, atrest_envelope_create(providers, "local:default", uuid, 0, &envelope, ERROR));
    IS(ATREST_OK, atrest_envelope_uuid(envelope, found));
    CHECK(memcmp(uuid, found, 16) == 0 && error[0] == '\0');
    const char *json = atrest_envelope_json(envelope);
    CHECK(json != NULL && strstr(json, "\"00010203-0405-0607-0809-0a0b0c0d0e0f\"") != NULL);
    IS(ATREST_OK, atrest_envelope_parse((const uint8_t *)json, strlen(json), &parsed, ERROR));
    CHECK(strcmp(json, atrest_envelope_json(parsed)) == 0);
    CHECK(strcmp(atrest_envelope_key(envelope, 0), "local:default") == 0);
    CHECK(atrest_envelope_key(envelope, 1) == NULL && atrest_envelope_key(envelope, SIZE_MAX) == NULL);
    CHECK(atrest_envelope_key(NULL, 0) == NULL);

    /* The XTS key, as an object and as bytes, is the same one each time, and opens what it closed. */
    uint8_t key[64], plain[4096], one[4096], two[4096];
    atrest_xts *first = NULL, *second = NULL;
    fill(plain, sizeof plain, 3);
    IS(ATREST_OK, atrest_envelope_unwrap(envelope, providers, 0, &first, ERROR));
    IS(ATREST_OK, atrest_envelope_unwrap_key(parsed, providers, WAIT, key, ERROR));
    IS(ATREST_OK, atrest_xts_new(key, sizeof key, &second));
    IS(ATREST_OK, atrest_xts_encrypt_sectors(first, 5, 512, plain, one, sizeof one));
    IS(ATREST_OK, atrest_xts_encrypt_sectors(second, 5, 512, plain, two, sizeof two));
    CHECK(memcmp(one, two, sizeof one) == 0 && memcmp(one, plain, sizeof one) != 0);
    atrest_xts_free(first);
    atrest_xts_free(second);
    atrest_envelope_free(parsed);

    IS(ATREST_OK, atrest_envelope_create(providers, "local:default", NULL, WAIT, &parsed, NULL, 0));
    IS(ATREST_OK, atrest_envelope_uuid(parsed, found));
    CHECK(memcmp(uuid, found, 16) != 0 && (found[6] & 0xf0) == 0x40);
    atrest_envelope_free(parsed);

    /* What fails leaves everything untouched. */
    atrest_providers *other = providers_of(in("other"));
    memset(key, 7, sizeof key);
    first = (atrest_xts *)&base;
    IS(ATREST_ERROR_WRONG_KEY, atrest_envelope_unwrap_key(envelope, other, WAIT, key, ERROR));
    SAYS("default");
    IS(ATREST_ERROR_WRONG_KEY, atrest_envelope_unwrap(envelope, other, WAIT, &first, ERROR));
    CHECK(first == NULL);
    for (size_t i = 0; i < sizeof key; i++) CHECK(key[i] == 7);
    atrest_providers_free(other);
    IS(ATREST_ERROR_NULL, atrest_envelope_unwrap(NULL, providers, WAIT, &first, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_unwrap(envelope, NULL, WAIT, &first, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_unwrap(envelope, providers, WAIT, NULL, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_unwrap_key(envelope, providers, WAIT, NULL, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_unwrap_key(NULL, providers, WAIT, key, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_uuid(NULL, found));
    IS(ATREST_ERROR_NULL, atrest_envelope_uuid(envelope, NULL));
    CHECK(atrest_envelope_json(NULL) == NULL);
    IS(ATREST_ERROR_NULL, atrest_envelope_create(NULL, "local:default", NULL, WAIT, &parsed, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_create(providers, NULL, NULL, WAIT, &parsed, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_create(providers, "local:default", NULL, WAIT, NULL, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_parse(NULL, 1, &parsed, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_parse((const uint8_t *)json, 1, NULL, ERROR));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_envelope_parse((const uint8_t *)json, SIZE_MAX, &parsed, ERROR));
    for (size_t len = 0; len < strlen(json); len++) {
        parsed = (atrest_envelope *)&base;
        IS(ATREST_ERROR_ENVELOPE, atrest_envelope_parse((const uint8_t *)json, len, &parsed, ERROR));
        CHECK(parsed == NULL);
        SAYS("envelope");
    }
    atrest_envelope_free(envelope);
    atrest_envelope_free(NULL);
}

/* To another key of the same keystore and back: what only the old key opened only the new one opens now. */
static void check_rewrap(const atrest_providers *providers) {
    const char *key = "local:second";
    IS(ATREST_OK, atrest_local_create_key(in("keys"), key, ERROR));
    uint8_t before[64], after[64];
    atrest_envelope *envelope = NULL, *second = NULL;
    IS(ATREST_OK, atrest_envelope_create(providers, "local:default", NULL, 0, &envelope, ERROR));
    IS(ATREST_OK, atrest_envelope_rewrap(envelope, 0, providers, key, 0, &second, ERROR));
    CHECK(strcmp(atrest_envelope_key(second, 0), key) == 0 && error[0] == '\0');
    CHECK(strcmp(atrest_envelope_key(envelope, 0), "local:default") == 0);
    IS(ATREST_OK, atrest_envelope_unwrap_key(envelope, providers, 0, before, ERROR));
    IS(ATREST_OK, atrest_envelope_unwrap_key(second, providers, 0, after, ERROR));
    CHECK(memcmp(before, after, sizeof before) == 0);
    atrest_envelope_free(second);
    second = (atrest_envelope *)&base;
    IS(ATREST_ERROR_SLOT, atrest_envelope_rewrap(envelope, 1, providers, key, 0, &second, ERROR));
    SAYS("slot");
    CHECK(second == NULL);
    IS(ATREST_ERROR_KEY_NOT_FOUND, atrest_envelope_rewrap(envelope, 0, providers, "local:x", 0, &second, ERROR));
    IS(ATREST_ERROR_UNREACHABLE, atrest_envelope_rewrap(envelope, 0, providers, "aws:x", 0, &second, ERROR));
    IS(ATREST_ERROR_KEY_NAME, atrest_envelope_rewrap(envelope, 0, providers, "x", 0, &second, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_rewrap(NULL, 0, providers, key, 0, &second, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_rewrap(envelope, 0, NULL, key, 0, &second, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_rewrap(envelope, 0, providers, NULL, 0, &second, ERROR));
    IS(ATREST_ERROR_NULL, atrest_envelope_rewrap(envelope, 0, providers, key, 0, NULL, ERROR));
    atrest_envelope_free(envelope);

    /* A volume, while it is open. */
    uint8_t bytes[100], again[100];
    fill(bytes, sizeof bytes, 9);
    atrest_volume *volume = open_volume(in("fd"), 0, providers);
    IS(ATREST_OK, atrest_volume_write(volume, bytes, sizeof bytes, 1000));
    IS(ATREST_OK, atrest_volume_rewrap(in("fd"), 0, providers, key, 0, ERROR));
    CHECK(error[0] == '\0');
    IS(ATREST_OK, atrest_volume_write(volume, bytes, sizeof bytes, 1100));
    atrest_volume_close(volume);
    CHECK(rename(in("keys/keys/default.json"), in("kept.json")) == 0);
    IS(ATREST_ERROR_KEY_NOT_FOUND, open_fails(in("v"), 0, providers));
    volume = open_volume(in("fd"), 0, providers);
    IS(ATREST_OK, atrest_volume_read(volume, again, sizeof again, 1100));
    CHECK(memcmp(bytes, again, sizeof bytes) == 0);
    atrest_volume_close(volume);
    IS(ATREST_ERROR_KEY_NOT_FOUND, atrest_volume_rewrap(in("fd"), 0, providers, "local:default", 0, ERROR));
    SAYS("default");
    CHECK(rename(in("kept.json"), in("keys/keys/default.json")) == 0);

    const int fd = open(in("fd"), O_RDWR), read_only = open(in("fd"), O_RDONLY);
    CHECK(fd >= 0 && read_only >= 0);
    IS(ATREST_OK, atrest_volume_rewrap_fd(fd, 0, providers, "local:default", WAIT, ERROR));
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_rewrap_fd(read_only, 0, providers, key, WAIT, ERROR));
    IS(ATREST_ERROR_SLOT, atrest_volume_rewrap_fd(fd, SIZE_MAX, providers, key, WAIT, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_rewrap_fd(fd, 0, NULL, key, WAIT, ERROR));
    CHECK(close(fd) == 0 && close(read_only) == 0);
    IS(ATREST_ERROR_DESCRIPTOR, atrest_volume_rewrap_fd(fd, 0, providers, key, WAIT, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_rewrap(NULL, 0, providers, key, WAIT, ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_rewrap(in("junk"), 0, providers, key, WAIT, ERROR));
    IS(ATREST_ERROR_NOT_FOUND, atrest_volume_rewrap(in("nowhere"), 0, providers, key, WAIT, ERROR));
}

/* What a child of this process ends with. */
static void check_slots(const atrest_providers *providers) {
    const char *key = "local:second";
    atrest_volume *volume = open_volume(in("fd"), ATREST_VOLUME_READ_ONLY, providers);
    const uint64_t generation = atrest_volume_generation(volume);
    atrest_volume_close(volume);
    IS(ATREST_OK, atrest_volume_add_slot(in("fd"), providers, key, 0, ERROR));
    IS(ATREST_ERROR_SLOT, atrest_volume_add_slot(in("fd"), providers, key, 0, ERROR));
    CHECK(rename(in("keys/keys/default.json"), in("kept.json")) == 0);
    volume = open_volume(in("fd"), 0, providers);
    CHECK(atrest_volume_generation(volume) == generation + 1 && atrest_volume_generation(NULL) == 0);
    atrest_volume_close(volume);
    CHECK(rename(in("kept.json"), in("keys/keys/default.json")) == 0);
    IS(ATREST_ERROR_SLOT, atrest_volume_remove_slot(in("fd"), 2, providers, 0, ERROR));
    IS(ATREST_OK, atrest_volume_remove_slot(in("fd"), 1, providers, 0, ERROR));
    IS(ATREST_ERROR_ENVELOPE, atrest_volume_remove_slot(in("fd"), 0, providers, 0, ERROR));
    SAYS("only slot");
    IS(ATREST_ERROR_NULL, atrest_volume_add_slot(NULL, providers, key, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_add_slot(in("fd"), NULL, key, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_add_slot(in("fd"), providers, NULL, 0, ERROR));
    IS(ATREST_ERROR_KEY_NOT_FOUND, atrest_volume_add_slot(in("fd"), providers, "local:x", 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_remove_slot(NULL, 0, providers, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_remove_slot(in("fd"), 0, NULL, 0, ERROR));
    IS(ATREST_ERROR_NOT_FOUND, atrest_volume_remove_slot(in("nowhere"), 0, providers, 0, ERROR));
}

static void check_headers(const atrest_providers *providers) {
    struct stat attributes;
    IS(ATREST_OK, atrest_volume_backup_header(in("fd"), in("header"), ERROR));
    CHECK(error[0] == '\0' && stat(in("header"), &attributes) == 0);
    CHECK(attributes.st_size == DATA && (attributes.st_mode & 0777) == 0600);
    IS(ATREST_ERROR_EXISTS, atrest_volume_backup_header(in("fd"), in("header"), ERROR));
    IS(ATREST_ERROR_NOT_FOUND, atrest_volume_backup_header(in("nowhere"), in("h2"), ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_backup_header(in("junk"), in("h2"), ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_backup_header(NULL, in("h2"), ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_backup_header(in("fd"), NULL, ERROR));
    CHECK(access(in("h2"), F_OK) != 0);

    overwrite(in("fd"), 0, 64);
    overwrite(in("fd"), 16384, 64);
    IS(ATREST_ERROR_NOT_A_VOLUME, open_fails(in("fd"), 0, providers));
    IS(ATREST_OK, atrest_volume_restore_header(in("fd"), in("header"), 0, ERROR));
    SAYS("not compared");
    atrest_volume_close(open_volume(in("fd"), 0, providers));
    IS(ATREST_ERROR_NEEDS_FORCE, atrest_volume_restore_header(in("fd"), in("header"), 0, ERROR));
    SAYS("older");
    IS(ATREST_OK, atrest_volume_restore_header(in("fd"), in("header"), ATREST_FORCE, ERROR));
    CHECK(error[0] == '\0');
    IS(ATREST_ERROR_NEEDS_FORCE, atrest_volume_restore_header(in("v"), in("header"), 0, ERROR));
    SAYS("another volume");
    IS(ATREST_ERROR_FLAGS, atrest_volume_restore_header(in("fd"), in("header"), 2, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header(NULL, in("header"), 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header(in("fd"), NULL, 0, ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_restore_header(in("fd"), in("junk"), 0, ERROR));
    IS(ATREST_ERROR_NOT_FOUND, atrest_volume_restore_header(in("fd"), in("nowhere"), 0, ERROR));
    atrest_volume_close(open_volume(in("fd"), 0, providers));
}

/* A new volume, closed again, and its pin. */
static void create_pinned(const char *path, const atrest_providers *providers, char *pin) {
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_create(path, SIZE, 0, 0, providers, "local:default", 0, &volume, ERROR));
    CHECK(atrest_volume_slot(volume) == -1);
    IS(ATREST_OK, atrest_volume_slot_failure(volume, 0, ERROR));
    IS(ATREST_OK, atrest_volume_pin(volume, pin, ATREST_PIN_SIZE));
    atrest_volume_close(volume);
}

static struct stat attributes_of(const char *path) {
    struct stat attributes;
    CHECK(stat(path, &attributes) == 0);
    return attributes;
}

/* Nobody wrote to it since. */
static int is_as_it_was(const char *path, const struct stat *before) {
    const struct stat now = attributes_of(path);
    return now.st_mtim.tv_sec == before->st_mtim.tv_sec && now.st_mtim.tv_nsec == before->st_mtim.tv_nsec;
}

/* Every call that writes or changes this volume, but for making and destroying one, answers this. */
static void all_refuse(atrest_status expected, const char *path, const atrest_providers *providers) {
    const struct stat before = attributes_of(path);
    atrest_volume *volume = (atrest_volume *)&base;
    IS(expected, open_fails(path, 0, providers));
    IS(expected, open_fails(path, ATREST_VOLUME_DISCARD, providers));
    const int fd = open(path, O_RDWR);
    CHECK(fd >= 0);
    IS(expected, atrest_volume_open_fd(fd, 0, providers, WAIT, &volume, ERROR));
    CHECK(volume == NULL && error[0] != '\0');
    IS(expected, atrest_volume_rewrap_fd(fd, 0, providers, "local:default", WAIT, ERROR));
    CHECK(close(fd) == 0);
    IS(expected, atrest_volume_rewrap(path, 0, providers, "local:default", WAIT, ERROR));
    IS(expected, atrest_volume_add_slot(path, providers, "local:second", WAIT, ERROR));
    IS(expected, atrest_volume_remove_slot(path, 0, providers, WAIT, ERROR));
    CHECK(error[0] != '\0' && is_as_it_was(path, &before));
}

static void check_expectations(void) {
    char pin[ATREST_PIN_SIZE], again[ATREST_PIN_SIZE], other[ATREST_PIN_SIZE], text[3 * ATREST_PIN_SIZE];
    atrest_providers *providers = providers_of(in("keys"));
    /* To make a volume nothing has to be expected. */
    create_pinned(in("p"), providers, pin);
    create_pinned(in("q"), providers, other);
    const size_t len = strlen(pin);
    CHECK(len >= 82 && len < sizeof pin && strcmp(pin, other) != 0);
    IS(ATREST_OK, atrest_volume_backup_header(in("p"), in("p-header"), ERROR));

    /* Without an expectation it opens for reading alone. */
    all_refuse(ATREST_ERROR_NO_EXPECTATION, in("p"), providers);
    IS(ATREST_ERROR_NO_EXPECTATION,
       atrest_volume_restore_header_expected(in("p"), in("p-header"), ATREST_FORCE, providers, ERROR));
    IS(ATREST_ERROR_NO_EXPECTATION, open_fails(in("p"), 0, providers));
    SAYS("atrest_providers_expect");
    atrest_volume *volume = open_volume(in("p"), ATREST_VOLUME_READ_ONLY, providers);
    CHECK(atrest_volume_slot(volume) == 0);
    uint8_t byte = 0;
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_write(volume, &byte, 1, 0));
    /* The pin is that of the maker, and fits exactly. */
    memset(again, 'x', sizeof again);
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_pin(volume, again, len));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_pin(volume, again, 0));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_pin(volume, again, SIZE_MAX));
    IS(ATREST_ERROR_NULL, atrest_volume_pin(volume, NULL, sizeof again));
    IS(ATREST_ERROR_NULL, atrest_volume_pin(NULL, again, sizeof again));
    for (size_t i = 0; i < sizeof again; i++) CHECK(again[i] == 'x');
    IS(ATREST_OK, atrest_volume_pin(volume, again, len + 1));
    CHECK(strcmp(again, pin) == 0 && again[len + 1] == 'x');
    atrest_volume_close(volume);
    atrest_envelope *envelope = NULL, *rewrapped = (atrest_envelope *)&base;
    IS(ATREST_OK, atrest_envelope_create(providers, "local:default", NULL, 0, &envelope, ERROR));
    IS(ATREST_ERROR_NO_EXPECTATION,
       atrest_envelope_rewrap(envelope, 0, providers, "local:second", 0, &rewrapped, ERROR));
    CHECK(rewrapped == NULL);

    /* What says nothing leaves the set as it was: here without an expectation, below with one. */
    const char *const malformed[][2] = {
        {"", "empty"},
        {" # a comment", "empty"},
        {"slot=0", "empty"},
        {"any slot=0 6f1f6d9e-56a1-4e0a-9f1c-0c5a2f2b7c11:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8:3", "in place of pins"},
        {"any slot=x", "no number of a slot"},
        {"volume=6f1f", "no UUID"},
        {"key=default", "SCHEME:KEY"},
        {"account=", "nothing stands behind"},
        {"colour=blue", "no expectation"},
        {"6f1f6d9e-56a1-4e0a-9f1c-0c5a2f2b7c11", "UUID:COMMITMENT:VERSION"},
        {"\xff\xfe\x1b[2J\n\xff", "no expectation"},
    };
    for (int round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof malformed / sizeof malformed[0]; i++) {
            IS(ATREST_ERROR_EXPECTATION, atrest_providers_expect(providers, malformed[i][0], ERROR));
            SAYS(malformed[i][1]);
        }
        IS(ATREST_ERROR_NULL, atrest_providers_expect(providers, NULL, ERROR));
        IS(ATREST_ERROR_BUFFER_LENGTH, atrest_providers_expect(providers, "any", error, SIZE_MAX));
        if (round == 0) {
            IS(ATREST_ERROR_NO_EXPECTATION, open_fails(in("p"), 0, providers));
            IS(ATREST_OK, atrest_providers_expect(providers, pin, ERROR));
            CHECK(error[0] == '\0');
        }
        IS(round == 0 ? ATREST_OK : ATREST_ERROR_UNEXPECTED,
           atrest_volume_open(in(round == 0 ? "p" : "q"), 0, providers, 0, &volume, ERROR));
        atrest_volume_close(volume);
    }
    IS(ATREST_ERROR_NULL, atrest_providers_expect(NULL, pin, ERROR));
    IS(ATREST_ERROR_NULL, atrest_providers_expect_any(NULL));

    /* Another volume, another key; and one of several. */
    all_refuse(ATREST_ERROR_UNEXPECTED, in("q"), providers);
    IS(ATREST_ERROR_UNEXPECTED, open_fails(in("q"), ATREST_VOLUME_READ_ONLY, providers));
    SAYS("is expected");
    IS(ATREST_ERROR_UNEXPECTED, atrest_envelope_rewrap(envelope, 0, providers, "local:second", 0, &rewrapped, ERROR));
    uint8_t key[64] = {7};
    IS(ATREST_ERROR_UNEXPECTED, atrest_envelope_unwrap_key(envelope, providers, 0, key, ERROR));
    CHECK(key[0] == 7);
    IS(ATREST_OK, atrest_providers_expect(providers, "any key=local:second", ERROR));
    all_refuse(ATREST_ERROR_UNEXPECTED, in("p"), providers);
    IS(ATREST_OK, atrest_providers_expect(providers, "any key=local:second\n key=local:default # either", ERROR));
    atrest_volume_close(open_volume(in("p"), 0, providers));
    /* Keys say whose volume it is, and not which: that does for reading. */
    IS(ATREST_OK, atrest_providers_expect(providers, "key=local:default provider=local", ERROR));
    atrest_volume_close(open_volume(in("p"), ATREST_VOLUME_READ_ONLY, providers));
    all_refuse(ATREST_ERROR_NO_EXPECTATION, in("p"), providers);
    IS(ATREST_ERROR_NO_EXPECTATION, open_fails(in("p"), 0, providers));
    SAYS("does not say which volume");
    CHECK((size_t)snprintf(text, sizeof text, "%s %s provider=local", pin, other) < sizeof text);
    IS(ATREST_OK, atrest_providers_expect(providers, text, ERROR));
    atrest_volume_close(open_volume(in("p"), 0, providers));
    atrest_volume_close(open_volume(in("q"), 0, providers));
    IS(ATREST_ERROR_UNEXPECTED, open_fails(in("v"), 0, providers));
    IS(ATREST_OK, atrest_providers_expect_any(providers));
    atrest_volume_close(open_volume(in("v"), 0, providers));
    atrest_envelope_free(envelope);
    atrest_providers_free(providers);
}

/* The header of another volume under the same key: authentic, and under a pin refused before any key is asked for. */
static void check_transplant(void) {
    static uint8_t header[32768];
    char pin[ATREST_PIN_SIZE];
    atrest_providers *providers = providers_of(in("keys")), *nobody;
    IS(ATREST_OK, atrest_providers_new(&nobody));
    atrest_volume *volume = open_volume(in("p"), ATREST_VOLUME_READ_ONLY, providers);
    IS(ATREST_OK, atrest_volume_pin(volume, pin, sizeof pin));
    atrest_volume_close(volume);
    const int from = open(in("q"), O_RDONLY), to = open(in("p"), O_WRONLY);
    CHECK(from >= 0 && to >= 0 && pread(from, header, sizeof header, 0) == sizeof header);
    CHECK(pwrite(to, header, sizeof header, 0) == sizeof header && close(from) == 0 && close(to) == 0);

    IS(ATREST_OK, atrest_volume_backup_header(in("q"), in("q-header"), ERROR));
    IS(ATREST_OK, atrest_providers_expect(nobody, pin, ERROR));
    IS(ATREST_OK, atrest_providers_expect(providers, pin, ERROR));
    /* The set without a provider says the same: nobody would be asked. */
    all_refuse(ATREST_ERROR_UNEXPECTED, in("p"), nobody);
    IS(ATREST_ERROR_UNEXPECTED, open_fails(in("p"), ATREST_VOLUME_READ_ONLY, nobody));
    all_refuse(ATREST_ERROR_UNEXPECTED, in("p"), providers);
    IS(ATREST_ERROR_UNEXPECTED, open_fails(in("p"), ATREST_VOLUME_READ_ONLY, providers));
    SAYS("is expected");
    const struct stat before = attributes_of(in("p"));
    IS(ATREST_ERROR_UNEXPECTED,
       atrest_volume_restore_header_expected(in("p"), in("q-header"), ATREST_FORCE, providers, ERROR));
    CHECK(is_as_it_was(in("p"), &before));
    /* Its own header is the expected one, and brings it back; without a provider, too. */
    IS(ATREST_ERROR_NEEDS_FORCE, atrest_volume_restore_header_expected(in("p"), in("p-header"), 0, nobody, ERROR));
    IS(ATREST_OK, atrest_volume_restore_header_expected(in("p"), in("p-header"), ATREST_FORCE, nobody, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_expected(in("p"), in("p-header"), 0, NULL, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_expected(NULL, in("p-header"), 0, providers, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_expected(in("p"), NULL, 0, providers, ERROR));
    IS(ATREST_ERROR_FLAGS, atrest_volume_restore_header_expected(in("p"), in("p-header"), 2, providers, ERROR));
    atrest_volume_close(open_volume(in("p"), 0, providers));
    atrest_providers_free(nobody);
    atrest_providers_free(providers);
}

/* Which slot opened, and why those before did not. */
static void check_which_slot(void) {
    char pin[ATREST_PIN_SIZE], again[ATREST_PIN_SIZE];
    atrest_providers *providers = providers_expecting_any(in("keys"));
    create_pinned(in("slots"), providers, pin);
    IS(ATREST_OK, atrest_volume_add_slot(in("slots"), providers, "local:second", 0, ERROR));
    atrest_volume *volume = open_volume(in("slots"), 0, providers);
    CHECK(atrest_volume_slot(volume) == 0 && atrest_volume_slot(NULL) == -1);
    for (size_t slot = 0; slot < 2; slot++) {
        IS(ATREST_OK, atrest_volume_slot_failure(volume, slot, ERROR));
        CHECK(error[0] == '\0');
    }
    IS(ATREST_ERROR_SLOT, atrest_volume_slot_failure(volume, 2, ERROR));
    IS(ATREST_ERROR_SLOT, atrest_volume_slot_failure(volume, SIZE_MAX, NULL, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_slot_failure(NULL, 0, ERROR));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_volume_slot_failure(volume, 0, error, SIZE_MAX));
    IS(ATREST_OK, atrest_volume_pin(volume, again, sizeof again));
    CHECK(strcmp(pin, again) == 0);
    atrest_volume_close(volume);

    /* One that is chosen is the only one that is tried. */
    IS(ATREST_OK, atrest_providers_expect(providers, "any slot=1", ERROR));
    volume = open_volume(in("slots"), 0, providers);
    CHECK(atrest_volume_slot(volume) == 1);
    IS(ATREST_OK, atrest_volume_slot_failure(volume, 0, ERROR));
    atrest_volume_close(volume);
    IS(ATREST_OK, atrest_providers_expect(providers, "any slot=2", ERROR));
    IS(ATREST_ERROR_SLOT, open_fails(in("slots"), 0, providers));
    SAYS("has no slot 2");

    CHECK(rename(in("keys/keys/default.json"), in("kept.json")) == 0);
    IS(ATREST_OK, atrest_providers_expect(providers, pin, ERROR));
    volume = open_volume(in("slots"), 0, providers);
    CHECK(atrest_volume_slot(volume) == 1);
    IS(ATREST_ERROR_KEY_NOT_FOUND, atrest_volume_slot_failure(volume, 0, ERROR));
    SAYS("local:default: ");
    IS(ATREST_OK, atrest_volume_slot_failure(volume, 1, ERROR));
    CHECK(error[0] == '\0');
    atrest_volume_close(volume);
    IS(ATREST_OK, atrest_providers_expect(providers, "any slot=0", ERROR));
    IS(ATREST_ERROR_KEY_NOT_FOUND, open_fails(in("slots"), 0, providers));
    CHECK(rename(in("kept.json"), in("keys/keys/default.json")) == 0);
    atrest_providers_free(providers);
}

static void check_scratch(const atrest_providers *providers) {
    uint8_t uuid[16], other[16] = {1}, bytes[100], again[100];
    fill(bytes, sizeof bytes, 3);
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_create_scratch(in("s"), SIZE, 0, 0, in("keys"), &volume, ERROR));
    CHECK(error[0] == '\0' && atrest_volume_size(volume) == SIZE);
    IS(ATREST_OK, atrest_volume_uuid(volume, uuid));
    char pin[ATREST_PIN_SIZE];
    IS(ATREST_OK, atrest_volume_pin(volume, pin, sizeof pin));
    CHECK(atrest_volume_slot(volume) == -1);
    IS(ATREST_OK, atrest_volume_write(volume, bytes, sizeof bytes, 5));
    atrest_volume_close(volume);
    /* It opens as others do, and takes no other key. */
    volume = open_volume(in("s"), 0, providers);
    IS(ATREST_OK, atrest_volume_read(volume, again, sizeof again, 5));
    CHECK(memcmp(bytes, again, sizeof bytes) == 0);
    atrest_volume_close(volume);
    IS(ATREST_ERROR_KEY_NAME, atrest_volume_rewrap(in("s"), 0, providers, "local:second", 0, ERROR));
    SAYS("scratch volume");
    IS(ATREST_ERROR_KEY_NAME, atrest_volume_add_slot(in("s"), providers, "local:second", 0, ERROR));
    copy(in("s"), in("s2"), DATA + (SIZE + 4095) / 4096 * 4096);

    volume = (atrest_volume *)&base;
    IS(ATREST_ERROR_EXISTS, atrest_volume_create_scratch(in("s"), 1, 0, 0, in("keys"), &volume, ERROR));
    CHECK(volume == NULL);
    IS(ATREST_ERROR_FLAGS, atrest_volume_create_scratch(in("s3"), 1, 0, 1, in("keys"), &volume, ERROR));
    IS(ATREST_ERROR_VOLUME_SECTOR_SIZE, atrest_volume_create_scratch(in("s3"), 1, 3, 0, in("keys"), &volume, ERROR));
    IS(ATREST_ERROR_KEYSTORE_IO, atrest_volume_create_scratch(in("s3"), 1, 0, 0, in("junk"), &volume, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_create_scratch(NULL, 1, 0, 0, in("keys"), &volume, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_create_scratch(in("s3"), 1, 0, 0, in("keys"), NULL, ERROR));
    CHECK(access(in("s3"), F_OK) != 0);

    IS(ATREST_ERROR_NULL, atrest_volume_destroy(NULL, NULL, in("keys"), 0, ERROR));
    IS(ATREST_ERROR_FLAGS, atrest_volume_destroy(in("s"), NULL, in("keys"), 2, ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_destroy(in("s"), other, in("keys"), 0, ERROR));
    IS(ATREST_ERROR_NOT_FOUND, atrest_volume_destroy(in("nowhere"), NULL, in("keys"), 0, ERROR));
    IS(ATREST_ERROR_NEEDS_FORCE, atrest_volume_destroy(in("fd"), NULL, in("keys"), 0, ERROR));
    SAYS("local:default");
    atrest_volume_close(open_volume(in("s2"), 0, providers));
    IS(ATREST_OK, atrest_volume_destroy(in("s"), NULL, in("keys"), 0, ERROR));
    CHECK(error[0] == '\0');
    IS(ATREST_ERROR_NOT_A_VOLUME, open_fails(in("s"), 0, providers));
    SAYS("destroyed");
    IS(ATREST_ERROR_KEY_NOT_FOUND, open_fails(in("s2"), 0, providers));
    SAYS("destroyed");
    /* Again, without a file, without a keystore. */
    IS(ATREST_OK, atrest_volume_destroy(in("s"), uuid, in("keys"), 0, ERROR));
    SAYS("erased before");
    CHECK(unlink(in("s")) == 0);
    IS(ATREST_OK, atrest_volume_destroy(in("s"), uuid, in("keys"), 0, ERROR));
    /* No key opens it any more, so that nothing but its UUID says which one it is. */
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_volume_destroy(in("s2"), NULL, in("nowhere"), 0, ERROR));
    SAYS("UUID");
    IS(ATREST_OK, atrest_volume_destroy(in("s2"), uuid, in("nowhere"), 0, ERROR));
    CHECK(access(in("nowhere"), F_OK) != 0);
    copy(in("fd"), in("s3"), DATA);
    IS(ATREST_OK, atrest_volume_destroy(in("s3"), NULL, in("keys"), ATREST_FORCE, ERROR));
    CHECK(error[0] == '\0');
    atrest_volume_close(open_volume(in("fd"), 0, providers));
}

static int child_of(int (*run)(const atrest_providers *, const atrest_volume *), const atrest_providers *providers,
                    const atrest_volume *volume) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60); /* a lock that is never released ends here */
        _exit(run(providers, volume));
    }
    int status;
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status));
    return WEXITSTATUS(status);
}

#ifdef ATREST_WITH_KMS
static double now(void) {
    struct timespec time;
    CHECK(clock_gettime(CLOCK_MONOTONIC, &time) == 0);
    return (double)time.tv_sec + (double)time.tv_nsec / 1e9;
}

static int envelope_after_fork(const atrest_providers *providers, const atrest_volume *volume) {
    (void)volume;
    atrest_envelope *envelope;
    return (int)atrest_envelope_create(providers, "aws:alias/x", NULL, WAIT, &envelope, NULL, 0);
}

/* A service that takes connections and never answers: the call ends when it was told to. */
static void check_timeouts(void) {
    struct sockaddr_in address = {.sin_family = AF_INET};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t len = sizeof address;
    const int service = socket(AF_INET, SOCK_STREAM, 0);
    CHECK(service >= 0 && bind(service, (struct sockaddr *)&address, sizeof address) == 0 && listen(service, 8) == 0);
    CHECK(getsockname(service, (struct sockaddr *)&address, &len) == 0);
    char endpoint[64];
    snprintf(endpoint, sizeof endpoint, "http://127.0.0.1:%u", (unsigned)ntohs(address.sin_port));

    atrest_providers *providers;
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_ERROR_NULL, atrest_providers_add_aws(NULL, NULL, NULL, NULL, ERROR));
    IS(ATREST_OK, atrest_providers_add_aws(providers, "eu-west-1", NULL, endpoint, ERROR));
    atrest_envelope *envelope = (atrest_envelope *)&base;
    const int32_t timeouts[] = {0, 1, 300};
    for (size_t i = 0; i < sizeof timeouts / sizeof timeouts[0]; i++) {
        const double begin = now();
        IS(ATREST_ERROR_TIMED_OUT,
           atrest_envelope_create(providers, "aws:alias/x", NULL, timeouts[i], &envelope, ERROR));
        const double taken = now() - begin;
        CHECK(envelope == NULL && taken >= timeouts[i] / 1000.0 && taken < timeouts[i] / 1000.0 + 4);
        SAYS("did not answer within");
    }
    IS(ATREST_ERROR_TIMED_OUT, atrest_volume_create(in("aws"), 1, 0, 0, providers, "aws:alias/x", 100,
                                                    &(atrest_volume *){NULL}, ERROR));
    CHECK(access(in("aws"), F_OK) != 0);
    CHECK(child_of(envelope_after_fork, providers, NULL) == ATREST_ERROR_FORKED);
    atrest_providers_free(providers);
    CHECK(close(service) == 0);
}
#endif

/* Each thread has its own bytes of sectors that it shares with the others. */
enum { THREADS = 6, ROUNDS = 40, STRIDE = 1000 };

typedef struct {
    const atrest_volume *volume;
    size_t number;
} worker;

static void *work(void *argument) {
    const worker *self = argument;
    uint8_t mine[STRIDE], found[STRIDE];
    for (unsigned round = 0; round < ROUNDS; round++) {
        for (size_t block = 0; block < 4; block++) {
            const uint64_t offset = (block * THREADS + self->number) * STRIDE + 130000;
            fill(mine, sizeof mine, round + (unsigned)self->number);
            CHECK(atrest_volume_write(self->volume, mine, sizeof mine, offset) == ATREST_OK);
            CHECK(atrest_volume_read(self->volume, found, sizeof found, offset) == ATREST_OK);
            CHECK(memcmp(mine, found, sizeof mine) == 0);
        }
    }
    return NULL;
}

static void check_threads(const atrest_providers *providers) {
    atrest_volume *volume = open_volume(in("v"), 0, providers);
    pthread_t threads[THREADS];
    worker workers[THREADS];
    for (size_t i = 0; i < THREADS; i++) {
        workers[i] = (worker){volume, i};
        CHECK(pthread_create(&threads[i], NULL, work, &workers[i]) == 0);
    }
    for (size_t i = 0; i < THREADS; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    atrest_volume_close(volume);
}

/* 0: it works here. 1: it answers that it does not, and a new one does; the parent has the one that writes. */
static int use_after_fork(const atrest_providers *providers, const atrest_volume *volume) {
    uint8_t bytes[8192];
    const atrest_status status = atrest_volume_read(volume, bytes, sizeof bytes, 400000);
    if (status == ATREST_OK) return atrest_volume_flush(volume) == ATREST_OK ? 0 : 2;
    if (status != ATREST_ERROR_FORKED || atrest_volume_flush(volume) != ATREST_ERROR_FORKED) return 3;
    atrest_volume *again;
    if (atrest_volume_open(in("v"), ATREST_VOLUME_READ_ONLY, providers, WAIT, &again, NULL, 0) != ATREST_OK) return 4;
    const int works = atrest_volume_read(again, bytes, sizeof bytes, 400000) == ATREST_OK;
    atrest_volume_close(again);
    return works ? 1 : 5;
}

static int write_in_the_child(const atrest_providers *providers, const atrest_volume *volume) {
    (void)providers;
    return atrest_volume_write(volume, (const uint8_t *)"child", 5, 999998) == ATREST_OK ? 0 : 2;
}

static atomic_int busy, started;

static void *keep_busy(void *argument) {
    static uint8_t bytes[400000];
    const atrest_volume *volume = argument;
    while (atomic_load(&busy) != 0) {
        CHECK(atrest_volume_write(volume, bytes, sizeof bytes, 300000) == ATREST_OK);
        atomic_store(&started, 1);
    }
    return NULL;
}

static void check_fork(const atrest_providers *providers) {
    atrest_volume *volume = open_volume(in("v"), 0, providers);
    uint8_t found[5];
    /* Nobody uses it: the child goes on where the parent was, and so does the parent. */
    CHECK(child_of(use_after_fork, providers, volume) == 0);
    CHECK(child_of(write_in_the_child, providers, volume) == 0);
    IS(ATREST_OK, atrest_volume_read(volume, found, 5, 999998));
    CHECK(memcmp(found, "child", 5) == 0);

    pthread_t thread;
    atomic_store(&busy, 1);
    CHECK(pthread_create(&thread, NULL, keep_busy, volume) == 0);
    while (atomic_load(&started) == 0) usleep(100);
    int refused = 0;
    for (int i = 0; i < 200 && refused < 5; i++) {
        const int ended = child_of(use_after_fork, providers, volume);
        CHECK(ended == 0 || ended == 1);
        refused += ended;
    }
    atomic_store(&busy, 0);
    CHECK(pthread_join(thread, NULL) == 0);
    CHECK(refused == 5);
    CHECK(child_of(use_after_fork, providers, volume) == 0);
    IS(ATREST_OK, atrest_volume_flush(volume));
    atrest_volume_close(volume);
}

/* One that writes: by the path, by a descriptor, in a child. */
static void check_locks(const atrest_providers *providers) {
    const int fd = open(in("v"), O_RDWR);
    CHECK(fd >= 0);
    atrest_volume *volume, *second;
    IS(ATREST_OK, atrest_volume_open_fd(fd, 0, providers, WAIT, &volume, ERROR));
    IS(ATREST_ERROR_BUSY, atrest_volume_open_fd(fd, 0, providers, WAIT, &second, ERROR));
    IS(ATREST_ERROR_BUSY, open_fails(in("v"), 0, providers));
    SAYS("this process");
    IS(ATREST_ERROR_BUSY, open_fails(in("v"), ATREST_VOLUME_SHARED, providers));
    IS(ATREST_ERROR_BUSY, atrest_volume_destroy(in("v"), NULL, in("keys"), ATREST_FORCE, ERROR));
    SAYS("open for writing");
    IS(ATREST_OK, atrest_volume_backup_header(in("v"), in("locked"), ERROR));
    IS(ATREST_ERROR_BUSY, atrest_volume_restore_header(in("v"), in("locked"), 0, ERROR));
    atrest_volume_close(open_volume(in("v"), ATREST_VOLUME_READ_ONLY, providers));
    /* A child has it, too, and goes on when the parent has closed its own. */
    int to_child[2];
    uint8_t byte = 0;
    CHECK(pipe(to_child) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60);
        CHECK(close(to_child[1]) == 0 && read(to_child[0], &byte, 1) == 1);
        CHECK(atrest_volume_write(volume, (const uint8_t *)"still", 5, 999998) == ATREST_OK);
        _exit(0);
    }
    atrest_volume_close(volume);
    CHECK(close(fd) == 0);
    IS(ATREST_ERROR_BUSY, open_fails(in("v"), 0, providers));
    int status;
    CHECK(write(to_child[1], &byte, 1) == 1);
    CHECK(waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
    volume = open_volume(in("v"), ATREST_VOLUME_SHARED, providers);
    atrest_volume_close(open_volume(in("v"), ATREST_VOLUME_SHARED, providers));
    IS(ATREST_ERROR_BUSY, open_fails(in("v"), 0, providers));
    IS(ATREST_OK, atrest_volume_restore_header(in("v"), in("locked"), ATREST_VOLUME_SHARED, ERROR));
    atrest_volume_close(volume);
    atrest_volume_close(open_volume(in("v"), 0, providers));
    CHECK(close(to_child[0]) == 0 && close(to_child[1]) == 0);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    base = argv[1];
    check_messages();
    check_keys();
    check_passphrase();
    atrest_providers *providers = providers_expecting_any(in("keys"));
    check_error_buffers(providers);
    check_create(providers);
    check_data(providers);
    check_open(providers);
    check_envelopes(providers);
    check_rewrap(providers);
    check_slots(providers);
    check_headers(providers);
    check_expectations();
    check_transplant();
    check_which_slot();
    check_scratch(providers);
#ifdef ATREST_WITH_KMS
    check_timeouts();
#endif
    check_threads(providers);
    check_fork(providers);
    check_locks(providers);
    atrest_providers_free(providers);
    puts("volumes, envelopes, providers and every misuse: as they should be");
    return EXIT_SUCCESS;
}
