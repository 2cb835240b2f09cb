/*
 * Data calls allocate nothing, take no lock, make no system call, and change nothing of the key.
 *
 * Linked with --wrap, so that what the library asks of the C library comes here first. A lock of Rust's is an atomic
 * variable, which nothing can wrap: one in the key would be written on a read-only page, and one that waits makes a
 * system call, which kills the child that calls from within seccomp's strict mode.
 */
#define _GNU_SOURCE
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atrest.h"
#include "check.h"

static unsigned long counted;

#define COUNTED(result, name, parameters, arguments) \
    result __real_##name parameters;                 \
    result __wrap_##name parameters;                 \
    result __wrap_##name parameters {                \
        counted++;                                   \
        return __real_##name arguments;              \
    }

COUNTED(void *, malloc, (size_t size), (size))
COUNTED(void *, calloc, (size_t count, size_t size), (count, size))
COUNTED(void *, realloc, (void *old, size_t size), (old, size))
COUNTED(void *, aligned_alloc, (size_t alignment, size_t size), (alignment, size))
COUNTED(int, posix_memalign, (void **out, size_t alignment, size_t size), (out, alignment, size))
COUNTED(int, pthread_mutex_lock, (pthread_mutex_t *mutex), (mutex))
COUNTED(int, pthread_mutex_trylock, (pthread_mutex_t *mutex), (mutex))
COUNTED(void *, pthread_getspecific, (pthread_key_t key), (key))

void __real_free(void *old);
void __wrap_free(void *old);
void __wrap_free(void *old) {
    counted++;
    __real_free(old);
}

enum { SIZE = 8 * 4096, ODD = 8 * 4095 };

static uint8_t from[SIZE], to[SIZE];

/* Every data call, with good arguments and bad ones. */
static int all_calls(const atrest_xts *xts) {
    const uint8_t tweak[16] = {1};
    const atrest_tweaks tweaks = {5, 6, ATREST_LAYOUT_NUMBER128BE, 0}, wrong = {0, 0, 99, 0};
    const atrest_tweak_sequence sequence = {UINT64_MAX, 1, 3, 1, 128, ATREST_SEQUENCE_BIG_ENDIAN};
    const atrest_tweak_sequence overflow = {0, 0, UINT64_MAX, UINT64_MAX, 32, 0};
    static const uint8_t list[SIZE / 512 * 16] = {1};
    const struct iovec src[] = {{from, 1000}, {from + 1000, SIZE - 1000}};
    const struct iovec dst[] = {{to, SIZE / 2}, {to + SIZE / 2, SIZE / 2}};
    int good = 1;
    good &= atrest_xts_encrypt_sectors(xts, 1, 512, from, to, SIZE) == ATREST_OK;
    good &= atrest_xts_decrypt_sectors(xts, 1, 4096, to, to, SIZE) == ATREST_OK;
    good &= atrest_xts_encrypt_sectors(xts, 1, 4095, from, to, ODD) == ATREST_OK;
    good &= atrest_xts_decrypt_sectors(xts, 1, 4095, from, to, ODD) == ATREST_OK;
    good &= atrest_xts_encrypt_unit(xts, tweak, from, to, SIZE) == ATREST_OK;
    good &= atrest_xts_decrypt_unit(xts, tweak, from, to, 17) == ATREST_OK;
    good &= atrest_xts_encrypt_sectors_tweaks(xts, &tweaks, 520, from, to, 520) == ATREST_OK;
    good &= atrest_xts_decrypt_sectors_tweaks(xts, &tweaks, 16, from, to, SIZE) == ATREST_OK;
    good &= atrest_xts_encrypt_iov(xts, 1, 4096, src, 2, dst, 2) == ATREST_OK;
    good &= atrest_xts_decrypt_iov(xts, 1, 4096, src, 2, src, 2) == ATREST_OK;
    good &= atrest_xts_encrypt_iov_tweaks(xts, &tweaks, 512, src, 2, dst, 2) == ATREST_OK;
    good &= atrest_xts_decrypt_iov_tweaks(xts, &tweaks, 512, src, 2, dst, 2) == ATREST_OK;
    good &= atrest_xts_encrypt_sectors_sequence(xts, &sequence, 512, from, to, SIZE) == ATREST_OK;
    good &= atrest_xts_decrypt_sectors_sequence(xts, &sequence, 4095, from, to, ODD) == ATREST_OK;
    good &= atrest_xts_encrypt_iov_sequence(xts, &sequence, 512, src, 2, dst, 2) == ATREST_OK;
    good &= atrest_xts_decrypt_iov_sequence(xts, &sequence, 512, src, 2, src, 2) == ATREST_OK;
    good &= atrest_xts_encrypt_sectors_list(xts, list, SIZE / 512, 512, from, to, SIZE) == ATREST_OK;
    good &= atrest_xts_decrypt_sectors_list(xts, list, 8, 4095, from, to, ODD) == ATREST_OK;
    good &= atrest_xts_encrypt_iov_list(xts, list, 8, 4096, src, 2, dst, 2) == ATREST_OK;
    good &= atrest_xts_decrypt_iov_list(xts, list, SIZE / 512, 512, src, 2, src, 2) == ATREST_OK;
    good &= atrest_xts_encrypt_sectors_list(xts, list, 7, 512, from, to, SIZE) == ATREST_ERROR_TWEAK_COUNT;
    good &= atrest_xts_encrypt_sectors_sequence(xts, &overflow, 512, from, to, SIZE) == ATREST_ERROR_SECTOR_NUMBER;
    good &= atrest_xts_encrypt_sectors(xts, 1, 512, from, to, 513) == ATREST_ERROR_DATA_LENGTH;
    good &= atrest_xts_encrypt_sectors(xts, 1, 15, from, to, SIZE) == ATREST_ERROR_SECTOR_SIZE;
    good &= atrest_xts_encrypt_sectors(xts, 1, 512, from, from + 1, 512) == ATREST_ERROR_OVERLAP;
    good &= atrest_xts_encrypt_sectors_tweaks(xts, &wrong, 512, from, to, 512) == ATREST_ERROR_TWEAKS;
    good &= atrest_xts_encrypt_unit(NULL, tweak, from, to, 16) == ATREST_ERROR_NULL;
    return good;
}

/* How a child ends that enters strict mode and makes the calls, or a system call that it must not make. */
static int strict_child(const atrest_xts *xts, int planted) {
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) _exit(77);
        const int good = all_calls(xts) && atrest_selftest() == ATREST_OK;
        if (planted) (void)syscall(SYS_getppid);
        /* Not _exit(), which ends all threads; strict mode has the call that ends one. */
        (void)syscall(SYS_exit, good ? 0 : 1);
    }
    int status = 1;
    CHECK(waitpid(child, &status, 0) == child);
    return status;
}

int main(void) {
    uint8_t key[64];
    for (size_t i = 0; i < sizeof key; i++) key[i] = (uint8_t)i;

    /* What is counted is seen. */
    atrest_xts *heap = NULL;
    CHECK(atrest_xts_new(key, sizeof key, &heap) == ATREST_OK && counted > 0);
    counted = 0;
    atrest_xts_free(heap);
    CHECK(counted > 0);
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    counted = 0;
    CHECK(pthread_mutex_lock(&mutex) == 0 && pthread_mutex_unlock(&mutex) == 0 && counted == 1);

    const size_t page = 16384;
    void *const place = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    CHECK(place != MAP_FAILED && atrest_xts_size() <= page);
    for (size_t i = 0; atrest_usable_backend(i) != NULL; i++) {
        atrest_xts *xts = NULL;
        counted = 0;
        CHECK(atrest_xts_init(place, page, key, sizeof key, atrest_usable_backend(i), 0, &xts) == ATREST_OK);
        CHECK(mprotect(place, page, PROT_READ) == 0);
        CHECK(all_calls(xts));
        CHECK(atrest_selftest() == ATREST_OK);
        const int status = strict_child(xts, 0);
        if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
            puts("no strict mode");
        } else {
            CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
            const int planted = strict_child(xts, 1);
            CHECK(WIFSIGNALED(planted) && WTERMSIG(planted) == SIGKILL);
        }
        CHECK(mprotect(place, page, PROT_READ | PROT_WRITE) == 0);
        atrest_xts_deinit(xts);
        CHECK(counted == 0);
    }
    puts("no allocation, no lock, no system call");
    return 0;
}
