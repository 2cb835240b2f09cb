/*
 * An nbdkit plugin that serves an encrypted volume of atrest as a plain block device.
 *
 *   nbdkit ./nbdkit-atrest-plugin.so volume=disk.luks expect=PIN
 *
 * Whoever writes the disk can exchange the volume's header, and so whose key encrypts what clients write. The pin, which
 * `atrest create` prints, is what keeps that out; without it, or the word any, the volume is served for reading only.
 *
 * Every client sees the same open volume, so that a flush on one connection covers the writes of all.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NBDKIT_API_VERSION 2
#include <nbdkit-plugin.h>

#include "atrest.h"

#define THREAD_MODEL NBDKIT_THREAD_MODEL_PARALLEL

static char *path;           /* of the volume */
static char *keystore;       /* NULL: the user's own */
static char *expectation;    /* what the volume must be, in words; NULL: nobody said */
static bool has_slot;        /* one slot alone is tried */
static unsigned slot;
static unsigned seconds = 60; /* for a key service to answer */
static unsigned recheck;     /* seconds between checks of the key; 0: none */
static unsigned grace = 300; /* seconds without an answer */
static int read_only, discard, shared;

static atrest_volume *volume;

static void plugin_unload(void) {
    atrest_volume_close(volume);
    free(expectation);
    free(keystore);
    free(path);
}

static int parse_seconds(const char *name, const char *value, unsigned least, unsigned *out) {
    if (nbdkit_parse_unsigned(name, value, out) == -1) return -1;
    if (*out < least || *out > 86400) {
        nbdkit_error("%s=%s: %u to 86400 seconds", name, value, least);
        return -1;
    }
    return 0;
}

/* Adds words to what is expected, on a line of their own: a comment ends with its line. */
static int expect(const char *words) {
    const size_t had = expectation == NULL ? 0 : strlen(expectation);
    const size_t room = had + strlen(words) + 2;
    char *const text = realloc(expectation, room);
    if (text == NULL) {
        nbdkit_error("expect: %s", strerror(errno));
        return -1;
    }
    expectation = text;
    snprintf(text + had, room - had, "%s\n", words);
    return 0;
}

static int expect_of_file(const char *name) {
    static char words[65536];
    FILE *const file = fopen(name, "re");
    if (file == NULL) {
        nbdkit_error("expect-file=%s: %s", name, strerror(errno));
        return -1;
    }
    const size_t got = fread(words, 1, sizeof words, file);
    const bool whole = ferror(file) == 0 && got < sizeof words;
    fclose(file);
    if (!whole || memchr(words, '\0', got) != NULL) {
        nbdkit_error("expect-file=%s: no text of less than 64 KiB", name);
        return -1;
    }
    words[got] = '\0';
    return expect(words);
}

#ifdef ATREST_WITH_KMS
#define KEYS "local:NAME and aws:ARN"
static bool is_key(const char *key) { return strncmp(key, "local:", 6) == 0 || strncmp(key, "aws:arn:", 8) == 0; }
#else
#define KEYS "local:NAME"
static bool is_key(const char *key) { return strncmp(key, "local:", 6) == 0; }
#endif

static int expect_key(const char *key) {
    char words[2100] = "key=";
    if (!is_key(key) || strpbrk(key, " \t\r\n#") != NULL || strlen(key) > 2048) {
        nbdkit_error("key=%s: this build opens " KEYS, key);
        return -1;
    }
    return expect(strcat(words, key));
}

static int config(const char *name, const char *value) {
    if (strcmp(name, "volume") == 0) {
        free(path);
        path = nbdkit_realpath(value);
        return path == NULL ? -1 : 0;
    }
    if (strcmp(name, "expect") == 0) return expect(value);
    if (strcmp(name, "expect-file") == 0) return expect_of_file(value);
    if (strcmp(name, "key") == 0) return expect_key(value);
    if (strcmp(name, "slot") == 0) return (has_slot = nbdkit_parse_unsigned(name, value, &slot) == 0) ? 0 : -1;
    if (strcmp(name, "keystore") == 0) {
        free(keystore);
        keystore = nbdkit_realpath(value);
        return keystore == NULL ? -1 : 0;
    }
    if (strcmp(name, "timeout") == 0) return parse_seconds(name, value, 0, &seconds);
    if (strcmp(name, "recheck") == 0) return parse_seconds(name, value, 1, &recheck);
    if (strcmp(name, "grace") == 0) return parse_seconds(name, value, 1, &grace);
    if (strcmp(name, "readonly") == 0) return (read_only = nbdkit_parse_bool(value)) == -1 ? -1 : 0;
    if (strcmp(name, "discard") == 0) return (discard = nbdkit_parse_bool(value)) == -1 ? -1 : 0;
    if (strcmp(name, "shared") == 0) return (shared = nbdkit_parse_bool(value)) == -1 ? -1 : 0;
    nbdkit_error("unknown parameter '%s'", name);
    return -1;
}

/* Without a word on which volume it must be. */
static void tell_reading_only(void) {
    nbdkit_error("warning: %s is served for reading only: to write, say which volume it must be: expect=PIN or "
                 "expect-file=FILE; or expect=any, for any that the other words allow",
                 path);
}

static int config_complete(void) {
    if (path == NULL) {
        nbdkit_error("no volume: say volume=FILE");
        return -1;
    }
    if (!has_slot) return 0;
    /* The choice of a slot expects nothing. */
    if (expectation == NULL && !read_only) {
        tell_reading_only();
        read_only = 1;
    }
    char words[32];
    snprintf(words, sizeof words, "%s slot=%u", expectation == NULL ? "any" : "", slot);
    return expect(words);
}

#define HELP                                                                          \
    "volume=<FILE>      (required) The encrypted volume, a file or a block device.\n" \
    "expect=<WORDS>     What the volume must be, or it is not served: its pin, or\n"  \
    "                   key=KEY, account=ACCOUNT and so on, which do for reading:\n"  \
    "                   without a pin it is served for reading only. any beside\n"    \
    "                   them, or alone, serves any volume for writing.\n"             \
    "expect-file=<FILE> The same, in a file.\n"                                       \
    "key=<KEY>          The same as expect=key=KEY: " KEYS ".\n"                      \
    "slot=<NUMBER>      The one wrapping of its key to try, from 0.\n"                \
    "keystore=<DIR>     The local keystore (default: the user's own).\n"              \
    "timeout=<SECONDS>  How long a key service may take to answer (default 60).\n"    \
    "recheck=<SECONDS>  Ask that often whether the key may still be used; when it\n"  \
    "                   may not, requests fail until nbdkit is started again.\n"      \
    "grace=<SECONDS>    With recheck, how long no answer will do (default 300).\n"    \
    "readonly=true      Open the volume for reading only.\n"                          \
    "discard=true       Let trims punch holes; they show which sectors are unused.\n" \
    "shared=true        Write beside other servers that are told so, too: for those\n" \
    "                   who coordinate writers above (cluster file systems)."

/* Every provider that there is: what is expected says which of them may be asked. */
static atrest_status add_providers(atrest_providers *providers, char *why, size_t room) {
    const atrest_status status = atrest_providers_add_local(providers, keystore, why, room);
#ifdef ATREST_WITH_KMS
    /* Whose keys are in AWS has no keystore of their own. */
    if (status != ATREST_OK && (status != ATREST_ERROR_KEYSTORE_IO || keystore != NULL)) return status;
    return atrest_providers_add_aws(providers, NULL, NULL, NULL, why, room);
#else
    return status;
#endif
}

/* The providers of keys; NULL, and said so, where they cannot be had. */
static atrest_providers *new_providers(void) {
    char why[500];
    atrest_providers *providers;
    atrest_status status = atrest_providers_new(&providers);
    if (status != ATREST_OK) {
        nbdkit_error("%s", atrest_status_message(status));
        return NULL;
    }
    status = add_providers(providers, why, sizeof why);
    if (status != ATREST_OK) nbdkit_error("keys: %s", why);
    if (status == ATREST_OK && expectation != NULL) {
        status = atrest_providers_expect(providers, expectation, why, sizeof why);
        if (status != ATREST_OK) nbdkit_error("expect: %s", why);
    }
    if (status == ATREST_OK) return providers;
    atrest_providers_free(providers);
    return NULL;
}

/* Slots that did not open, although another one did. */
static void tell_failures(void) {
    char why[500];
    for (int before = 0; before < atrest_volume_slot(volume); before++) {
        if (atrest_volume_slot_failure(volume, (size_t)before, why, sizeof why) != ATREST_OK)
            nbdkit_error("warning: %s: slot %d does not open it: %s", path, before, why);
    }
}

static atrest_status open_volume(const atrest_providers *providers, char *why, size_t room) {
    const uint32_t flags = (read_only ? ATREST_VOLUME_READ_ONLY : 0u) | (discard ? ATREST_VOLUME_DISCARD : 0u) |
                           (shared ? ATREST_VOLUME_SHARED : 0u);
    return atrest_volume_open(path, flags, providers, (int32_t)(seconds * 1000), &volume, why, room);
}

/* Before nbdkit goes into the background, so that what fails is seen; the volume goes there with it. */
static int get_ready(void) {
    char why[500];
    atrest_providers *providers = new_providers();
    if (providers == NULL) return -1;
    atrest_status status = open_volume(providers, why, sizeof why);
    if (status == ATREST_ERROR_NO_EXPECTATION) {
        read_only = 1;
        status = open_volume(providers, why, sizeof why);
        if (status == ATREST_OK) tell_reading_only();
    }
    if (status != ATREST_OK)
        nbdkit_error("%s: %s", path, why);
    else if (why[0] != '\0')
        nbdkit_error("warning: %s: %s", path, why);
    const char *wrong = atrest_wrong_backend(0);
    if (wrong != NULL)
        nbdkit_error("warning: AES comes out wrong here with %s, which is left out: the processor, the emulator or this "
                     "build of atrest is at fault", wrong);
    atrest_providers_free(providers);
    tell_failures();
    return status == ATREST_OK ? 0 : -1;
}

/* In the background: threads do not come along, and neither do providers that have some. */
static int after_fork(void) {
    if (recheck == 0) return 0;
    char why[500];
    atrest_providers *providers = new_providers();
    if (providers == NULL) return -1;
    const atrest_status status =
        atrest_volume_recheck(volume, providers, recheck * 1000, grace * 1000, why, sizeof why);
    if (status != ATREST_OK) nbdkit_error("%s: %s", path, why);
    atrest_providers_free(providers);
    return status == ATREST_OK ? 0 : -1;
}

static void *open_connection(int readonly) {
    (void)readonly; /* nbdkit refuses writes then */
    return NBDKIT_HANDLE_NOT_NEEDED;
}

/* What the client is told of a status. */
static int answer(const char *what, atrest_status status) {
    if (status == ATREST_OK) return 0;
    int error = EIO;
    if (status == ATREST_ERROR_NO_SPACE) error = ENOSPC;
    if (status == ATREST_ERROR_NO_MEMORY) error = ENOMEM;
    if (status == ATREST_ERROR_OUT_OF_BOUNDS) error = EINVAL;
    if (status == ATREST_ERROR_READ_ONLY) error = EROFS;
    char why[1000] = "";
    const bool withdrawn = status == ATREST_ERROR_WITHDRAWN;
    if (withdrawn && atrest_volume_check_lease(volume, why, sizeof why) == ATREST_OK) why[0] = '\0';
    nbdkit_error("%s: %s: %s", path, what, why[0] != '\0' ? why : atrest_status_message(status));
    nbdkit_set_error(error);
    return -1;
}

/* The end of every call that writes: with FUA it is on the disk before it is answered. */
static int written(const char *what, atrest_status status, uint32_t flags) {
    if (status == ATREST_OK && (flags & NBDKIT_FLAG_FUA) != 0) status = atrest_volume_flush(volume);
    return answer(what, status);
}

static int64_t get_size(void *handle) {
    (void)handle;
    return (int64_t)atrest_volume_size(volume); /* a volume's file is shorter than 2^63 */
}

static int block_size(void *handle, uint32_t *minimum, uint32_t *preferred, uint32_t *maximum) {
    (void)handle;
    *minimum = 1;
    *preferred = (uint32_t)atrest_volume_sector_size(volume);
    *maximum = UINT32_MAX; /* no limit */
    return 0;
}

static int can_write(void *handle) { return (void)handle, !read_only; }
static int can_flush(void *handle) { return (void)handle, 1; }
static int can_fua(void *handle) { return (void)handle, NBDKIT_FUA_NATIVE; }
static int can_trim(void *handle) { return (void)handle, discard; }
static int can_zero(void *handle) { return (void)handle, 1; }
static int can_fast_zero(void *handle) { return (void)handle, 0; } /* zeros are encrypted and written */
static int can_multi_conn(void *handle) { return (void)handle, 1; }
static int is_rotational(void *handle) { return (void)handle, 0; }

static int read_volume(void *handle, void *buf, uint32_t count, uint64_t offset, uint32_t flags) {
    (void)handle, (void)flags;
    return answer("read", atrest_volume_read(volume, buf, count, offset));
}

static int write_volume(void *handle, const void *buf, uint32_t count, uint64_t offset, uint32_t flags) {
    (void)handle;
    return written("write", atrest_volume_write(volume, buf, count, offset), flags);
}

/* A hole would not read as zeros, whatever NBDKIT_FLAG_MAY_TRIM allows. */
static int zero(void *handle, uint32_t count, uint64_t offset, uint32_t flags) {
    (void)handle;
    return written("zero", atrest_volume_write_zeros(volume, count, offset), flags);
}

static int trim(void *handle, uint32_t count, uint64_t offset, uint32_t flags) {
    (void)handle;
    atrest_status status = atrest_volume_discard(volume, count, offset);
    if (status == ATREST_ERROR_UNSUPPORTED) { /* a trim is a hint */
        nbdkit_debug("trim: %s", atrest_status_message(status));
        status = ATREST_OK;
    }
    return written("trim", status, flags);
}

static int flush(void *handle, uint32_t flags) {
    (void)handle, (void)flags;
    return answer("flush", atrest_volume_flush(volume));
}

static void dump_plugin(void) { printf("atrest_version=%s\n", atrest_version()); }

static struct nbdkit_plugin plugin = {
    .name = "atrest",
    .version = "0.2.0",
    .longname = "atrest encrypted volumes",
    .description = "Serves an encrypted volume of atrest, a LUKS2 container, as a plain block device.",
    .unload = plugin_unload,
    .config = config,
    .config_complete = config_complete,
    .config_help = HELP,
    .magic_config_key = "volume",
    .dump_plugin = dump_plugin,
    .get_ready = get_ready,
    .after_fork = after_fork,
    .open = open_connection,
    .get_size = get_size,
    .block_size = block_size,
    .can_write = can_write,
    .can_flush = can_flush,
    .can_fua = can_fua,
    .can_trim = can_trim,
    .can_zero = can_zero,
    .can_fast_zero = can_fast_zero,
    .can_multi_conn = can_multi_conn,
    .is_rotational = is_rotational,
    .pread = read_volume,
    .pwrite = write_volume,
    .zero = zero,
    .trim = trim,
    .flush = flush,
};

/* As the macro makes it, and not declared in nbdkit's header. */
struct nbdkit_plugin *plugin_init(void);
NBDKIT_REGISTER_PLUGIN(plugin)
