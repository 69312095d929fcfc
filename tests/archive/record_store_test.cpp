#include "archive/record_store.h"

#include "tests/archive/repository_fixture.h"
#include "tests/support/failing_filesystem.h"

using namespace sealift;
using archive::Record;
using base::ErrorCode;
using support::rule_of;
namespace fs = std::filesystem;

namespace {

struct Scene {
  support::ScratchFolder folder;
  keyvault::SigningKey key = keyvault::SigningKey::generate().value();
  archive::RepositoryId repository =
      archive::RepositoryId::parse(std::string(64, '1')).value();

  std::unique_ptr<archive::ObjectStore> store(
      base::Filesystem& filesystem = base::real_filesystem()) const {
    return archive::open_folder(folder.path(), filesystem).value();
  }
  archive::SignerId signer() const { return key.public_key().id(); }
  Record first() const {
    Record record;
    record.kind = "run";
    record.repository = repository;
    record.signer = signer();
    record.sequence = 1;
    record.created = support::at(0);
    return record;
  }
  fs::path path(std::string_view ending) const {
    return folder.path() / (archive::record_name(signer(), 1) + std::string(ending));
  }
  base::Result<Record> read() const {
    const auto opened = store();
    const auto folders = list_records(*opened).value();
    return read_record(*opened, folders.at(signer()).at(1), repository, signer(), 1,
                       [&](base::ByteView message, base::ByteView signature) {
                         return key.public_key().verify(message, signature);
                       });
  }
};

}  // namespace

TEST_CASE("a record comes back as it was put", "[archive]") {
  const Scene scene;
  const auto store = scene.store();
  REQUIRE(put_record(*store, scene.first(), support::signed_by(scene.key)));
  CHECK(archive::record_name(scene.signer(), 1) ==
        "records/" + scene.signer().hex() + "/00000001");
  CHECK(to_text(scene.read().value()) == to_text(scene.first()));

  SECTION("and is never replaced") {
    Record other = scene.first();
    other.created = support::at(5);
    const auto put = put_record(*store, other, support::signed_by(scene.key));
    CHECK(put.error().code() == ErrorCode::kBusy);
    CHECK(to_text(scene.read().value()) == to_text(scene.first()));
  }
}

TEST_CASE("a record that a reader would refuse is not written", "[archive]") {
  const Scene scene;
  const auto store = scene.store();
  Record record = scene.first();
  record.fields.emplace_back("note", "two\nlines");
  CHECK_FALSE(put_record(*store, record, support::signed_by(scene.key)));
  CHECK(store->is_empty().value());
}

TEST_CASE("a record is there, whole, or not, wherever writing it fails",
          "[archive][crash]") {
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    CAPTURE(step);
    const Scene scene;
    support::FailingFilesystem filesystem(step);
    const auto put = put_record(*scene.store(filesystem), scene.first(),
                                support::signed_by(scene.key));
    has_failed = filesystem.has_failed();
    CHECK(static_cast<bool>(put) != has_failed);
    const auto folders = list_records(*scene.store()).value();
    CHECK(folders.empty() != static_cast<bool>(put));

    // What a killed writer left does not keep the next one from the same number.
    if (put) continue;
    Record later = scene.first();
    later.created = support::at(9);
    REQUIRE(put_record(*scene.store(), later, support::signed_by(scene.key)));
    CHECK(to_text(scene.read().value()) == to_text(later));
  }
}

TEST_CASE("a record without its signer's signature is refused", "[archive][format]") {
  const Scene scene;
  const auto store = scene.store();
  REQUIRE(put_record(*store, scene.first(), support::signed_by(scene.key)));

  SECTION("R7: no signature") { fs::remove(scene.path(".sig")); }
  SECTION("R7: a flipped bit in the text") {
    std::string text = support::contents(scene.path(""));
    text[70] = static_cast<char>(text[70] ^ 1);
    support::overwrite(scene.path(""), text);
  }
  SECTION("R7: a flipped bit in the signature") {
    std::string text = support::contents(scene.path(".sig"));
    text[7] = static_cast<char>(text[7] ^ 1);
    support::overwrite(scene.path(".sig"), text);
  }
  SECTION("R7: a stranger's signature") {
    const auto stranger = keyvault::SigningKey::generate().value();
    const auto signature =
        stranger.sign(base::as_bytes(to_text(scene.first()))).value();
    support::overwrite(scene.path(".sig"), base::as_text(signature));
  }
  const auto read = scene.read();
  REQUIRE_FALSE(read);
  CHECK(read.error().code() == ErrorCode::kCorrupt);
  CHECK(rule_of(read.error()) == "R7");
  CHECK(read.error().places()[1].name == archive::record_name(scene.signer(), 1));
}

TEST_CASE("a record that lies where it does not belong is refused",
          "[archive][format]") {
  const Scene scene;
  const auto store = scene.store();
  Record record = scene.first();
  SECTION("R8: of another repository") {
    record.repository = archive::RepositoryId::parse(std::string(64, '7')).value();
  }
  SECTION("R8: of another signer") {
    record.signer = archive::SignerId::parse(std::string(64, '7')).value();
  }
  SECTION("R8: of another number") {
    record.sequence = 2;
    record.previous = archive::Sha256Digest::parse(std::string(64, '7')).value();
  }
  SECTION("R8: a snapshot text") { record.kind = "snapshot"; }
  const std::string text = to_text(record);
  const auto signature = scene.key.sign(base::as_bytes(text)).value();
  const std::string name = archive::record_name(scene.signer(), 1);
  REQUIRE(put_object(*store, name + ".sig", signature));
  REQUIRE(put_object(*store, name, base::as_bytes(text)));
  const auto read = scene.read();
  REQUIRE_FALSE(read);
  CHECK(rule_of(read.error()) == "R8");
}

TEST_CASE("foreign files among the records are left out", "[archive]") {
  const Scene scene;
  const auto store = scene.store();
  const std::string folder = "records/" + scene.signer().hex() + "/";
  for (const char* name : {"0000001", "000000001", "0000000a", "00000002.txt",
                           "00000002.0.sig", "00000002.sig", "00000002.2.sig"}) {
    REQUIRE(put_object(*store, folder + name, base::as_bytes("x")));
  }
  REQUIRE(put_object(*store, "records/readme", base::as_bytes("x")));
  REQUIRE(put_object(*store, "records/zz/00000001", base::as_bytes("x")));
  CHECK(list_records(*store).value().empty());
}
