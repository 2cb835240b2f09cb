/* Reads a sector of an encrypted volume by I/O of its own, and decrypts it: what an engine does with io_uring or SPDK. */
#define _FILE_OFFSET_BITS 64
#define _XOPEN_SOURCE 700 /* pread */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "atrest.h"

static char why[500]; /* one line that says what failed, and what to do */

static int failed(const char *what, atrest_status status) {
    fprintf(stderr, "%s: %s\n", what, why[0] != '\0' ? why : atrest_status_message(status));
    return 1;
}

/* As many of the file's first bytes as there are. */
static uint8_t *beginning(int fd, size_t *len) {
    uint8_t *const bytes = malloc(*len);
    if (bytes == NULL) return NULL;
    const ssize_t got = pread(fd, bytes, *len, 0);
    *len = got < 0 ? 0 : (size_t)got;
    return bytes;
}

int main(int argc, char **argv) {
    if (argc != 4) {
        fprintf(stderr, "usage: %s KEYSTORE VOLUME SECTOR\n", argv[0]);
        return 2;
    }
    const char *keystore = argv[1], *path = argv[2];
    const uint64_t sector = strtoull(argv[3], NULL, 10);
    atrest_providers *providers;
    atrest_status status = atrest_providers_new(&providers);
    if (status != ATREST_OK) return failed("atrest", status);
    status = atrest_providers_add_local(providers, keystore, why, sizeof why);
    if (status != ATREST_OK) return failed(keystore, status);
    const int fd = open(path, O_RDONLY);
    if (fd < 0) {
        perror(path);
        return 1;
    }

    /* First what tells how long the header is, then the header. */
    size_t len = 4096;
    uint8_t *header = beginning(fd, &len);
    len = atrest_volume_header_length(header, len);
    free(header);
    header = beginning(fd, &len);
    atrest_sector_cipher *cipher;
    status = atrest_sector_cipher_new(header, len, providers, 10000, &cipher, why, sizeof why);
    free(header);
    atrest_providers_free(providers);
    if (status != ATREST_OK) return failed(path, status);

    const size_t size = atrest_sector_cipher_sector_size(cipher);
    const uint64_t offset = atrest_sector_cipher_data_offset(cipher) + sector * size;
    uint8_t *const data = malloc(size);
    if (data == NULL || pread(fd, data, size, (off_t)offset) != (ssize_t)size) {
        perror(path);
        return 1;
    }
    status = atrest_sector_cipher_decrypt(cipher, sector, data, data, size);
    if (status == ATREST_OK) fwrite(data, 1, size, stdout);
    free(data);
    atrest_sector_cipher_free(cipher);
    close(fd);
    return status == ATREST_OK ? 0 : failed(argv[3], status);
}
