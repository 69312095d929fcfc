// The worked examples of docs/format/, copied from the pages and not computed here.
#include <sstream>

#include "keyvault/digest.h"
#include "keyvault/key_wrap.h"
#include "keyvault/protection_key.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {
namespace {

// The indented lines of section 4 or 5 of a page, without their indentation.
std::vector<std::string> example_of(const std::string& page) {
  std::istringstream text(
      vectors::read_text(std::string(SEALIFT_SOURCE_DIR) + "/docs/format/" + page));
  std::vector<std::string> lines;
  bool is_example = false;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("**")) {
      is_example = line.find("Worked example") != std::string::npos;
    }
    if (is_example && line.starts_with("    ")) lines.push_back(line.substr(4));
  }
  return lines;
}

Secret counting_from(unsigned first) {
  base::Bytes bytes(32);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(first++);
  return vectors::secret_of(base::ByteView(bytes));
}

}  // namespace

TEST_CASE("keys are derived as docs/format/keys.md says", "[keyvault][format]") {
  const Secret content_key = counting_from(0x00);
  const Secret repository_key = counting_from(0x20);
  const base::Bytes archive = support::from_hex("a0a1a2a3a4a5a6a7a8a9aaabacadaeaf");
  const Secret repository = counting_from(0xc0);
  std::size_t count = 0;
  for (const std::string& line : example_of("keys.md")) {
    const std::size_t end = line.find("  ");
    const std::string name = line.substr(0, end);
    const std::string expected = line.substr(line.find_last_of(' ') + 1);
    CAPTURE(name);
    const bool is_repository = name == "id key" || name == "metadata wrapping key";
    const base::ByteView salt = name == "key id" ? base::ByteView()
                                : is_repository  ? repository.view()
                                                 : base::ByteView(archive);
    const Secret derived = hkdf_sha256(is_repository ? repository_key : content_key,
                                       salt, "sealift 1 " + name, 32)
                               .value();
    CHECK(base::to_hex(derived.view()) == expected);
    ++count;
  }
  CHECK(count == 6);
  CHECK(
      key_id_of(content_key)->hex() ==
      example_of("keys.md").front().substr(example_of("keys.md").front().size() - 64));
}

TEST_CASE("a key JSON reads as docs/format/key-json.md says", "[keyvault][format]") {
  const std::vector<std::string> lines = example_of("key-json.md");
  REQUIRE(lines.size() >= 2);
  const std::string text = vectors::read_text(vectors::path_of("key.json"));
  CHECK(text.size() == 1223);
  CHECK(sha256(base::as_bytes(text)).hex() == lines[1]);
  CHECK(base::to_hex(wrap_key(counting_from(0x20), counting_from(0x00)).value()) ==
        lines[0]);

  const KeyJson json = parse_key_json(base::as_bytes(text)).value();
  CHECK(json.wrapped.size() == 424);
  CHECK(base::to_hex(json.wrapped).ends_with(lines[0]));
  const auto identity = RecoveryKey::load(vectors::path_of("recovery-key.pem"), {});
  const auto unwrapped = unwrap_protection_key(json, identity.value());
  REQUIRE(unwrapped);
  CHECK(is_same(unwrapped->key.view(), counting_from(0x00).view()));
}

}  // namespace sealift::keyvault
