/* Encrypts eight sectors in place, then decrypts them. */
#define _DEFAULT_SOURCE /* getentropy, explicit_bzero */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "atrest.h"

int main(void) {
    static uint8_t sectors[8 * 4096];
    strcpy((char *)sectors, "a page of a database");

    uint8_t key[64]; /* key1, then key2; a service gets it from its key management */
    if (getentropy(key, sizeof key) != 0) {
        perror("getentropy");
        return 1;
    }
    atrest_xts *xts;
    atrest_status status = atrest_xts_new(key, sizeof key, &xts);
    explicit_bzero(key, sizeof key);

    if (status == ATREST_OK) /* sector numbers 100 to 107 */
        status = atrest_xts_encrypt_sectors(xts, 100, 4096, sectors, sectors, sizeof sectors);
    if (status == ATREST_OK)
        status = atrest_xts_decrypt_sectors(xts, 100, 4096, sectors, sectors, sizeof sectors);
    if (status == ATREST_OK)
        printf("%s, there and back with atrest %s on %s\n", (char *)sectors, atrest_version(), atrest_backend_name(xts));
    else
        fprintf(stderr, "atrest: %s\n", atrest_status_message(status));

    atrest_xts_free(xts);
    return status == ATREST_OK ? 0 : 1;
}
