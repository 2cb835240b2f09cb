/*
 * The C11 test program of keys that go away: what a cache of root keys still opens, and what becomes of open volumes.
 *
 * Argument: an empty directory.
 */
#define _DEFAULT_SOURCE
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "atrest.h"
#include "check.h"

enum { SIZE = 1000003, WAIT = -1 };

static const char *base;
static char error[1000];
#define ERROR error, sizeof error

/* A path in the directory; the last four stay valid. */
static const char *in(const char *name) {
    static char paths[4][512];
    static unsigned next;
    char *path = paths[next++ % 4];
    CHECK((size_t)snprintf(path, sizeof paths[0], "%s/%s", base, name) < sizeof paths[0]);
    return path;
}

static void expect(int line, atrest_status status, atrest_status expected) {
    if (status != expected) {
        fprintf(stderr, "withdrawal.c:%d: \"%s\" instead of \"%s\" (%s)\n", line, atrest_status_message(status),
                atrest_status_message(expected), error);
        exit(EXIT_FAILURE);
    }
}
#define IS(expected, call) expect(__LINE__, call, expected)

static void withdraw(void) { CHECK(rename(in("keys/keys/default.json"), in("kept.json")) == 0); }
static void give_back(void) { CHECK(rename(in("kept.json"), in("keys/keys/default.json")) == 0); }

static atrest_providers *new_providers(void) {
    atrest_providers *providers;
    IS(ATREST_OK, atrest_providers_new(&providers));
    IS(ATREST_OK, atrest_providers_add_local(providers, in("keys"), ERROR));
    IS(ATREST_OK, atrest_providers_expect_any(providers));
    return providers;
}

/* Opens the volume, and closes it again. */
static atrest_status opens(const atrest_providers *providers) {
    atrest_volume *volume;
    const atrest_status status = atrest_volume_open(in("v"), 0, providers, WAIT, &volume, ERROR);
    atrest_volume_close(volume);
    return status;
}

/* A thread that the fork left behind had memory, which is out of the child's reach: memcheck would call it lost. So the
   child does not exit, but ends. */
static int status_in_child(atrest_status (*run)(const atrest_providers *), const atrest_providers *providers) {
    int pipes[2];
    CHECK(pipe(pipes) == 0);
    const pid_t child = fork();
    CHECK(child >= 0);
    if (child == 0) {
        alarm(60); /* a lock that is never released ends here */
        const int32_t status = (int32_t)run(providers);
        CHECK(write(pipes[1], &status, sizeof status) == sizeof status);
        kill(getpid(), SIGKILL);
    }
    int32_t status;
    CHECK(close(pipes[1]) == 0);
    CHECK(read(pipes[0], &status, sizeof status) == sizeof status);
    CHECK(close(pipes[0]) == 0 && waitpid(child, NULL, 0) == child);
    return status;
}

static atrest_status clear_and_open(const atrest_providers *providers) {
    const atrest_status status = atrest_providers_clear_cache(providers);
    return status == ATREST_OK ? opens(providers) : status;
}

static void check_cache(void) {
    atrest_providers *providers = new_providers();
    /* Off. */
    IS(ATREST_OK, atrest_providers_clear_cache(providers));
    IS(ATREST_OK, opens(providers));
    withdraw();
    IS(ATREST_ERROR_KEY_NOT_FOUND, opens(providers));
    give_back();
    /* On: what was opened opens, until it is cleared, and not in a child. */
    IS(ATREST_OK, atrest_providers_set_cache(providers, 16, 3600000, ERROR));
    IS(ATREST_OK, opens(providers));
    withdraw();
    IS(ATREST_OK, opens(providers));
    CHECK(status_in_child(opens, providers) == ATREST_ERROR_KEY_NOT_FOUND);
    IS(ATREST_OK, opens(providers));
    IS(ATREST_OK, atrest_providers_clear_cache(providers));
    IS(ATREST_ERROR_KEY_NOT_FOUND, opens(providers));
    give_back();
    CHECK(status_in_child(clear_and_open, providers) == ATREST_OK);
    /* A provider that replaces another does not get what that one unwrapped. */
    IS(ATREST_OK, opens(providers));
    IS(ATREST_OK, atrest_providers_add_local(providers, in("keys"), ERROR));
    withdraw();
    IS(ATREST_ERROR_KEY_NOT_FOUND, opens(providers));
    give_back();
    /* Off again. */
    IS(ATREST_OK, opens(providers));
    IS(ATREST_OK, atrest_providers_set_cache(providers, 0, 0, ERROR));
    withdraw();
    IS(ATREST_ERROR_KEY_NOT_FOUND, opens(providers));
    give_back();
    /* Limits, which leave it as it was. */
    IS(ATREST_OK, atrest_providers_set_cache(providers, 1024, 86400000, ERROR));
    IS(ATREST_OK, opens(providers));
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_providers_set_cache(providers, 1025, 1000, ERROR));
    CHECK(strstr(error, "1024") != NULL);
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_providers_set_cache(providers, 1, 86400001, ERROR));
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_providers_set_cache(providers, 1, 0, NULL, 0));
    IS(ATREST_ERROR_NULL, atrest_providers_set_cache(NULL, 1, 1, ERROR));
    IS(ATREST_ERROR_NULL, atrest_providers_clear_cache(NULL));
    withdraw();
    IS(ATREST_OK, opens(providers));
    give_back();
    atrest_providers_free(providers);
}

/* Waits until a volume has closed itself; a machine may be slow. */
static void wait_for_the_end(const atrest_volume *volume) {
    for (int i = 0; atrest_volume_check_lease(volume, ERROR) == ATREST_OK; i++) {
        CHECK(i < 60000);
        CHECK(error[0] == '\0');
        usleep(1000);
    }
}

static void is_closed(const atrest_volume *volume) {
    uint8_t bytes[100] = {0};
    IS(ATREST_ERROR_WITHDRAWN, atrest_volume_check_lease(volume, ERROR));
    CHECK(strstr(error, "open the volume again") != NULL && strchr(error, '\n') == NULL);
    IS(ATREST_ERROR_WITHDRAWN, atrest_volume_read(volume, bytes, sizeof bytes, 5000));
    for (size_t i = 0; i < sizeof bytes; i++) CHECK(bytes[i] == 0);
    IS(ATREST_ERROR_WITHDRAWN, atrest_volume_write(volume, bytes, sizeof bytes, 5000));
    IS(ATREST_ERROR_WITHDRAWN, atrest_volume_write_zeros(volume, 100, 5000));
    IS(ATREST_ERROR_WITHDRAWN, atrest_volume_discard(volume, 100, 5000));
    IS(ATREST_OK, atrest_volume_flush(volume));
}

static atrest_volume *open_volume(const atrest_providers *providers) {
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_open(in("v"), ATREST_VOLUME_DISCARD, providers, WAIT, &volume, ERROR));
    return volume;
}

static atrest_volume *forked; /* open in the parent */

/* The volume works, and then its time is over: the thread that prolongs it is not there. */
static atrest_status goes_out(const atrest_providers *providers) {
    (void)providers;
    uint8_t bytes[100];
    const atrest_status status = atrest_volume_read(forked, bytes, sizeof bytes, 5000);
    if (status != ATREST_OK) return status;
    wait_for_the_end(forked);
    is_closed(forked);
    atrest_volume_close(forked);
    return ATREST_ERROR_WITHDRAWN;
}

/* The child checks for itself: it goes on for longer than one check is good for, and sees a withdrawal. */
static atrest_status checks_for_itself(const atrest_providers *providers) {
    const atrest_status status = atrest_volume_recheck(forked, providers, 20, 600000, ERROR);
    if (status != ATREST_OK) return status;
    usleep(200000);
    IS(ATREST_OK, atrest_volume_check_lease(forked, ERROR));
    withdraw();
    wait_for_the_end(forked);
    is_closed(forked);
    give_back();
    atrest_volume_close(forked);
    return ATREST_OK;
}

static void check_recheck(void) {
    atrest_providers *providers = new_providers(), *none;
    uint8_t bytes[100], found[100];
    memset(bytes, 7, sizeof bytes);
    /* Without it a volume goes on. */
    atrest_volume *plain = open_volume(providers), *volume = open_volume(providers);
    IS(ATREST_OK, atrest_volume_recheck(volume, providers, 20, 600000, ERROR));
    IS(ATREST_OK, atrest_volume_write(volume, bytes, sizeof bytes, 5000));
    withdraw();
    wait_for_the_end(volume);
    is_closed(volume);
    IS(ATREST_ERROR_WITHDRAWN, atrest_volume_recheck(volume, providers, 20, 600000, ERROR));
    IS(ATREST_OK, atrest_volume_check_lease(plain, ERROR));
    IS(ATREST_OK, atrest_volume_read(plain, found, sizeof found, 5000));
    CHECK(memcmp(bytes, found, sizeof bytes) == 0);
    give_back();
    is_closed(volume);
    atrest_volume_close(volume);
    atrest_volume_close(plain);

    /* What cannot be done changes nothing. */
    volume = open_volume(providers);
    IS(ATREST_OK, atrest_providers_new(&none));
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_recheck(volume, none, 1000, 1000, ERROR));
    CHECK(strstr(error, "local") != NULL);
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_recheck(volume, providers, 9, 1000, ERROR));
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_recheck(volume, providers, 1000, 604800001, ERROR));
    IS(ATREST_ERROR_INVALID_REQUEST, atrest_volume_recheck(volume, providers, 0, 0, NULL, 0));
    IS(ATREST_ERROR_NULL, atrest_volume_recheck(NULL, providers, 1000, 1000, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_recheck(volume, NULL, 1000, 1000, ERROR));
    IS(ATREST_ERROR_NULL, atrest_volume_check_lease(NULL, ERROR));
    atrest_providers_free(none);
    IS(ATREST_OK, atrest_volume_check_lease(volume, NULL, 0));

    /* Children of a volume that is rechecked. (On a slow machine the first may have closed itself before.) */
    forked = open_volume(providers);
    IS(ATREST_OK, atrest_volume_recheck(forked, providers, 50, 300, ERROR));
    usleep(100000);
    CHECK(status_in_child(goes_out, providers) == ATREST_ERROR_WITHDRAWN);
    atrest_volume_close(forked);
    forked = volume;
    CHECK(status_in_child(checks_for_itself, providers) == ATREST_OK);
    /* The providers may go before the volume. */
    IS(ATREST_OK, atrest_volume_recheck(volume, providers, 604800000, 604800000, ERROR));
    atrest_providers_free(providers);
    IS(ATREST_OK, atrest_volume_read(volume, found, sizeof found, 5000));
    atrest_volume_close(volume);
}

int main(int argc, char **argv) {
    CHECK(argc == 2);
    base = argv[1];
    IS(ATREST_OK, atrest_local_create_key(in("keys"), "local:default", ERROR));
    atrest_providers *providers = new_providers();
    atrest_volume *volume;
    IS(ATREST_OK, atrest_volume_create(in("v"), SIZE, 0, 0, providers, "local:default", WAIT, &volume, ERROR));
    atrest_volume_close(volume);
    atrest_providers_free(providers);
    check_cache();
    check_recheck();
    puts("keys that go away: as it should be");
    return EXIT_SUCCESS;
}
