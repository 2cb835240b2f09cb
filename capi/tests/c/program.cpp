// The C++17 test program: the header under C++'s stricter rules, with a key that frees itself and one key shared by
// many threads; all vectors of IEEE Std 1619-2007, Annex B, in one buffer and in pieces; then the calls on pieces at
// length, and every misuse.
//
// Arguments: the file of vectors, and the version that the library must report.
#include <algorithm>
#include <array>
#include <cstdint>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <string_view>
#include <thread>
#include <type_traits>
#include <vector>

#include "atrest.h"
#include "check.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

struct Free {
    void operator()(atrest_xts *xts) const noexcept { atrest_xts_free(xts); }
};
using Key = std::unique_ptr<atrest_xts, Free>;

// Statuses of later versions must be values of the type that today's callers compile in.
static_assert(std::is_enum_v<atrest_status>);
static_assert(std::is_same_v<std::underlying_type_t<atrest_status>, std::int32_t>);

Key make_key(const Bytes &bytes) {
    atrest_xts *xts = nullptr;
    CHECK(atrest_xts_new(bytes.data(), bytes.size(), &xts) == ATREST_OK);
    return Key(xts);
}

Bytes unhex(std::string_view text) {
    const auto nibble = [](char digit) {
        const auto value = std::string_view("0123456789abcdef").find(digit);
        CHECK(value != std::string_view::npos);
        return value;
    };
    CHECK(text.size() % 2 == 0);
    Bytes bytes(text.size() / 2);
    for (std::size_t i = 0; i < bytes.size(); i++) {
        bytes[i] = static_cast<std::uint8_t>(nibble(text[2 * i]) << 4 | nibble(text[2 * i + 1]));
    }
    return bytes;
}

struct Vector {
    unsigned number = 0;
    Bytes key, tweak, ptx, ctx;
};

template <typename Call>
void check_both_ways(Call call, const Bytes &from, const Bytes &to) {
    Bytes apart(from.size());
    CHECK(call(from.data(), apart.data(), from.size()) == ATREST_OK);
    CHECK(apart == to);
    Bytes in_place = from;
    CHECK(call(in_place.data(), in_place.data(), in_place.size()) == ATREST_OK);
    CHECK(in_place == to);
}

// Two pieces of a buffer; POSIX has one type for those that are read and those that are written.
std::array<iovec, 2> halves(const std::uint8_t *bytes, std::size_t len, std::size_t at) {
    std::uint8_t *const base = const_cast<std::uint8_t *>(bytes);
    return {{{base, at}, {base + at, len - at}}};
}

void check_vector(const Vector &v) {
    Key key;
    if (v.number == 1) {
        // key1 = key2: only on request.
        atrest_xts *xts = nullptr;
        CHECK(atrest_xts_new(v.key.data(), v.key.size(), &xts) == ATREST_ERROR_EQUAL_HALVES);
        CHECK(xts == nullptr);
        CHECK(atrest_xts_new_allowing_equal_halves(v.key.data(), v.key.size(), &xts) == ATREST_OK);
        key.reset(xts);
    } else {
        key = make_key(v.key);
    }
    CHECK(v.tweak.size() == 16);
    std::uint64_t number = 0;
    for (std::size_t i = 8; i > 0; i--) number = number << 8 | v.tweak[i - 1];

    using In = const std::uint8_t *;
    using Out = std::uint8_t *;
    const atrest_xts *const xts = key.get();
    const std::size_t size = v.ptx.size();
    check_both_ways(
        [&](In src, Out dst, std::size_t len) {
            return atrest_xts_encrypt_unit(xts, v.tweak.data(), src, dst, len);
        },
        v.ptx, v.ctx);
    check_both_ways(
        [&](In src, Out dst, std::size_t len) {
            return atrest_xts_decrypt_unit(xts, v.tweak.data(), src, dst, len);
        },
        v.ctx, v.ptx);
    check_both_ways(
        [&](In src, Out dst, std::size_t len) {
            return atrest_xts_encrypt_sectors(xts, number, size, src, dst, len);
        },
        v.ptx, v.ctx);
    check_both_ways(
        [&](In src, Out dst, std::size_t len) {
            return atrest_xts_decrypt_sectors(xts, number, size, src, dst, len);
        },
        v.ctx, v.ptx);
    check_both_ways(
        [&](In src, Out dst, std::size_t len) {
            const auto from = halves(src, len, 7), to = halves(dst, len, src == dst ? 7 : 11);
            return atrest_xts_encrypt_iov(xts, number, size, from.data(), from.size(), to.data(), to.size());
        },
        v.ptx, v.ctx);
    check_both_ways(
        [&](In src, Out dst, std::size_t len) {
            const auto from = halves(src, len, 7), to = halves(dst, len, src == dst ? 7 : 11);
            return atrest_xts_decrypt_iov(xts, number, size, from.data(), from.size(), to.data(), to.size());
        },
        v.ctx, v.ptx);
}

unsigned check_vectors(const char *path) {
    std::ifstream file(path);
    CHECK(file.is_open());
    unsigned done = 0;
    Vector v;
    for (std::string line; std::getline(file, line);) {
        std::istringstream words(line);
        std::string field, value;
        words >> field >> value;
        if (field == "VECTOR") {
            v = Vector{};
            v.number = static_cast<unsigned>(std::stoul(value));
        } else if (field == "KEY1") {
            v.key = unhex(value);
        } else if (field == "KEY2") {
            const Bytes key2 = unhex(value);
            v.key.insert(v.key.end(), key2.begin(), key2.end());
        } else if (field == "TWEAK") {
            v.tweak = unhex(value);
        } else if (field == "PTX") {
            v.ptx = unhex(value);
        } else if (field == "CTX") {
            v.ctx = unhex(value);
            CHECK(v.ctx.size() == v.ptx.size());
            check_vector(v);
            done++;
        }
    }
    return done;
}

// Many threads, one key: each encrypts its share, and together they make what one call makes.
void check_threads() {
    constexpr std::size_t threads = 8, sectors = 64, sector = 520;
    Bytes key_bytes(64);
    for (std::size_t i = 0; i < key_bytes.size(); i++) key_bytes[i] = static_cast<std::uint8_t>(i);
    const Key key = make_key(key_bytes);

    Bytes shared(threads * sectors * sector, 0x5a);
    Bytes alone = shared;
    CHECK(atrest_xts_encrypt_sectors(key.get(), 9, sector, alone.data(), alone.data(), alone.size()) == ATREST_OK);

    std::vector<std::thread> workers;
    std::vector<atrest_status> statuses(threads, ATREST_ERROR_INTERNAL);
    for (std::size_t t = 0; t < threads; t++) {
        workers.emplace_back([&, t] {
            std::uint8_t *const share = shared.data() + t * sectors * sector;
            statuses[t] =
                atrest_xts_encrypt_sectors(key.get(), 9 + t * sectors, sector, share, share, sectors * sector);
        });
    }
    for (auto &worker : workers) worker.join();
    CHECK(std::all_of(statuses.begin(), statuses.end(), [](atrest_status s) { return s == ATREST_OK; }));
    CHECK(shared == alone);
}

} // namespace

int main(int argc, char **argv) {
    CHECK(argc == 3);
    CHECK(std::string_view(atrest_version()) == argv[2]);
    const unsigned vectors = check_vectors(argv[1]);
    check_threads();
    check_iov();
    check_misuse();
    check_layouts();
    check_place_and_info();
    std::printf("%u vectors, pieces, layouts, places and every misuse: as they should be\n", vectors);
    return EXIT_SUCCESS;
}
