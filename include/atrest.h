#ifndef ATREST_H
#define ATREST_H
/* Generated from src/ffi by cbindgen; do not edit: ATREST_BLESS=1 cargo test --features capi --test header writes it anew. */

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
/* The version of this header, as a string. */
#define ATREST_VERSION "0.1.0"
/* The same as one number, as atrest_version_number() has it. */
#define ATREST_VERSION_NUMBER (ATREST_VERSION_MAJOR * 1000000 + ATREST_VERSION_MINOR * 1000 + ATREST_VERSION_PATCH)

/*
 A flag of atrest_xts_init(): key1 may equal key2, as for atrest_xts_new_allowing_equal_halves().
 */
#define ATREST_XTS_ALLOW_EQUAL_HALVES 1

/*
 The version of this header: its first number. Before 1.0.0, docs/abi.md says what may change.
 */
#define ATREST_VERSION_MAJOR 0

/*
 The second number: it rises with every call, type or status that is added.
 */
#define ATREST_VERSION_MINOR 1

/*
 The third number.
 */
#define ATREST_VERSION_PATCH 0

/*
 The outcome of a call. Values never change their meaning; later versions may add some.
 */
enum atrest_status
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif /* defined(__cplusplus) || __STDC_VERSION__ >= 202311L */
 {
  /*
   The call did what it says.
   */
  ATREST_OK = 0,
  /*
   A pointer that must not be NULL is NULL.
   */
  ATREST_ERROR_NULL = 1,
  /*
   The key is not 32 or 64 bytes long.
   */
  ATREST_ERROR_KEY_LENGTH = 2,
  /*
   key1 equals key2.
   */
  ATREST_ERROR_EQUAL_HALVES = 3,
  /*
   The sector size is below 16 bytes or above 2^20 blocks (16777216 bytes); or it is no multiple of 512 where tweaks
   count units of 512 bytes.
   */
  ATREST_ERROR_SECTOR_SIZE = 4,
  /*
   The length is not a whole number of sectors.
   */
  ATREST_ERROR_DATA_LENGTH = 5,
  /*
   The data unit is shorter than 16 bytes or longer than 2^20 blocks (16777216 bytes).
   */
  ATREST_ERROR_UNIT_LENGTH = 6,
  /*
   The length is above PTRDIFF_MAX, or the buffer would wrap around the end of the address space.
   */
  ATREST_ERROR_BUFFER_LENGTH = 7,
  /*
   Source and destination overlap without being the same buffer.
   */
  ATREST_ERROR_OVERLAP = 8,
  /*
   The last sector's number does not fit into its tweak.
   */
  ATREST_ERROR_SECTOR_NUMBER = 9,
  /*
   There is no backend of that name, neither the argument's nor, without one, that of ATREST_BACKEND.
   */
  ATREST_ERROR_UNKNOWN_BACKEND = 10,
  /*
   This processor does not run that backend.
   */
  ATREST_ERROR_UNSUPPORTED_BACKEND = 11,
  /*
   No memory for the key.
   */
  ATREST_ERROR_NO_MEMORY = 12,
  /*
   A defect in the library, which any call may return instead of what it documents: what it was to write is then
   undefined. Please report it.
   */
  ATREST_ERROR_INTERNAL = 13,
  /*
   The pieces of source and destination are not equally long in all.
   */
  ATREST_ERROR_LENGTH_MISMATCH = 14,
  /*
   The tweaks have a layout that is unknown, a number beyond it, or a reserved field that is not 0.
   */
  ATREST_ERROR_TWEAKS = 15,
  /*
   The memory for a key is smaller than atrest_xts_size(), or not aligned to atrest_xts_alignment().
   */
  ATREST_ERROR_MEMORY = 16,
  /*
   A flag that this version does not know.
   */
  ATREST_ERROR_FLAGS = 17,
  /*
   A backend gives wrong answers on this machine.
   */
  ATREST_ERROR_SELFTEST = 18
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum atrest_status atrest_status;
#else
typedef int32_t atrest_status;
#endif /* __STDC_VERSION__ >= 202311L */
#endif /* __cplusplus */

/*
 How sector numbers become tweaks. Values never change their meaning; later versions may add some.
 */
enum atrest_layout
#if defined(__cplusplus) || __STDC_VERSION__ >= 202311L
  : int32_t
#endif /* defined(__cplusplus) || __STDC_VERSION__ >= 202311L */
 {
  /*
   `first + i`, little-endian: dm-crypt's plain64, with iv_large_sectors for sectors of more than 512 bytes. A
   number past 2^64 carries into the upper half.
   */
  ATREST_LAYOUT_PLAIN64 = 0,
  /*
   `first + i`, big-endian in the tweak's last 8 bytes: dm-crypt's plain64be. Numbers are below 2^64.
   */
  ATREST_LAYOUT_PLAIN64BE = 1,
  /*
   `first + i * (sector_size / 512)`, little-endian: dm-crypt's plain64 without iv_large_sectors, and LUKS2, which
   count in units of 512 bytes. The sector size is a multiple of 512. `first` is the segment's iv_tweak plus the
   offset in units of 512 bytes.
   */
  ATREST_LAYOUT_PLAIN64_IN_512 = 2,
  /*
   `first_upper * 2^64 + first + i`, little-endian on 128 bits: IEEE Std 1619's data unit sequence numbers.
   */
  ATREST_LAYOUT_NUMBER128 = 3,
  /*
   The same, big-endian.
   */
  ATREST_LAYOUT_NUMBER128BE = 4
};
#ifndef __cplusplus
#if __STDC_VERSION__ >= 202311L
typedef enum atrest_layout atrest_layout;
#else
typedef int32_t atrest_layout;
#endif /* __STDC_VERSION__ >= 202311L */
#endif /* __cplusplus */

/*
 An expanded XTS-AES key: immutable after creation, for any number of threads at once, and in a process that was forked
 as well as in its parent.
 */
typedef struct atrest_xts atrest_xts;

/*
 The tweaks of consecutive sectors: the number of the first one, and how the numbers go on. All zeros are
 ATREST_LAYOUT_PLAIN64 from sector 0.
 */
typedef struct {
  /*
   The first sector's number: the lower 64 bits of it.
   */
  uint64_t first;
  /*
   Its upper 64 bits, for layouts of 128 bits; 0 for the others.
   */
  uint64_t first_upper;
  /*
   An enum atrest_layout.
   */
  atrest_layout layout;
  /*
   0.
   */
  uint32_t reserved;
} atrest_tweaks;

#ifdef __cplusplus
extern "C" {
#endif /* __cplusplus */

/*
 A sentence about a status, in English, without a full stop: a static string, never NULL, for any value at all.

 Any thread may call it at any time.
 */
const char *atrest_status_message(atrest_status status);

/*
 Makes an XTS-AES key (IEEE Std 1619) from key1 followed by key2.

 `key`: `key_len` bytes, which are copied: wipe yours when you no longer need them. `key_len`: 32 for XTS-AES-128,
 64 for XTS-AES-256. `*out` receives the key; free it with atrest_xts_free(). On failure `*out` is NULL.

 The backend is the one that the environment variable ATREST_BACKEND names, else the fastest of this processor. It
 reads the environment: no other thread may be in setenv() or putenv() at the same time.
 atrest_xts_new_with_backend() does not read it.

 Returns ATREST_OK, or ATREST_ERROR_NULL, _KEY_LENGTH, _EQUAL_HALVES (key1 = key2), _UNKNOWN_BACKEND,
 _UNSUPPORTED_BACKEND, _NO_MEMORY. Apart from the environment, any thread may call it at any time. Uses 17 KiB of
 stack, which it wipes.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new(const uint8_t *key,
                             size_t key_len,
                             atrest_xts **out);

/*
 As atrest_xts_new(), on the backend of the given name: "soft", "aesni", "vaes256", "vaes512", "armv8" or
 "armv8-eor3", whatever ATREST_BACKEND says.

 `backend`: a NUL-terminated string.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new_with_backend(const uint8_t *key,
                                          size_t key_len,
                                          const char *backend,
                                          atrest_xts **out);

/*
 As atrest_xts_new(), and key1 may equal key2: for test vectors and old data alone. With equal halves XTS is not
 secure against chosen ciphertexts.
 */
ATREST_MUST_USE
atrest_status atrest_xts_new_allowing_equal_halves(const uint8_t *key,
                                                   size_t key_len,
                                                   atrest_xts **out);

/*
 Wipes and frees a key that one of the calls above made. NULL is fine. No other thread may be using it.
 */
void atrest_xts_free(atrest_xts *xts);

/*
 How many bytes atrest_xts_init() needs: about a kilobyte. A number of this library, not of its ABI: ask at run time.

 Any thread may call it at any time.
 */
size_t atrest_xts_size(void);

/*
 What the address that atrest_xts_init() is given must be a multiple of: a power of two, 64 at most in this version.

 Any thread may call it at any time.
 */
size_t atrest_xts_alignment(void);

/*
 As atrest_xts_new(), and the key lives in memory of the caller's: nothing is allocated.

 `memory`: at least atrest_xts_size() bytes, `memory_len`, at a multiple of atrest_xts_alignment(). It holds the key
 until atrest_xts_deinit(); it must not be moved or copied meanwhile, and should be memory that is not swapped out.
 `key`, `key_len`: as for atrest_xts_new(). `backend`: a name as for atrest_xts_new_with_backend(); NULL for what
 atrest_xts_new() takes, and the environment is then read. `flags`: 0, or ATREST_XTS_ALLOW_EQUAL_HALVES. `*out`
 receives the key, which lies at `memory`; it is for every call that takes a key but atrest_xts_free().

 Returns ATREST_OK, or ATREST_ERROR_NULL, _MEMORY (too small, or misaligned), _FLAGS, _KEY_LENGTH, _EQUAL_HALVES,
 _UNKNOWN_BACKEND, _UNSUPPORTED_BACKEND; `*out` is NULL then, and `memory` untouched. Apart from the environment, any
 thread may call it at any time. Uses 17 KiB of stack, which it wipes.
 */
ATREST_MUST_USE
atrest_status atrest_xts_init(void *memory,
                              size_t memory_len,
                              const uint8_t *key,
                              size_t key_len,
                              const char *backend,
                              uint32_t flags,
                              atrest_xts **out);

/*
 Wipes a key that atrest_xts_init() made; its memory is the caller's again, all zeros. NULL is fine. No other thread
 may be using the key.
 */
void atrest_xts_deinit(atrest_xts *xts);

/*
 Encrypts consecutive sectors: sector i under the tweak `first_sector + i`, a little-endian 128-bit number
 (dm-crypt's plain64; its iv_large_sectors counting for sectors of more than 512 bytes). A number is for one place of
 what the key encrypts.

 LUKS2, and dm-crypt without iv_large_sectors, count in units of 512 bytes whatever the sector size: for their sectors
 of more than 512 bytes, and for all other layouts, there is atrest_xts_encrypt_sectors_tweaks().

 `sector_size`: 16 to 16777216 bytes, any number in between; lengths that are no multiple of 16 use ciphertext
 stealing. `len`: a whole number of sectors, in bytes; 0 does nothing, and `src` and `dst` may then be NULL. `dst` ==
 `src` (in place), or the two do not overlap. Neither needs any alignment.

 Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH; `dst` is untouched
 then. Allocates nothing, takes no lock, uses up to 12 KiB of stack; any number of threads may use one key.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_sectors(const atrest_xts *xts,
                                         uint64_t first_sector,
                                         size_t sector_size,
                                         const uint8_t *src,
                                         uint8_t *dst,
                                         size_t len);

/*
 Decrypts consecutive sectors: the reverse of atrest_xts_encrypt_sectors(), with the same arguments and results.

 ATREST_OK does not say that the plaintext is the one that was encrypted: XTS has no authentication. The wrong key,
 the wrong sector number or changed ciphertext give noise, and ATREST_OK.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_sectors(const atrest_xts *xts,
                                         uint64_t first_sector,
                                         size_t sector_size,
                                         const uint8_t *src,
                                         uint8_t *dst,
                                         size_t len);

/*
 Encrypts one data unit under a tweak of 16 bytes (IEEE Std 1619: the data unit sequence number, little-endian).

 `tweak`: 16 bytes; one tweak is for one unit of a key. `len`: 16 to 16777216 bytes, any number in between; with
 ciphertext stealing where it is no multiple of 16. `dst` == `src` (in place), or the two do not overlap; `tweak` may
 lie anywhere. None needs any alignment.

 Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _OVERLAP, _UNIT_LENGTH; `dst` is untouched then. Allocates
 nothing, takes no lock, uses up to 12 KiB of stack; any number of threads may use one key.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_unit(const atrest_xts *xts,
                                      const uint8_t tweak[16],
                                      const uint8_t *src,
                                      uint8_t *dst,
                                      size_t len);

/*
 Decrypts one data unit: the reverse of atrest_xts_encrypt_unit(), with the same arguments and results. As with
 atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_unit(const atrest_xts *xts,
                                      const uint8_t tweak[16],
                                      const uint8_t *src,
                                      uint8_t *dst,
                                      size_t len);

/*
 Encrypts consecutive sectors that lie in pieces of memory, from the pieces `src` into the pieces `dst`; as
 atrest_xts_encrypt_sectors() otherwise.

 The pieces are cut anywhere, and differently in `src` and `dst`: a sector, and even a block, may straddle any
 number of them. `src` and `dst` are equally long in all, a whole number of sectors. A piece may be empty, and its
 iov_base then NULL; no piece needs any alignment. Sectors that lie within one piece each are about as fast as in
 one buffer; those that straddle pieces are copied once more.

 `src_count`, `dst_count`: the numbers of pieces, any numbers; with 0 the list may be NULL. In place: `dst` is
 `src`, or lists the same pieces in the same order. Otherwise no piece of `dst` overlaps one of `src`; and no two
 pieces of `dst` overlap. That is checked where the pieces of both lists ascend in memory, and otherwise for up to
 64 pieces in each; beyond that, what is written to overlapping pieces is not defined.

 Returns ATREST_OK, or ATREST_ERROR_NULL, _BUFFER_LENGTH, _LENGTH_MISMATCH, _OVERLAP, _SECTOR_SIZE, _DATA_LENGTH; no
 piece of `dst` is touched then. Allocates nothing, takes no lock, uses up to 24 KiB of stack; any number of threads
 may use one key.
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
 Decrypts consecutive sectors that lie in pieces of memory: the reverse of atrest_xts_encrypt_iov(), with the same
 arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_iov(const atrest_xts *xts,
                                     uint64_t first_sector,
                                     size_t sector_size,
                                     const struct iovec *src,
                                     size_t src_count,
                                     const struct iovec *dst,
                                     size_t dst_count);

/*
 Encrypts consecutive sectors under the given tweaks; as atrest_xts_encrypt_sectors() otherwise.

 `tweaks`: read before anything is written, so that it may lie anywhere; no alignment is needed.

 Returns what atrest_xts_encrypt_sectors() does; also ATREST_ERROR_TWEAKS (an unknown layout, `first_upper` for a
 layout of 64 bits, `reserved` not 0), _SECTOR_NUMBER (the last sector's number does not fit into 64 bits for
 plain64be, or into 128), _SECTOR_SIZE (no multiple of 512, for ATREST_LAYOUT_PLAIN64_IN_512); `dst` is untouched
 then.
 */
ATREST_MUST_USE
atrest_status atrest_xts_encrypt_sectors_tweaks(const atrest_xts *xts,
                                                const atrest_tweaks *tweaks,
                                                size_t sector_size,
                                                const uint8_t *src,
                                                uint8_t *dst,
                                                size_t len);

/*
 Decrypts consecutive sectors under the given tweaks: the reverse of atrest_xts_encrypt_sectors_tweaks(), with the
 same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_sectors_tweaks(const atrest_xts *xts,
                                                const atrest_tweaks *tweaks,
                                                size_t sector_size,
                                                const uint8_t *src,
                                                uint8_t *dst,
                                                size_t len);

/*
 Encrypts consecutive sectors that lie in pieces of memory, under the given tweaks: as atrest_xts_encrypt_iov(), with
 `tweaks` and the statuses of atrest_xts_encrypt_sectors_tweaks().
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
 Decrypts consecutive sectors that lie in pieces of memory, under the given tweaks: the reverse of
 atrest_xts_encrypt_iov_tweaks(), with the same arguments and results. As with atrest_xts_decrypt_sectors(), ATREST_OK
 does not say that the plaintext is right.
 */
ATREST_MUST_USE
atrest_status atrest_xts_decrypt_iov_tweaks(const atrest_xts *xts,
                                            const atrest_tweaks *tweaks,
                                            size_t sector_size,
                                            const struct iovec *src,
                                            size_t src_count,
                                            const struct iovec *dst,
                                            size_t dst_count);

/*
 The version of the library, which may be a later one than the header's, "MAJOR.MINOR.PATCH": a static string.

 Any thread may call it at any time.
 */
const char *atrest_version(void);

/*
 The version of the library as one number, MAJOR * 1000000 + MINOR * 1000 + PATCH: later ones are larger.

 Any thread may call it at any time.
 */
uint32_t atrest_version_number(void);

/*
 The name of the backend that a key's data calls run on, such as "vaes256": a static string; NULL for a NULL key.

 Any thread may call it at any time.
 */
const char *atrest_backend_name(const atrest_xts *xts);

/*
 The names of the backends that this processor runs, slowest first, from index 0 ("soft", which all processors run);
 NULL from their number on. The last one is what atrest_xts_new() takes, unless ATREST_BACKEND says otherwise. The
 strings are static.

 Any thread may call it at any time.
 */
const char *atrest_usable_backend(size_t index);

/*
 Runs known answers on every backend that this processor runs: vectors of IEEE Std 1619-2007, both key sizes,
 ciphertext stealing, long batches, both directions. For start-up checks that a policy asks for, and for emulators.

 Returns ATREST_OK, or ATREST_ERROR_SELFTEST: the build, the emulator or the processor is then at fault, and data must
 not be entrusted to it. It takes some milliseconds, allocates nothing, takes no lock, and uses up to 64 KiB of
 stack. Any thread may call it at any time.
 */
ATREST_MUST_USE
atrest_status atrest_selftest(void);

#ifdef __cplusplus
} /* extern "C" */
#endif /* __cplusplus */
#endif  /* ATREST_H */
