// atrest for C++17 and later: keys and volumes that free themselves, spans, and errors as exceptions or as values.
//
//     atrest::providers providers;
//     providers.add_local("/etc/atrest");
//     providers.expect(pin); // what volume::pin() gave when the volume was made
//     auto volume = atrest::volume::open("disk.luks", providers);
//     volume.write(bytes, 0);
//     volume.flush();
//
// Header-only, over atrest.h, which documents ranges, overlap, threads and statuses; nothing here adds to its ABI. Each
// call that may fail comes twice. The plain one throws atrest::error. The one with try_ in front throws none of atrest's
// errors: it returns the status, or a result where there is a value or a line of text besides:
//
//     auto opened = atrest::volume::try_open("disk.luks", providers);
//     if (!opened) return fail(opened.message());
//     if (opened->try_flush() != ATREST_OK) ...
//
// With -fno-exceptions the plain ones are not there, constructors that throw included: xts::try_new, providers::try_new.
#ifndef ATREST_HPP
#define ATREST_HPP

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define ATREST_THROWS 1
#include <stdexcept>
#else
#define ATREST_THROWS 0
#endif

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

#if ATREST_THROWS
// A status that is not ATREST_OK, with a line that says why: the call's own where it has one, else the status's message.
class error : public std::runtime_error {
  public:
    explicit error(atrest_status status) : error(status, std::string()) {}
    error(atrest_status status, const std::string &why)
        : std::runtime_error(why.empty() ? atrest_status_message(status) : why), status_(status) {}
    atrest_status status() const noexcept { return status_; }

  private:
    atrest_status status_;
};

inline void check(atrest_status status) {
    if (status != ATREST_OK) throw error(status);
}
#endif

// What a call gives that makes something: the thing, or a status and a line that says why there is none. A call that
// succeeded may have left a warning in that line.
template <typename T> class [[nodiscard]] result {
  public:
    result(atrest_status status, std::string message) : status_(status), message_(std::move(message)) {}
    result(T value, std::string message) : value_(std::move(value)), message_(std::move(message)) {}

    explicit operator bool() const noexcept { return value_.has_value(); }
    atrest_status status() const noexcept { return status_; }
    const std::string &message() const noexcept { return message_; }
    // Only where there is one.
    T &operator*() & noexcept { return *value_; }
    T &&operator*() && noexcept { return *std::move(value_); }
    T *operator->() noexcept { return &*value_; }
#if ATREST_THROWS
    T value() && {
        if (!value_) throw error(status_, message_);
        return *std::move(value_);
    }
#endif

  private:
    std::optional<T> value_;
    atrest_status status_ = ATREST_OK;
    std::string message_;
};

// The same of a call that makes nothing.
template <> class [[nodiscard]] result<void> {
  public:
    result(atrest_status status, std::string message) : status_(status), message_(std::move(message)) {}

    explicit operator bool() const noexcept { return status_ == ATREST_OK; }
    atrest_status status() const noexcept { return status_; }
    const std::string &message() const noexcept { return message_; }
#if ATREST_THROWS
    // The warning, mostly none.
    std::string value() && {
        if (status_ != ATREST_OK) throw error(status_, message_);
        return std::move(message_);
    }
#endif

  private:
    atrest_status status_;
    std::string message_;
};

namespace detail {

struct free_handle {
    void operator()(atrest_xts *xts) const noexcept { atrest_xts_free(xts); }
#if defined(ATREST_WITH_VOLUME)
    void operator()(atrest_providers *providers) const noexcept { atrest_providers_free(providers); }
    void operator()(atrest_volume *volume) const noexcept { atrest_volume_close(volume); }
    void operator()(atrest_envelope *envelope) const noexcept { atrest_envelope_free(envelope); }
    void operator()(atrest_sector_cipher *cipher) const noexcept { atrest_sector_cipher_free(cipher); }
#endif
};
template <typename T> using handle = std::unique_ptr<T, free_handle>;

} // namespace detail

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
#if ATREST_THROWS
    // key1, then key2: 32 or 64 bytes. The backend is that of ATREST_BACKEND, else the fastest.
    explicit xts(const_bytes key) {
        atrest_xts *made = nullptr;
        check(atrest_xts_new(key.data(), key.size(), &made));
        key_.reset(made);
    }
    xts(const_bytes key, const char *backend) {
        atrest_xts *made = nullptr;
        check(atrest_xts_new_with_backend(key.data(), key.size(), backend, &made));
        key_.reset(made);
    }
    // key1 and key2, which lie anywhere: 16 or 32 bytes each.
    static xts from_halves(const_bytes key1, const_bytes key2) {
        atrest_xts *made = nullptr;
        if (key1.size() != key2.size()) throw error(ATREST_ERROR_KEY_LENGTH);
        check(atrest_xts_new_from_halves(key1.data(), key2.data(), key1.size(), nullptr, 0, &made));
        return adopt(made);
    }
    // For test vectors and old data alone; see atrest_xts_new_allowing_equal_halves().
    static xts allowing_equal_halves(const_bytes key) {
        atrest_xts *made = nullptr;
        check(atrest_xts_new_allowing_equal_halves(key.data(), key.size(), &made));
        return adopt(made);
    }
#endif
    // Without exceptions: `status` tells, and the key is empty unless it is ATREST_OK.
    static xts try_new(const_bytes key, atrest_status &status) noexcept {
        atrest_xts *made = nullptr;
        status = atrest_xts_new(key.data(), key.size(), &made);
        return adopt(made);
    }
    // What any call of atrest.h made, to be freed here; not of atrest_xts_init().
    static xts adopt(atrest_xts *key) noexcept {
        xts made;
        made.key_.reset(key);
        return made;
    }

    explicit operator bool() const noexcept { return key_ != nullptr; }
    const atrest_xts *get() const noexcept { return key_.get(); }
    // Empty for a key that was moved from.
    std::string_view backend() const noexcept {
        const char *const name = atrest_backend_name(get());
        return name == nullptr ? std::string_view() : std::string_view(name);
    }

    // Sectors in place.
    atrest_status try_encrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const noexcept {
        return encrypt(first, sector_size, data.data(), data.data(), data.size());
    }
    atrest_status try_decrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const noexcept {
        return decrypt(first, sector_size, data.data(), data.data(), data.size());
    }
#if ATREST_THROWS
    void encrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const {
        check(try_encrypt_sectors(first, sector_size, data));
    }
    void decrypt_sectors(tweaks first, std::size_t sector_size, bytes data) const {
        check(try_decrypt_sectors(first, sector_size, data));
    }
#endif

    // Sectors from one buffer into another, equally long.
    atrest_status try_encrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const noexcept {
        if (src.size() != dst.size()) return ATREST_ERROR_LENGTH_MISMATCH;
        return encrypt(first, sector_size, src.data(), dst.data(), src.size());
    }
    atrest_status try_decrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const noexcept {
        if (src.size() != dst.size()) return ATREST_ERROR_LENGTH_MISMATCH;
        return decrypt(first, sector_size, src.data(), dst.data(), src.size());
    }
#if ATREST_THROWS
    void encrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const {
        check(try_encrypt_sectors(first, sector_size, src, dst));
    }
    void decrypt_sectors(tweaks first, std::size_t sector_size, const_bytes src, bytes dst) const {
        check(try_decrypt_sectors(first, sector_size, src, dst));
    }
#endif

#ifndef _WIN32
    // Sectors in pieces of memory; in place where `dst` lists the pieces of `src`.
    atrest_status try_encrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src,
                                  span<const iovec> dst) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_encrypt_iov_sequence(get(), &first.sequence_, sector_size, src.data(), src.size(),
                                                   dst.data(), dst.size());
        case tweaks::kind::list:
            return atrest_xts_encrypt_iov_list(get(), first.list_data(), first.list_.size(), sector_size, src.data(),
                                               src.size(), dst.data(), dst.size());
        case tweaks::kind::layout: break;
        }
        return atrest_xts_encrypt_iov_tweaks(get(), &first.layout_, sector_size, src.data(), src.size(), dst.data(),
                                             dst.size());
    }
    atrest_status try_decrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src,
                                  span<const iovec> dst) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_decrypt_iov_sequence(get(), &first.sequence_, sector_size, src.data(), src.size(),
                                                   dst.data(), dst.size());
        case tweaks::kind::list:
            return atrest_xts_decrypt_iov_list(get(), first.list_data(), first.list_.size(), sector_size, src.data(),
                                               src.size(), dst.data(), dst.size());
        case tweaks::kind::layout: break;
        }
        return atrest_xts_decrypt_iov_tweaks(get(), &first.layout_, sector_size, src.data(), src.size(), dst.data(),
                                             dst.size());
    }
#if ATREST_THROWS
    void encrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src, span<const iovec> dst) const {
        check(try_encrypt_iov(first, sector_size, src, dst));
    }
    void decrypt_iov(tweaks first, std::size_t sector_size, span<const iovec> src, span<const iovec> dst) const {
        check(try_decrypt_iov(first, sector_size, src, dst));
    }
#endif
#endif

    // One data unit in place, under a raw tweak.
    using raw_tweak = atrest::raw_tweak;
    atrest_status try_encrypt_unit(const raw_tweak &tweak, bytes data) const noexcept {
        return atrest_xts_encrypt_unit(get(), tweak.data(), data.data(), data.data(), data.size());
    }
    atrest_status try_decrypt_unit(const raw_tweak &tweak, bytes data) const noexcept {
        return atrest_xts_decrypt_unit(get(), tweak.data(), data.data(), data.data(), data.size());
    }
#if ATREST_THROWS
    void encrypt_unit(const raw_tweak &tweak, bytes data) const { check(try_encrypt_unit(tweak, data)); }
    void decrypt_unit(const raw_tweak &tweak, bytes data) const { check(try_decrypt_unit(tweak, data)); }
#endif

  private:
    xts() noexcept = default;
    atrest_status encrypt(const tweaks &first, std::size_t sector_size, const std::uint8_t *src, std::uint8_t *dst,
                          std::size_t len) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_encrypt_sectors_sequence(get(), &first.sequence_, sector_size, src, dst, len);
        case tweaks::kind::list:
            return atrest_xts_encrypt_sectors_list(get(), first.list_data(), first.list_.size(), sector_size, src, dst,
                                                   len);
        case tweaks::kind::layout: break;
        }
        return atrest_xts_encrypt_sectors_tweaks(get(), &first.layout_, sector_size, src, dst, len);
    }
    atrest_status decrypt(const tweaks &first, std::size_t sector_size, const std::uint8_t *src, std::uint8_t *dst,
                          std::size_t len) const noexcept {
        switch (first.kind_) {
        case tweaks::kind::sequence:
            return atrest_xts_decrypt_sectors_sequence(get(), &first.sequence_, sector_size, src, dst, len);
        case tweaks::kind::list:
            return atrest_xts_decrypt_sectors_list(get(), first.list_data(), first.list_.size(), sector_size, src, dst,
                                                   len);
        case tweaks::kind::layout: break;
        }
        return atrest_xts_decrypt_sectors_tweaks(get(), &first.layout_, sector_size, src, dst, len);
    }
    detail::handle<atrest_xts> key_;
};

#if defined(ATREST_WITH_VOLUME)

using std::chrono::milliseconds;
using uuid_bytes = std::array<std::uint8_t, 16>;

// A timeout: as long as it takes.
inline constexpr milliseconds no_timeout{-1};

namespace detail {

// Room for the line in which a call says why it failed.
struct line {
    char text[1000] = "";
    std::string string() const { return text; }
};

inline std::int32_t in_32_bits(milliseconds timeout) noexcept {
    constexpr auto longest = std::numeric_limits<std::int32_t>::max();
    if (timeout.count() < 0) return -1;
    return timeout.count() > longest ? longest : static_cast<std::int32_t>(timeout.count());
}

inline std::uint32_t time(milliseconds time) noexcept {
    constexpr auto longest = std::numeric_limits<std::uint32_t>::max();
    if (time.count() < 0) return 0;
    return time.count() > longest ? longest : static_cast<std::uint32_t>(time.count());
}

// What `call(text, length)` says.
template <typename Call> result<void> explained(Call call) {
    line why;
    const atrest_status status = call(why.text, sizeof why.text);
    return {status, status == ATREST_OK || why.text[0] != '\0' ? why.string() : atrest_status_message(status)};
}

// What `call(&handle, text, length)` makes.
template <typename T, typename Handle, typename Call> result<T> made(Call call) {
    Handle *out = nullptr;
    auto called = explained([&](char *text, std::size_t length) { return call(&out, text, length); });
    if (!called) return {called.status(), called.message()};
    return {T::adopt(out), called.message()};
}

} // namespace detail

// A set of key providers, which wrap and unwrap the keys of volumes; see atrest_providers_new(). One that was moved from
// answers ATREST_ERROR_NULL, and so does all that follows here.
class providers {
  public:
    static result<providers> try_new() {
        return detail::made<providers, atrest_providers>(
            [](atrest_providers **out, char *, std::size_t) { return atrest_providers_new(out); });
    }
    static providers adopt(atrest_providers *providers_) noexcept { return providers(providers_); }
    const atrest_providers *get() const noexcept { return providers_.get(); }

    // NULL for the user's own keystore.
    result<void> try_add_local(const char *keystore = nullptr) {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_providers_add_local(providers_.get(), keystore, text, length);
        });
    }
    result<void> try_add_local_with_passphrase(const char *keystore, const_bytes passphrase) {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_providers_add_local_with_passphrase(providers_.get(), keystore, passphrase.data(),
                                                              passphrase.size(), text, length);
        });
    }
#if defined(ATREST_WITH_KMS)
    result<void> try_add_aws(const char *region = nullptr, const char *profile = nullptr,
                             const char *endpoint = nullptr) {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_providers_add_aws(providers_.get(), region, profile, endpoint, text, length);
        });
    }
#endif
    // A pin or other words; without one, and without any, volumes open for reading alone.
    result<void> try_expect(const char *expectation) {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_providers_expect(providers_.get(), expectation, text, length);
        });
    }
    atrest_status try_expect_any() noexcept { return atrest_providers_expect_any(providers_.get()); }
    result<void> try_set_cache(std::size_t max_keys, milliseconds time) {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_providers_set_cache(providers_.get(), max_keys, detail::time(time), text, length);
        });
    }
    atrest_status try_clear_cache() const noexcept { return atrest_providers_clear_cache(get()); }
#if ATREST_THROWS
    providers() : providers(try_new().value()) {}
    void add_local(const char *keystore = nullptr) { try_add_local(keystore).value(); }
    void add_local_with_passphrase(const char *keystore, const_bytes passphrase) {
        try_add_local_with_passphrase(keystore, passphrase).value();
    }
#if defined(ATREST_WITH_KMS)
    void add_aws(const char *region = nullptr, const char *profile = nullptr, const char *endpoint = nullptr) {
        try_add_aws(region, profile, endpoint).value();
    }
#endif
    void expect(const char *expectation) { try_expect(expectation).value(); }
    void expect(const std::string &expectation) { expect(expectation.c_str()); }
    void expect_any() { check(try_expect_any()); }
    void set_cache(std::size_t max_keys, milliseconds time) { try_set_cache(max_keys, time).value(); }
    void clear_cache() const { check(try_clear_cache()); }
#endif

  private:
    explicit providers(atrest_providers *made) noexcept : providers_(made) {}
    detail::handle<atrest_providers> providers_;
};

// Makes a key in a local keystore, and the keystore where there is none; see atrest_local_create_key().
inline result<void> try_create_local_key(const char *keystore, const char *key) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_local_create_key(keystore, key, text, length);
    });
}

// A root key in its wrappings, without a volume; see atrest_envelope_create().
class envelope {
  public:
    static result<envelope> try_create(const providers &providers, const char *key, milliseconds timeout = no_timeout,
                                       const uuid_bytes *uuid = nullptr) {
        return detail::made<envelope, atrest_envelope>([&](atrest_envelope **out, char *text, std::size_t length) {
            return atrest_envelope_create(providers.get(), key, uuid == nullptr ? nullptr : uuid->data(),
                                          detail::in_32_bits(timeout), out, text, length);
        });
    }
    static result<envelope> try_parse(std::string_view json) {
        return detail::made<envelope, atrest_envelope>([&](atrest_envelope **out, char *text, std::size_t length) {
            return atrest_envelope_parse(reinterpret_cast<const std::uint8_t *>(json.data()), json.size(), out, text,
                                         length);
        });
    }
    static envelope adopt(atrest_envelope *made) noexcept { return envelope(made); }
    const atrest_envelope *get() const noexcept { return envelope_.get(); }

    // Empty for one that was moved from; they live as long as the envelope.
    std::string_view json() const noexcept { return view(atrest_envelope_json(get())); }
    // Empty from the number of slots on.
    std::string_view key(std::size_t slot) const noexcept { return view(atrest_envelope_key(get(), slot)); }
    atrest_status try_uuid(uuid_bytes &uuid) const noexcept { return atrest_envelope_uuid(get(), uuid.data()); }
    result<xts> try_unwrap(const providers &providers, milliseconds timeout = no_timeout) const {
        return detail::made<xts, atrest_xts>([&](atrest_xts **out, char *text, std::size_t length) {
            return atrest_envelope_unwrap(get(), providers.get(), detail::in_32_bits(timeout), out, text, length);
        });
    }
    // key1, then key2, which the caller wipes.
    result<void> try_unwrap_key(const providers &providers, std::uint8_t (&key)[64],
                                milliseconds timeout = no_timeout) const {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_envelope_unwrap_key(get(), providers.get(), detail::in_32_bits(timeout), key, text, length);
        });
    }
    result<envelope> try_rewrap(std::size_t slot, const providers &providers, const char *key,
                                milliseconds timeout = no_timeout) const {
        return detail::made<envelope, atrest_envelope>([&](atrest_envelope **out, char *text, std::size_t length) {
            return atrest_envelope_rewrap(get(), slot, providers.get(), key, detail::in_32_bits(timeout), out, text,
                                          length);
        });
    }
#if ATREST_THROWS
    static envelope create(const providers &providers, const char *key, milliseconds timeout = no_timeout,
                           const uuid_bytes *uuid = nullptr) {
        return try_create(providers, key, timeout, uuid).value();
    }
    static envelope parse(std::string_view json) { return try_parse(json).value(); }
    uuid_bytes uuid() const {
        uuid_bytes uuid;
        check(try_uuid(uuid));
        return uuid;
    }
    xts unwrap(const providers &providers, milliseconds timeout = no_timeout) const {
        return try_unwrap(providers, timeout).value();
    }
    void unwrap_key(const providers &providers, std::uint8_t (&key)[64], milliseconds timeout = no_timeout) const {
        try_unwrap_key(providers, key, timeout).value();
    }
    envelope rewrap(std::size_t slot, const providers &providers, const char *key,
                    milliseconds timeout = no_timeout) const {
        return try_rewrap(slot, providers, key, timeout).value();
    }
#endif

  private:
    explicit envelope(atrest_envelope *made) noexcept : envelope_(made) {}
    static std::string_view view(const char *text) noexcept {
        return text == nullptr ? std::string_view() : std::string_view(text);
    }
    detail::handle<atrest_envelope> envelope_;
};

struct open_options {
    bool read_only = false;
    bool discard = false; // see ATREST_VOLUME_DISCARD
    bool shared = false; // see ATREST_VOLUME_SHARED
    milliseconds timeout = no_timeout;
};

struct create_options {
    std::size_t sector_size = 0; // 512, 1024, 2048 or 4096; 0 for 4096
    bool discard = false;
    milliseconds timeout = no_timeout;
};

// An open encrypted volume. It moves, does not copy, and is closed when it goes, which does not flush: flush() does, and
// says whether it worked. Any number of threads may read and write one.
class volume {
  public:
    static result<volume> try_open(const char *path, const providers &providers, const open_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_open(path, flags(options), providers.get(), detail::in_32_bits(options.timeout), out,
                                      text, length);
        });
    }
    // The volume works on a duplicate of the descriptor.
    static result<volume> try_open_fd(int fd, const providers &providers, const open_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_open_fd(fd, flags(options), providers.get(), detail::in_32_bits(options.timeout), out,
                                         text, length);
        });
    }
    // Over functions of yours, which with their context must outlive the volume; the table is copied.
    static result<volume> try_open_storage(const atrest_storage &storage, const providers &providers,
                                           const open_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_open_storage(&storage, flags(options), providers.get(),
                                              detail::in_32_bits(options.timeout), out, text, length);
        });
    }
    static result<volume> try_create_storage(const atrest_storage &storage, std::uint64_t size,
                                             const providers &providers, const char *key,
                                             const create_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_create_storage(&storage, size, options.sector_size, flags(options), providers.get(), key,
                                                detail::in_32_bits(options.timeout), out, text, length);
        });
    }
    static result<volume> try_create(const char *path, std::uint64_t size, const providers &providers, const char *key,
                                     const create_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_create(path, size, options.sector_size, flags(options), providers.get(), key,
                                        detail::in_32_bits(options.timeout), out, text, length);
        });
    }
    static result<volume> try_create_fd(int fd, std::uint64_t size, const providers &providers, const char *key,
                                        const create_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_create_fd(fd, size, options.sector_size, flags(options), providers.get(), key,
                                           detail::in_32_bits(options.timeout), out, text, length);
        });
    }
    // With a key of its own in the keystore (NULL for the user's), which destroy_volume() erases.
    static result<volume> try_create_scratch(const char *path, std::uint64_t size, const char *keystore = nullptr,
                                             const create_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_create_scratch(path, size, options.sector_size, flags(options), keystore, out, text,
                                                length);
        });
    }
    static result<volume> try_create_scratch_storage(const atrest_storage &storage, std::uint64_t size,
                                                     const char *keystore = nullptr,
                                                     const create_options &options = {}) {
        return detail::made<volume, atrest_volume>([&](atrest_volume **out, char *text, std::size_t length) {
            return atrest_volume_create_scratch_storage(&storage, size, options.sector_size, flags(options), keystore,
                                                        out, text, length);
        });
    }
    static volume adopt(atrest_volume *made) noexcept { return volume(made); }
    explicit operator bool() const noexcept { return volume_ != nullptr; }
    const atrest_volume *get() const noexcept { return volume_.get(); }
    void close() noexcept { volume_.reset(); }

    std::uint64_t size() const noexcept { return atrest_volume_size(get()); }
    std::size_t sector_size() const noexcept { return atrest_volume_sector_size(get()); }
    atrest_status try_uuid(uuid_bytes &uuid) const noexcept { return atrest_volume_uuid(get(), uuid.data()); }
    // What providers::expect() takes, to open this volume and no other.
    result<std::string> try_pin() const {
        char pin[ATREST_PIN_SIZE];
        const atrest_status status = atrest_volume_pin(get(), pin, sizeof pin);
        if (status != ATREST_OK) return {status, atrest_status_message(status)};
        return {std::string(pin), std::string()};
    }
    // Which one opened it, from 0; -1 where none did, because the volume was made here.
    int slot() const noexcept { return atrest_volume_slot(get()); }
    std::uint64_t generation() const noexcept { return atrest_volume_generation(get()); }
    // Why that slot did not open it. A success has nothing to tell, and nothing is thrown: this is what was asked for.
    result<void> slot_failure(std::size_t slot) const {
        return detail::explained(
            [&](char *text, std::size_t length) { return atrest_volume_slot_failure(get(), slot, text, length); });
    }
    result<atrest::envelope> try_envelope() const {
        return detail::made<atrest::envelope, atrest_envelope>(
            [&](atrest_envelope **out, char *, std::size_t) { return atrest_volume_envelope(get(), out); });
    }
    atrest_status try_read(bytes data, std::uint64_t offset) const noexcept {
        return atrest_volume_read(get(), data.data(), data.size(), offset);
    }
    atrest_status try_write(const_bytes data, std::uint64_t offset) const noexcept {
        return atrest_volume_write(get(), data.data(), data.size(), offset);
    }
    atrest_status try_write_zeros(std::uint64_t length, std::uint64_t offset) const noexcept {
        return atrest_volume_write_zeros(get(), length, offset);
    }
    atrest_status try_discard(std::uint64_t length, std::uint64_t offset) const noexcept {
        return atrest_volume_discard(get(), length, offset);
    }
    atrest_status try_flush() const noexcept { return atrest_volume_flush(get()); }
    // Closes the volume when its key is withdrawn; see atrest_volume_recheck().
    result<void> try_recheck(const providers &providers, milliseconds interval, milliseconds grace) {
        return detail::explained([&](char *text, std::size_t length) {
            return atrest_volume_recheck(volume_.get(), providers.get(), detail::time(interval), detail::time(grace),
                                         text, length);
        });
    }
    result<void> try_check_lease() const {
        return detail::explained(
            [&](char *text, std::size_t length) { return atrest_volume_check_lease(get(), text, length); });
    }
#if ATREST_THROWS
    static volume open(const char *path, const providers &providers, const open_options &options = {}) {
        return try_open(path, providers, options).value();
    }
    static volume open_fd(int fd, const providers &providers, const open_options &options = {}) {
        return try_open_fd(fd, providers, options).value();
    }
    static volume open_storage(const atrest_storage &storage, const providers &providers,
                               const open_options &options = {}) {
        return try_open_storage(storage, providers, options).value();
    }
    static volume create_storage(const atrest_storage &storage, std::uint64_t size, const providers &providers,
                                 const char *key, const create_options &options = {}) {
        return try_create_storage(storage, size, providers, key, options).value();
    }
    static volume create(const char *path, std::uint64_t size, const providers &providers, const char *key,
                         const create_options &options = {}) {
        return try_create(path, size, providers, key, options).value();
    }
    static volume create_fd(int fd, std::uint64_t size, const providers &providers, const char *key,
                            const create_options &options = {}) {
        return try_create_fd(fd, size, providers, key, options).value();
    }
    static volume create_scratch(const char *path, std::uint64_t size, const char *keystore = nullptr,
                                 const create_options &options = {}) {
        return try_create_scratch(path, size, keystore, options).value();
    }
    static volume create_scratch_storage(const atrest_storage &storage, std::uint64_t size,
                                         const char *keystore = nullptr, const create_options &options = {}) {
        return try_create_scratch_storage(storage, size, keystore, options).value();
    }
    uuid_bytes uuid() const {
        uuid_bytes uuid;
        check(try_uuid(uuid));
        return uuid;
    }
    std::string pin() const { return try_pin().value(); }
    atrest::envelope envelope() const { return try_envelope().value(); }
    void read(bytes data, std::uint64_t offset) const { check(try_read(data, offset)); }
    void write(const_bytes data, std::uint64_t offset) const { check(try_write(data, offset)); }
    void write_zeros(std::uint64_t length, std::uint64_t offset) const { check(try_write_zeros(length, offset)); }
    void discard(std::uint64_t length, std::uint64_t offset) const { check(try_discard(length, offset)); }
    void flush() const { check(try_flush()); }
    void recheck(const providers &providers, milliseconds interval, milliseconds grace) {
        try_recheck(providers, interval, grace).value();
    }
    void check_lease() const { try_check_lease().value(); }
#endif

  private:
    explicit volume(atrest_volume *made) noexcept : volume_(made) {}
    static std::uint32_t flags(const open_options &options) noexcept {
        return (options.read_only ? std::uint32_t{ATREST_VOLUME_READ_ONLY} : 0) |
               (options.discard ? std::uint32_t{ATREST_VOLUME_DISCARD} : 0) |
               (options.shared ? std::uint32_t{ATREST_VOLUME_SHARED} : 0);
    }
    static std::uint32_t flags(const create_options &options) noexcept {
        return options.discard ? std::uint32_t{ATREST_VOLUME_DISCARD} : 0;
    }
    detail::handle<atrest_volume> volume_;
};

// The sectors of a volume without I/O, from the bytes of its header; see atrest_sector_cipher_new().
class sector_cipher {
  public:
    // How many of a storage's first bytes to give, as far as 4096 of them tell.
    static std::size_t header_length(const_bytes start) noexcept {
        return atrest_volume_header_length(start.data(), start.size());
    }
    static result<sector_cipher> try_new(const_bytes header, const providers &providers,
                                         milliseconds timeout = no_timeout) {
        return detail::made<sector_cipher, atrest_sector_cipher>(
            [&](atrest_sector_cipher **out, char *text, std::size_t length) {
                return atrest_sector_cipher_new(header.data(), header.size(), providers.get(),
                                                detail::in_32_bits(timeout), out, text, length);
            });
    }
    static sector_cipher adopt(atrest_sector_cipher *made) noexcept { return sector_cipher(made); }
    const atrest_sector_cipher *get() const noexcept { return cipher_.get(); }

    std::uint64_t size() const noexcept { return atrest_sector_cipher_size(get()); }
    std::size_t sector_size() const noexcept { return atrest_sector_cipher_sector_size(get()); }
    std::uint64_t data_offset() const noexcept { return atrest_sector_cipher_data_offset(get()); }
    std::uint64_t storage_length() const noexcept { return atrest_sector_cipher_storage_length(get()); }
    // Whole sectors, in place; `first` counts sectors of the volume from 0.
    atrest_status try_encrypt(std::uint64_t first, bytes data) const noexcept {
        return atrest_sector_cipher_encrypt(get(), first, data.data(), data.data(), data.size());
    }
    atrest_status try_decrypt(std::uint64_t first, bytes data) const noexcept {
        return atrest_sector_cipher_decrypt(get(), first, data.data(), data.data(), data.size());
    }
    // From one buffer into another, equally long.
    atrest_status try_encrypt(std::uint64_t first, const_bytes src, bytes dst) const noexcept {
        if (src.size() != dst.size()) return ATREST_ERROR_LENGTH_MISMATCH;
        return atrest_sector_cipher_encrypt(get(), first, src.data(), dst.data(), src.size());
    }
    atrest_status try_decrypt(std::uint64_t first, const_bytes src, bytes dst) const noexcept {
        if (src.size() != dst.size()) return ATREST_ERROR_LENGTH_MISMATCH;
        return atrest_sector_cipher_decrypt(get(), first, src.data(), dst.data(), src.size());
    }
    // In pieces of memory; in place where `dst` lists the pieces of `src`.
    atrest_status try_encrypt_iov(std::uint64_t first, span<const iovec> src, span<const iovec> dst) const noexcept {
        return atrest_sector_cipher_encrypt_iov(get(), first, src.data(), src.size(), dst.data(), dst.size());
    }
    atrest_status try_decrypt_iov(std::uint64_t first, span<const iovec> src, span<const iovec> dst) const noexcept {
        return atrest_sector_cipher_decrypt_iov(get(), first, src.data(), src.size(), dst.data(), dst.size());
    }
#if ATREST_THROWS
    sector_cipher(const_bytes header, const providers &providers, milliseconds timeout = no_timeout)
        : sector_cipher(try_new(header, providers, timeout).value()) {}
    void encrypt(std::uint64_t first, bytes data) const { check(try_encrypt(first, data)); }
    void decrypt(std::uint64_t first, bytes data) const { check(try_decrypt(first, data)); }
    void encrypt(std::uint64_t first, const_bytes src, bytes dst) const { check(try_encrypt(first, src, dst)); }
    void decrypt(std::uint64_t first, const_bytes src, bytes dst) const { check(try_decrypt(first, src, dst)); }
    void encrypt_iov(std::uint64_t first, span<const iovec> src, span<const iovec> dst) const {
        check(try_encrypt_iov(first, src, dst));
    }
    void decrypt_iov(std::uint64_t first, span<const iovec> src, span<const iovec> dst) const {
        check(try_decrypt_iov(first, src, dst));
    }
#endif

  private:
    explicit sector_cipher(atrest_sector_cipher *made) noexcept : cipher_(made) {}
    detail::handle<atrest_sector_cipher> cipher_;
};

// What changes a volume's header; see atrest_volume_rewrap() and so on. A success may carry a warning.
inline result<void> try_rewrap_volume(const char *path, std::size_t slot, const providers &providers, const char *key,
                                      milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_rewrap(path, slot, providers.get(), key, detail::in_32_bits(timeout), text, length);
    });
}
inline result<void> try_rewrap_volume_fd(int fd, std::size_t slot, const providers &providers, const char *key,
                                         milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_rewrap_fd(fd, slot, providers.get(), key, detail::in_32_bits(timeout), text, length);
    });
}
inline result<void> try_rewrap_volume_storage(const atrest_storage &storage, std::size_t slot,
                                              const providers &providers, const char *key,
                                              milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_rewrap_storage(&storage, slot, providers.get(), key, detail::in_32_bits(timeout), text,
                                            length);
    });
}
inline result<void> try_add_volume_slot(const char *path, const providers &providers, const char *key,
                                        milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_add_slot(path, providers.get(), key, detail::in_32_bits(timeout), text, length);
    });
}
inline result<void> try_add_volume_slot_storage(const atrest_storage &storage, const providers &providers,
                                                const char *key, milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_add_slot_storage(&storage, providers.get(), key, detail::in_32_bits(timeout), text, length);
    });
}
inline result<void> try_remove_volume_slot(const char *path, std::size_t slot, const providers &providers,
                                           milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_remove_slot(path, slot, providers.get(), detail::in_32_bits(timeout), text, length);
    });
}
inline result<void> try_remove_volume_slot_storage(const atrest_storage &storage, std::size_t slot,
                                                   const providers &providers, milliseconds timeout = no_timeout) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_remove_slot_storage(&storage, slot, providers.get(), detail::in_32_bits(timeout), text,
                                                 length);
    });
}
inline result<void> try_backup_volume_header(const char *path, const char *backup) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_backup_header(path, backup, text, length);
    });
}
inline result<void> try_backup_volume_header_storage(const atrest_storage &storage, const char *backup) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_backup_header_storage(&storage, backup, text, length);
    });
}
// `flags`: 0 or ATREST_FORCE.
inline result<void> try_restore_volume_header(const char *path, const char *backup, std::uint32_t flags = 0) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_restore_header(path, backup, flags, text, length);
    });
}
inline result<void> try_restore_volume_header_storage(const atrest_storage &storage, const char *backup,
                                                      std::uint32_t flags = 0) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_restore_header_storage(&storage, backup, flags, text, length);
    });
}
// Of a backup that must be what the providers expect.
inline result<void> try_restore_volume_header(const char *path, const char *backup, const providers &providers,
                                              std::uint32_t flags = 0) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_restore_header_expected(path, backup, flags, providers.get(), text, length);
    });
}
inline result<void> try_restore_volume_header_storage(const atrest_storage &storage, const char *backup,
                                                      const providers &providers, std::uint32_t flags = 0) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_restore_header_expected_storage(&storage, backup, flags, providers.get(), text, length);
    });
}
// `uuid`: NULL where the header tells it. `flags`: 0 or ATREST_FORCE.
inline result<void> try_destroy_volume(const char *path, const uuid_bytes *uuid = nullptr, const char *keystore = nullptr,
                                       std::uint32_t flags = 0) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_destroy(path, uuid == nullptr ? nullptr : uuid->data(), keystore, flags, text, length);
    });
}
inline result<void> try_destroy_volume_storage(const atrest_storage &storage, const uuid_bytes *uuid = nullptr,
                                               const char *keystore = nullptr, std::uint32_t flags = 0) {
    return detail::explained([&](char *text, std::size_t length) {
        return atrest_volume_destroy_storage(&storage, uuid == nullptr ? nullptr : uuid->data(), keystore, flags, text,
                                             length);
    });
}
#if ATREST_THROWS
// These return the warning, mostly none.
inline void create_local_key(const char *keystore, const char *key) { try_create_local_key(keystore, key).value(); }
inline std::string rewrap_volume(const char *path, std::size_t slot, const providers &providers, const char *key,
                                 milliseconds timeout = no_timeout) {
    return try_rewrap_volume(path, slot, providers, key, timeout).value();
}
inline std::string rewrap_volume_fd(int fd, std::size_t slot, const providers &providers, const char *key,
                                    milliseconds timeout = no_timeout) {
    return try_rewrap_volume_fd(fd, slot, providers, key, timeout).value();
}
inline std::string rewrap_volume_storage(const atrest_storage &storage, std::size_t slot, const providers &providers,
                                         const char *key, milliseconds timeout = no_timeout) {
    return try_rewrap_volume_storage(storage, slot, providers, key, timeout).value();
}
inline std::string add_volume_slot(const char *path, const providers &providers, const char *key,
                                   milliseconds timeout = no_timeout) {
    return try_add_volume_slot(path, providers, key, timeout).value();
}
inline std::string add_volume_slot_storage(const atrest_storage &storage, const providers &providers, const char *key,
                                           milliseconds timeout = no_timeout) {
    return try_add_volume_slot_storage(storage, providers, key, timeout).value();
}
inline std::string remove_volume_slot(const char *path, std::size_t slot, const providers &providers,
                                      milliseconds timeout = no_timeout) {
    return try_remove_volume_slot(path, slot, providers, timeout).value();
}
inline std::string remove_volume_slot_storage(const atrest_storage &storage, std::size_t slot,
                                              const providers &providers, milliseconds timeout = no_timeout) {
    return try_remove_volume_slot_storage(storage, slot, providers, timeout).value();
}
inline std::string backup_volume_header(const char *path, const char *backup) {
    return try_backup_volume_header(path, backup).value();
}
inline std::string backup_volume_header_storage(const atrest_storage &storage, const char *backup) {
    return try_backup_volume_header_storage(storage, backup).value();
}
inline std::string restore_volume_header(const char *path, const char *backup, std::uint32_t flags = 0) {
    return try_restore_volume_header(path, backup, flags).value();
}
inline std::string restore_volume_header_storage(const atrest_storage &storage, const char *backup,
                                                 std::uint32_t flags = 0) {
    return try_restore_volume_header_storage(storage, backup, flags).value();
}
inline std::string restore_volume_header(const char *path, const char *backup, const providers &providers,
                                         std::uint32_t flags = 0) {
    return try_restore_volume_header(path, backup, providers, flags).value();
}
inline std::string restore_volume_header_storage(const atrest_storage &storage, const char *backup,
                                                 const providers &providers, std::uint32_t flags = 0) {
    return try_restore_volume_header_storage(storage, backup, providers, flags).value();
}
inline std::string destroy_volume(const char *path, const uuid_bytes *uuid = nullptr, const char *keystore = nullptr,
                                  std::uint32_t flags = 0) {
    return try_destroy_volume(path, uuid, keystore, flags).value();
}
inline std::string destroy_volume_storage(const atrest_storage &storage, const uuid_bytes *uuid = nullptr,
                                          const char *keystore = nullptr, std::uint32_t flags = 0) {
    return try_destroy_volume_storage(storage, uuid, keystore, flags).value();
}
#endif

#endif // ATREST_WITH_VOLUME

} // namespace atrest

#endif
