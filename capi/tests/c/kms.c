/* One call on a volume whose key AWS KMS holds, for a test that has such a service:
   kms ENDPOINT create|read|rewrap VOLUME KEY MILLISECONDS
   Prints the status and the line that came with it; `create` writes a text, which `read` prints. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "atrest.h"
#include "check.h"

static const char TEXT[] = "a page of a database";

static atrest_status create(const char *path, const atrest_providers *providers, const char *key, int32_t timeout,
                            char *error, size_t error_len) {
    atrest_volume *volume;
    const atrest_status status =
        atrest_volume_create(path, 1 << 20, 4096, 0, providers, key, timeout, &volume, error, error_len);
    if (status == ATREST_OK) {
        CHECK(atrest_volume_write(volume, (const uint8_t *)TEXT, sizeof TEXT, 5000) == ATREST_OK);
        CHECK(atrest_volume_flush(volume) == ATREST_OK);
    } else {
        CHECK(volume == NULL);
    }
    atrest_volume_close(volume);
    return status;
}

static atrest_status show(const char *path, const atrest_providers *providers, int32_t timeout, char *error,
                          size_t error_len) {
    atrest_volume *volume;
    const atrest_status status =
        atrest_volume_open(path, ATREST_VOLUME_READ_ONLY, providers, timeout, &volume, error, error_len);
    if (status == ATREST_OK) {
        uint8_t found[sizeof TEXT];
        CHECK(atrest_volume_read(volume, found, sizeof found, 5000) == ATREST_OK);
        CHECK(memcmp(found, TEXT, sizeof found) == 0);
        puts(TEXT);
    } else {
        CHECK(volume == NULL);
    }
    atrest_volume_close(volume);
    return status;
}

int main(int argc, char **argv) {
    CHECK(argc == 6);
    const char *call = argv[2], *path = argv[3], *key = argv[4];
    const int32_t timeout = (int32_t)strtol(argv[5], NULL, 10);
    char error[500];
    atrest_providers *providers;
    CHECK(atrest_providers_new(&providers) == ATREST_OK);
    CHECK(atrest_providers_add_aws(providers, "eu-west-1", NULL, argv[1], error, sizeof error) == ATREST_OK);
    if (strcmp(call, "rewrap") == 0) CHECK(atrest_providers_expect_any(providers) == ATREST_OK);
    atrest_status status;
    if (strcmp(call, "create") == 0)
        status = create(path, providers, key, timeout, error, sizeof error);
    else if (strcmp(call, "rewrap") == 0)
        status = atrest_volume_rewrap(path, 0, providers, key, timeout, error, sizeof error);
    else
        status = show(path, providers, timeout, error, sizeof error);
    printf("%d %s\n", (int)status, error);
    atrest_providers_free(providers);
    return EXIT_SUCCESS;
}
