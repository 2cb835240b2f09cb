/* Makes an encrypted volume under a local key, writes to it, and reads it again. */
#include <stdio.h>
#include <string.h>

#include "atrest.h"

static char why[500]; /* one line that says what failed, and what to do */

static int failed(const char *what, atrest_status status) {
    fprintf(stderr, "%s: %s\n", what, why[0] != '\0' ? why : atrest_status_message(status));
    return 1;
}

int main(int argc, char **argv) {
    if (argc != 3) {
        fprintf(stderr, "usage: %s KEYSTORE VOLUME\n", argv[0]);
        return 2;
    }
    const char *keystore = argv[1], *path = argv[2], *key = "local:default";
    const int32_t timeout_ms = 10000; /* for key services; a local key is there at once */
    atrest_status status;

    /* The keystore holds the key: back it up, for without it the volume cannot be opened. */
    status = atrest_local_create_key(keystore, key, why, sizeof why);
    if (status != ATREST_OK && status != ATREST_ERROR_KEY_EXISTS) return failed(key, status);
    atrest_providers *providers;
    if ((status = atrest_providers_new(&providers)) != ATREST_OK) return failed("atrest", status);
    status = atrest_providers_add_local(providers, keystore, why, sizeof why);
    if (status != ATREST_OK) return failed(keystore, status);

    atrest_volume *volume; /* of 1 GiB: a sparse file, a LUKS2 volume that cryptsetup reads, too */
    status = atrest_volume_create(path, 1 << 30, 4096, 0, providers, key, timeout_ms, &volume, why, sizeof why);
    if (status != ATREST_OK) return failed(path, status);
    status = atrest_volume_write(volume, (const uint8_t *)"at rest", 8, 123456789);
    if (status == ATREST_OK) status = atrest_volume_flush(volume); /* now it is on the disk */

    /* Which volume it is: kept where nobody changes it, so that no other one opens in its place. */
    char pin[ATREST_PIN_SIZE];
    if (status == ATREST_OK) status = atrest_volume_pin(volume, pin, sizeof pin);
    atrest_volume_close(volume);
    if (status != ATREST_OK) return failed(path, status);

    status = atrest_providers_expect(providers, pin, why, sizeof why);
    if (status != ATREST_OK) return failed(pin, status);
    status = atrest_volume_open(path, 0, providers, timeout_ms, &volume, why, sizeof why);
    atrest_providers_free(providers);
    if (status != ATREST_OK) return failed(path, status);
    char text[8];
    status = atrest_volume_read(volume, (uint8_t *)text, sizeof text, 123456789);
    if (status == ATREST_OK) printf("%s in %s\n", text, path);
    atrest_volume_close(volume);
    return status == ATREST_OK ? 0 : failed(path, status);
}
