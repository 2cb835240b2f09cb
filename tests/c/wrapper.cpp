// atrest.hpp, as C++17 and as C++20: keys that move, spans of every kind, errors as exceptions and as statuses. What
// the calls compute is compared with those of atrest.h.
#include <algorithm>
#include <array>
#include <cstdio>
#include <string>
#include <type_traits>
#include <vector>

#include "atrest.hpp"
#include "check.h"

namespace {

using Bytes = std::vector<std::uint8_t>;

static_assert(!std::is_copy_constructible_v<atrest::xts> && !std::is_copy_assignable_v<atrest::xts>);
static_assert(std::is_nothrow_move_constructible_v<atrest::xts> && std::is_nothrow_move_assignable_v<atrest::xts>);
static_assert(!std::is_default_constructible_v<atrest::xts>);
// A span of what may be written does not come from what is const.
static_assert(!std::is_constructible_v<atrest::bytes, const Bytes &>);
static_assert(std::is_constructible_v<atrest::const_bytes, const Bytes &>);

template <typename Call> atrest_status thrown(Call call) {
    try {
        call();
    } catch (const atrest::error &error) {
        CHECK(std::string(error.what()) == atrest_status_message(error.status()));
        return error.status();
    }
    return ATREST_OK;
}

void check_keys(const Bytes &key) {
    CHECK(thrown([&] { atrest::xts(atrest::const_bytes(key.data(), 33)); }) == ATREST_ERROR_KEY_LENGTH);
    CHECK(thrown([&] { atrest::xts(key, "fast"); }) == ATREST_ERROR_UNKNOWN_BACKEND);
    const std::array<std::uint8_t, 32> equal{};
    CHECK(thrown([&] { atrest::xts made(equal); }) == ATREST_ERROR_EQUAL_HALVES);
    CHECK(static_cast<bool>(atrest::xts::allowing_equal_halves(equal)));
    atrest_status status = ATREST_OK;
    CHECK(!atrest::xts::try_new(equal, status));
    CHECK(status == ATREST_ERROR_EQUAL_HALVES);
    CHECK(atrest::xts::try_new(key, status).backend() == atrest::xts(key).backend());
    CHECK(status == ATREST_OK);
    CHECK(atrest::xts(key, "soft").backend() == "soft");

    atrest::xts a(key), b(key);
    const atrest_xts *const first = a.get();
    b = std::move(a);
    CHECK(b.get() == first && a.get() == nullptr && a.backend().empty());
    a = std::move(b);
    const atrest::xts c(std::move(a));
    CHECK(c.get() == first);
    std::array<std::uint8_t, 32> data{};
    CHECK(b.try_encrypt_sectors(1, 32, data) == ATREST_ERROR_NULL);
}

void check_data(const Bytes &key_bytes) {
    const atrest::xts key(key_bytes);
    const Bytes plain(8 * 512, 0x5a);
    const atrest::tweaks layouts[] = {
        7u,
        atrest::tweaks::plain64(7),
        atrest::tweaks::plain64be(7),
        atrest::tweaks::plain64_in_512(7),
        atrest::tweaks::number128(3, 7),
        atrest::tweaks::number128be(3, 7),
    };
    for (const atrest::tweaks &tweaks : layouts) {
        Bytes expected(plain.size()), data = plain, apart(plain.size());
        CHECK(atrest_xts_encrypt_sectors_tweaks(key.get(), tweaks.get(), 512, plain.data(), expected.data(),
                                                plain.size()) == ATREST_OK);
        key.encrypt_sectors(tweaks, 512, data);
        CHECK(data == expected);
        key.decrypt_sectors(tweaks, 512, data);
        CHECK(data == plain);
        key.encrypt_sectors(tweaks, 512, plain, apart);
        CHECK(apart == expected);
        key.decrypt_sectors(tweaks, 512, expected, apart);
        CHECK(apart == plain);
        const std::array<iovec, 2> pieces{{{data.data(), 100}, {data.data() + 100, data.size() - 100}}};
        key.encrypt_iov(tweaks, 512, pieces, pieces);
        CHECK(data == expected);
        key.decrypt_iov(tweaks, 512, pieces, pieces);
        CHECK(data == plain);
    }
    std::uint8_t unit[20] = {1, 2, 3}, expected[20] = {1, 2, 3};
    const atrest::xts::raw_tweak tweak{9};
    key.encrypt_unit(tweak, unit);
    CHECK(atrest_xts_encrypt_unit(key.get(), tweak.data(), expected, expected, sizeof expected) == ATREST_OK);
    CHECK(std::equal(std::begin(unit), std::end(unit), expected));
    key.decrypt_unit(tweak, unit);
    CHECK(unit[0] == 1 && unit[2] == 3 && unit[19] == 0);

    Bytes shorter(512), odd(100);
    CHECK(key.try_encrypt_sectors(1, 512, plain, shorter) == ATREST_ERROR_LENGTH_MISMATCH);
    CHECK(key.try_decrypt_sectors(1, 512, odd) == ATREST_ERROR_DATA_LENGTH);
    CHECK(thrown([&] { key.encrypt_sectors(atrest::tweaks::plain64be(UINT64_MAX), 50, odd); }) ==
          ATREST_ERROR_SECTOR_NUMBER);
    CHECK(odd == Bytes(100));
    CHECK(thrown([&] { key.decrypt_unit(tweak, atrest::bytes(odd.data(), 15)); }) == ATREST_ERROR_UNIT_LENGTH);
}

} // namespace

int main() {
    Bytes key(64);
    for (std::size_t i = 0; i < key.size(); i++) key[i] = static_cast<std::uint8_t>(i);
    check_keys(key);
    check_data(key);
    std::puts("atrest.hpp: as it should be");
    return EXIT_SUCCESS;
}
