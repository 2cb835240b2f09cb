/* Generated from capi/src; do not edit. ATREST_BLESS=1 cargo test -p atrest-capi --test header writes it anew. */
/*
 * atrest: encryption at rest for storage software. XTS-AES as fast as the processor's AES units allow, and encrypted
 * volumes (LUKS2) whose keys a key service wraps.
 *
 * The simplest program makes a key and encrypts eight sectors in place:
 *
 *     #include <atrest.h>
 *     #include <stdio.h>
 *     #include <sys/random.h>
 *
 *     int main(void) {
 *         static uint8_t sectors[8 * 4096];
 *         uint8_t key[64];
 *         atrest_xts *xts;
 *         atrest_status status;
 *
 *         if (getentropy(key, sizeof key) != 0) return 1;
 *         status = atrest_xts_new(key, sizeof key, &xts);
 *         if (status == ATREST_OK)
 *             status = atrest_xts_encrypt_sectors(xts, 0, 4096, sectors, sectors, sizeof sectors);
 *         if (status != ATREST_OK) fprintf(stderr, "%s\n", atrest_status_message(status));
 *         atrest_xts_free(xts);
 *         return status != ATREST_OK;
 *     }
 *
 *     cc program.c $(pkg-config --cflags --libs atrest)
 *
 * What holds for every call:
 *
 * - It returns ATREST_OK, which is 0, or another atrest_status; all of them stand at the end of this header. Any call
 *   may also return ATREST_ERROR_INTERNAL, a defect of the library.
 * - It checks its arguments before it writes anything. One that makes an object stores it in `*out`, or NULL if it
 *   fails.
 * - Sizes, lengths and offsets are in bytes. Buffers and structures need no alignment; lists of iovec do.
 * - Any thread may call it at any time, and any number of threads may use one object at once, unless its text says
 *   otherwise.
 * - What was secret is wiped before it is freed. Your own copy of a key is yours to wipe.
 *
 * XTS keeps data confidential and does not detect changes: whoever can write to the disk can garble sectors or bring old
 * ones back, and decryption succeeds.
 *
 * The calls on volumes, key providers and envelopes are in a library that was built with them, and are shown if
 * ATREST_WITH_VOLUME is defined; pkg-config and CMake define it where it fits. C++ has atrest.hpp.
 * docs/abi.md says what stays compatible.
 */
#ifndef ATREST_H
#define ATREST_H

#include <stddef.h>
#include <stdint.h>
#ifndef _WIN32
#include <sys/uio.h>
#else
struct iovec; /* void *iov_base; size_t iov_len; */
#endif

/* The compiler warns when a status is dropped. */
#if defined(__GNUC__) || defined(__clang__)
#define ATREST_MUST_USE __attribute__((warn_unused_result))
#else
#define ATREST_MUST_USE
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* ----------------------------------------------------------------------------------------------------
 * Version
 * ---------------------------------------------------------------------------------------------------- */

/*
 * The version of this header. Before 1.0.0, docs/abi.md says what may change; from then on this number rises with what
 * breaks programs.
 */
#define ATREST_VERSION_MAJOR 0

/* This one rises with every call, type or status that is added. */
#define ATREST_VERSION_MINOR 2

/* And this one with all else. */
#define ATREST_VERSION_PATCH 0
/* The same as a string, and as one number, as atrest_version_number() has it. */
#define ATREST_VERSION "0.2.0"
#define ATREST_VERSION_NUMBER (ATREST_VERSION_MAJOR * 1000000 + ATREST_VERSION_MINOR * 1000 + ATREST_VERSION_PATCH)

/* The version of the library, which may be later than the header's: "MAJOR.MINOR.PATCH", a static string. */
const char *atrest_version(void);

/* The same as one number, MAJOR * 1000000 + MINOR * 1000 + PATCH: later versions have larger ones. */
uint32_t atrest_version_number(void);

/* ----------------------------------------------------------------------------------------------------
 * Statuses
 * ---------------------------------------------------------------------------------------------------- */

/*
 * The outcome of a call: ATREST_OK, which is 0, or one of the errors at the end of this header. Values never change their
 * meaning; later versions may add some, so a program must take a value that it does not know for an error.
 */
#ifdef __cplusplus
enum atrest_status : int32_t;
#elif __STDC_VERSION__ >= 202311L
enum atrest_status : int32_t;
typedef enum atrest_status atrest_status;
#else
typedef int32_t atrest_status;
#endif

/* A sentence about a status, in English, without a full stop: a static string, never NULL, whatever the value. */
const char *atrest_status_message(atrest_status status);

/* ----------------------------------------------------------------------------------------------------
 * Keys
 * ---------------------------------------------------------------------------------------------------- */

/*
 * An expanded XTS-AES key. Nothing changes it once it is made: any number of threads may use one at once, and so may a
 * forked child.
 */
typedef struct atrest_xts atrest_xts;

/*
 * Makes an XTS-AES key (IEEE Std 1619).
 *
 * `key`: key1, which encrypts data, then key2, which encrypts tweaks. `key_len`: 32 bytes for XTS-AES-128, 64 for
 * XTS-AES-256. They are copied: wipe yours when you no longer need it. `*out` receives the key; free it with
 * atrest_xts_free().
 *
 * The key runs on the backend that the environment variable ATREST_BACKEND names (in a program with elevated rights no
 * variable is read), or else on the fastest that this processor has. No other thread may call setenv() or putenv()
 * meanwhile. atrest_xts_new_with_backend() does not read the environment.
 *
 * A backend makes keys once it has given known answers in this process, which takes its first key some tens of microseconds
 * more. One that gives a wrong answer is left out, and the next best taken: atrest_wrong_backend() tells.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _KEY_LENGTH, _EQUAL_HALVES (key1 equals key2), _UNKNOWN_BACKEND,
 * _UNSUPPORTED_BACKEND, _SELFTEST (the named backend, or every one, gives wrong answers here), _NO_MEMORY. Uses 17 KiB of
 * stack, which it wipes.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new(const uint8_t *key, size_t key_len, atrest_xts **out);

/*
 * Wipes and frees a key. NULL is fine. No other thread may be using the key. A key of atrest_xts_init() goes by
 * atrest_xts_deinit() instead.
 */
void atrest_xts_free(atrest_xts *xts);

/* ----------------------------------------------------------------------------------------------------
 * Sectors and data units
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Encrypts consecutive sectors. Sector i of the buffer has the tweak `first_sector + i`, a little-endian 128-bit
 * number: dm-crypt's plain64 (with iv_large_sectors, where sectors are larger than 512 bytes). Give each number to one
 * sector of a key only.
 *
 * LUKS2, and dm-crypt without iv_large_sectors, count in units of 512 bytes whatever the sector size. For those, and
 * for all other layouts, there is atrest_xts_encrypt_sectors_tweaks().
 *
 * `sector_size`: any number from 16 to 16777216 bytes; one that is no multiple of 16 uses ciphertext stealing. `len`:
 * a whole number of sectors, in bytes; 0 does nothing, and `src` and `dst` may then be NULL. `dst` is `src` (in
 * place), or the two do not overlap.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH, which leave `dst`
 * untouched. Allocates nothing, takes no lock, and uses up to 16 KiB of stack.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_sectors(const atrest_xts *xts,
                                         uint64_t first_sector,
                                         size_t sector_size,
                                         const uint8_t *src,
                                         uint8_t *dst,
                                         size_t len);

/*
 * Decrypts consecutive sectors: the reverse of atrest_xts_encrypt_sectors(), with the same arguments and results.
 *
 * ATREST_OK does not say that the plaintext is right, since XTS authenticates nothing. A wrong key, a wrong sector
 * number or changed ciphertext gives noise, and ATREST_OK.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_sectors(const atrest_xts *xts,
                                         uint64_t first_sector,
                                         size_t sector_size,
                                         const uint8_t *src,
                                         uint8_t *dst,
                                         size_t len);

/*
 * Encrypts one data unit under a tweak of 16 bytes (IEEE Std 1619: the data unit sequence number, little-endian).
 *
 * `tweak`: give each to one data unit of a key only; it may lie anywhere, in `dst` too. `len`: any number from 16 to
 * 16777216 bytes; one that is no multiple of 16 uses ciphertext stealing. `dst` is `src` (in place), or the two do not
 * overlap.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _UNIT_LENGTH, which leave `dst` untouched.
 * Allocates nothing, takes no lock, and uses up to 16 KiB of stack.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_unit(const atrest_xts *xts,
                                      const uint8_t tweak[16],
                                      const uint8_t *src,
                                      uint8_t *dst,
                                      size_t len);

/*
 * Decrypts one data unit: the reverse of atrest_xts_encrypt_unit(), with the same arguments and results. As with
 * atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_unit(const atrest_xts *xts,
                                      const uint8_t tweak[16],
                                      const uint8_t *src,
                                      uint8_t *dst,
                                      size_t len);

/* ----------------------------------------------------------------------------------------------------
 * Other ways to make a key
 * ---------------------------------------------------------------------------------------------------- */

/* A flag: key1 may equal key2, as for atrest_xts_new_allowing_equal_halves(). */
#define ATREST_XTS_ALLOW_EQUAL_HALVES 1

/*
 * As atrest_xts_new(), on the backend of this name, whatever ATREST_BACKEND says. atrest_usable_backend() lists the
 * names of those that this processor runs.
 *
 * ":tiles" or ":rows" may follow "vaes256" and "vaes512", and ":mixed" the latter: how the loop keeps the AES units
 * busy. All give the same data; without any, the one that suits the processor runs.
 *
 * `backend`: a NUL-terminated string.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new_with_backend(const uint8_t *key,
                                          size_t key_len,
                                          const char *backend,
                                          atrest_xts **out);

/*
 * As atrest_xts_new(), with key1 and key2 wherever they lie.
 *
 * `key1`, `key2`: `half_len` bytes each, 16 for XTS-AES-128 or 32 for XTS-AES-256; they are copied. `backend`: a name
 * as for atrest_xts_new_with_backend(), or NULL for what atrest_xts_new() takes, which reads the environment. `flags`:
 * 0, or ATREST_XTS_ALLOW_EQUAL_HALVES.
 *
 * Returns what atrest_xts_new() does; also ATREST_ERROR_FLAGS.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new_from_halves(const uint8_t *key1,
                                         const uint8_t *key2,
                                         size_t half_len,
                                         const char *backend,
                                         uint32_t flags,
                                         atrest_xts **out);

/*
 * As atrest_xts_new(), but key1 may equal key2. This is for test vectors and old data only: with equal halves XTS is
 * not secure against chosen ciphertexts.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new_allowing_equal_halves(const uint8_t *key, size_t key_len, atrest_xts **out);

/*
 * How much memory atrest_xts_init() needs, in bytes: about a kilobyte. It differs from version to version, so ask at
 * run time.
 */
size_t atrest_xts_size(void);

/* What the address of that memory must be a multiple of: a power of two, at most 64 in this version. */
size_t atrest_xts_alignment(void);

/*
 * As atrest_xts_new(), with the key in memory of yours: nothing is allocated.
 *
 * `memory`: `memory_len` bytes, at least atrest_xts_size(), at a multiple of atrest_xts_alignment(). The key lies
 * there until atrest_xts_deinit(): do not move or copy it, and take memory that is not swapped out. `key`, `key_len`:
 * as for atrest_xts_new(). `backend`: a name as for atrest_xts_new_with_backend(), or NULL for what atrest_xts_new()
 * takes, which reads the environment. `flags`: 0, or ATREST_XTS_ALLOW_EQUAL_HALVES. `*out` receives the key, which
 * every call takes but atrest_xts_free().
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _MEMORY (too small, or misaligned), _FLAGS, _KEY_LENGTH, _EQUAL_HALVES,
 * _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _SELFTEST, which leave `memory` untouched. Uses 17 KiB of stack, which it wipes.
 */
ATREST_MUST_USE
atrest_status atrest_xts_init(void *memory,
                              size_t memory_len,
                              const uint8_t *key,
                              size_t key_len,
                              const char *backend,
                              uint32_t flags,
                              atrest_xts **out);

/* As atrest_xts_init(), with key1 and key2 as atrest_xts_new_from_halves() takes them. */
ATREST_MUST_USE
atrest_status atrest_xts_init_from_halves(void *memory,
                                          size_t memory_len,
                                          const uint8_t *key1,
                                          const uint8_t *key2,
                                          size_t half_len,
                                          const char *backend,
                                          uint32_t flags,
                                          atrest_xts **out);

/*
 * Wipes a key that atrest_xts_init() made: its memory is all zeros, and yours again. NULL is fine. No other thread may
 * be using the key.
 */
void atrest_xts_deinit(atrest_xts *xts);

/* ----------------------------------------------------------------------------------------------------
 * Sectors in pieces of memory
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Encrypts consecutive sectors that lie in pieces of memory, from the pieces `src` into the pieces `dst`; as
 * atrest_xts_encrypt_sectors() otherwise.
 *
 * The pieces may be cut anywhere, and differently in `src` and `dst`: a sector, or even a block, may straddle any
 * number of them. `src` and `dst` have the same length in all, a whole number of sectors. A piece may be empty, and
 * its iov_base then NULL. Sectors within one piece each are about as fast as in one buffer; a sector that straddles
 * pieces is copied once more.
 *
 * `src_count`, `dst_count`: how many pieces there are, any number; with 0 the list may be NULL. In place, `dst` is
 * `src` or lists the same pieces in the same order. Otherwise no piece of `dst` may overlap one of `src`, and in any
 * case no two pieces of `dst` may overlap. That is checked if the pieces of both lists ascend in memory, and if not,
 * for up to 64 pieces in each; beyond that, overlapping pieces receive undefined data.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _LENGTH_MISMATCH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH,
 * which leave all of `dst` untouched. Allocates nothing, takes no lock, and uses up to 28 KiB of stack.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_iov(const atrest_xts *xts,
                                     uint64_t first_sector,
                                     size_t sector_size,
                                     const struct iovec *src,
                                     size_t src_count,
                                     const struct iovec *dst,
                                     size_t dst_count);

/*
 * Decrypts consecutive sectors that lie in pieces of memory: the reverse of atrest_xts_encrypt_iov(), with the same
 * arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_iov(const atrest_xts *xts,
                                     uint64_t first_sector,
                                     size_t sector_size,
                                     const struct iovec *src,
                                     size_t src_count,
                                     const struct iovec *dst,
                                     size_t dst_count);

/* ----------------------------------------------------------------------------------------------------
 * Other tweaks
 * ---------------------------------------------------------------------------------------------------- */

/*
 * How sector numbers become tweaks, told by what is in the bytes. A number fills bytes 0 to 7, bytes 8 to 15, or all
 * 16, lowest byte first unless the layout says otherwise; the other bytes are 0. Every layout is a case of
 * atrest_tweak_sequence, and all are equally fast. Values never change their meaning; later versions may add some.
 *
 * What makes such sectors:
 *
 * - LUKS2, and dm-crypt's plain64 without iv_large_sectors: ATREST_LAYOUT_PLAIN64_IN_512;
 * - dm-crypt's plain, plain64 and plain64be with sectors of 512 bytes or with iv_large_sectors: the layouts of these
 *   names;
 * - SPDK's SIMPLE_LBA as its header defines it: ATREST_LAYOUT_PLAIN64; in its module "software", and in ubiblk:
 *   ATREST_LAYOUT_UPPER64;
 * - SPDK's JOIN_NEG_LBA_WITH_LBA: ATREST_LAYOUT_WITH_COMPLEMENT;
 * - SPDK's INCR_512_FULL_LBA and INCR_512_UPPER_LBA (mlx5 devices), where each block is one data unit:
 *   ATREST_LAYOUT_PLAIN64_IN_512 and ATREST_LAYOUT_UPPER64_IN_512, from `lba * (sector_size / 512)` on;
 * - fscrypt with a key for each file: ATREST_LAYOUT_PLAIN64 from the data unit in the file on; IV_INO_LBLK_64:
 *   ATREST_LAYOUT_COUNTER32 from `inode * 2^32` plus that on; IV_INO_LBLK_32: ATREST_LAYOUT_PLAIN from the hashed
 *   inode plus that on.
 *
 * LUKS2, and plain64 with sectors of 512 bytes or without iv_large_sectors, were tried against the software itself.
 * The others follow its source or its header: no device, volume or file of theirs was read.
 */
enum atrest_layout
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif /* defined(__cplusplus) || __STDC_VERSION__ >= 202311L */
 {
  /*
   * `first + i`, little-endian: dm-crypt's plain64, with iv_large_sectors for sectors of more than 512 bytes. A
   * number past 2^64 carries into the upper half.
   */
  ATREST_LAYOUT_PLAIN64 = 0,
  /* `first + i`, big-endian in the tweak's last 8 bytes: dm-crypt's plain64be. Numbers are below 2^64. */
  ATREST_LAYOUT_PLAIN64BE = 1,
  /*
   * `first + i * (sector_size / 512)`, little-endian: dm-crypt's plain64 without iv_large_sectors, and LUKS2, which
   * count in units of 512 bytes. The sector size is a multiple of 512. `first` is the segment's iv_tweak plus the
   * offset in units of 512 bytes.
   */
  ATREST_LAYOUT_PLAIN64_IN_512 = 2,
  /* `first_upper * 2^64 + first + i`, little-endian on 128 bits: IEEE Std 1619's data unit sequence numbers. */
  ATREST_LAYOUT_NUMBER128 = 3,
  /* The same, big-endian. */
  ATREST_LAYOUT_NUMBER128BE = 4,
  /*
   * `(first + i)` modulo 2^32, little-endian in the tweak's first 4 bytes: dm-crypt's plain. It repeats tweaks from 2
   * TiB on, in sectors of 512 bytes: for data that is so already.
   */
  ATREST_LAYOUT_PLAIN = 5,
  /* `first + i`, little-endian in the tweak's last 8 bytes. Numbers are below 2^64. */
  ATREST_LAYOUT_UPPER64 = 6,
  /*
   * `first + i * (sector_size / 512)`, little-endian in the tweak's last 8 bytes. Numbers are below 2^64. The sector
   * size is a multiple of 512.
   */
  ATREST_LAYOUT_UPPER64_IN_512 = 7,
  /*
   * `first + i`, little-endian in the tweak's first 8 bytes, and 2^63 - 1 minus that in the last 8. Numbers are below
   * 2^63.
   */
  ATREST_LAYOUT_WITH_COMPLEMENT = 8,
  /*
   * `first_upper * 2^64 + first`, little-endian on 128 bits, of which the lowest 32 bits count sectors and the others
   * stay. The count is below 2^32.
   */
  ATREST_LAYOUT_COUNTER32 = 9
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum atrest_layout atrest_layout;
#else
typedef int32_t atrest_layout;
#endif /* __STDC_VERSION__ >= 202311L */
#endif /* __cplusplus */

/*
 * The tweaks of consecutive sectors: a layout, and the number of the first sector. All zeros are ATREST_LAYOUT_PLAIN64
 * from sector 0.
 */
typedef struct {
  /* The first sector's number: the lower 64 bits of it. */
  uint64_t first;
  /* Its upper 64 bits, for NUMBER128, NUMBER128BE and COUNTER32; 0 for the others. */
  uint64_t first_upper;
  /* An enum atrest_layout. */
  atrest_layout layout;
  /* 0. */
  uint32_t reserved;
} atrest_tweaks;

/*
 * Encrypts consecutive sectors under the tweaks of a layout; as atrest_xts_encrypt_sectors() otherwise.
 *
 * `tweaks`: may lie anywhere, since it is read before anything is written.
 *
 * Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (an unknown layout, `first_upper` for a
 * layout of 64 bits, `reserved` not 0), _SECTOR_NUMBER (the last sector's number does not fit into the layout),
 * _SECTOR_SIZE (no multiple of 512, for the layouts whose name ends with _IN_512), which leave `dst` untouched.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_sectors_tweaks(const atrest_xts *xts,
                                                const atrest_tweaks *tweaks,
                                                size_t sector_size,
                                                const uint8_t *src,
                                                uint8_t *dst,
                                                size_t len);

/*
 * Decrypts consecutive sectors under the given tweaks: the reverse of atrest_xts_encrypt_sectors_tweaks(), with the
 * same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_sectors_tweaks(const atrest_xts *xts,
                                                const atrest_tweaks *tweaks,
                                                size_t sector_size,
                                                const uint8_t *src,
                                                uint8_t *dst,
                                                size_t len);

/*
 * Encrypts consecutive sectors that lie in pieces of memory, under the given tweaks: as atrest_xts_encrypt_iov(), with
 * `tweaks` and the statuses of atrest_xts_encrypt_sectors_tweaks().
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_iov_tweaks(const atrest_xts *xts,
                                            const atrest_tweaks *tweaks,
                                            size_t sector_size,
                                            const struct iovec *src,
                                            size_t src_count,
                                            const struct iovec *dst,
                                            size_t dst_count);

/*
 * Decrypts consecutive sectors that lie in pieces of memory, under the given tweaks: the reverse of
 * atrest_xts_encrypt_iov_tweaks(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
 * does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_iov_tweaks(const atrest_xts *xts,
                                            const atrest_tweaks *tweaks,
                                            size_t sector_size,
                                            const struct iovec *src,
                                            size_t src_count,
                                            const struct iovec *dst,
                                            size_t dst_count);

/* A flag of atrest_tweak_sequence: tweaks are written highest byte first. */
#define ATREST_SEQUENCE_BIG_ENDIAN 1

/*
 * A flag of atrest_tweak_sequence: at its end the counter wraps, and so repeats tweaks, where a call would else be
 * refused.
 */
#define ATREST_SEQUENCE_WRAPS 2

/*
 * A flag of atrest_tweak_sequence: the step is that of 512 bytes, whatever the sector size, which is a multiple of
 * 512.
 */
#define ATREST_SEQUENCE_IN_512 4

/*
 * Tweaks that begin anywhere and go on by equal steps. Sector i's is the 128-bit number `first + i * step`, lowest
 * byte first.
 *
 * Only the lowest `width` bits count; those above stay as in `first`. A call that would take the counter below 0 or
 * above `2^width - 1` is refused with ATREST_ERROR_SECTOR_NUMBER.
 *
 * `{n, 0, 1, 0, 128, 0}` is ATREST_LAYOUT_PLAIN64 from sector n; `{0, n, 0, 1, 128, 0}` is ATREST_LAYOUT_UPPER64.
 */
typedef struct {
  /* The first sector's number: the lower 64 bits of it. */
  uint64_t first;
  /* Its upper 64 bits. */
  uint64_t first_upper;
  /* What each sector adds to it: the lower 64 bits of that. */
  uint64_t step;
  /* Its upper 64 bits. A step may be negative, in two's complement: -1 has all bits set in both halves. */
  uint64_t step_upper;
  /* 32, 64 or 128. */
  uint32_t width;
  /* ATREST_SEQUENCE_ values, added. */
  uint32_t flags;
} atrest_tweak_sequence;

/*
 * Encrypts consecutive sectors under the tweaks of a sequence; as atrest_xts_encrypt_sectors() otherwise.
 *
 * `tweaks`: may lie anywhere, since it is read before anything is written.
 *
 * Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (another width), _FLAGS, _SECTOR_NUMBER
 * (the counter does not fit into its width), _SECTOR_SIZE (no multiple of 512, with ATREST_SEQUENCE_IN_512), which
 * leave `dst` untouched.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_sectors_sequence(const atrest_xts *xts,
                                                  const atrest_tweak_sequence *tweaks,
                                                  size_t sector_size,
                                                  const uint8_t *src,
                                                  uint8_t *dst,
                                                  size_t len);

/*
 * Decrypts consecutive sectors under the tweaks of a sequence: the reverse of atrest_xts_encrypt_sectors_sequence(), with
 * the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is
 * right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_sectors_sequence(const atrest_xts *xts,
                                                  const atrest_tweak_sequence *tweaks,
                                                  size_t sector_size,
                                                  const uint8_t *src,
                                                  uint8_t *dst,
                                                  size_t len);

/*
 * Encrypts consecutive sectors that lie in pieces of memory, under the tweaks of a sequence: as atrest_xts_encrypt_iov(),
 * with `tweaks` and the statuses of atrest_xts_encrypt_sectors_sequence().
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_iov_sequence(const atrest_xts *xts,
                                              const atrest_tweak_sequence *tweaks,
                                              size_t sector_size,
                                              const struct iovec *src,
                                              size_t src_count,
                                              const struct iovec *dst,
                                              size_t dst_count);

/*
 * Decrypts consecutive sectors that lie in pieces of memory, under the tweaks of a sequence: the reverse of
 * atrest_xts_encrypt_iov_sequence(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
 * does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_iov_sequence(const atrest_xts *xts,
                                              const atrest_tweak_sequence *tweaks,
                                              size_t sector_size,
                                              const struct iovec *src,
                                              size_t src_count,
                                              const struct iovec *dst,
                                              size_t dst_count);

/*
 * Encrypts sectors each under a tweak of its own: for sectors that do not follow each other on the disk, and for
 * tweaks that no rule makes. As atrest_xts_encrypt_sectors() otherwise, and equally fast.
 *
 * `tweaks`: `tweak_count` times 16 bytes, in the order of the sectors, each as for atrest_xts_encrypt_unit(). They may
 * not overlap `dst`. `tweak_count`: the number of sectors.
 *
 * Returns what atrest_xts_encrypt_sectors() does, and ATREST_ERROR_OVERLAP for tweaks that overlap `dst`; also
 * ATREST_ERROR_TWEAK_COUNT, which leaves `dst` untouched.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_sectors_list(const atrest_xts *xts,
                                              const uint8_t *tweaks,
                                              size_t tweak_count,
                                              size_t sector_size,
                                              const uint8_t *src,
                                              uint8_t *dst,
                                              size_t len);

/*
 * Decrypts sectors each under a tweak of its own: the reverse of atrest_xts_encrypt_sectors_list(), with the same
 * arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_sectors_list(const atrest_xts *xts,
                                              const uint8_t *tweaks,
                                              size_t tweak_count,
                                              size_t sector_size,
                                              const uint8_t *src,
                                              uint8_t *dst,
                                              size_t len);

/*
 * Encrypts sectors that lie in pieces of memory, each under a tweak of its own: as atrest_xts_encrypt_iov(), with
 * `tweaks`, `tweak_count` and the statuses of atrest_xts_encrypt_sectors_list(). The tweaks overlap no piece of `dst`.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_iov_list(const atrest_xts *xts,
                                          const uint8_t *tweaks,
                                          size_t tweak_count,
                                          size_t sector_size,
                                          const struct iovec *src,
                                          size_t src_count,
                                          const struct iovec *dst,
                                          size_t dst_count);

/*
 * Decrypts sectors that lie in pieces of memory, each under a tweak of its own: the reverse of
 * atrest_xts_encrypt_iov_list(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
 * does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_iov_list(const atrest_xts *xts,
                                          const uint8_t *tweaks,
                                          size_t tweak_count,
                                          size_t sector_size,
                                          const struct iovec *src,
                                          size_t src_count,
                                          const struct iovec *dst,
                                          size_t dst_count);

/* ----------------------------------------------------------------------------------------------------
 * Backends and the self-test
 * ---------------------------------------------------------------------------------------------------- */

/* The name of the backend that a key's calls run on, such as "vaes256": a static string; NULL for a NULL key. */
const char *atrest_backend_name(const atrest_xts *xts);

/*
 * The backends that this processor runs, and that compute rightly here, slowest first: "soft", which every processor
 * runs, at index 0; NULL from their number on. atrest_xts_new() takes the last one unless ATREST_BACKEND says otherwise.
 * The strings are static.
 *
 * Each has to give known answers once in a process, before its first key or here, which takes some tens of microseconds
 * for each and allocates nothing.
 */
const char *atrest_usable_backend(size_t index);

/*
 * The backends that gave a wrong answer in this process so far, slowest first; NULL from their number on: at index 0,
 * unless the processor, the emulator or the build is at fault. Keys are made without them. Ask after the first key is
 * made, and tell whoever runs the program. The strings are static.
 */
const char *atrest_wrong_backend(size_t index);

/*
 * Runs known answers on every backend that this processor runs: vectors of IEEE Std 1619-2007, both key sizes,
 * ciphertext stealing, long batches, both directions. For checks at start-up that a policy asks for, and for
 * emulators.
 *
 * Returns ATREST_OK, or ATREST_ERROR_SELFTEST: the build, the emulator or the processor is then at fault, and must not
 * be trusted with data. Takes some milliseconds, allocates nothing, takes no lock, and uses up to 64 KiB of stack.
 */
ATREST_MUST_USE
atrest_status atrest_selftest(void);

#if defined(ATREST_WITH_VOLUME)

/* ----------------------------------------------------------------------------------------------------
 * Key providers
 * ---------------------------------------------------------------------------------------------------- */

/*
 * A set of key providers: what wraps and unwraps the keys of volumes; with it, what is expected of these. Any number of
 * threads may use one at once, but none while a provider is added or an expectation set.
 */
typedef struct atrest_providers atrest_providers;

/*
 * Makes an empty set of key providers.
 *
 * `*out` receives it; free it with atrest_providers_free(). Returns ATREST_OK, or ATREST_ERROR_NULL, _NO_MEMORY.
 */
ATREST_MUST_USE
atrest_status atrest_providers_new(atrest_providers **out);

/*
 * Frees a set of providers. NULL is fine. No other thread may be using it. Volumes and envelopes that were opened with
 * it do not need it.
 */
void atrest_providers_free(atrest_providers *providers);

/*
 * Says what is expected of the volumes that are opened and changed with this set: which ones they are, and whose keys
 * open them. A header comes from a disk that somebody else may have written; without an expectation it would choose by
 * whose key a volume opens, and so who can read what is written next.
 *
 * `expectation`: words, apart by white space. A pin, as `atrest create` and atrest_volume_pin() give it, is one volume
 * and its root key. Then `volume=UUID`, `key=KEY` (an AWS key by its ARN or id; an alias is none), `account=ACCOUNT`,
 * `region=REGION`, `provider=NAME`. Of several words of one kind any may hold; of each kind that is there one must.
 * `any` in place of pins: any volume that the other words allow. Besides, `slot=NUMBER` has one wrapping tried alone,
 * counted from 0. From `#` to the end of a line is a comment. `error`, `error_len`: as for atrest_volume_open();
 * may be NULL.
 *
 * Only a pin, or `any`, lets a volume be written or changed: the header of another volume under the same key satisfies
 * `key=KEY` and all the others. Without either these return ATREST_ERROR_NO_EXPECTATION.
 *
 * Volumes are held against it before a key service is asked, and only wrappings by expected keys are tried: what is not
 * expected is refused with ATREST_ERROR_UNEXPECTED. It holds for the calls that begin afterwards; volumes that are open
 * keep what they were opened with.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _EXPECTATION for a text that says nothing of that kind, which
 * leaves the set as it was. No other thread may be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_expect(atrest_providers *providers,
                                      const char *expectation,
                                      char *error,
                                      size_t error_len);

/*
 * Says that any volume will do, under any key that the providers open: for those who know by other means that nobody
 * else writes the disk, or who only move data that they do not trust. Without this and without
 * atrest_providers_expect(), volumes open for reading alone, and everything that writes or changes one returns
 * ATREST_ERROR_NO_EXPECTATION.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL. No other thread may be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_expect_any(atrest_providers *providers);

/*
 * Adds a local keystore, which holds the keys "local:NAME"; it replaces one that was there before.
 *
 * `keystore`: the path of its directory, which must exist; or NULL for the user's own: $ATREST_HOME, else
 * $XDG_DATA_HOME/atrest, else ~/.local/share/atrest (~/Library/Application Support/atrest on macOS). With NULL it
 * reads the environment: no other thread may call setenv() or putenv() meanwhile. `error`, `error_len`: room for one
 * line that says what failed, as for atrest_volume_open().
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _KEYSTORE_IO (no such directory, for example),
 * _KEYSTORE_PERMISSIONS, which leave the set as it was. Reads the attributes of the directory; no network. No other
 * thread may be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_add_local(atrest_providers *providers,
                                         const char *keystore,
                                         char *error,
                                         size_t error_len);

/*
 * Adds a local keystore as atrest_providers_add_local() does, with the passphrase that guards some of its keys. It is
 * tried for each key that has one, which takes about 0.1 seconds and 64 MiB each time that a volume is opened.
 *
 * `passphrase`, `passphrase_len`: 1 to 1024 bytes, without a line end or NUL. They are copied into locked memory,
 * which is wiped when the set is freed and in a forked child; wipe your own copy when this returns. `keystore`,
 * `error`, `error_len`: as for atrest_providers_add_local().
 *
 * Returns what atrest_providers_add_local() does, and ATREST_ERROR_NULL for a NULL passphrase; also _INVALID_REQUEST
 * for a length out of range, _SECRET_MEMORY. The passphrase is not tried yet: calls that need a key answer
 * ATREST_ERROR_WRONG_PASSPHRASE, after a fork _FORKED, and without this call _PASSPHRASE_REQUIRED. No other thread may
 * be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_add_local_with_passphrase(atrest_providers *providers,
                                                         const char *keystore,
                                                         const uint8_t *passphrase,
                                                         size_t passphrase_len,
                                                         char *error,
                                                         size_t error_len);

#endif /* defined(ATREST_WITH_VOLUME) */

#if defined(ATREST_WITH_VOLUME) && defined(ATREST_WITH_KMS)

/*
 * Adds AWS Key Management Service, which holds the keys "aws:" and an ARN, a key id or an alias; one that was there
 * before is replaced.
 *
 * `region`: of keys that are not named by an ARN; `profile`: in the files in ~/.aws; `endpoint`: the URL of another
 * service than AWS's own ("http:" for this machine's own addresses alone). Each may be NULL, and is then what the AWS
 * SDKs take from the environment and the files in ~/.aws, as credentials always are. `error`, `error_len`: as for
 * atrest_volume_open(); may be NULL.
 *
 * Starts a thread, which ends when the set is freed. Nobody is asked before the first call that needs a key; that one
 * reads the environment. Each such call takes at most 20 seconds, or its `timeout_ms` where that is less. After a fork
 * the child gets ATREST_ERROR_FORKED from this provider, and needs a new set.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST, _UNREACHABLE (no thread); the set is as
 * it was then. No other thread may be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_add_aws(atrest_providers *providers,
                                       const char *region,
                                       const char *profile,
                                       const char *endpoint,
                                       char *error,
                                       size_t error_len);

#endif /* defined(ATREST_WITH_VOLUME) && defined(ATREST_WITH_KMS) */

#if defined(ATREST_WITH_VOLUME)

/*
 * Makes a key in a local keystore, and the keystore itself if there is none. Back its directory up: without it nobody
 * can open the volumes of its keys.
 *
 * `keystore`: as for atrest_providers_add_local(). `key`: "local:" and a name, 1 to 64 of A-Z a-z 0-9 . _ - that does
 * not begin with a dot. `error`, `error_len`: as for atrest_volume_open().
 *
 * Returns ATREST_OK once the key is on the disk, or ATREST_ERROR_KEY_EXISTS, which leaves that key as it is and which
 * you may take for success if any key of that name will do; ATREST_ERROR_NULL, _BUFFER_LENGTH, _KEY_NAME,
 * _KEYSTORE_IO, _KEYSTORE_PERMISSIONS, _SECRET_MEMORY. No network. Any thread, and any process, may call it at any
 * time.
 */
ATREST_MUST_USE
atrest_status atrest_local_create_key(const char *keystore, const char *key, char *error, size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * A cache of root keys
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Makes a set of providers keep the root keys that it unwraps, for programs that open the same volumes again and
 * again: opening one then asks the key service only for a key that is not in the cache. It is off unless you call
 * this, since a key that its owner revokes goes on opening volumes until its time in the cache is over. Rewraps and
 * rechecks always ask the key service.
 *
 * `max_keys`: how many to keep, 1 to 1024, each in a locked page of memory; the oldest makes room. 0 turns the cache
 * off. `time_ms`: how long to keep a key from the moment at which the provider was asked, 1 to 86400000 milliseconds
 * (a day); on Linux suspended time counts. Then it is wiped, by a thread that lives as long as there are keys and ends
 * with the set. What was kept before the call is wiped, too. A forked child finds nothing in the cache and keeps
 * nothing.
 *
 * `error`, `error_len`: as for atrest_volume_open().
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST, _SECRET_MEMORY, which leave the set as it
 * was. No network. No other thread may be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_set_cache(atrest_providers *providers,
                                         size_t max_keys,
                                         uint32_t time_ms,
                                         char *error,
                                         size_t error_len);

/*
 * Wipes the root keys that a set of providers keeps, and keeps none that is being unwrapped now: for when a key was
 * revoked, or the machine is about to be suspended. Without a cache there is nothing to do.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL. Other threads may be using the set.
 */
ATREST_MUST_USE
atrest_status atrest_providers_clear_cache(const atrest_providers *providers);

/* ----------------------------------------------------------------------------------------------------
 * Volumes
 * ---------------------------------------------------------------------------------------------------- */

/*
 * An open encrypted volume: a run of bytes that any number of threads read and write at once, at any offset and of any
 * length.
 *
 * After fork() a child may use the volumes that no other thread was using at that moment. One that was in use answers
 * ATREST_ERROR_FORKED in the child, which opens it again. Parent and child know nothing of each other: only one of
 * them may write. Both keep others from opening it for writing, until both have closed it. (So a daemon can open its
 * volumes, report what fails, and then go into the background.)
 */
typedef struct atrest_volume atrest_volume;

/* ----------------------------------------------------------------------------------------------------
 * Making, opening and closing a volume
 * ---------------------------------------------------------------------------------------------------- */

/* A flag for calls that open a volume: it is only read. */
#define ATREST_VOLUME_READ_ONLY 1

/*
 * A flag for calls that open or make a volume: atrest_volume_discard() gives space back. Whoever sees the file can
 * then tell which sectors are unused, and reading those gives undefined bytes.
 */
#define ATREST_VOLUME_DISCARD 2

/*
 * A flag for calls that open or destroy a volume, or restore its header: others may have it open for writing at the
 * same time, with this flag as well; whoever coordinates them stands above (a cluster file system, a live migration).
 * Since 0.2.0.
 */
#define ATREST_VOLUME_SHARED 4

/*
 * Opens a volume: reads its header, has its key unwrapped, and uses that key to check that nobody else changed the
 * header. Writes nothing.
 *
 * `path`: a regular file or a block device. `flags`: 0 to read and write, or ATREST_VOLUME_READ_ONLY,
 * ATREST_VOLUME_DISCARD and ATREST_VOLUME_SHARED, or-ed together. `providers`: one of them must be able to unwrap the
 * key, and the volume must be what they expect: for writing, atrest_providers_expect() or
 * atrest_providers_expect_any() must have said what. The volume does not need them afterwards. `timeout_ms`: how long
 * to wait for them in milliseconds; negative for as long as it takes, as with poll(). The call may wait on a network;
 * with local keys it reads a file and does not wait. If several keys wrap the volume's key they are tried in turn, and
 * a service that hangs gives way to the next one after 20 seconds: leave time for both. `*out` receives the volume;
 * close it with atrest_volume_close().
 *
 * `error`, `error_len`: room for one line of UTF-8 that says what failed and what is needed, with a NUL at the end; if
 * it is too long it is cut between two characters. 500 bytes hold most. On success it is empty, or holds a warning
 * that a user should see, for example that one of the header's two copies is damaged. It may be NULL, and `error_len`
 * 0. It may not overlap any other argument.
 *
 * Reads the environment variable ATREST_BACKEND: no other thread may call setenv() or putenv() meanwhile.
 *
 * Opened for writing, a volume has one user: others get ATREST_ERROR_BUSY, after up to two seconds, in this process
 * and in others, until it is closed; so does QEMU, whose locks are understood, and a device cannot be mounted. Volumes
 * that all of them opened with ATREST_VOLUME_SHARED are an exception. Reading is no matter of locks. docs/abi.md has
 * the details.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _NO_EXPECTATION (for writing, and nothing is
 * expected); for the file: _NOT_FOUND, _PERMISSION, _FILE_TYPE, _IO, _BUSY (somebody else writes to it); for what is in
 * it: _NOT_A_VOLUME, _DAMAGED, _REFUSED, _TRUNCATED, _FORGED, _REENCRYPTED; where it is not what is expected:
 * _UNEXPECTED, _SLOT; for its key: _TIMED_OUT and the other statuses of key providers (65 to 84, 86, 87; if several
 * wrappings failed, that of the first), _ENVELOPE; _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _NO_MEMORY.
 */
ATREST_MUST_USE
atrest_status atrest_volume_open(const char *path,
                                 uint32_t flags,
                                 const atrest_providers *providers,
                                 int32_t timeout_ms,
                                 atrest_volume **out,
                                 char *error,
                                 size_t error_len);

/*
 * Opens the volume in a file that is open already.
 *
 * `fd`: open for reading and writing (with ATREST_VOLUME_READ_ONLY, for reading), and not for appending. The volume
 * works on a duplicate with close-on-exec: `fd` stays yours, and you may close it at any time. Its file offset is
 * undefined afterwards. A device must not be open with O_EXCL, which the volume takes itself. Everything else as for
 * atrest_volume_open(); also _DESCRIPTOR (not open, or open for appending) and _READ_ONLY (not open for writing).
 */
ATREST_MUST_USE
atrest_status atrest_volume_open_fd(int fd,
                                    uint32_t flags,
                                    const atrest_providers *providers,
                                    int32_t timeout_ms,
                                    atrest_volume **out,
                                    char *error,
                                    size_t error_len);

/*
 * Makes a new volume in a new file, and opens it for reading and writing.
 *
 * `path`: must not exist. The file is sparse, 16 MiB larger than the volume, and gets the permissions 0666 less the
 * umask. `size`: any number of bytes from 0 to 2^63 - 16 MiB - 4097. `sector_size`: 512, 1024, 2048 or 4096; 0 for
 * 4096, which is the fastest. `flags`: 0 or ATREST_VOLUME_DISCARD. `providers`, `key`: what wraps the volume's key, as
 * for atrest_envelope_create(); the key must exist (atrest_local_create_key()). `timeout_ms`: how long to wait for its
 * provider, as for atrest_volume_open(); the call may wait on a network. `*out` receives the volume. `error`,
 * `error_len`: as for atrest_volume_open().
 *
 * When it returns, the header is on the disk. The data area is not written: until you write it, reading gives
 * undefined bytes. On failure no file is left. What is expected is for volumes that there are: this call asks for none,
 * and atrest_volume_pin() then gives what to expect.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _VOLUME_SIZE, _VOLUME_SECTOR_SIZE; for the file:
 * _EXISTS, _NOT_FOUND (its directory), _PERMISSION, _NO_SPACE, _IO, _DAMAGED (it does not read back as written); for
 * the key: _KEY_NAME, _KEY_NOT_FOUND, _UNREACHABLE (also if no provider was added for it), _TIMED_OUT and the other
 * statuses of key providers (65 to 84, 86, 87); _RANDOM, _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _NO_MEMORY.
 */
ATREST_MUST_USE
atrest_status atrest_volume_create(const char *path,
                                   uint64_t size,
                                   size_t sector_size,
                                   uint32_t flags,
                                   const atrest_providers *providers,
                                   const char *key,
                                   int32_t timeout_ms,
                                   atrest_volume **out,
                                   char *error,
                                   size_t error_len);

/*
 * Makes a new volume in a file that is open already: an empty regular file, or a block device, whose first 16 MiB are
 * overwritten and which must have room for the volume behind them.
 *
 * `fd`: open for reading and writing, not for appending; it stays yours, as for atrest_volume_open_fd(). On failure a
 * regular file is empty; on a block device a part of the header may remain. Everything else as for
 * atrest_volume_create(); also _EXISTS (the file is not empty), _FILE_TYPE, _DESCRIPTOR, _READ_ONLY. Syncing the
 * directory of a new file is up to you.
 */
ATREST_MUST_USE
atrest_status atrest_volume_create_fd(int fd,
                                      uint64_t size,
                                      size_t sector_size,
                                      uint32_t flags,
                                      const atrest_providers *providers,
                                      const char *key,
                                      int32_t timeout_ms,
                                      atrest_volume **out,
                                      char *error,
                                      size_t error_len);

/*
 * Closes a volume: wipes its key and frees it. NULL is fine. It does not flush; atrest_volume_flush() does, and says
 * whether that worked. No other thread may be using the volume.
 */
void atrest_volume_close(atrest_volume *volume);

/* ----------------------------------------------------------------------------------------------------
 * Reading and writing a volume
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Reads a part of a volume, and decrypts it.
 *
 * `offset`, `len`: any range within the volume; ranges of whole sectors are the fastest. `buf` may be NULL if `len` is
 * 0.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OUT_OF_BOUNDS, _FORKED, which leave `buf` untouched; _IO,
 * _TRUNCATED (the file was cut off meanwhile) and _WITHDRAWN (see atrest_volume_recheck()), after which `buf` holds
 * any mix of plaintext, ciphertext and what it held before. ATREST_OK does not say that the plaintext is what was
 * written: XTS authenticates nothing, and whoever can write to the file can garble sectors or bring old ones back.
 *
 * Blocks on the file; no network. Any number of threads may use one volume: within each aligned 128 KiB of the volume
 * the call is atomic against writes of the same volume. Allocates nothing.
 */
ATREST_MUST_USE
atrest_status atrest_volume_read(const atrest_volume *volume, uint8_t *buf, size_t len, uint64_t offset);

/*
 * Encrypts bytes, and writes them to a part of a volume.
 *
 * `offset`, `len`: any range within the volume; a sector that is written in part is read first. `buf` is only read,
 * and may be NULL if `len` is 0.
 *
 * Everybody reads what was written from then on, but it outlives a loss of power only after atrest_volume_flush(). A
 * write that must be on the disk when it is answered (FUA) is this call and then that one.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _READ_ONLY, _OUT_OF_BOUNDS, _FORKED, which leave the volume
 * untouched; _WITHDRAWN, _IO, _NO_SPACE, _TRUNCATED, _NO_MEMORY (for 128 KiB, at most once for each thread that writes
 * at the same time), after which each sector of the range holds its old or its new bytes, and a sector that the
 * failure cut may hold both.
 *
 * Blocks on the file; no network. Any number of threads may use one volume: the call is atomic within each aligned 128
 * KiB of the volume, and writes to different bytes of one sector do not disturb each other. Two open volumes over one
 * file know nothing of each other: do not write through both.
 */
ATREST_MUST_USE
atrest_status atrest_volume_write(const atrest_volume *volume,
                                  const uint8_t *buf,
                                  size_t len,
                                  uint64_t offset);

/*
 * Writes zeros to a part of a volume. They are encrypted like any other data: they take the same space and time, do
 * not show in the file, and read as zeros from then on, here and with dm-crypt.
 *
 * `offset`, `len`: any range within the volume. Returns and blocks as atrest_volume_write() does.
 */
ATREST_MUST_USE
atrest_status atrest_volume_write_zeros(const atrest_volume *volume, uint64_t len, uint64_t offset);

/*
 * Gives the space of the whole sectors in a part of a volume back to the file system or the device (trim, unmap).
 * Sectors that lie in the range only in part keep their content.
 *
 * Until it is written again, what was discarded reads as undefined bytes, and not as zeros: the hole in the file is
 * zero, and zeros are not what zeros encrypt to. If you need zeros use atrest_volume_write_zeros(). Holes show whoever
 * sees the file which parts of the volume are unused, so a volume must be opened with ATREST_VOLUME_DISCARD for this.
 *
 * `offset`, `len`: any range within the volume. Returns ATREST_OK, or ATREST_ERROR_NULL, _READ_ONLY, _OUT_OF_BOUNDS,
 * _DISCARD_OFF, _FORKED, _WITHDRAWN, which leave the volume untouched; _UNSUPPORTED (the system, the file system or
 * the device cannot do it; you may go on without) and _IO, after which each sector of the range is as it was or
 * discarded. Blocks on the file; no network.
 */
ATREST_MUST_USE
atrest_status atrest_volume_discard(const atrest_volume *volume, uint64_t len, uint64_t offset);

/*
 * Waits until everything that any thread wrote through this volume before the call is on the disk (fdatasync).
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _FORKED; _IO, _NO_SPACE: what was written since the last flush that
 * succeeded may be lost, and a later flush that succeeds does not say otherwise. Blocks on the disk; no network.
 */
ATREST_MUST_USE
atrest_status atrest_volume_flush(const atrest_volume *volume);

/* The exact size of a volume in bytes, which need not be a whole number of sectors; 0 for a NULL volume. */
ATREST_MUST_USE
uint64_t atrest_volume_size(const atrest_volume *volume);

/* The size of a volume's encryption sectors in bytes: 512, 1024, 2048 or 4096; 0 for a NULL volume. */
ATREST_MUST_USE
size_t atrest_volume_sector_size(const atrest_volume *volume);

/*
 * A volume's UUID, which is in its header and in the encryption context of its keys.
 *
 * `uuid` receives 16 bytes in the order in which they are written; on failure it is untouched. Returns ATREST_OK, or
 * ATREST_ERROR_NULL.
 */
ATREST_MUST_USE
atrest_status atrest_volume_uuid(const atrest_volume *volume, uint8_t uuid[16]);

/* ----------------------------------------------------------------------------------------------------
 * Which volume it is, and what opened it
 * ---------------------------------------------------------------------------------------------------- */

/* Room for a pin with its NUL, in bytes. */
#define ATREST_PIN_SIZE 96

/*
 * The pin of an open volume: one line that says which volume it is, and which root key it has. A set of providers that
 * expects it (atrest_providers_expect()) opens this volume and no other, whatever somebody writes over its header. Keep
 * it where those who write the disk cannot change it, in a unit file or a database of yours. It is no secret, and stays
 * the same when keys are rewrapped, added and removed.
 *
 * Take it of a volume that was just made. Of one that was opened it is as good as what was expected then: without an
 * expectation somebody may have exchanged the header before.
 *
 * `pin` receives UUID:COMMITMENT:VERSION, 82 characters or a few more, and a NUL; on failure it is untouched. `len`: its
 * room in bytes; ATREST_PIN_SIZE is always enough. Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH (too small,
 * too). Does not wait.
 */
ATREST_MUST_USE
atrest_status atrest_volume_pin(const atrest_volume *volume, char *pin, size_t len);

/*
 * Which wrapping of its key opened a volume, counted from 0; the number for atrest_envelope_key() of
 * atrest_volume_envelope(). -1 for a volume that this process made, and for NULL. Another number than 0 says that the
 * slots before did not open, or were not expected: atrest_volume_slot_failure() tells why.
 */
ATREST_MUST_USE
int atrest_volume_slot(const atrest_volume *volume);

/*
 * How many changes of its header a volume has seen that unwrapped its key, as the header says that opened it; authenticated with
 * the rest. Whoever keeps the highest one that it saw, beside the pin, notices an older header that was put back: keys that were
 * removed since may open it. A rewrap inside a key service that lets nobody decrypt does not raise it. 0 for a header of atrest
 * before 0.2.0, which counts nothing, and for NULL.
 */
ATREST_MUST_USE
uint64_t atrest_volume_generation(const atrest_volume *volume);

/*
 * Why a slot did not open a volume that was tried before the one that did: a key that is disabled, for example, while
 * another one still opens.
 *
 * `slot`: from 0. `error`, `error_len`: room for one line that names the key and says why, as for atrest_volume_open();
 * empty where there is nothing to tell.
 *
 * Returns the status of the slot, one of those of key providers (65 to 84, 86, 87); ATREST_OK for the slot that opened
 * and those that were not tried, ATREST_ERROR_SLOT if there is no such slot; ATREST_ERROR_NULL, _BUFFER_LENGTH. Does not
 * wait.
 */
ATREST_MUST_USE
atrest_status atrest_volume_slot_failure(const atrest_volume *volume,
                                         size_t slot,
                                         char *error,
                                         size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * Closing a volume when its key is withdrawn
 * ---------------------------------------------------------------------------------------------------- */

/*
 * By default an open volume keeps working after its key is revoked. This call has the key providers asked again and
 * again whether the key may still be used, and closes the volume when it may not.
 *
 * `interval_ms`: how often to ask, 10 to 604800000 milliseconds (a week). `grace_ms`: how long the volume then goes on
 * without an answer, in the same range; longer than the providers take, which is up to 20 seconds for AWS KMS with its
 * retries. An answer counts for both times together, from the moment of the question. Each check reads the header and
 * has the wrapped key unwrapped, as an open does: it tries all wrappings, and no cache. The first one begins at once,
 * and is not waited for.
 *
 * A refusal (not authorised, no such key, disabled, pending deletion, the wrong key, from everyone that can be asked)
 * closes the volume at once. After anything else (unreachable, throttled, timed out, no credentials and so on) it is
 * tried again; when both times have passed since the last success, the volume closes. On Linux suspended time counts.
 * From then on, and until the volume is closed and opened again, each call on data answers ATREST_ERROR_WITHDRAWN,
 * except for atrest_volume_flush(), which still brings earlier writes to the disk. The key is wiped as soon as the
 * calls under way are done. atrest_volume_check_lease() tells why.
 *
 * Starts a thread, which ends in atrest_volume_close(). `providers` is not needed afterwards. A second call replaces
 * times and providers. After a fork the child has no such thread: its volume closes when its time is over, unless the
 * child makes this call itself, with providers of its own if they are AWS KMS. (So a daemon makes it once it is in the
 * background.)
 *
 * `error`, `error_len`: as for atrest_volume_open().
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _INVALID_REQUEST (times out of range, or no provider for
 * any of the volume's wrappings), _WITHDRAWN, _FORKED, _IO (no thread, or no descriptor), _SECRET_MEMORY, which leave
 * the volume as it was. No network. No other thread may be using the volume.
 */
ATREST_MUST_USE
atrest_status atrest_volume_recheck(atrest_volume *volume,
                                    const atrest_providers *providers,
                                    uint32_t interval_ms,
                                    uint32_t grace_ms,
                                    char *error,
                                    size_t error_len);

/*
 * Whether a volume may still use its key, as each call on data asks first. Without atrest_volume_recheck() it always
 * may.
 *
 * `error`, `error_len`: room for one line that says why not, since when, and what is needed, as for
 * atrest_volume_open(); 700 bytes hold most.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH; _WITHDRAWN, for a key provider's refusal or for too long
 * without an answer. Does not wait.
 */
ATREST_MUST_USE
atrest_status atrest_volume_check_lease(const atrest_volume *volume, char *error, size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * Rewrapping the key of a volume
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Replaces one wrapping of the key in a volume's header by one under another key, or under the newest material of the
 * same key: after a key was rotated, or when a volume changes hands. Touches no data, and the volume may be open
 * meanwhile. If the key service can rewrap by itself the plaintext does not leave it; if not, the key is unwrapped,
 * wrapped and, before the header is written, unwrapped again.
 *
 * Both copies of the header are written, one after the other, and each is synced. Interrupted at any moment, the
 * volume opens with its old wrapping or its new one; once done, the old one is in neither copy. Older copies of the
 * header elsewhere (backups, snapshots) still open with the old key.
 *
 * The volume must be an expected one. Before anything is changed one of its wrappings is opened, and the header
 * authenticated; where nobody here may unwrap, and the service alone rewraps, a pin must be expected.
 *
 * `path`: the volume's file. `slot`: which wrapping, from 0; atrest_envelope_key() tells what there is. `providers`:
 * those of both keys, and what is expected. `key`: the new key, as for atrest_envelope_create(). `timeout_ms`: how long
 * to wait for the providers, as for atrest_volume_open(); the call may wait on a network, and after a timeout the header
 * is as it was. It also waits up to ten seconds for whoever else changes the header. `error`, `error_len`: as for
 * atrest_volume_open(), warnings included.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _NO_EXPECTATION (nothing is expected, or no pin where one is
 * needed), _KEY_NAME, _SLOT, _BUSY (another process changes the header, or QEMU writes to the file), and what
 * atrest_volume_open() answers for the file, for what is in it and for its keys, which leave the header as it was. _IO,
 * _NO_SPACE and _DAMAGED (it does not read back) from the writing: one copy still opens.
 */
ATREST_MUST_USE
atrest_status atrest_volume_rewrap(const char *path,
                                   size_t slot,
                                   const atrest_providers *providers,
                                   const char *key,
                                   int32_t timeout_ms,
                                   char *error,
                                   size_t error_len);

/*
 * atrest_volume_rewrap() for a file that is open already, for reading and writing, not for appending.
 *
 * `fd` stays yours. Its file offset is undefined afterwards. A lock (flock) that you hold through it is in the way.
 * Everything else as for atrest_volume_rewrap(); also _DESCRIPTOR, _READ_ONLY, _FILE_TYPE.
 */
ATREST_MUST_USE
atrest_status atrest_volume_rewrap_fd(int fd,
                                      size_t slot,
                                      const atrest_providers *providers,
                                      const char *key,
                                      int32_t timeout_ms,
                                      char *error,
                                      size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * More keys than one for a volume
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Adds a wrapping of the key to a volume's header, behind those that are there: the volume then opens with this key,
 * too. One of the present wrappings is opened for it, and the new one, before the header is written.
 *
 * `path`: the volume's file. `providers`: those of a present key and of the new one, and what is expected. `key`: as for
 * atrest_envelope_create(). `timeout_ms`, `error`, `error_len`: as for atrest_volume_rewrap(), and so is what an
 * interruption leaves.
 *
 * Returns what atrest_volume_rewrap() does; _SLOT for a key that is there already, _ENVELOPE if all 8 slots are taken,
 * _KEY_NAME for a scratch volume, which takes no other key.
 */
ATREST_MUST_USE
atrest_status atrest_volume_add_slot(const char *path,
                                     const atrest_providers *providers,
                                     const char *key,
                                     int32_t timeout_ms,
                                     char *error,
                                     size_t error_len);

/*
 * Removes a wrapping of the key from a volume's header: the volume no longer opens with that key. The last one cannot
 * be removed. Older copies of the header elsewhere (backups, snapshots) still open with it.
 *
 * `path`: the volume's file. `slot`: which wrapping, from 0; those behind it move up. `providers`: those of a present
 * key, and what is expected, as for atrest_volume_rewrap(); so are `timeout_ms`, `error`, `error_len`, and what an
 * interruption leaves.
 *
 * Returns what atrest_volume_rewrap() does; _SLOT if there is no such slot, _ENVELOPE for the last one, _KEY_NAME for
 * a scratch volume.
 */
ATREST_MUST_USE
atrest_status atrest_volume_remove_slot(const char *path,
                                        size_t slot,
                                        const atrest_providers *providers,
                                        int32_t timeout_ms,
                                        char *error,
                                        size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * Backups of a volume's header
 * ---------------------------------------------------------------------------------------------------- */

/*
 * Saves the header of a volume in a new file, in the format of `cryptsetup luksHeaderBackup`: both copies and the area
 * for keyslots, 16 MiB for a volume that was made here. Whoever has it, and may use a key that wraps the volume's key
 * now, can open the volume, whatever becomes of its header.
 *
 * `path`: the volume's file. `backup`: must not exist; only its owner can read it. When the call returns it is on the
 * disk; on failure no file is left. `error`, `error_len`: as for atrest_volume_open(), warnings included. Needs no
 * key. Takes no lock; while somebody changes the header it reads it again, for up to ten seconds.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _EXISTS, _NO_SPACE, and what atrest_volume_open()
 * answers for the file and for what is in it.
 */
ATREST_MUST_USE
atrest_status atrest_volume_backup_header(const char *path,
                                          const char *backup,
                                          char *error,
                                          size_t error_len);

/*
 * Puts a backup, cryptsetup's too, in the place of a volume's header. If the present header can be read they are
 * compared first: a backup of another volume, or an older one, which would bring back a key that was removed since,
 * takes ATREST_FORCE. If it cannot be read the file must be as long as the backup's volume.
 *
 * `path`: the volume's file. `backup`: the file with the backup. `flags`: 0, or ATREST_FORCE and ATREST_VOLUME_SHARED,
 * or-ed together. `error`, `error_len`: as for atrest_volume_open(); on success it says if nothing could be compared.
 * Needs no key. The copies are written one after the other, and each is synced: interrupted at any moment, one valid
 * copy is there if one was before. Waits up to ten seconds for whoever changes the header.
 *
 * Nothing in a backup is authenticated, and nothing is expected of it: the next atrest_volume_open() does both. Where the
 * backup may come from somebody else, atrest_volume_restore_header_expected() refuses it before it is written.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _NEEDS_FORCE (`error` says what differs), _BUSY
 * (the volume is open for writing, or its header is being changed), and what atrest_volume_open() answers for either
 * file and for what is in the backup, which change nothing. _IO, _NO_SPACE and _DAMAGED (it does not read back) from
 * the writing.
 */
ATREST_MUST_USE
atrest_status atrest_volume_restore_header(const char *path,
                                           const char *backup,
                                           uint32_t flags,
                                           char *error,
                                           size_t error_len);

/*
 * atrest_volume_restore_header() of a backup that must be that of an expected volume.
 *
 * `providers`: a set with an expectation; none of its keys is used. The backup's UUID and key commitment are held against
 * the pins and UUIDs in it. What the backup claims to be is not proved by that, and keys, accounts and regions are not
 * looked at: the next atrest_volume_open() does both. Everything else as for atrest_volume_restore_header(); also
 * ATREST_ERROR_UNEXPECTED, _NO_EXPECTATION, which change nothing.
 */
ATREST_MUST_USE
atrest_status atrest_volume_restore_header_expected(const char *path,
                                                    const char *backup,
                                                    uint32_t flags,
                                                    const atrest_providers *providers,
                                                    char *error,
                                                    size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * Scratch volumes, and the end of a volume
 * ---------------------------------------------------------------------------------------------------- */

/*
 * A flag for atrest_volume_destroy() and atrest_volume_restore_header(): do it even where the call would refuse with
 * ATREST_ERROR_NEEDS_FORCE.
 */
#define ATREST_FORCE 1

/*
 * Makes a scratch volume in a new file, and opens it for reading and writing. Its key is its own, and only the local
 * keystore holds it; once atrest_volume_destroy() has erased it, nothing opens the volume, from any copy. The volume
 * is opened like any other with a local key, and no other key can wrap its key.
 *
 * `path`, `size`, `sector_size`, `flags`, `out`: as for atrest_volume_create(). `keystore`: as for
 * atrest_local_create_key(); it is made if there is none, and a backup of it would keep the key. `path` is recorded in
 * the key's file, for people. `error`, `error_len`: as for atrest_volume_open(). Does not wait on a network. On
 * failure neither a file nor a key is left.
 *
 * Returns what atrest_volume_create() does for the file; _KEYSTORE_IO, _KEYSTORE_PERMISSIONS, _SECRET_MEMORY.
 */
ATREST_MUST_USE
atrest_status atrest_volume_create_scratch(const char *path,
                                           uint64_t size,
                                           size_t sector_size,
                                           uint32_t flags,
                                           const char *keystore,
                                           atrest_volume **out,
                                           char *error,
                                           size_t error_len);

/*
 * Destroys a volume: erases the key of a scratch volume, then overwrites both copies of the header and the area for
 * keyslots. Reads and writes no data. It can be repeated, and finishes what an interruption left; a key that is gone
 * already is no failure.
 *
 * Before that the header is authenticated with the key that the keystore still has, and after it the key is proved to
 * open the header no more: a header that somebody put there cannot have another volume's key erased. Where no key of the
 * keystore opens it, the UUID must be given.
 *
 * `path`: the volume's file, or what was its file if `uuid` names the volume. `uuid`: NULL, or the 16 bytes of the
 * volume's UUID, for a header that is damaged or that no key opens, or a file that is gone. `keystore`: as for
 * atrest_providers_add_local(); it need not exist. `flags`: 0, ATREST_VOLUME_SHARED, or ATREST_FORCE to overwrite the
 * header of a volume that is no scratch volume, whose keys stay, and to overwrite the first 16 MiB of a file without a
 * header, or with a damaged one that does not name the volume. `error`, `error_len`: as for atrest_volume_open(); on
 * success it says if there was no key, or if passphrases of cryptsetup's open copies of the header. Waits up to ten
 * seconds for whoever changes the header; no network. A volume that is open for writing is not destroyed.
 *
 * Whoever has the volume open for reading keeps its keys until it is closed. File systems and drives that write
 * elsewhere than they are told (flash, copy on write, snapshots), and backups of the keystore, may keep the key.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _FLAGS, _NEEDS_FORCE, _NOT_A_VOLUME (also if it has another
 * UUID), _DAMAGED without a UUID, _NO_EXPECTATION (no key opens it, and there is no UUID), _FORGED, _REENCRYPTED, _BUSY,
 * and what atrest_volume_open() answers for the file, which change nothing; _KEYSTORE_IO and _KEYSTORE_PERMISSIONS,
 * which leave the header as it was; _KEY_EXISTS (the key still opens the header, which is as it was), _IO, and _DAMAGED
 * for what does not read back: the key is gone.
 */
ATREST_MUST_USE
atrest_status atrest_volume_destroy(const char *path,
                                    const uint8_t *uuid,
                                    const char *keystore,
                                    uint32_t flags,
                                    char *error,
                                    size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * Volumes over storage of your own
 *
 * A volume may lie in anything that is read and written by offset: an object store, a block device of an engine's own,
 * a disk image. You give a table of functions. For engines that do not wait in a call there is
 * atrest_sector_cipher_new().
 * ---------------------------------------------------------------------------------------------------- */

/*
 * The functions by which a volume uses your storage, which has a fixed length. Set all of it to zero first, then what
 * you have: that leaves fields of later versions alone.
 *
 * Each function gets `context`, and returns 0, or the errno value that says why it failed: EIO, ENOSPC (no room),
 * EOPNOTSUPP (it cannot do that) and so on. They are called from whatever thread uses the volume, by several at once,
 * and by the thread of atrest_volume_recheck(); they may block, and may not use the volume themselves, throw or
 * longjmp out. They are for as long as the volume is open, and `context` with them; the table itself is copied.
 */
typedef struct {
  /* `sizeof (atrest_storage)`: how much of the table there is. */
  size_t struct_size;
  /* What each function gets; may be NULL. */
  void *context;
  /* Stores the length in bytes in `*length`. */
  int (*size)(void *context, uint64_t *length);
  /* Reads all of `len` bytes at `offset`. */
  int (*read)(void *context, uint8_t *buf, size_t len, uint64_t offset);
  /* Writes all of `len` bytes at `offset`. NULL for a storage that is only read. */
  int (*write)(void *context, const uint8_t *buf, size_t len, uint64_t offset);
  /* Waits until all that was written before outlives a loss of power. NULL for a storage that is only read. */
  int (*flush)(void *context);
  /* Makes `len` bytes at `offset` read as zeros. NULL: zeros are written. */
  int (*write_zeros)(void *context, uint64_t len, uint64_t offset);
  /* Gives the space of `len` bytes at `offset` back; they read as anything then. NULL: it cannot be given back. */
  int (*discard)(void *context, uint64_t len, uint64_t offset);
  /*
   * Takes a lock, without waiting, until `unlock` is called with the same `claim`; EBUSY or EAGAIN if somebody else
   * holds one that keeps it out, and then it is tried again for a while. `claim`: ATREST_CLAIM_DATA,
   * ATREST_CLAIM_SHARED_DATA or ATREST_CLAIM_HEADER. NULL: whoever uses the storage sees to it that there is one
   * writer, and one who changes the header, and needs no lock for that. Since 0.2.0.
   */
  int (*lock)(void *context, uint32_t claim);
  /* Gives a lock back that was taken, by whatever thread. NULL if and only if `lock` is. Since 0.2.0. */
  void (*unlock)(void *context, uint32_t claim);
} atrest_storage;

/* For `lock` of atrest_storage: a volume is opened for writing. It keeps out other claims of data. */
#define ATREST_CLAIM_DATA 1

/*
 * For `lock` of atrest_storage: a volume is opened for writing beside others, with ATREST_VOLUME_SHARED. It keeps out
 * ATREST_CLAIM_DATA.
 */
#define ATREST_CLAIM_SHARED_DATA 2

/* For `lock` of atrest_storage: the header is changed, beside whoever writes data. It keeps out claims of its kind. */
#define ATREST_CLAIM_HEADER 3

/*
 * Opens the volume in a storage of yours, as atrest_volume_open() does in a file.
 *
 * `storage`: copied; see atrest_storage. Without `write` and `flush` the volume opens with ATREST_VOLUME_READ_ONLY
 * alone. Without `lock` nobody is kept from writing at the same time. Everything else as for atrest_volume_open(); and
 * _INVALID_REQUEST for a table that is too short, _UNSUPPORTED for one with functions that this version does not know,
 * _READ_ONLY; _NULL for a table without `size` or `read`. It reads at most 8 MiB of header.
 */
ATREST_MUST_USE
atrest_status atrest_volume_open_storage(const atrest_storage *storage,
                                         uint32_t flags,
                                         const atrest_providers *providers,
                                         int32_t timeout_ms,
                                         atrest_volume **out,
                                         char *error,
                                         size_t error_len);

/*
 * Makes a new volume in a storage of yours, whose first 16 MiB are overwritten and which must have room for the volume
 * behind them.
 *
 * `storage`: as for atrest_volume_open_storage(). On failure a part of the header may stand. Everything else as for
 * atrest_volume_create().
 */
ATREST_MUST_USE
atrest_status atrest_volume_create_storage(const atrest_storage *storage,
                                           uint64_t size,
                                           size_t sector_size,
                                           uint32_t flags,
                                           const atrest_providers *providers,
                                           const char *key,
                                           int32_t timeout_ms,
                                           atrest_volume **out,
                                           char *error,
                                           size_t error_len);

/*
 * atrest_volume_rewrap() for a volume in a storage of yours. Without `lock` in the table nobody else may change its
 * header at the same time.
 */
ATREST_MUST_USE
atrest_status atrest_volume_rewrap_storage(const atrest_storage *storage,
                                           size_t slot,
                                           const atrest_providers *providers,
                                           const char *key,
                                           int32_t timeout_ms,
                                           char *error,
                                           size_t error_len);

/* atrest_volume_add_slot() for a volume in a storage of yours, as for atrest_volume_rewrap_storage(). */
ATREST_MUST_USE
atrest_status atrest_volume_add_slot_storage(const atrest_storage *storage,
                                             const atrest_providers *providers,
                                             const char *key,
                                             int32_t timeout_ms,
                                             char *error,
                                             size_t error_len);

/* atrest_volume_remove_slot() for a volume in a storage of yours, as for atrest_volume_rewrap_storage(). */
ATREST_MUST_USE
atrest_status atrest_volume_remove_slot_storage(const atrest_storage *storage,
                                                size_t slot,
                                                const atrest_providers *providers,
                                                int32_t timeout_ms,
                                                char *error,
                                                size_t error_len);

/*
 * atrest_volume_backup_header() for a volume in a storage of yours, which may be one that is only read. Nobody may
 * change its header at the same time: what is read is not looked at by `lock`.
 *
 * `backup`: the path of a new file, as there.
 */
ATREST_MUST_USE
atrest_status atrest_volume_backup_header_storage(const atrest_storage *storage,
                                                  const char *backup,
                                                  char *error,
                                                  size_t error_len);

/*
 * atrest_volume_restore_header() for a volume in a storage of yours, as for atrest_volume_rewrap_storage().
 *
 * `backup`: the path of the file with the backup, as there. If the present header cannot be read, the storage must be
 * at least as long as the backup's volume.
 */
ATREST_MUST_USE
atrest_status atrest_volume_restore_header_storage(const atrest_storage *storage,
                                                   const char *backup,
                                                   uint32_t flags,
                                                   char *error,
                                                   size_t error_len);

/*
 * atrest_volume_restore_header_expected() for a volume in a storage of yours, as for
 * atrest_volume_restore_header_storage().
 */
ATREST_MUST_USE
atrest_status atrest_volume_restore_header_expected_storage(const atrest_storage *storage,
                                                            const char *backup,
                                                            uint32_t flags,
                                                            const atrest_providers *providers,
                                                            char *error,
                                                            size_t error_len);

/*
 * atrest_volume_create_scratch() in a storage of yours, whose first 16 MiB are overwritten and which must have room
 * for the volume behind them. The key's file records no place of the volume.
 *
 * `storage`: as for atrest_volume_open_storage(). On failure a part of the header may stand, but no key is left.
 * Everything else as for atrest_volume_create_scratch().
 */
ATREST_MUST_USE
atrest_status atrest_volume_create_scratch_storage(const atrest_storage *storage,
                                                   uint64_t size,
                                                   size_t sector_size,
                                                   uint32_t flags,
                                                   const char *keystore,
                                                   atrest_volume **out,
                                                   char *error,
                                                   size_t error_len);

/*
 * atrest_volume_destroy() for a volume in a storage of yours, as for atrest_volume_rewrap_storage(). Where the storage
 * is gone, atrest_volume_destroy() erases the key by the volume's UUID.
 */
ATREST_MUST_USE
atrest_status atrest_volume_destroy_storage(const atrest_storage *storage,
                                            const uint8_t *uuid,
                                            const char *keystore,
                                            uint32_t flags,
                                            char *error,
                                            size_t error_len);

/* ----------------------------------------------------------------------------------------------------
 * Sectors of a volume, without I/O
 *
 * For engines that have I/O of their own (SPDK, io_uring, a hypervisor): from the bytes of a volume's header comes
 * what encrypts and decrypts its sectors by number, and what tells where they lie. dm-crypt and atrest_volume_read()
 * read the same. What such an engine has to do itself: keep writes of one sector apart, and notice that a key is
 * withdrawn.
 * ---------------------------------------------------------------------------------------------------- */

/*
 * What encrypts and decrypts the sectors of a volume. Nothing changes it once it is made: any number of threads may
 * use one at once, and so may a forked child.
 */
typedef struct atrest_sector_cipher atrest_sector_cipher;

/*
 * How many bytes from the beginning of a storage hold a volume's header: 32 KiB for most, at most 8 MiB.
 *
 * `start`: the first `len` bytes of the storage, 4096 or more. Where they do not tell, because they are damaged or no
 * header, it is 8 MiB: the header's second copy may be anywhere in there. 0 for NULL. Any thread may call it at any
 * time.
 */
ATREST_MUST_USE
size_t atrest_volume_header_length(const uint8_t *start, size_t len);

/*
 * Makes the cipher of a volume from its header: has its key unwrapped, and checks with it that nobody else changed the
 * header.
 *
 * `header`: the first `header_len` bytes of the storage, as many as atrest_volume_header_length() says, or all where
 * the storage has less; not needed any more once this has returned. `providers`, `timeout_ms`: as for
 * atrest_volume_open(), but that a cipher of a set without an expectation decrypts alone; this call may wait on a
 * network. `*out` receives the cipher; free it with atrest_sector_cipher_free(). On failure `*out` is NULL. `error`,
 * `error_len`: as for atrest_volume_open(), warnings included.
 *
 * Reads the environment variable ATREST_BACKEND, as atrest_xts_new() does.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, and what atrest_volume_open() answers for what is in the
 * file and for its key. That the storage is as long as atrest_sector_cipher_storage_length() is for you to check. Any
 * number of threads may use one set of providers.
 */
ATREST_MUST_USE
atrest_status atrest_sector_cipher_new(const uint8_t *header,
                                       size_t header_len,
                                       const atrest_providers *providers,
                                       int32_t timeout_ms,
                                       atrest_sector_cipher **out,
                                       char *error,
                                       size_t error_len);

/* Wipes and frees a cipher. NULL is fine. No other thread may be using it. */
void atrest_sector_cipher_free(atrest_sector_cipher *cipher);

/*
 * The exact size of the volume in bytes, which need not be a whole number of sectors; 0 for a NULL cipher. Any thread
 * may call it at any time.
 */
ATREST_MUST_USE
uint64_t atrest_sector_cipher_size(const atrest_sector_cipher *cipher);

/* The size of a sector in bytes: 512, 1024, 2048 or 4096; 0 for a NULL cipher. Any thread may call it at any time. */
ATREST_MUST_USE
size_t atrest_sector_cipher_sector_size(const atrest_sector_cipher *cipher);

/*
 * Where sector 0 lies, in bytes from the beginning of the storage, a multiple of 512; the others follow. 0 for a NULL
 * cipher. Any thread may call it at any time.
 */
ATREST_MUST_USE
uint64_t atrest_sector_cipher_data_offset(const atrest_sector_cipher *cipher);

/*
 * How long the storage must be to hold all sectors, the last one whole, in bytes; 0 for a NULL cipher. Any thread may
 * call it at any time.
 */
ATREST_MUST_USE
uint64_t atrest_sector_cipher_storage_length(const atrest_sector_cipher *cipher);

/*
 * Encrypts whole sectors of the volume, of which the first has the number `first_sector`; number 0 is the first of the
 * volume, whatever the sector size.
 *
 * `len`: a whole number of sectors, in bytes; 0 does nothing. `dst` == `src` (in place), or the two do not overlap.
 * Neither needs any alignment. What lies in the last sector beyond the volume's size should be zeros.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _DATA_LENGTH, _OUT_OF_BOUNDS (a sector that the
 * volume does not have), _NO_EXPECTATION (the providers that the cipher was made with expect nothing, see
 * atrest_providers_expect()); `dst` is untouched then. Allocates nothing, takes no lock, uses up to 16 KiB of stack; any
 * number of threads may use one cipher.
 */
ATREST_MUST_USE
atrest_status atrest_sector_cipher_encrypt(const atrest_sector_cipher *cipher,
                                           uint64_t first_sector,
                                           const uint8_t *src,
                                           uint8_t *dst,
                                           size_t len);

/*
 * Decrypts whole sectors of the volume: the reverse of atrest_sector_cipher_encrypt(), with the same arguments and
 * results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_sector_cipher_decrypt(const atrest_sector_cipher *cipher,
                                           uint64_t first_sector,
                                           const uint8_t *src,
                                           uint8_t *dst,
                                           size_t len);

/*
 * Encrypts whole sectors of the volume that lie in pieces of memory, from the pieces `src` into the pieces `dst`; as
 * atrest_sector_cipher_encrypt() otherwise, with the lists of atrest_xts_encrypt_iov().
 *
 * Returns what atrest_sector_cipher_encrypt() does; also ATREST_ERROR_LENGTH_MISMATCH. Uses up to 28 KiB of stack.
 */
ATREST_MUST_USE
atrest_status atrest_sector_cipher_encrypt_iov(const atrest_sector_cipher *cipher,
                                               uint64_t first_sector,
                                               const struct iovec *src,
                                               size_t src_count,
                                               const struct iovec *dst,
                                               size_t dst_count);

/*
 * Decrypts whole sectors of the volume that lie in pieces of memory: the reverse of
 * atrest_sector_cipher_encrypt_iov(), with the same arguments and results. As with atrest_xts_decrypt_sectors(),
 * ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_sector_cipher_decrypt_iov(const atrest_sector_cipher *cipher,
                                               uint64_t first_sector,
                                               const struct iovec *src,
                                               size_t src_count,
                                               const struct iovec *dst,
                                               size_t dst_count);

/* ----------------------------------------------------------------------------------------------------
 * Envelopes
 * ---------------------------------------------------------------------------------------------------- */

/*
 * A volume's root key in its wrappings, for programs that keep it in a store of their own instead of a volume's
 * header. Nothing in it is secret, and nothing changes it once it is made.
 */
typedef struct atrest_envelope atrest_envelope;

/*
 * Makes a new root key, wrapped under a key, and the envelope around it. The root key comes from the key's provider
 * and is unwrapped once, which proves that it can be.
 *
 * `key`: "local:NAME", or "aws:" and an ARN, a key id or an alias. `uuid`: the 16 bytes of the UUID of what is to be
 * encrypted, to which the wrapping is bound and from which, with the root key, the XTS key is derived; NULL for a
 * random one. `timeout_ms`: how long to wait for the key's provider in milliseconds, negative for as long as it takes,
 * as with poll(); this call may wait on a network, and with local keys it reads a file and does not wait. `*out`
 * receives the envelope; free it with atrest_envelope_free(). On failure `*out` is NULL. `error`, `error_len`: room
 * for one line that says why it failed, as for atrest_volume_open(); may be NULL.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _KEY_NAME, _UNREACHABLE (no provider was added for the key,
 * too), _KEY_NOT_FOUND, _TIMED_OUT and the other statuses of key providers (65 to 84, 86, 87), _NO_MEMORY. Any number of
 * threads may use one set of providers.
 */
ATREST_MUST_USE
atrest_status atrest_envelope_create(const atrest_providers *providers,
                                     const char *key,
                                     const uint8_t uuid[16],
                                     int32_t timeout_ms,
                                     atrest_envelope **out,
                                     char *error,
                                     size_t error_len);

/*
 * Reads an envelope from its JSON document.
 *
 * `json`: `json_len` bytes, at most 65536, without a NUL at the end. `*out` receives the envelope; free it with
 * atrest_envelope_free(). On failure `*out` is NULL. `error`, `error_len`: room for one line that says why it failed,
 * as for atrest_volume_open(); may be NULL.
 *
 * Nothing in an envelope is authenticated by itself. What an attacker reaches by changing one is that it does not
 * open.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _ENVELOPE, _NO_MEMORY. Any thread may call it at any time.
 */
ATREST_MUST_USE
atrest_status atrest_envelope_parse(const uint8_t *json,
                                    size_t json_len,
                                    atrest_envelope **out,
                                    char *error,
                                    size_t error_len);

/*
 * The envelope in a volume's header, as it was when the volume was opened: to back the wrapped key up, or to see which
 * keys wrap it.
 *
 * `*out` receives a copy, which outlives the volume; free it with atrest_envelope_free(). Returns ATREST_OK, or
 * ATREST_ERROR_NULL, _NO_MEMORY.
 */
ATREST_MUST_USE
atrest_status atrest_volume_envelope(const atrest_volume *volume, atrest_envelope **out);

/*
 * The JSON document of an envelope: at most 65536 bytes and a NUL. Equal envelopes have equal documents. It lives as
 * long as the envelope. NULL for a NULL envelope.
 */
ATREST_MUST_USE
const char *atrest_envelope_json(const atrest_envelope *envelope);

/*
 * A key that wraps an envelope's root key, as "local:NAME" (or "aws:" and an ARN): of its first wrapping with `slot`
 * 0, and so on. It lives as long as the envelope. NULL where the envelope has no such slot, and for a NULL envelope.
 * Nothing has checked that the key exists, or that it opens the envelope. Any thread may call it at any time.
 */
ATREST_MUST_USE
const char *atrest_envelope_key(const atrest_envelope *envelope, size_t slot);

/*
 * The UUID that an envelope's wrappings are bound to.
 *
 * `uuid` receives 16 bytes in the order in which they are written; on failure it is untouched. Returns ATREST_OK, or
 * ATREST_ERROR_NULL.
 */
ATREST_MUST_USE
atrest_status atrest_envelope_uuid(const atrest_envelope *envelope, uint8_t uuid[16]);

/*
 * Unwraps an envelope's root key and makes the XTS key that is derived from it: AES-256, the key of the volume with
 * this envelope.
 *
 * `timeout_ms`: how long to wait for the keys' providers, as for atrest_envelope_create(); this call may wait on a
 * network. `*out` receives the key; free it with atrest_xts_free(). On failure `*out` is NULL. `error`, `error_len`:
 * room for one line that says why it failed, as for atrest_volume_open(); may be NULL.
 *
 * Reads the environment variable ATREST_BACKEND, as atrest_xts_new() does. The root key is wiped before this returns;
 * the XTS key is in ordinary memory, as with atrest_xts_new(), and so works in a forked child, too.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _UNEXPECTED, _SLOT (it is not what `providers` expect),
 * _TIMED_OUT and the other statuses of key providers (65 to 84; of the first wrapping, where several failed),
 * _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND, _NO_MEMORY. Any number of
 * threads may use one envelope and one set of providers.
 */
ATREST_MUST_USE
atrest_status atrest_envelope_unwrap(const atrest_envelope *envelope,
                                     const atrest_providers *providers,
                                     int32_t timeout_ms,
                                     atrest_xts **out,
                                     char *error,
                                     size_t error_len);

/*
 * The same, and gives the XTS key as bytes: key1, then key2.
 *
 * `key` receives 64 bytes, which the caller wipes after use; on failure it is untouched. Everything else as for
 * atrest_envelope_unwrap(), but for the backend, which is none of this call's business.
 */
ATREST_MUST_USE
atrest_status atrest_envelope_unwrap_key(const atrest_envelope *envelope,
                                         const atrest_providers *providers,
                                         int32_t timeout_ms,
                                         uint8_t key[64],
                                         char *error,
                                         size_t error_len);

/*
 * Replaces one wrapping of an envelope's root key by one under another key, or by the newest material of the same. The
 * root key stays, and so does what its XTS key encrypted. Within a key service that can do it the plaintext does not
 * leave the service; else it is unwrapped, wrapped and, before it is believed, unwrapped again.
 *
 * `slot`: which wrapping, from 0. `key`: what is to wrap it, as for atrest_envelope_create(). `timeout_ms`: how long
 * to wait for the providers of both keys, as for atrest_envelope_create(); this call may wait on a network. `*out`
 * receives the new envelope, and is NULL on failure; the old one is as it was, and opens as before: whoever keeps a
 * copy of it and may use its key still gets the root key. `error`, `error_len`: as for atrest_volume_open(); may be
 * NULL.
 *
 * Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _NO_EXPECTATION (`providers` expect nothing), _UNEXPECTED,
 * _KEY_NAME, _SLOT, _UNREACHABLE (no provider was added for one of the keys, too), _TIMED_OUT and the other statuses of
 * key providers, _NO_MEMORY. Any number of threads may use one envelope and one set of providers.
 */
ATREST_MUST_USE
atrest_status atrest_envelope_rewrap(const atrest_envelope *envelope,
                                     size_t slot,
                                     const atrest_providers *providers,
                                     const char *key,
                                     int32_t timeout_ms,
                                     atrest_envelope **out,
                                     char *error,
                                     size_t error_len);

/* Frees an envelope, and its JSON. NULL is fine. No other thread may be using either. */
void atrest_envelope_free(atrest_envelope *envelope);

#endif /* defined(ATREST_WITH_VOLUME) */

/* ----------------------------------------------------------------------------------------------------
 * All statuses
 * ---------------------------------------------------------------------------------------------------- */

enum atrest_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif
{
  /* The call did what it says. */
  ATREST_OK = 0,
  /* A pointer that must not be NULL is NULL. */
  ATREST_ERROR_NULL = 1,
  /* The key is not 32 or 64 bytes long, or its halves are not 16 or 32. */
  ATREST_ERROR_KEY_LENGTH = 2,
  /* key1 equals key2. */
  ATREST_ERROR_EQUAL_HALVES = 3,
  /*
   * The sector size is below 16 bytes or above 2^20 blocks (16777216 bytes); or it is no multiple of 512 where
   * tweaks count units of 512 bytes.
   */
  ATREST_ERROR_SECTOR_SIZE = 4,
  /* The length is not a whole number of sectors. */
  ATREST_ERROR_DATA_LENGTH = 5,
  /* The data unit is shorter than 16 bytes or longer than 2^20 blocks (16777216 bytes). */
  ATREST_ERROR_UNIT_LENGTH = 6,
  /*
   * The buffer is too short for the call's result; or its length is above PTRDIFF_MAX, or it would wrap around the end of
   * the address space.
   */
  ATREST_ERROR_BUFFER_LENGTH = 7,
  /* Source and destination overlap without being the same buffer. */
  ATREST_ERROR_OVERLAP = 8,
  /* The last sector's number does not fit into its tweak. */
  ATREST_ERROR_SECTOR_NUMBER = 9,
  /* There is no backend of that name, neither the argument's nor, without one, that of ATREST_BACKEND. */
  ATREST_ERROR_UNKNOWN_BACKEND = 10,
  /* This processor does not run that backend. */
  ATREST_ERROR_UNSUPPORTED_BACKEND = 11,
  /* No memory. */
  ATREST_ERROR_NO_MEMORY = 12,
  /*
   * A defect in the library, which any call may return instead of what it documents: what it was to write is then
   * undefined. Please report it.
   */
  ATREST_ERROR_INTERNAL = 13,
  /* The pieces of source and destination are not equally long in all. */
  ATREST_ERROR_LENGTH_MISMATCH = 14,
  /* The tweaks have a layout or width that is unknown, a number beyond it, or a reserved field that is not 0. */
  ATREST_ERROR_TWEAKS = 15,
  /* The memory for a key is too small, or not aligned as a key needs. */
  ATREST_ERROR_MEMORY = 16,
  /* A flag that this version does not know. */
  ATREST_ERROR_FLAGS = 17,
  /* A backend gives wrong answers on this machine. */
  ATREST_ERROR_SELFTEST = 18,
  /* A list of tweaks has not one for each sector. */
  ATREST_ERROR_TWEAK_COUNT = 19,
  /* Reading or writing the file failed: the system said so. */
  ATREST_ERROR_IO = 32,
  /* There is no room left for what was written: on the disk, in the quota or below the largest file. */
  ATREST_ERROR_NO_SPACE = 33,
  /* There is no file of that name. */
  ATREST_ERROR_NOT_FOUND = 34,
  /* The file for a new volume exists, or is not empty. */
  ATREST_ERROR_EXISTS = 35,
  /* The system does not let this process open the file so. */
  ATREST_ERROR_PERMISSION = 36,
  /* The file is neither a regular file nor a block device. */
  ATREST_ERROR_FILE_TYPE = 37,
  /* The descriptor is not open, or open for appending. */
  ATREST_ERROR_DESCRIPTOR = 38,
  /* The file is not an encrypted volume, or one of another tool without atrest's token. */
  ATREST_ERROR_NOT_A_VOLUME = 39,
  /* Both copies of the volume's header are damaged, or do not read back as written. */
  ATREST_ERROR_DAMAGED = 40,
  /* The header asks for what this library does not open, another cipher for example. */
  ATREST_ERROR_REFUSED = 41,
  /* The header was changed by someone without the volume's keys. */
  ATREST_ERROR_FORGED = 42,
  /* The volume's file is shorter than its header says. */
  ATREST_ERROR_TRUNCATED = 43,
  /* The size of a new volume is above the limit, or larger than the device. */
  ATREST_ERROR_VOLUME_SIZE = 44,
  /* The sector size of a volume is not 512, 1024, 2048 or 4096 bytes. */
  ATREST_ERROR_VOLUME_SECTOR_SIZE = 45,
  /* The range reaches beyond the volume's end. */
  ATREST_ERROR_OUT_OF_BOUNDS = 46,
  /* The volume, or its descriptor, is open for reading only. */
  ATREST_ERROR_READ_ONLY = 47,
  /* The volume was opened without discards. */
  ATREST_ERROR_DISCARD_OFF = 48,
  /* The system, the file system, the device or the key provider cannot do that. */
  ATREST_ERROR_UNSUPPORTED = 49,
  /*
   * The volume was in use by another thread when this process was forked, or the providers were made before: open
   * it again in this process, with new providers.
   */
  ATREST_ERROR_FORKED = 50,
  /* Somebody else, here or in another process, has the volume open for writing or changes its header. */
  ATREST_ERROR_BUSY = 51,
  /* The system gave no random bytes. */
  ATREST_ERROR_RANDOM = 52,
  /* The volume was rechecked, and has closed itself: its key was withdrawn, or nobody could be asked for too long. */
  ATREST_ERROR_WITHDRAWN = 53,
  /* The call would destroy or bring back something that one may want to keep as it is, unless it is forced. */
  ATREST_ERROR_NEEDS_FORCE = 54,
  /* The label of a volume is longer than 47 bytes, or has a NUL in it. */
  ATREST_ERROR_LABEL = 55,
  /*
   * The volume's key is no longer the one that its root key gives: another tool exchanged it, and the data is encrypted with
   * that now.
   */
  ATREST_ERROR_REENCRYPTED = 56,
  /* The volume, or a key that wraps its own, is not the expected one. */
  ATREST_ERROR_UNEXPECTED = 57,
  /* Nothing vouches for the header: what is expected has to be said, before the volume is written or changed. */
  ATREST_ERROR_NO_EXPECTATION = 58,
  /* The text is no pin, and says nothing else that can be expected. */
  ATREST_ERROR_EXPECTATION = 59,
  /* The text names no key, or no key that this call takes. */
  ATREST_ERROR_KEY_NAME = 64,
  /* The key's owner does not let the caller do this with it. */
  ATREST_ERROR_NOT_AUTHORISED = 65,
  /* There is no key of that name. */
  ATREST_ERROR_KEY_NOT_FOUND = 66,
  /* There is a key of that name already. */
  ATREST_ERROR_KEY_EXISTS = 67,
  /* The key's owner disabled it, and can enable it again. */
  ATREST_ERROR_KEY_DISABLED = 68,
  /* The key waits for its deletion, which its owner can still cancel. */
  ATREST_ERROR_KEY_PENDING_DELETION = 69,
  /* Another key than the stated one wrapped this, or another key answered. */
  ATREST_ERROR_WRONG_KEY = 70,
  /* The wrapped key was changed, or belongs to another volume. */
  ATREST_ERROR_CONTEXT_MISMATCH = 71,
  /* The key service got too many requests: try again later. */
  ATREST_ERROR_THROTTLED = 72,
  /* The key service cannot be reached, or no provider for it was added. */
  ATREST_ERROR_UNREACHABLE = 73,
  /* The key provider did not answer in time. */
  ATREST_ERROR_TIMED_OUT = 74,
  /* No credentials for the key service were found, or they have expired. */
  ATREST_ERROR_NO_CREDENTIALS = 75,
  /* The key is none for wrapping: it must be symmetric and for encryption. */
  ATREST_ERROR_WRONG_KEY_TYPE = 76,
  /* The provider's answer, or a file of the keystore, is not what its format says. */
  ATREST_ERROR_MALFORMED_ANSWER = 77,
  /* The local keystore is open to other users, or is not the caller's own. */
  ATREST_ERROR_KEYSTORE_PERMISSIONS = 78,
  /* Reading or writing the local keystore failed, or there is none at that path. */
  ATREST_ERROR_KEYSTORE_IO = 79,
  /* No memory for secrets, or none that this process may read after a fork. */
  ATREST_ERROR_SECRET_MEMORY = 80,
  /* The document is not an envelope that this version reads. */
  ATREST_ERROR_ENVELOPE = 81,
  /* The key cannot be used now: it waits for its material, or for the store that holds it. */
  ATREST_ERROR_KEY_UNAVAILABLE = 82,
  /* A quota of the key service is used up. */
  ATREST_ERROR_LIMIT_EXCEEDED = 83,
  /* The key service does not take the request: a name or number out of its range. */
  ATREST_ERROR_INVALID_REQUEST = 84,
  /* The envelope has no such slot, or has that very wrapping in another one. */
  ATREST_ERROR_SLOT = 85,
  /* A passphrase guards the key, and none was given. */
  ATREST_ERROR_PASSPHRASE_REQUIRED = 86,
  /* The passphrase is not the key's. */
  ATREST_ERROR_WRONG_PASSPHRASE = 87
};

#ifdef __cplusplus
} /* extern "C" */
#endif

#endif /* ATREST_H */
