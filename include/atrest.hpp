// atrest for C++17 and later: keys that free themselves, spans, and errors as exceptions or as statuses.
//
// Header-only, over atrest.h, which documents ranges, overlap, threads and statuses; nothing here adds to its ABI. Each
// call that may fail comes twice: `encrypt_sectors` throws atrest::error, `try_encrypt_sectors` returns the status and
// throws nothing.
#ifndef ATREST_HPP
#define ATREST_HPP

#include <array>
#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(__has_include)
#if __has_include(<version>)
#include <version>
#endif
#endif
#if defined(__cpp_lib_span)
#include <span>
#endif

#include "atrest.h"

namespace atrest {

#if defined(__cpp_lib_span)
template <typename T> using span = std::span<T>;
#else
// What of std::span is used here: a view of contiguous elements.
template <typename T> class span {
  public:
    constexpr span() noexcept = default;
    constexpr span(T *data, std::size_t size) noexcept : data_(data), size_(size) {}
    template <std::size_t N> constexpr span(T (&array)[N]) noexcept : data_(array), size_(N) {}
    // Containers with data() and size(), of T or of what becomes T by const alone.
    template <typename Container,
              typename Data = std::remove_pointer_t<decltype(std::declval<Container &>().data())>,
              typename = std::enable_if_t<std::is_convertible_v<Data (*)[], T (*)[]>>,
              typename = decltype(std::declval<Container &>().size())>
    constexpr span(Container &&container) noexcept : data_(container.data()), size_(container.size()) {}

    constexpr T *data() const noexcept { return data_; }
    constexpr std::size_t size() const noexcept { return size_; }

  private:
    T *data_ = nullptr;
    std::size_t size_ = 0;
};
#endif

using bytes = span<std::uint8_t>;
using const_bytes = span<const std::uint8_t>;

// A status that is not ATREST_OK, with its message.
class error : public std::runtime_error {
  public:
    explicit error(atrest_status status) : std::runtime_error(atrest_status_message(status)), status_(status) {}
    atrest_status status() const noexcept { return status_; }

  private:
    atrest_status status_;
};

inline void check(atrest_status status) {
    if (status != ATREST_OK) throw error(status);
}

// A tweak as IEEE Std 1619 has it, before it is encrypted.
using raw_tweak = std::array<std::uint8_t, 16>;

// The tweaks of a call's sectors: a layout (see enum atrest_layout), any sequence, or a list with one for each sector.
class tweaks {
  public:
    // A sector number alone is plain64.
    constexpr tweaks(std::uint64_t first) noexcept : tweaks(ATREST_LAYOUT_PLAIN64, 0, first) {}
    static constexpr tweaks plain(std::uint64_t first) noexcept { return {ATREST_LAYOUT_PLAIN, 0, first}; }
    static constexpr tweaks plain64(std::uint64_t first) noexcept { return {ATREST_LAYOUT_PLAIN64, 0, first}; }
    static constexpr tweaks plain64be(std::uint64_t first) noexcept { return {ATREST_LAYOUT_PLAIN64BE, 0, first}; }
    static constexpr tweaks plain64_in_512(std::uint64_t first) noexcept {
        return {ATREST_LAYOUT_PLAIN64_IN_512, 0, first};
    }
    static constexpr tweaks upper64(std::uint64_t first) noexcept { return {ATREST_LAYOUT_UPPER64, 0, first}; }
    static constexpr tweaks upper64_in_512(std::uint64_t first) noexcept {
        return {ATREST_LAYOUT_UPPER64_IN_512, 0, first};
    }
    static constexpr tweaks with_complement(std::uint64_t first) noexcept {
        return {ATREST_LAYOUT_WITH_COMPLEMENT, 0, first};
    }
    static constexpr tweaks counter32(std::uint64_t upper, std::uint64_t lower) noexcept {
        return {ATREST_LAYOUT_COUNTER32, upper, lower};
    }
    static constexpr tweaks number128(std::uint64_t upper, std::uint64_t lower) noexcept {
        return {ATREST_LAYOUT_NUMBER128, upper, lower};
    }
    static constexpr tweaks number128be(std::uint64_t upper, std::uint64_t lower) noexcept {
        return {ATREST_LAYOUT_NUMBER128BE, upper, lower};
    }
    static constexpr tweaks sequence(const atrest_tweak_sequence &sequence) noexcept { return tweaks(sequence); }
    // It is not copied: the list must live as long as this is used.
    static constexpr tweaks list(span<const raw_tweak> list) noexcept { return tweaks(list); }

    // What atrest_xts_encrypt_sectors_tweaks() takes; NULL for sequences and lists.
    constexpr const atrest_tweaks *get() const noexcept { return kind_ == kind::layout ? &layout_ : nullptr; }

  private:
    friend class xts;
    enum class kind { layout, sequence, list };

    constexpr tweaks(atrest_layout layout, std::uint64_t upper, std::uint64_t lower) noexcept
        : kind_(kind::layout), layout_{lower, upper, layout, 0} {}
    explicit constexpr tweaks(const atrest_tweak_sequence &sequence) noexcept
        : kind_(kind::sequence), sequence_(sequence) {}
    explicit constexpr tweaks(span<const raw_tweak> list) noexcept : kind_(kind::list), list_(list) {}

    const std::uint8_t *list_data() const noexcept {
        return list_.size() == 0 ? nullptr : list_.data()->data();
    }

    kind kind_;
    atrest_tweaks layout_{};
    atrest_tweak_sequence sequence_{};
    span<const raw_tweak> list_;
};

// An expanded XTS-AES key. It moves, does not copy, and is wiped when it goes. Any number of threads may use one. A key
// that was moved from answers ATREST_ERROR_NULL.
class xts {
  public:
    // key1, then key2: 32 or 64 bytes. The backend is that of ATREST_BACKEND, else the fastest.
    explicit xts(const_bytes key) { check(atrest_xts_new(key.data(), key.size(), &key_)); }
    xts(const_bytes key, const char *backend) {
        check(atrest_xts_new_with_backend(key.data(), key.size(), backend, &key_));
    }
    // key1 and key2, which lie anywhere: 16 or 32 bytes each.
    static xts from_halves(const_bytes key1, const_bytes key2) {
        xts made;
        if (key1.size() != key2.size()) throw error(ATREST_ERROR_KEY_LENGTH);
        check(atrest_xts_new_from_halves(key1.data(), key2.data(), key1.size(), nullptr, 0, &made.key_));
        return made;
    }
    // For test vectors and old data alone; see atrest_xts_new_allowing_equal_halves().
    static xts allowing_equal_halves(const_bytes key) {
        xts made;
        check(atrest_xts_new_allowing_equal_halves(key.data(), key.size(), &made.key_));
        return made;
    }
    // Without exceptions: `status` tells, and the key is empty unless it is ATREST_OK.
    static xts try_new(const_bytes key, atrest_status &status) noexcept {
        xts made;
        status = atrest_xts_new(key.data(), key.size(), &made.key_);
        return made;
    }
    ~xts() { atrest_xts_free(key_); }
    xts(const xts &) = delete;
    xts &operator=(const xts &) = delete;
    xts(xts &&other) noexcept : key_(std::exchange(other.key_, nullptr)) {}
    xts &operator=(xts &&other) noexcept {
        if (this != &other) {
            atrest_xts_free(key_);
            key_ = std::exchange(other.key_, nullptr);
        }
        return *this;
    }

    explicit operator bool() const noexcept { return key_ != nullptr; }
    const atrest_xts *get() const noexcept { return key_; }
    // Empty for a key that was moved from.
    std::string_view backend() const noexcept {
        const char *const name = atrest_backend_name(key_);
        return name == nullptr ? std::string_view() : std::string_view(name);
    }

    // Sectors in place.
    atrest_status try_encrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const noexcept {
        return encrypt(first, sector_size, data.data(), data.data(), data.size());
    }
    atrest_status try_decrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const noexcept {
        return decrypt(first, sector_size, data.data(), data.data(), data.size());
    }
    void encrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const {
        check(try_encrypt_sectors(first, sector_size, data));
    }
    void decrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const {
        check(try_decrypt_sectors(first, sector_size, data));
    }

    // Sectors from one buffer into another, equally long.
    atrest_status try_encrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const noexcept {
        if (src.size() != dst.size()) return ATREST_ERROR_LENGTH_MISMATCH;
        return encrypt(first, sector_size, src.data(), dst.data(), src.size());
    }
    atrest_status try_decrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const noexcept {
        if (src.size() != dst.size()) return ATREST_ERROR_LENGTH_MISMATCH;
        return decrypt(first, sector_size, src.data(), dst.data(), src.size());
    }
    void encrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const {
        check(try_encrypt_sectors(first, sector_size, src, dst));
    }
    void decrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const {
        check(try_decrypt_sectors(first, sector_size, src, dst));
    }

#ifndef _WIN32
    // Sectors in pieces of memory; in place where `dst` lists the pieces of `src`.
    atrest_status try_encrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src,
                                  span<const iovec> dst) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_encrypt_iov_sequence(key_, &first.sequence_, sector_size, src.data(), src.size(),
                                                   dst.data(), dst.size());
        case tweaks::kind::list:
            return atrest_xts_encrypt_iov_list(key_, first.list_data(), first.list_.size(), sector_size, src.data(),
                                               src.size(), dst.data(), dst.size());
        case tweaks::kind::layout: break;
        }
        return atrest_xts_encrypt_iov_tweaks(key_, &first.layout_, sector_size, src.data(), src.size(), dst.data(),
                                             dst.size());
    }
    atrest_status try_decrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src,
                                  span<const iovec> dst) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_decrypt_iov_sequence(key_, &first.sequence_, sector_size, src.data(), src.size(),
                                                   dst.data(), dst.size());
        case tweaks::kind::list:
            return atrest_xts_decrypt_iov_list(key_, first.list_data(), first.list_.size(), sector_size, src.data(),
                                               src.size(), dst.data(), dst.size());
        case tweaks::kind::layout: break;
        }
        return atrest_xts_decrypt_iov_tweaks(key_, &first.layout_, sector_size, src.data(), src.size(), dst.data(),
                                             dst.size());
    }
    void encrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src, span<const iovec> dst) const {
        check(try_encrypt_iov(first, sector_size, src, dst));
    }
    void decrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src, span<const iovec> dst) const {
        check(try_decrypt_iov(first, sector_size, src, dst));
    }
#endif

    // One data unit in place, under a raw tweak.
    using raw_tweak = atrest::raw_tweak;
    atrest_status try_encrypt_unit(const raw_tweak &tweak, bytes data) const noexcept {
        return atrest_xts_encrypt_unit(key_, tweak.data(), data.data(), data.data(), data.size());
    }
    atrest_status try_decrypt_unit(const raw_tweak &tweak, bytes data) const noexcept {
        return atrest_xts_decrypt_unit(key_, tweak.data(), data.data(), data.data(), data.size());
    }
    void encrypt_unit(const raw_tweak &tweak, bytes data) const { check(try_encrypt_unit(tweak, data)); }
    void decrypt_unit(const raw_tweak &tweak, bytes data) const { check(try_decrypt_unit(tweak, data)); }

  private:
    xts() noexcept = default;
    atrest_status encrypt(const tweaks &first, std::size_t sector_size, const std::uint8_t *src, std::uint8_t *dst,
                          std::size_t len) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_encrypt_sectors_sequence(key_, &first.sequence_, sector_size, src, dst, len);
        case tweaks::kind::list:
            return atrest_xts_encrypt_sectors_list(key_, first.list_data(), first.list_.size(), sector_size, src, dst,
                                                   len);
        case tweaks::kind::layout: break;
        }
        return atrest_xts_encrypt_sectors_tweaks(key_, &first.layout_, sector_size, src, dst, len);
    }
    atrest_status decrypt(const tweaks &first, std::size_t sector_size, const std::uint8_t *src, std::uint8_t *dst,
                          std::size_t len) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_decrypt_sectors_sequence(key_, &first.sequence_, sector_size, src, dst, len);
        case tweaks::kind::list:
            return atrest_xts_decrypt_sectors_list(key_, first.list_data(), first.list_.size(), sector_size, src, dst,
                                                   len);
        case tweaks::kind::layout: break;
        }
        return atrest_xts_decrypt_sectors_tweaks(key_, &first.layout_, sector_size, src, dst, len);
    }
    atrest_xts *key_ = nullptr;
};

} // namespace atrest

#endif
