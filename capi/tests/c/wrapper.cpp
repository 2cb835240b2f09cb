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

    const atrest::const_bytes key1(key.data(), 32), key2(key.data() + 32, 32);
    std::array<std::uint8_t, 32> joined{}, halves{};
    atrest::xts(key).encrypt_sectors(1, 32, joined);
    atrest::xts::from_halves(key1, key2).encrypt_sectors(1, 32, halves);
    CHECK(joined == halves);
    const atrest::const_bytes shorter(key.data() + 32, 16);
    CHECK(thrown([&] { atrest::xts::from_halves(key1, shorter); }) == ATREST_ERROR_KEY_LENGTH);
    CHECK(thrown([&] { atrest::xts::from_halves(key1, key1); }) == ATREST_ERROR_EQUAL_HALVES);

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
        atrest::tweaks::plain(7),
        atrest::tweaks::upper64(7),
        atrest::tweaks::upper64_in_512(7),
        atrest::tweaks::with_complement(7),
        atrest::tweaks::counter32(3, 7),
    };
    const atrest_tweak_sequence sequence{7, 3, 5, 0, 128, ATREST_SEQUENCE_BIG_ENDIAN};
    std::vector<atrest::raw_tweak> list(8);
    for (std::size_t i = 0; i < list.size(); i++) list[i][15] = static_cast<std::uint8_t>(i * i);
    std::vector<atrest::tweaks> all(std::begin(layouts), std::end(layouts));
    all.push_back(atrest::tweaks::sequence(sequence));
    all.push_back(atrest::tweaks::list(list));
    CHECK(all[all.size() - 2].get() == nullptr && all.back().get() == nullptr);
    std::vector<Bytes> ciphertexts;
    for (std::size_t i = 0; i < all.size(); i++) {
        const atrest::tweaks &tweaks = all[i];
        Bytes expected(plain.size()), data = plain, apart(plain.size());
        atrest_status status = ATREST_OK;
        if (i + 2 == all.size()) {
            status = atrest_xts_encrypt_sectors_sequence(key.get(), &sequence, 512, plain.data(), expected.data(),
                                                         plain.size());
        } else if (i + 1 == all.size()) {
            status = atrest_xts_encrypt_sectors_list(key.get(), list[0].data(), list.size(), 512, plain.data(),
                                                     expected.data(), plain.size());
        } else {
            status = atrest_xts_encrypt_sectors_tweaks(key.get(), tweaks.get(), 512, plain.data(), expected.data(),
                                                       plain.size());
        }
        CHECK(status == ATREST_OK);
        // Sectors of 512 bytes count alike in units of 512, and small numbers in any width; all others differ.
        const bool as_before = i == 1 || i == 3 || i == 6 || i == 8 || i == 10;
        CHECK(as_before != (std::find(ciphertexts.begin(), ciphertexts.end(), expected) == ciphertexts.end()));
        ciphertexts.push_back(expected);
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

    const atrest::span<const atrest::raw_tweak> few(list.data(), 7), none;
    Bytes whole = plain;
    CHECK(key.try_encrypt_sectors(atrest::tweaks::list(few), 512, whole) == ATREST_ERROR_TWEAK_COUNT);
    CHECK(key.try_decrypt_sectors(atrest::tweaks::list(none), 512, whole) == ATREST_ERROR_TWEAK_COUNT);
    CHECK(whole == plain);

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
