/*
 * The C11 test program of volumes over storage of the caller's, and of their sectors without I/O: against the same volume in
 * a file, and every misuse.
 *
 * Argument: an empty directory.
 */
#define _DEFAULT_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "atrest.h"
#include "check.h"

enum { SIZE = 1000003, DATA = 16 << 20, ROOM = DATA + (1 << 20) };

static const char *key = "local:default";
static char error[1000];
#define ERROR error, sizeof error
#define IS(expected, call) expect(__LINE__, call, expected)

static void expect(int line, atrest_status status, atrest_status expected) {
    if (status != expected) {
        fprintf(stderr, "storage.c:%d: \"%s\" instead of \"%s\" (%s)\n", line, atrest_status_message(status),
                atrest_status_message(expected), error);
        exit(EXIT_FAILURE);
    }
}

/* A sentence with a word in it. */
static void says(const char *word) {
    if (strstr(error, word) == NULL) fprintf(stderr, "said: %s\n", error);
    CHECK(strstr(error, word) != NULL);
}

/* Memory that counts the calls, and fails the next one of a kind where it is told to. */
struct memory {
    uint8_t bytes[ROOM];
    atomic_int reads, writes, flushes, zeros, discards, sizes;
    atomic_int fail_read, fail_write, fail_flush;
};

static int size_of(void *context, uint64_t *length) {
    struct memory *memory = context;
    memory->sizes++;
    *length = ROOM;
    return 0;
}

static int within(size_t len, uint64_t offset) { return offset <= ROOM && len <= ROOM - offset; }

static int read_memory(void *context, uint8_t *buf, size_t len, uint64_t offset) {
    struct memory *memory = context;
    memory->reads++;
    if (memory->fail_read != 0) return memory->fail_read;
    CHECK(within(len, offset));
    memcpy(buf, memory->bytes + offset, len);
    return 0;
}

static int write_memory(void *context, const uint8_t *buf, size_t len, uint64_t offset) {
    struct memory *memory = context;
    memory->writes++;
    if (memory->fail_write != 0) return memory->fail_write;
    CHECK(within(len, offset));
    memcpy(memory->bytes + offset, buf, len);
    return 0;
}

static int flush_memory(void *context) {
    struct memory *memory = context;
    memory->flushes++;
    return memory->fail_flush;
}

static int zeros_in_memory(void *context, uint64_t len, uint64_t offset) {
    struct memory *memory = context;
    memory->zeros++;
    CHECK(within((size_t)len, offset));
    memset(memory->bytes + offset, 0, (size_t)len);
    return 0;
}

static int discard_memory(void *context, uint64_t len, uint64_t offset) {
    struct memory *memory = context;
    memory->discards++;
    CHECK(within((size_t)len, offset));
    memset(memory->bytes + offset, 0xdd, (size_t)len);
    return 0;
}

static atrest_storage table(struct memory *memory) {
    atrest_storage storage = {0};
    storage.struct_size = sizeof storage;
    storage.context = memory;
    storage.size = size_of;
    storage.read = read_memory;
    storage.write = write_memory;
    storage.flush = flush_memory;
    storage.write_zeros = zeros_in_memory;
    storage.discard = discard_memory;
    return storage;
}

static void fill(uint8_t *bytes, size_t len, unsigned seed) {
    for (size_t i = 0; i < len; i++) bytes[i] = (uint8_t)((i * 167 + seed + (i >> 8) * 3) & 0xff);
}

static uint8_t data[SIZE], found[SIZE];

static void check_tables(struct memory *memory, const atrest_providers *providers) {
    atrest_volume *volume = (atrest_volume *)(uintptr_t)1;
    IS(ATREST_ERROR_NULL, atrest_volume_open_storage(NULL, 0, providers, 0, &volume, ERROR));
    CHECK(volume == NULL);
    atrest_storage storage = table(memory);
    IS(ATREST_ERROR_NULL, atrest_volume_open_storage(&storage, 0, NULL, 0, &volume, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_open_storage(&storage, 0, providers, 0, NULL, ERROR));
    IS(ATREST_ERROR_FLAGS, atrest_volume_open_storage(&storage, 8, providers, 0, &volume, ERROR));
    storage.struct_size = 0;
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    says("struct_size");
    storage.struct_size = sizeof storage - 1;
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    storage = table(memory);
    storage.size = NULL;
    IS(ATREST_ERROR_NULL, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    storage = table(memory);
    storage.read = NULL;
    IS(ATREST_ERROR_NULL, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    CHECK(memory->reads == 0 && memory->sizes == 0 && volume == NULL);

    /* A table of the first version, which ended before `lock`. */
    storage = table(memory);
    storage.struct_size = offsetof(atrest_storage, lock);
    storage.lock = (int (*)(void *, uint32_t))(uintptr_t)check_tables; /* behind its end */
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    storage.struct_size = sizeof storage;
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    says("lock and unlock");

    /* A table of a later version: what it does not use is no matter. */
    struct {
        atrest_storage storage;
        void (*later)(void);
    } longer;
    memset(&longer, 0, sizeof longer);
    longer.storage = table(memory);
    longer.storage.struct_size = sizeof longer;
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_open_storage(&longer.storage, 0, providers, 0, &volume, ERROR));
    longer.later = (void (*)(void))check_tables;
    IS(ATREST_ERROR_UNSUPPORTED, atrest_volume_open_storage(&longer.storage, 0, providers, 0, &volume, ERROR));
    says("does not know");
}

static void check_volume(struct memory *memory, const atrest_providers *providers) {
    atrest_storage storage = table(memory);
    atrest_volume *volume;
    IS(ATREST_ERROR_VOLUME_SIZE,
       atrest_volume_create_storage(&storage, ROOM, 4096, 0, providers, key, 0, &volume, ERROR));
    IS(ATREST_ERROR_VOLUME_SECTOR_SIZE,
       atrest_volume_create_storage(&storage, SIZE, 513, 0, providers, key, 0, &volume, ERROR));
    storage.write = NULL;
    IS(ATREST_ERROR_READ_ONLY,
       atrest_volume_create_storage(&storage, SIZE, 0, 0, providers, key, 0, &volume, ERROR));
    storage = table(memory);
    IS(ATREST_OK, atrest_volume_create_storage(&storage, SIZE, 512, ATREST_VOLUME_DISCARD, providers, key, 0, &volume,
                                               ERROR));
    CHECK(memory->flushes > 0);
    /* The table was copied. */
    memset(&storage, 0xff, sizeof storage);
    CHECK(atrest_volume_size(volume) == SIZE && atrest_volume_sector_size(volume) == 512);

    fill(data, SIZE, 1);
    IS(ATREST_OK, atrest_volume_write(volume, data, SIZE, 0));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(found, data, SIZE) == 0);
    /* One read for an aligned sector, nothing else. */
    const int reads = memory->reads, writes = memory->writes, sizes = memory->sizes;
    IS(ATREST_OK, atrest_volume_read(volume, found, 512, 1024));
    CHECK(memory->reads == reads + 1 && memory->writes == writes && memory->sizes == sizes);
    IS(ATREST_OK, atrest_volume_write_zeros(volume, 5000, 3000));
    memset(data + 3000, 0, 5000);
    IS(ATREST_OK, atrest_volume_discard(volume, 4096, 65536));
    CHECK(memory->discards > 0 && memory->bytes[DATA + 65536] == 0xdd);
    IS(ATREST_OK, atrest_volume_write(volume, data + 65536, 4096, 65536));
    const int flushes = memory->flushes;
    IS(ATREST_OK, atrest_volume_flush(volume));
    CHECK(memory->flushes == flushes + 1);

    /* What the functions say is what the calls say. */
    memory->fail_read = EIO;
    IS(ATREST_ERROR_IO, atrest_volume_read(volume, found, 512, 0));
    memory->fail_read = ENOMEM;
    IS(ATREST_ERROR_NO_MEMORY, atrest_volume_read(volume, found, 512, 0));
    memory->fail_read = -EIO;
    IS(ATREST_ERROR_IO, atrest_volume_read(volume, found, 512, 0));
    memory->fail_read = 0;
    memory->fail_write = ENOSPC;
    IS(ATREST_ERROR_NO_SPACE, atrest_volume_write(volume, data, 512, 0));
    memory->fail_write = 0;
    memory->fail_flush = EIO;
    IS(ATREST_ERROR_IO, atrest_volume_flush(volume));
    memory->fail_flush = 0;
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(found, data, SIZE) == 0);
    atrest_volume_close(volume);

    /* Without discards, without zeros of its own, for reading alone. */
    storage = table(memory);
    storage.discard = NULL;
    storage.write_zeros = NULL;
    IS(ATREST_OK, atrest_volume_open_storage(&storage, ATREST_VOLUME_DISCARD, providers, 0, &volume, ERROR));
    IS(ATREST_ERROR_UNSUPPORTED, atrest_volume_discard(volume, 4096, 65536));
    IS(ATREST_OK, atrest_volume_write_zeros(volume, 300000, 100001));
    memset(data + 100001, 0, 300000);
    /* The thread of a recheck reads the header by the same functions. */
    IS(ATREST_OK, atrest_volume_recheck(volume, providers, 1000, 60000, ERROR));
    IS(ATREST_OK, atrest_volume_check_lease(volume, ERROR));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(found, data, SIZE) == 0);
    atrest_volume_close(volume);
    storage.write = NULL;
    storage.flush = NULL;
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    IS(ATREST_OK, atrest_volume_open_storage(&storage, ATREST_VOLUME_READ_ONLY, providers, 0, &volume, ERROR));
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_write(volume, data, 512, 0));
    IS(ATREST_OK, atrest_volume_flush(volume));
    atrest_volume_close(volume);
    memory->fail_read = EACCES;
    IS(ATREST_ERROR_DAMAGED,
       atrest_volume_open_storage(&storage, ATREST_VOLUME_READ_ONLY, providers, 0, &volume, ERROR));
    says("permission denied");
    memory->fail_read = 0;
}

/* What is expected is asked for before the storage is. */
static void check_expectation(struct memory *memory, const char *keystore, const char *backup) {
    static uint8_t before[32768];
    memcpy(before, memory->bytes, sizeof before);
    atrest_storage storage = table(memory);
    atrest_providers *providers;
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_OK, atrest_providers_add_local(providers, keystore, ERROR));
    const int reads = memory->reads, writes = memory->writes, flushes = memory->flushes;
    atrest_volume *volume = (atrest_volume *)(uintptr_t)1;
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    says("atrest_providers_expect");
    CHECK(volume == NULL);
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_volume_rewrap_storage(&storage, 0, providers, key, 0, ERROR));
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_volume_add_slot_storage(&storage, providers, "local:other", 0, ERROR));
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_volume_remove_slot_storage(&storage, 0, providers, 0, ERROR));
    IS(ATREST_ERROR_NO_EXPECTATION,
       atrest_volume_restore_header_expected_storage(&storage, backup, ATREST_FORCE, providers, ERROR));
    CHECK(memory->reads == reads && memory->writes == writes && memory->flushes == flushes);

    IS(ATREST_OK, atrest_volume_open_storage(&storage, ATREST_VOLUME_READ_ONLY, providers, 0, &volume, ERROR));
    char pin[ATREST_PIN_SIZE];
    IS(ATREST_OK, atrest_volume_pin(volume, pin, sizeof pin));
    atrest_volume_close(volume);

    /* It decrypts, and encrypts nothing. */
    uint8_t sector[512], plain[512];
    memset(sector, 7, sizeof sector);
    struct iovec piece[1] = {{sector, sizeof sector}};
    atrest_sector_cipher *cipher;
    IS(ATREST_OK, atrest_sector_cipher_new(memory->bytes, 32768, providers, 0, &cipher, ERROR));
    IS(ATREST_OK, atrest_sector_cipher_decrypt(cipher, 0, memory->bytes + DATA, plain, sizeof plain));
    CHECK(memcmp(plain, data, sizeof plain) == 0);
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_sector_cipher_encrypt(cipher, 0, plain, sector, sizeof sector));
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_sector_cipher_encrypt(cipher, 0, sector, sector, sizeof sector));
    IS(ATREST_ERROR_NO_EXPECTATION, atrest_sector_cipher_encrypt_iov(cipher, 0, piece, 1, piece, 1));
    for (size_t i = 0; i < sizeof sector; i++) CHECK(sector[i] == 7);
    memcpy(sector, memory->bytes + DATA, sizeof sector);
    IS(ATREST_OK, atrest_sector_cipher_decrypt_iov(cipher, 0, piece, 1, piece, 1));
    CHECK(memcmp(sector, data, sizeof sector) == 0);
    atrest_sector_cipher_free(cipher);

    /* Under its pin it does both; under another one there is no cipher, and nobody is asked for a key. */
    IS(ATREST_OK, atrest_providers_expect(providers, pin, ERROR));
    IS(ATREST_OK, atrest_sector_cipher_new(memory->bytes, 32768, providers, 0, &cipher, ERROR));
    IS(ATREST_OK, atrest_sector_cipher_encrypt(cipher, 0, data, sector, sizeof sector));
    CHECK(memcmp(sector, memory->bytes + DATA, sizeof sector) == 0);
    atrest_sector_cipher_free(cipher);
    IS(ATREST_OK, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    atrest_volume_close(volume);
    atrest_providers_free(providers);
    IS(ATREST_OK, atrest_providers_new(&providers));
    pin[37] = pin[37] == 'A' ? 'B' : 'A';
    IS(ATREST_OK, atrest_providers_expect(providers, pin, ERROR));
    IS(ATREST_ERROR_UNEXPECTED, atrest_sector_cipher_new(memory->bytes, 32768, providers, 0, &cipher, ERROR));
    says("another root key");
    CHECK(cipher == NULL);
    IS(ATREST_ERROR_UNEXPECTED, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    IS(ATREST_ERROR_UNEXPECTED,
       atrest_volume_open_storage(&storage, ATREST_VOLUME_READ_ONLY, providers, 0, &volume, ERROR));
    CHECK(volume == NULL && memory->writes == writes && memcmp(before, memory->bytes, sizeof before) == 0);
    atrest_providers_free(providers);
}

/* Locks of the caller's, by claim: how many hold each. */
static int held[4];
static int lock_failure;

static int take(void *context, uint32_t claim) {
    (void)context;
    CHECK(claim >= ATREST_CLAIM_DATA && claim <= ATREST_CLAIM_HEADER);
    if (lock_failure != 0) return lock_failure;
    if (claim == ATREST_CLAIM_DATA && held[ATREST_CLAIM_SHARED_DATA] != 0) return EBUSY;
    if (claim == ATREST_CLAIM_SHARED_DATA && held[ATREST_CLAIM_DATA] != 0) return EBUSY;
    if (claim != ATREST_CLAIM_SHARED_DATA && held[claim] != 0) return EAGAIN;
    held[claim]++;
    return 0;
}

static void give_back(void *context, uint32_t claim) {
    (void)context;
    CHECK(held[claim] > 0);
    held[claim]--;
}

static void check_locks(struct memory *memory, const atrest_providers *providers) {
    atrest_storage storage = table(memory);
    storage.lock = take;
    storage.unlock = give_back;
    atrest_volume *volume, *second;
    IS(ATREST_OK, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    CHECK(held[ATREST_CLAIM_DATA] == 1);
    IS(ATREST_ERROR_BUSY, atrest_volume_open_storage(&storage, 0, providers, 0, &second, ERROR));
    says("open for writing");
    IS(ATREST_ERROR_BUSY,
       atrest_volume_open_storage(&storage, ATREST_VOLUME_SHARED, providers, 0, &second, ERROR));
    IS(ATREST_OK,
       atrest_volume_open_storage(&storage, ATREST_VOLUME_READ_ONLY, providers, 0, &second, ERROR));
    atrest_volume_close(second);
    /* The header changes meanwhile. */
    IS(ATREST_OK, atrest_volume_rewrap_storage(&storage, 0, providers, "local:other", 0, ERROR));
    CHECK(held[ATREST_CLAIM_HEADER] == 0 && held[ATREST_CLAIM_DATA] == 1);
    atrest_volume_close(volume);
    CHECK(held[ATREST_CLAIM_DATA] == 0);
    IS(ATREST_OK, atrest_volume_open_storage(&storage, ATREST_VOLUME_SHARED, providers, 0, &volume, ERROR));
    IS(ATREST_OK, atrest_volume_open_storage(&storage, ATREST_VOLUME_SHARED, providers, 0, &second, ERROR));
    CHECK(held[ATREST_CLAIM_SHARED_DATA] == 2);
    atrest_volume_close(volume);
    atrest_volume_close(second);
    lock_failure = EIO;
    IS(ATREST_ERROR_IO, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    lock_failure = 0;
    CHECK(held[ATREST_CLAIM_SHARED_DATA] == 0 && held[ATREST_CLAIM_HEADER] == 0);
    IS(ATREST_OK, atrest_volume_rewrap_storage(&storage, 0, providers, key, 0, ERROR));
}

static void check_rewrap(struct memory *memory, const atrest_providers *providers) {
    atrest_storage storage = table(memory);
    IS(ATREST_ERROR_NULL, atrest_volume_rewrap_storage(NULL, 0, providers, "local:other", 0, ERROR));
    IS(ATREST_ERROR_SLOT, atrest_volume_rewrap_storage(&storage, 1, providers, "local:other", 0, ERROR));
    IS(ATREST_OK, atrest_volume_rewrap_storage(&storage, 0, providers, "local:other", 0, ERROR));
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    atrest_envelope *envelope;
    IS(ATREST_OK, atrest_volume_envelope(volume, &envelope));
    CHECK(strcmp(atrest_envelope_key(envelope, 0), "local:other") == 0);
    atrest_envelope_free(envelope);
    atrest_volume_close(volume);
}

/* The keys that wrap the volume's key, slot by slot, are these, and the data is as it was. */
static void opens_with(struct memory *memory, const atrest_providers *providers, const char *first, const char *second) {
    const atrest_storage storage = table(memory);
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_open_storage(&storage, ATREST_VOLUME_READ_ONLY, providers, 0, &volume, ERROR));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(found, data, SIZE) == 0);
    atrest_envelope *envelope;
    IS(ATREST_OK, atrest_volume_envelope(volume, &envelope));
    CHECK(strcmp(atrest_envelope_key(envelope, 0), first) == 0);
    const char *const other = atrest_envelope_key(envelope, 1);
    CHECK(second == NULL ? other == NULL : other != NULL && strcmp(other, second) == 0);
    CHECK(atrest_envelope_key(envelope, 2) == NULL);
    atrest_envelope_free(envelope);
    atrest_volume_close(volume);
}

static void check_slots(struct memory *memory, const atrest_providers *providers) {
    static uint8_t before[32768];
    memcpy(before, memory->bytes, sizeof before);
    atrest_storage storage = table(memory);
    IS(ATREST_ERROR_NULL, atrest_volume_add_slot_storage(NULL, providers, key, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_add_slot_storage(&storage, NULL, key, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_add_slot_storage(&storage, providers, NULL, 0, ERROR));
    IS(ATREST_ERROR_SLOT, atrest_volume_add_slot_storage(&storage, providers, "local:other", 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_remove_slot_storage(NULL, 0, providers, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_remove_slot_storage(&storage, 0, NULL, 0, ERROR));
    IS(ATREST_ERROR_SLOT, atrest_volume_remove_slot_storage(&storage, 1, providers, 0, ERROR));
    IS(ATREST_ERROR_ENVELOPE, atrest_volume_remove_slot_storage(&storage, 0, providers, 0, ERROR));
    memory->fail_write = ENOSPC;
    IS(ATREST_ERROR_NO_SPACE, atrest_volume_add_slot_storage(&storage, providers, key, 0, ERROR));
    memory->fail_write = 0;
    storage.write = NULL;
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_add_slot_storage(&storage, providers, key, 0, ERROR));
    CHECK(memcmp(before, memory->bytes, sizeof before) == 0);

    storage = table(memory);
    const int flushes = memory->flushes;
    IS(ATREST_OK, atrest_volume_add_slot_storage(&storage, providers, key, 0, ERROR));
    CHECK(memory->flushes >= flushes + 2);
    opens_with(memory, providers, "local:other", key);
    IS(ATREST_OK, atrest_volume_remove_slot_storage(&storage, 0, providers, 0, ERROR));
    opens_with(memory, providers, key, NULL);
}

static void check_header(struct memory *memory, const char *backup, const atrest_providers *providers) {
    atrest_storage storage = table(memory);
    IS(ATREST_ERROR_NULL, atrest_volume_backup_header_storage(NULL, backup, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_backup_header_storage(&storage, NULL, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_storage(NULL, backup, 0, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_storage(&storage, NULL, 0, ERROR));
    IS(ATREST_ERROR_FLAGS, atrest_volume_restore_header_storage(&storage, backup, 2, ERROR));
    IS(ATREST_ERROR_NOT_FOUND, atrest_volume_restore_header_storage(&storage, backup, 0, ERROR));
    memory->fail_read = EIO;
    CHECK(atrest_volume_backup_header_storage(&storage, backup, ERROR) != ATREST_OK);
    memory->fail_read = 0;
    CHECK(access(backup, F_OK) == -1);
    /* One that is only read is enough. */
    storage.write = NULL;
    storage.flush = NULL;
    IS(ATREST_OK, atrest_volume_backup_header_storage(&storage, backup, ERROR));
    IS(ATREST_ERROR_EXISTS, atrest_volume_backup_header_storage(&storage, backup, ERROR));
    FILE *file = fopen(backup, "rb");
    CHECK(file != NULL);
    uint8_t *const saved = malloc(DATA + 1);
    CHECK(saved != NULL && fread(saved, 1, DATA + 1, file) == DATA && fclose(file) == 0);
    CHECK(memcmp(saved, memory->bytes, DATA) == 0);
    free(saved);
    IS(ATREST_ERROR_READ_ONLY, atrest_volume_restore_header_storage(&storage, backup, 0, ERROR));

    /* It is older than the header by then, and would bring back a key that was removed. */
    storage = table(memory);
    IS(ATREST_OK, atrest_volume_rewrap_storage(&storage, 0, providers, "local:other", 0, ERROR));
    IS(ATREST_ERROR_NEEDS_FORCE, atrest_volume_restore_header_storage(&storage, backup, 0, ERROR));
    opens_with(memory, providers, "local:other", NULL);
    IS(ATREST_OK, atrest_volume_restore_header_storage(&storage, backup, ATREST_FORCE, ERROR));
    CHECK(error[0] == '\0');
    opens_with(memory, providers, key, NULL);
    /* With both copies gone there is nothing to compare. */
    memset(memory->bytes, 0, 32768);
    IS(ATREST_OK, atrest_volume_restore_header_storage(&storage, backup, 0, ERROR));
    says("could not be read");
    memset(memory->bytes, 0, 32768);
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_expected_storage(&storage, backup, 0, NULL, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_restore_header_expected_storage(NULL, backup, 0, providers, ERROR));
    IS(ATREST_OK, atrest_volume_restore_header_expected_storage(&storage, backup, 0, providers, ERROR));
    says("could not be read");
    opens_with(memory, providers, key, NULL);
}

/* How many keys of scratch volumes a keystore has. */
static int scratch_keys(const char *keystore) {
    char path[600];
    CHECK((size_t)snprintf(path, sizeof path, "%s/keys", keystore) < sizeof path);
    DIR *const directory = opendir(path);
    CHECK(directory != NULL);
    int count = 0;
    for (const struct dirent *entry; (entry = readdir(directory)) != NULL;)
        count += strncmp(entry->d_name, "scratch-", 8) == 0;
    closedir(directory);
    return count;
}

static void check_scratch(struct memory *memory, const char *keystore, const atrest_providers *providers) {
    atrest_storage storage = table(memory);
    atrest_volume *volume = (atrest_volume *)(uintptr_t)1;
    IS(ATREST_ERROR_NULL, atrest_volume_create_scratch_storage(NULL, SIZE, 0, 0, keystore, &volume, ERROR));
    CHECK(volume == NULL);
    IS(ATREST_ERROR_NULL, atrest_volume_create_scratch_storage(&storage, SIZE, 0, 0, keystore, NULL, ERROR));
    IS(ATREST_ERROR_FLAGS, atrest_volume_create_scratch_storage(&storage, SIZE, 0, 1, keystore, &volume, ERROR));
    IS(ATREST_ERROR_VOLUME_SIZE,
       atrest_volume_create_scratch_storage(&storage, ROOM, 0, 0, keystore, &volume, ERROR));
    memory->fail_write = ENOSPC;
    IS(ATREST_ERROR_NO_SPACE,
       atrest_volume_create_scratch_storage(&storage, SIZE, 0, 0, keystore, &volume, ERROR));
    memory->fail_write = 0;
    CHECK(volume == NULL && scratch_keys(keystore) == 0);

    IS(ATREST_OK, atrest_volume_create_scratch_storage(&storage, SIZE, 0, 0, keystore, &volume, ERROR));
    CHECK(scratch_keys(keystore) == 1);
    IS(ATREST_OK, atrest_volume_write(volume, data, SIZE, 0));
    uint8_t uuid[16];
    IS(ATREST_OK, atrest_volume_uuid(volume, uuid));
    atrest_volume_close(volume);
    IS(ATREST_OK, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(found, data, SIZE) == 0);
    atrest_volume_close(volume);
    /* No other key wraps its key. */
    IS(ATREST_ERROR_KEY_NAME, atrest_volume_add_slot_storage(&storage, providers, key, 0, ERROR));

    IS(ATREST_ERROR_NULL, atrest_volume_destroy_storage(NULL, NULL, keystore, 0, ERROR));
    IS(ATREST_ERROR_FLAGS, atrest_volume_destroy_storage(&storage, NULL, keystore, 2, ERROR));
    const uint8_t another[16] = {1};
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_destroy_storage(&storage, another, keystore, 0, ERROR));
    CHECK(scratch_keys(keystore) == 1);
    IS(ATREST_OK, atrest_volume_destroy_storage(&storage, uuid, keystore, 0, ERROR));
    CHECK(error[0] == '\0' && scratch_keys(keystore) == 0);
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
    IS(ATREST_OK, atrest_volume_destroy_storage(&storage, NULL, keystore, 0, ERROR));
    says("no key in this keystore");
}

/* A volume that is no scratch volume: its header goes, and its keys stay. */
static void check_destroy(struct memory *memory, const char *keystore, const atrest_providers *providers) {
    const atrest_storage storage = table(memory);
    atrest_volume *volume;
    IS(ATREST_ERROR_NEEDS_FORCE, atrest_volume_destroy_storage(&storage, NULL, keystore, 0, ERROR));
    opens_with(memory, providers, key, NULL);
    IS(ATREST_OK, atrest_volume_destroy_storage(&storage, NULL, keystore, ATREST_FORCE, ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_volume_open_storage(&storage, 0, providers, 0, &volume, ERROR));
}

/* The file that cryptsetup and the other calls know: the same volume by another way. */
static void check_against_a_file(const struct memory *memory, const char *path, const atrest_providers *providers) {
    const int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0600);
    CHECK(fd >= 0);
    for (size_t done = 0; done < ROOM;) {
        const ssize_t written = write(fd, memory->bytes + done, ROOM - done);
        CHECK(written > 0);
        done += (size_t)written;
    }
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_open_fd(fd, 0, providers, 0, &volume, ERROR));
    IS(ATREST_OK, atrest_volume_read(volume, found, SIZE, 0));
    CHECK(memcmp(found, data, SIZE) == 0);
    atrest_volume_close(volume);
    close(fd);
}

static void check_sector_cipher(const struct memory *memory, const atrest_providers *providers) {
    const uint8_t *const header = memory->bytes;
    CHECK(atrest_volume_header_length(NULL, 4096) == 0 && atrest_volume_header_length(header, 0) == 0);
    const size_t len = atrest_volume_header_length(header, 4096);
    CHECK(len == 32768);
    CHECK(atrest_volume_header_length(header + 512, 4096) == 8 << 20);

    atrest_sector_cipher *cipher = (atrest_sector_cipher *)(uintptr_t)1;
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_new(NULL, len, providers, 0, &cipher, ERROR));
    CHECK(cipher == NULL);
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_new(NULL, 0, providers, 0, &cipher, ERROR));
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_new(header, len, NULL, 0, &cipher, ERROR));
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_new(header, len, providers, 0, NULL, ERROR));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_sector_cipher_new(header, SIZE_MAX, providers, 0, &cipher, ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_sector_cipher_new(header, 100, providers, 0, &cipher, ERROR));
    IS(ATREST_ERROR_NOT_A_VOLUME, atrest_sector_cipher_new(header + 512, len, providers, 0, &cipher, ERROR));
    atrest_providers *nobody;
    IS(ATREST_OK, atrest_providers_new(&nobody));
    IS(ATREST_ERROR_UNREACHABLE, atrest_sector_cipher_new(header, len, nobody, 0, &cipher, ERROR));
    atrest_providers_free(nobody);
    /* One copy is enough, and a warning says so. */
    static uint8_t damaged[65536];
    memcpy(damaged, header, len);
    damaged[5000] ^= 1;
    IS(ATREST_OK, atrest_sector_cipher_new(damaged, len, providers, 0, &cipher, ERROR));
    CHECK(error[0] != '\0');
    atrest_sector_cipher_free(cipher);
    damaged[len / 2 + 5000] ^= 1;
    IS(ATREST_ERROR_DAMAGED, atrest_sector_cipher_new(damaged, len, providers, 0, &cipher, ERROR));

    IS(ATREST_OK, atrest_sector_cipher_new(header, len, providers, 0, &cipher, ERROR));
    CHECK(error[0] == '\0');
    CHECK(atrest_sector_cipher_size(cipher) == SIZE && atrest_sector_cipher_size(NULL) == 0);
    CHECK(atrest_sector_cipher_sector_size(cipher) == 512 && atrest_sector_cipher_sector_size(NULL) == 0);
    CHECK(atrest_sector_cipher_data_offset(cipher) == DATA && atrest_sector_cipher_data_offset(NULL) == 0);
    const size_t whole = (SIZE + 511) / 512 * 512;
    CHECK(atrest_sector_cipher_storage_length(cipher) == DATA + whole);
    CHECK(atrest_sector_cipher_storage_length(NULL) == 0);

    /* All of the volume, in one piece and in two, apart and in place, there and back. */
    uint8_t *const plain = malloc(whole), *const back = malloc(whole);
    CHECK(plain != NULL && back != NULL);
    const uint8_t *const stored = memory->bytes + DATA;
    IS(ATREST_OK, atrest_sector_cipher_decrypt(cipher, 0, stored, plain, whole));
    CHECK(memcmp(plain, data, SIZE) == 0);
    IS(ATREST_OK, atrest_sector_cipher_encrypt(cipher, 0, plain, back, whole));
    CHECK(memcmp(back, stored, whole) == 0);
    memcpy(back, plain, whole);
    IS(ATREST_OK, atrest_sector_cipher_encrypt(cipher, 0, back, back, whole));
    CHECK(memcmp(back, stored, whole) == 0);
    IS(ATREST_OK, atrest_sector_cipher_decrypt(cipher, 7, back + 7 * 512, back + 7 * 512, 3 * 512));
    CHECK(memcmp(back + 7 * 512, plain + 7 * 512, 3 * 512) == 0);
    memset(back, 0, whole);
    struct iovec from[2] = {{plain, 1000}, {plain + 1000, whole - 1000}};
    struct iovec to[3] = {{back, 512}, {back + 512, 300}, {back + 812, whole - 812}};
    IS(ATREST_OK, atrest_sector_cipher_encrypt_iov(cipher, 0, from, 2, to, 3));
    CHECK(memcmp(back, stored, whole) == 0);
    IS(ATREST_OK, atrest_sector_cipher_decrypt_iov(cipher, 0, to, 3, to, 3));
    CHECK(memcmp(back, plain, whole) == 0);
    IS(ATREST_OK, atrest_sector_cipher_encrypt(cipher, 0, NULL, NULL, 0));

    /* Every misuse leaves the destination as it is. */
    memset(back, 7, 2048);
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_encrypt(NULL, 0, plain, back, 512));
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_decrypt(cipher, 0, NULL, back, 512));
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_decrypt(cipher, 0, plain, NULL, 512));
    IS(ATREST_ERROR_OVERLAP, atrest_sector_cipher_encrypt(cipher, 0, back + 1, back, 512));
    IS(ATREST_ERROR_DATA_LENGTH, atrest_sector_cipher_encrypt(cipher, 0, plain, back, 513));
    IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_sector_cipher_encrypt(cipher, whole / 512, plain, back, 512));
    IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_sector_cipher_encrypt(cipher, UINT64_MAX, plain, back, 1024));
    IS(ATREST_ERROR_BUFFER_LENGTH, atrest_sector_cipher_encrypt(cipher, 0, plain, back, SIZE_MAX));
    struct iovec one[1] = {{plain, 512}}, two[1] = {{back, 1024}}, middle[1] = {{plain + 100, 512}};
    IS(ATREST_ERROR_LENGTH_MISMATCH, atrest_sector_cipher_encrypt_iov(cipher, 0, one, 1, two, 1));
    IS(ATREST_ERROR_OVERLAP, atrest_sector_cipher_encrypt_iov(cipher, 0, one, 1, middle, 1));
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_encrypt_iov(cipher, 0, NULL, 1, two, 1));
    IS(ATREST_ERROR_NULL, atrest_sector_cipher_decrypt_iov(NULL, 0, one, 1, one, 1));
    IS(ATREST_ERROR_OUT_OF_BOUNDS, atrest_sector_cipher_decrypt_iov(cipher, whole / 512, one, 1, one, 1));
    for (size_t i = 0; i < 2048; i++) CHECK(back[i] == 7);
    free(plain);
    free(back);
    atrest_sector_cipher_free(cipher);
    atrest_sector_cipher_free(NULL);
}

static void *work(void *argument) {
    const atrest_volume *volume = argument;
    static atomic_uint next;
    const unsigned seed = next++;
    uint8_t bytes[3000], read[3000];
    fill(bytes, sizeof bytes, seed);
    for (int i = 0; i < 50; i++) {
        const uint64_t offset = seed * 100000 + (uint64_t)i * 700;
        CHECK(atrest_volume_write(volume, bytes, sizeof bytes, offset) == ATREST_OK);
        CHECK(atrest_volume_read(volume, read, sizeof read, offset) == ATREST_OK);
        CHECK(memcmp(read, bytes, sizeof bytes) == 0);
    }
    return NULL;
}

static void check_threads(struct memory *memory, const atrest_providers *providers) {
    atrest_storage storage = table(memory);
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_create_storage(&storage, SIZE, 0, 0, providers, key, 0, &volume, ERROR));
    pthread_t threads[4];
    for (int i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, work, volume) == 0);
    for (int i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
    atrest_volume_close(volume);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    char keys[512], path[512], backup[512];
    CHECK((size_t)snprintf(keys, sizeof keys, "%s/keys", argv[1]) < sizeof keys);
    CHECK((size_t)snprintf(path, sizeof path, "%s/file", argv[1]) < sizeof path);
    CHECK((size_t)snprintf(backup, sizeof backup, "%s/backup", argv[1]) < sizeof backup);
    IS(ATREST_OK, atrest_local_create_key(keys, key, ERROR));
    IS(ATREST_OK, atrest_local_create_key(keys, "local:other", ERROR));
    atrest_providers *providers;
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_OK, atrest_providers_add_local(providers, keys, ERROR));
    IS(ATREST_OK, atrest_providers_expect_any(providers));
    struct memory *memory = calloc(1, sizeof *memory);
    CHECK(memory != NULL);
    check_tables(memory, providers);
    check_volume(memory, providers);
    check_expectation(memory, keys, backup);
    check_rewrap(memory, providers);
    check_slots(memory, providers);
    check_header(memory, backup, providers);
    check_locks(memory, providers);
    check_sector_cipher(memory, providers);
    check_against_a_file(memory, path, providers);
    check_destroy(memory, keys, providers);
    memset(memory, 0, sizeof *memory);
    check_scratch(memory, keys, providers);
    memset(memory, 0, sizeof *memory);
    check_threads(memory, providers);
    free(memory);
    atrest_providers_free(providers);
    puts("storage of the caller's, sectors without I/O, and every misuse: as they should be");
    return EXIT_SUCCESS;
}
