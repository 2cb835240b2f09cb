/* Makes an encrypted volume in memory, by functions that read and write it: any storage will do. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atrest.h"

struct memory {
    uint8_t *bytes;
    uint64_t size;
};

static int size(void *context, uint64_t *length) {
    *length = ((struct memory *)context)->size;
    return 0;
}

/* Each is called by any number of threads; ranges of writes do not overlap. */
static int read_bytes(void *context, uint8_t *buf, size_t len, uint64_t offset) {
    const struct memory *memory = context;
    if (offset > memory->size || len > memory->size - offset) return EIO;
    memcpy(buf, memory->bytes + offset, len);
    return 0;
}

static int write_bytes(void *context, const uint8_t *buf, size_t len, uint64_t offset) {
    const struct memory *memory = context;
    if (offset > memory->size || len > memory->size - offset) return ENOSPC;
    memcpy(memory->bytes + offset, buf, len);
    return 0;
}

static int flush(void *context) {
    (void)context;
    return 0; /* it would have to be on the disk now */
}

static char why[500]; /* one line that says what failed, and what to do */

static int failed(const char *what, atrest_status status) {
    fprintf(stderr, "%s: %s\n", what, why[0] != '\0' ? why : atrest_status_message(status));
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 2) {
        fprintf(stderr, "usage: %s KEYSTORE\n", argv[0]);
        return 2;
    }
    const char *keystore = argv[1], *key = "local:default";
    atrest_status status = atrest_local_create_key(keystore, key, why, sizeof why);
    if (status != ATREST_OK && status != ATREST_ERROR_KEY_EXISTS) return failed(key, status);
    atrest_providers *providers;
    if ((status = atrest_providers_new(&providers)) != ATREST_OK) return failed("atrest", status);
    status = atrest_providers_add_local(providers, keystore, why, sizeof why);
    if (status != ATREST_OK) return failed(keystore, status);

    /* 16 MiB for the header, and the volume behind it. */
    struct memory memory = {NULL, (16 << 20) + (1 << 20)};
    memory.bytes = calloc(1, memory.size);
    if (memory.bytes == NULL) return failed("memory", ATREST_ERROR_NO_MEMORY);
    atrest_storage storage = {0};
    storage.struct_size = sizeof storage;
    storage.context = &memory;
    storage.size = size;
    storage.read = read_bytes;
    storage.write = write_bytes;
    storage.flush = flush;

    atrest_volume *volume;
    status = atrest_volume_create_storage(&storage, 1 << 20, 4096, 0, providers, key, -1, &volume, why, sizeof why);
    if (status != ATREST_OK) return failed("making the volume", status);
    status = atrest_volume_write(volume, (const uint8_t *)"at rest", 8, 1000);
    if (status == ATREST_OK) status = atrest_volume_flush(volume);
    char pin[ATREST_PIN_SIZE];
    if (status == ATREST_OK) status = atrest_volume_pin(volume, pin, sizeof pin);
    atrest_volume_close(volume);
    if (status != ATREST_OK) return failed("writing", status);

    /* For writing it must be said what is expected: this very volume. */
    status = atrest_providers_expect(providers, pin, why, sizeof why);
    if (status != ATREST_OK) return failed(pin, status);
    status = atrest_volume_open_storage(&storage, 0, providers, -1, &volume, why, sizeof why);
    if (status != ATREST_OK) return failed("opening the volume", status);
    char text[8];
    status = atrest_volume_read(volume, (uint8_t *)text, sizeof text, 1000);
    if (status == ATREST_OK) printf("%s in memory\n", text);
    atrest_volume_close(volume);
    atrest_providers_free(providers);
    free(memory.bytes);
    return status == ATREST_OK ? 0 : failed("reading", status);
}
