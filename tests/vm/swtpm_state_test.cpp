#include "vm/swtpm_state.h"

#include <filesystem>
#include <fstream>

#include "base/filesystem.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::vm {

namespace {

struct Vector {
  std::string expect;
  std::string rule;
  keyvault::Secret key;
  base::Bytes file;
};

Vector read_vector(const std::filesystem::path& path) {
  const base::Bytes bytes = base::read_file(path, 65536).value();
  const std::string_view text = base::as_text(bytes);
  const std::size_t end = text.find("\n\n");
  Vector vector;
  std::istringstream lines{std::string(text.substr(0, end))};
  for (std::string line; std::getline(lines, line);) {
    const std::string value = line.substr(line.find(": ") + 2);
    if (line.starts_with("expect: ")) vector.expect = value;
    if (line.starts_with("rule: ")) vector.rule = value;
    if (line.starts_with("key: ")) {
      vector.key = keyvault::Secret::copy_of(base::from_hex(value).value()).value();
    }
  }
  vector.file.assign(bytes.begin() + static_cast<std::ptrdiff_t>(end) + 2, bytes.end());
  return vector;
}

std::string name_of(base::ErrorCode code) {
  switch (code) {
    case base::ErrorCode::kCorrupt:
      return "kCorrupt";
    case base::ErrorCode::kUnsupported:
      return "kUnsupported";
    case base::ErrorCode::kWrongKey:
      return "kWrongKey";
    case base::ErrorCode::kRefused:
      return "plain";
    default:
      return "?";
  }
}

keyvault::Secret secret(std::string_view text) {
  return keyvault::Secret::copy_of(base::as_bytes(text)).value();
}

}  // namespace

TEST_CASE("every vector of the swtpm state page ends as its rule says", "[vm]") {
  const std::filesystem::path folder = SEALIFT_SOURCE_DIR "/tests/vectors/swtpm";
  std::size_t count = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() == ".py") continue;
    ++count;
    const Vector vector = read_vector(entry.path());
    CAPTURE(entry.path().filename().string());

    const auto proof = prove_key_opens(vector.key, vector.file);

    CHECK((proof ? "opens" : name_of(proof.error().code())) == vector.expect);
    const bool is_of_the_file = vector.rule != "W12" && !vector.rule.empty();
    CHECK(static_cast<bool>(parse_swtpm_state(vector.file)) == !is_of_the_file);
    if (is_of_the_file) {
      CHECK(proof.error().places() ==
            std::vector<base::Error::Place>{{"rule", vector.rule}});
    }
  }
  CHECK(count == 29);
}

TEST_CASE("a key that only lacks its last line feed says so", "[vm]") {
  const std::filesystem::path folder = SEALIFT_SOURCE_DIR "/tests/vectors/swtpm";
  const Vector close = read_vector(folder / "key_with_line_feed");
  const Vector far = read_vector(folder / "wrong_key");

  CHECK(prove_key_opens(close.key, close.file).error().next_steps().size() == 1);
  CHECK(prove_key_opens(far.key, far.file).error().next_steps().empty());
}

TEST_CASE("a state made by swtpm itself opens under its key and no other", "[vm]") {
  const support::ScratchFolder scratch;
  const std::filesystem::path key = scratch.path() / "key";
  std::ofstream(key, std::ios::binary) << std::string("a\0b\nc", 5);
  const std::string folder = scratch.path() / "state";
  std::filesystem::create_directory(folder);
  const auto setup = base::run_program(
      {"swtpm_setup", "--tpm2", "--tpmstate", folder, "--pwdfile", key.string(),
       "--cipher", "aes-256-cbc", "--logfile", (scratch.path() / "log").string()},
      std::chrono::seconds(60));
  REQUIRE(setup);
  INFO(setup->output << setup->error_output);
  REQUIRE(setup->exit_status == 0);
  const base::Bytes state =
      base::read_file(std::filesystem::path(folder) / "tpm2-00.permall", 65536).value();

  CHECK(parse_swtpm_state(state)->is_encrypted);
  CHECK(parse_swtpm_state(state)->has_256_bit_key);
  CHECK(prove_key_opens(secret({"a\0b\nc", 5}), state));
  CHECK(prove_key_opens(secret("a"), state).error().code() ==
        base::ErrorCode::kWrongKey);
}

}  // namespace sealift::vm
