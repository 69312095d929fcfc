// What a second implementation (tests/vectors/format1.py) wrote is read here.
#include <archive.h>
#include <archive_entry.h>

#include "archive/frame_index.h"
#include "archive/frame_opener.h"
#include "archive/frame_sealer.h"
#include "archive/page.h"
#include "archive/tar_form.h"
#include "base/handle.h"
#include "keyvault/digest.h"
#include "tests/archive/archive_fixture.h"
#include "tests/archive/format_page.h"
#include "tests/support/catch.h"

namespace sealift::archive {

namespace {

constexpr const char* kRecoveryKey =
    SEALIFT_SOURCE_DIR "/tests/vectors/keyvault/recovery-key.pem";

keyvault::RecoveryKey page_recovery_key() {
  return must(
      keyvault::RecoveryKey::load(kRecoveryKey, []() -> base::Result<keyvault::Secret> {
        return base::Error(base::ErrorCode::kWrongKey, "there is no passphrase");
      }));
}

/// The repository of volume.md, section 6.
class PageRepository : public ArchiveFixture {
 public:
  PageRepository() {
    repository = RepositoryId::from(counting(0xc0));
    const auto seed = counting_key(0x60);
    signer_ = std::make_unique<keyvault::SigningKey>(
        must(keyvault::SigningKey::from_seed(seed)));
    trust = Trust({{signer_->public_key(), Role::kWriter, {}, {}, "founder"}});
    const auto repository_key = counting_key(0x20);
    const auto derive = [&](std::string_view info) {
      return must(
          keyvault::hkdf_sha256(repository_key, repository.view(), info, kKeySize));
    };
    page_keys.id_key = derive("sealift 1 id key");
    page_keys.metadata_wrapping_key = derive("sealift 1 metadata wrapping key");
    name = example_of("volume.md")[0];
    store.objects[name] = read_source_file("tests/vectors/volume/volume.tar");
  }

  RepositoryKeys page_keys;
  std::string name;

 private:
  std::unique_ptr<keyvault::SigningKey> signer_;
};

}  // namespace

TEST_CASE("a frame is opened and sealed as its page says", "[archive][format]") {
  const base::Bytes example = example_bytes("frame.md");
  REQUIRE(example.size() == 404);
  const auto key = counting_key(0x00);
  const auto id_key = counting_key(0x20);

  FrameCipher cipher = must(FrameCipher::create(key));
  auto ids = must(keyvault::HmacSha256::create(id_key));
  FrameOpener opener = must(FrameOpener::create());
  const FrameHeader header = must(examine_frame(example, {FrameKind::kData}));
  CHECK(header.counter == 7);
  CHECK(header.codec == FrameCodec::kStored);
  const base::ByteView plain = must(opener.open(example, header, cipher, ids));
  CHECK(base::Bytes(plain.begin(), plain.end()) == repeated(300, 0x41));

  const EncodedFrameHeader encoded = encode(header);
  base::Bytes sealed(encoded.begin(), encoded.end());
  sealed.resize(example.size());
  REQUIRE(cipher.cipher.seal(nonce_of(7), encoded, plain,
                             std::span(sealed).subspan(kFrameHeaderSize)));
  CHECK(sealed == example);
}

TEST_CASE("a page is written and read as its page says", "[archive][format]") {
  const TreeShape shape(1'000'000, 65'536);
  CHECK(shape.chunks() == 16);
  CHECK(shape.depth() == 1);
  CHECK(shape.bytes_in(15) == 16'960);
  Page page;
  page.ids.resize(shape.ids_in(1, 0));
  page.ids[1] = ChunkId::from(repeated(32, 0xc1));
  page.ids[15] = ChunkId::from(repeated(32, 0xcf));

  CHECK(encode(page) == example_bytes("page.md"));
  CHECK(must(decode_page(example_bytes("page.md"), 1, 16)) == page);
}

TEST_CASE("an index is written and read as its page says", "[archive][format]") {
  IndexEntry entry;
  entry.id = ChunkId::from(repeated(32, 0x1d));
  entry.kind = FrameKind::kPage;
  entry.key = 1;
  entry.offset = 3584;
  entry.stored_size = 164;
  entry.plain_size = 65;
  // 164 is less than the header, 65 bytes and the tag: this page was compressed.
  const base::Bytes example = example_bytes("index.md");
  CHECK(encode_index_entries(std::vector{entry}) == example);
  const std::vector<FrameKey> keys{{}, {{}, true, {}, {}, {}}};
  CHECK(must(decode_index_entries(example, {keys, 0, 4096})).front().offset == 3584);
}

TEST_CASE("an envelope is opened as its page says", "[archive][format]") {
  const auto lines = example_of("envelope.md");
  const auto unquoted = [&](std::size_t i) {
    return lines[i].substr(1, lines[i].size() - 2);
  };
  const Envelope envelope{must(KeyId::parse(unquoted(0))),
                          must(RecipientId::parse(unquoted(1))), unquoted(2),
                          example_bytes("envelope.md", 3)};
  const auto identity = page_recovery_key();
  CHECK(envelope.recipient == identity.recipient().id());
  const auto key = must(open_envelope({envelope}, envelope.key, identity));
  CHECK(keyvault::is_same(key.view(), counting(0x00)));
}

TEST_CASE("the volume of the page is read whole", "[archive][format]") {
  PageRepository repository;
  const auto lines = example_of("volume.md");
  const base::Bytes& bytes = repository.store.objects.at(repository.name);
  CHECK(lines[1] == std::to_string(bytes.size()) + " bytes, SHA-256 " +
                        keyvault::sha256(bytes).hex());

  const Volume volume = must(repository.open(repository.name));
  CHECK(check_every_byte(repository.store, volume, repository.trust));
  std::string text;
  for (const std::string& line : example_of("snapshot.md")) text += line + "\n";
  CHECK(volume.snapshot->record_digest == keyvault::sha256(base::as_bytes(text)));

  TestLocator locator;
  locator.add(volume, repository.page_keys);
  const auto identity = page_recovery_key();
  const auto reader = must(SnapshotReader::open(
      repository.reading(), volume, repository.page_keys, &identity, locator));
  CHECK(reader->manifest().vm_name == "web 01");
  CHECK(must(reader->read_whole(component_of(*reader, "config"), 1000)) ==
        repeated(300, 0x41));
  base::Bytes disk = repeated(65'536, 0x42);
  disk.resize(2 * 65'536);
  const std::string_view end = "the end of the disk";
  disk.insert(disk.end(), base::as_bytes(end).begin(), base::as_bytes(end).end());
  CHECK(must(reader->read_whole(component_of(*reader, "disk"), 1U << 20U)) == disk);
}

TEST_CASE("libarchive writes the header block of the page", "[archive][format]") {
  const TarHeader header = tar_header("segments/00000001", 700);
  const auto lines = example_of("volume.md");
  base::Bytes printed;
  for (std::size_t i = lines.size() - 6; i < lines.size(); ++i) {
    const auto row = support::from_hex(lines[i]);
    printed.insert(printed.end(), row.begin(), row.end());
  }
  base::Bytes shown;
  for (const auto& [from, to] : {std::pair(0, 32), {96, 160}, {256, 352}}) {
    shown.insert(shown.end(), header.begin() + from, header.begin() + to);
  }
  CHECK(shown == printed);
}

TEST_CASE("libarchive reads a volume as a tar of the members in their order",
          "[archive][format]") {
  ArchiveFixture fixture;
  const auto snapshot = must(fixture.write(default_content()));
  const base::Bytes& bytes = fixture.store.objects.at(volume_name(snapshot.id, 1));
  const base::Handle<::archive, archive_read_free> reader(archive_read_new());
  REQUIRE(archive_read_support_format_tar(reader.get()) == ARCHIVE_OK);
  REQUIRE(archive_read_open_memory(reader.get(), bytes.data(), bytes.size()) ==
          ARCHIVE_OK);
  std::vector<std::string> names;
  std::uint64_t at = 0;
  archive_entry* entry = nullptr;
  while (archive_read_next_header(reader.get(), &entry) == ARCHIVE_OK) {
    names.emplace_back(archive_entry_pathname(entry));
    const auto size = static_cast<std::uint64_t>(archive_entry_size(entry));
    const TarHeader expected = tar_header(names.back(), size);
    CHECK(std::equal(expected.begin(), expected.end(),
                     bytes.begin() + static_cast<std::ptrdiff_t>(at)));
    at += kTarBlock + tar_padded(size);
  }
  CHECK(at + kTarEndSize == bytes.size());
  CHECK(names == std::vector<std::string>{
                     "header.json", "segments/00000001", "index", "manifest",
                     "protection-key.json", "protection-key.2.json", "snapshot",
                     "snapshot.sig", "SHA256SUMS", "SHA256SUMS.sig", "footer"});
}

}  // namespace sealift::archive
