// atrest.hpp over volumes, as C++17 and as C++20, with exceptions and without: the same volume by atrest.h, errors with the
// line that says why, objects that move.
#include <array>
#include <cstring>
#include <string>
#include <type_traits>
#include <vector>

#include "atrest.hpp"
#include "check.h"

namespace {

using namespace std::chrono_literals;

static_assert(!std::is_copy_constructible_v<atrest::volume> && std::is_nothrow_move_constructible_v<atrest::volume>);
static_assert(!std::is_copy_constructible_v<atrest::providers> && std::is_move_assignable_v<atrest::envelope>);
#if !ATREST_THROWS
static_assert(!std::is_default_constructible_v<atrest::providers>);
#endif

constexpr std::uint64_t size = 100003;

// A volume in memory, whose header tells what its sectors are.
void check_storage_and_sectors(const std::string &directory, const atrest::providers &providers) {
    using memory = std::vector<std::uint8_t>;
    memory bytes(17 << 20);
    atrest_storage storage{};
    storage.struct_size = sizeof storage;
    storage.context = &bytes;
    storage.size = [](void *context, std::uint64_t *length) {
        *length = static_cast<memory *>(context)->size();
        return 0;
    };
    storage.read = [](void *context, std::uint8_t *buf, std::size_t len, std::uint64_t offset) {
        std::memcpy(buf, static_cast<memory *>(context)->data() + offset, len);
        return 0;
    };
    storage.write = [](void *context, const std::uint8_t *buf, std::size_t len, std::uint64_t offset) {
        std::memcpy(static_cast<memory *>(context)->data() + offset, buf, len);
        return 0;
    };
    storage.flush = [](void *) { return 0; };
    CHECK(!atrest::volume::try_open_storage(storage, providers));
    std::vector<std::uint8_t> text(4096, 7), found(4096);
    CHECK(atrest::volume::try_create_storage(storage, 1 << 20, providers, "local:default")->try_write(text, 8192) ==
          ATREST_OK);
    CHECK(atrest::try_rewrap_volume_storage(storage, 0, providers, "local:default"));
    CHECK(atrest::volume::try_open_storage(storage, providers)->try_read(found, 8192) == ATREST_OK && found == text);

    const std::size_t length = atrest::sector_cipher::header_length({bytes.data(), 4096});
    CHECK(!atrest::sector_cipher::try_new({bytes.data(), 100}, providers));
    auto made = atrest::sector_cipher::try_new({bytes.data(), length}, providers);
    CHECK(made && made->size() == 1 << 20 && made->sector_size() == 4096);
    CHECK(made->storage_length() == made->data_offset() + made->size());
    const atrest::const_bytes sector(bytes.data() + made->data_offset() + 8192, 4096);
    CHECK(made->try_decrypt(2, sector, found) == ATREST_OK && found == text);
    CHECK(made->try_encrypt(2, found) == ATREST_OK && std::memcmp(found.data(), sector.data(), 4096) == 0);
    CHECK(made->try_decrypt(2, found) == ATREST_OK && found == text);
    const iovec pieces[]{{found.data(), 100}, {found.data() + 100, 3996}};
    CHECK(made->try_encrypt_iov(2, pieces, pieces) == ATREST_OK);
    CHECK(made->try_decrypt_iov(2, pieces, pieces) == ATREST_OK && found == text);
    CHECK(made->try_decrypt(256, found) == ATREST_ERROR_OUT_OF_BOUNDS);
    CHECK(made->try_encrypt(2, sector, {found.data(), 100}) == ATREST_ERROR_LENGTH_MISMATCH);

    // Its header.
    const std::string keys = directory + "/keys", backup = directory + "/backup of memory";
    CHECK(atrest::try_backup_volume_header_storage(storage, backup.c_str()));
    CHECK(atrest::try_create_local_key(keys.c_str(), "local:second"));
    CHECK(atrest::try_add_volume_slot_storage(storage, providers, "local:second"));
    CHECK(atrest::try_remove_volume_slot_storage(storage, 0, providers));
    CHECK(atrest::try_restore_volume_header_storage(storage, backup.c_str(), providers).status() ==
          ATREST_ERROR_NEEDS_FORCE);
    CHECK(atrest::volume::try_open_storage(storage, providers)->try_envelope()->key(0) == "local:second");
    CHECK(atrest::try_restore_volume_header_storage(storage, backup.c_str()).status() == ATREST_ERROR_NEEDS_FORCE);
    CHECK(atrest::try_restore_volume_header_storage(storage, backup.c_str(), ATREST_FORCE));
    CHECK(atrest::volume::try_open_storage(storage, providers)->try_envelope()->key(0) == "local:default");
    CHECK(atrest::try_destroy_volume_storage(storage, nullptr, keys.c_str()).status() == ATREST_ERROR_NEEDS_FORCE);
    CHECK(atrest::try_destroy_volume_storage(storage, nullptr, keys.c_str(), ATREST_FORCE));
    CHECK(atrest::volume::try_create_scratch_storage(storage, 1 << 20, keys.c_str()));
    CHECK(atrest::volume::try_open_storage(storage, providers));
    CHECK(atrest::try_destroy_volume_storage(storage, nullptr, keys.c_str()));
    CHECK(!atrest::volume::try_open_storage(storage, providers));
}

// What both kinds of calls must do, without exceptions.
void check_results(const std::string &directory) {
    const std::string keys = directory + "/keys", path = directory + "/v";
    CHECK(atrest::try_create_local_key(keys.c_str(), "local:default"));
    const auto again = atrest::try_create_local_key(keys.c_str(), "local:default");
    CHECK(!again && again.status() == ATREST_ERROR_KEY_EXISTS && !again.message().empty());
    auto made = atrest::providers::try_new();
    CHECK(made && made.status() == ATREST_OK);
    atrest::providers providers = *std::move(made);
    CHECK(!providers.try_add_local((directory + "/none").c_str()));
    CHECK(providers.try_add_local(keys.c_str()));
    CHECK(providers.try_set_cache(4, 1min) && providers.try_clear_cache() == ATREST_OK);
    const auto nonsense = providers.try_expect("nonsense");
    CHECK(!nonsense && nonsense.status() == ATREST_ERROR_EXPECTATION && !nonsense.message().empty());

    atrest::create_options options;
    options.sector_size = 512;
    options.discard = true;
    auto created = atrest::volume::try_create(path.c_str(), size, providers, "local:default", options);
    CHECK(created && created->size() == size && created->sector_size() == 512);
    const std::array<std::uint8_t, 7> text{'a', 't', ' ', 'r', 'e', 's', 't'};
    CHECK(created->try_write(text, 99990) == ATREST_OK && created->try_flush() == ATREST_OK);
    CHECK(created->try_write(text, size) == ATREST_ERROR_OUT_OF_BOUNDS);
    CHECK(created->try_write_zeros(1000, 0) == ATREST_OK && created->try_discard(4096, 4096) == ATREST_OK);
    atrest::uuid_bytes uuid{}, other{};
    CHECK(created->try_uuid(uuid) == ATREST_OK);
    auto pin = created->try_pin();
    CHECK(pin && pin.message().empty() && created->slot() == -1);
    CHECK(atrest::volume::try_open(path.c_str(), providers).status() == ATREST_ERROR_NO_EXPECTATION);
    atrest::volume moved = *std::move(created);
    CHECK(moved && moved.size() == size);
    auto envelope = moved.try_envelope();
    CHECK(envelope && envelope->key(0) == "local:default" && envelope->key(1).empty());
    CHECK(envelope->try_uuid(other) == ATREST_OK && uuid == other);
    CHECK(moved.try_recheck(providers, 1s, 1min) && moved.try_check_lease());
    CHECK(!moved.try_recheck(providers, 1ms, 1min));
    moved.close();
    CHECK(!moved && moved.size() == 0 && moved.try_flush() == ATREST_ERROR_NULL);
    CHECK(moved.slot() == -1 && !moved.slot_failure(0) && moved.try_pin().status() == ATREST_ERROR_NULL);
    std::string another = *pin;
    another[37] = another[37] == 'A' ? 'B' : 'A';
    CHECK(providers.try_expect(another.c_str()));
    CHECK(atrest::volume::try_open(path.c_str(), providers).status() == ATREST_ERROR_UNEXPECTED);
    CHECK(providers.try_expect(pin->c_str()));
    {
        auto pinned = atrest::volume::try_open(path.c_str(), providers);
        CHECK(pinned && pinned->slot() == 0 && pinned->slot_failure(0));
        CHECK(pinned->slot_failure(1).status() == ATREST_ERROR_SLOT && *pinned->try_pin() == *pin);
    }
    CHECK(providers.try_expect_any() == ATREST_OK);

    const auto exists = atrest::volume::try_create(path.c_str(), size, providers, "local:default");
    CHECK(!exists && exists.status() == ATREST_ERROR_EXISTS);
    atrest::open_options read_only;
    read_only.read_only = true;
    read_only.timeout = 10s;
    auto opened = atrest::volume::try_open(path.c_str(), providers, read_only);
    CHECK(opened && opened.message().empty());
    std::array<std::uint8_t, 7> found{};
    CHECK(opened->try_read(found, 99990) == ATREST_OK && found == text);
    CHECK(opened->try_write(text, 0) == ATREST_ERROR_READ_ONLY);
    const auto missing = atrest::volume::try_open((path + "-none").c_str(), providers);
    CHECK(!missing && missing.status() == ATREST_ERROR_NOT_FOUND && !missing.message().empty());

    // The same by atrest.h.
    atrest_volume *plain = nullptr;
    CHECK(atrest_volume_open(path.c_str(), ATREST_VOLUME_READ_ONLY, providers.get(), 0, &plain, nullptr, 0) == ATREST_OK);
    atrest::volume adopted = atrest::volume::adopt(plain);
    found.fill(0);
    CHECK(adopted.try_read(found, 99990) == ATREST_OK && found == text && adopted.get() == plain);

    // Envelopes without a volume, and the key that is derived.
    auto parsed = atrest::envelope::try_parse(envelope->json());
    CHECK(parsed && parsed->json() == envelope->json());
    CHECK(!atrest::envelope::try_parse("{}"));
    auto key = parsed->try_unwrap(providers);
    std::uint8_t raw[64];
    CHECK(key && parsed->try_unwrap_key(providers, raw));
    std::array<std::uint8_t, 512> a{}, b{};
    CHECK(key->try_encrypt_sectors(3, 512, a) == ATREST_OK);
    atrest_status status = ATREST_OK;
    CHECK(atrest::xts::try_new(raw, status).try_encrypt_sectors(3, 512, b) == ATREST_OK && a == b);
    CHECK(atrest::envelope::try_create(providers, "local:default", 1s, &uuid));
    CHECK(!atrest::envelope::try_create(providers, "nonsense"));

    check_storage_and_sectors(directory, providers);

    // The header.
    CHECK(atrest::try_create_local_key(keys.c_str(), "local:other"));
    CHECK(atrest::try_add_volume_slot(path.c_str(), providers, "local:other"));
    CHECK(!atrest::try_rewrap_volume(path.c_str(), 7, providers, "local:other"));
    CHECK(atrest::try_rewrap_volume(path.c_str(), 0, providers, "local:default"));
    const std::string backup = directory + "/backup";
    CHECK(atrest::try_backup_volume_header(path.c_str(), backup.c_str()));
    CHECK(atrest::try_remove_volume_slot(path.c_str(), 0, providers));
    const auto refused = atrest::try_restore_volume_header(path.c_str(), backup.c_str());
    CHECK(!refused && refused.status() == ATREST_ERROR_NEEDS_FORCE);
    CHECK(providers.try_expect(another.c_str()));
    CHECK(atrest::try_restore_volume_header(path.c_str(), backup.c_str(), providers, ATREST_FORCE).status() ==
          ATREST_ERROR_UNEXPECTED);
    CHECK(providers.try_expect(pin->c_str()));
    CHECK(atrest::try_restore_volume_header(path.c_str(), backup.c_str(), providers, ATREST_FORCE));
    CHECK(providers.try_expect_any() == ATREST_OK);
    CHECK(atrest::try_restore_volume_header(path.c_str(), backup.c_str(), ATREST_FORCE));
    const std::string scratch = directory + "/scratch";
    CHECK(atrest::volume::try_create_scratch(scratch.c_str(), size, keys.c_str()));
    CHECK(atrest::try_destroy_volume(scratch.c_str(), nullptr, keys.c_str()));
    CHECK(!atrest::volume::try_open(scratch.c_str(), providers));
}

#if ATREST_THROWS
std::vector<std::uint8_t> content(const std::string &path) {
    std::vector<std::uint8_t> bytes(17 << 20);
    std::FILE *const file = std::fopen(path.c_str(), "rb");
    CHECK(file != nullptr);
    bytes.resize(std::fread(bytes.data(), 1, bytes.size(), file));
    std::fclose(file);
    return bytes;
}

template <typename Call> atrest_status thrown(const char *word, Call call) {
    try {
        call();
    } catch (const atrest::error &error) {
        if (std::string(error.what()).find(word) == std::string::npos) std::fprintf(stderr, "said: %s\n", error.what());
        CHECK(std::string(error.what()).find(word) != std::string::npos);
        return error.status();
    }
    return ATREST_OK;
}

void check_exceptions(const std::string &directory) {
    const std::string keys = directory + "/keys", path = directory + "/w";
    atrest::providers providers;
    CHECK(thrown("none", [&] { providers.add_local((directory + "/none").c_str()); }) == ATREST_ERROR_KEYSTORE_IO);
    providers.add_local(keys.c_str());
    const std::vector<std::uint8_t> text{'a', 't', ' ', 'r', 'e', 's', 't'};
    std::string pin;
    {
        auto volume = atrest::volume::create(path.c_str(), size, providers, "local:default");
        volume.write(text, 5000);
        volume.write_zeros(100, 0);
        volume.flush();
        CHECK(thrown("off", [&] { volume.discard(4096, 4096); }) == ATREST_ERROR_DISCARD_OFF);
        CHECK(thrown("end", [&] { volume.write(text, size); }) == ATREST_ERROR_OUT_OF_BOUNDS);
        volume.recheck(providers, 1s, 1min);
        volume.check_lease();
        pin = volume.pin();
    }
    CHECK(thrown("atrest_providers_expect", [&] { atrest::volume::open(path.c_str(), providers); }) ==
          ATREST_ERROR_NO_EXPECTATION);
    CHECK(thrown("nonsense", [&] { providers.expect("nonsense"); }) == ATREST_ERROR_EXPECTATION);
    providers.expect(pin);
    std::vector<std::uint8_t> found(text.size());
    {
        auto volume = atrest::volume::open(path.c_str(), providers);
        volume.read(found, 5000);
        CHECK(found == text && volume.uuid() == volume.envelope().uuid());
        CHECK(thrown("No such file", [&] { atrest::volume::open((path + "-none").c_str(), providers); }) == ATREST_ERROR_NOT_FOUND);
        CHECK(volume.envelope().unwrap(providers).backend() == atrest::xts(std::array<std::uint8_t, 32>{1}).backend());
    } // whoever writes keeps others out, also from the header
    const auto bytes = content(path);
    atrest::sector_cipher cipher(bytes, providers);
    found.assign(4096, 0);
    cipher.decrypt(1, {bytes.data() + cipher.data_offset() + 4096, 4096}, found);
    CHECK(std::memcmp(found.data() + 904, text.data(), text.size()) == 0);
    CHECK(thrown("end", [&] { cipher.encrypt(1 << 20, found); }) == ATREST_ERROR_OUT_OF_BOUNDS);
    atrest::rewrap_volume(path.c_str(), 0, providers, "local:other");
    const std::string backup = directory + "/w backup";
    atrest::backup_volume_header(path.c_str(), backup.c_str());
    atrest::restore_volume_header(path.c_str(), backup.c_str(), providers, ATREST_FORCE);
    CHECK(atrest::volume::open(path.c_str(), providers).pin() == pin);
    providers.expect_any();
    CHECK(atrest::volume::open(path.c_str(), providers).envelope().key(0) == "local:other");
    CHECK(thrown("slot", [&] { atrest::rewrap_volume(path.c_str(), 7, providers, "local:other"); }) == ATREST_ERROR_SLOT);
}
#endif

} // namespace

int main(int argc, char **argv) {
    CHECK(argc == 2);
    check_results(argv[1]);
#if ATREST_THROWS
    check_exceptions(argv[1]);
#endif
    std::puts("atrest.hpp over volumes: as it should be");
    return EXIT_SUCCESS;
}
