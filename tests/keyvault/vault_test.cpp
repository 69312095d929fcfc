#include "keyvault/vault.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/failing_filesystem.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
namespace fs = std::filesystem;

struct Scratch {
  support::ScratchFolder folder;
  fs::path vault() const { return folder.path() / "keyvault"; }
};

RepositoryId id_of(std::string_view document) {
  return RepositoryId(sha256(base::as_bytes(document)).bytes());
}

mode_t mode_of(const fs::path& path) {
  struct stat found {};
  REQUIRE(::lstat(path.c_str(), &found) == 0);
  return found.st_mode & 07777U;
}

void write(const fs::path& path, std::string_view text, mode_t mode = 0600) {
  std::ofstream(path, std::ios::binary) << text;
  REQUIRE(::chmod(path.c_str(), mode) == 0);
}

// A vault with one file of each kind.
void fill(const fs::path& folder) {
  auto vault = KeyVault::init(folder).value();
  REQUIRE(vault.trust("elsewhere", SigningKey::generate()->public_key()));
  REQUIRE(vault.pin(id_of("{}"), base::as_bytes("{}")));
  REQUIRE(vault.store_repository_key(id_of("{}"), Secret::random(32).value()));
  REQUIRE(vault.lock_chain(id_of("{}"), std::chrono::seconds(0)));
  REQUIRE(vault.set_head(id_of("{}"), {1, sha256(base::as_bytes("record"))}));
}

}  // namespace

TEST_CASE("a new vault keeps its signing key", "[keyvault][vault]") {
  const Scratch scratch;
  const SignerId id = KeyVault::init(scratch.vault())->signing_key().public_key().id();
  CHECK(KeyVault::open(scratch.vault())->signing_key().public_key().id() == id);
}

TEST_CASE("a vault's folders are 0700 and its files 0600", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  CHECK(mode_of(scratch.vault()) == 0700);
  std::size_t files = 0;
  for (const auto& entry : fs::recursive_directory_iterator(scratch.vault())) {
    CAPTURE(entry.path().string());
    CHECK(mode_of(entry.path()) == (entry.is_directory() ? 0700U : 0600U));
    if (entry.is_regular_file()) ++files;
  }
  CHECK(files == 6);
}

TEST_CASE("a vault where others can get at anything is refused, and named",
          "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  const std::string of_repository = "repositories/" + id_of("{}").hex();
  const std::string name = GENERATE_REF(
      as<std::string>(), "", "signing-key.pem", "trusted", "trusted/elsewhere.pem",
      "repositories", of_repository, of_repository + "/repository.json",
      of_repository + "/repository-key", of_repository + "/head");
  const mode_t extra = GENERATE(0040U, 0020U, 0010U, 0004U, 0002U, 0001U);
  const fs::path path = name.empty() ? scratch.vault() : scratch.vault() / name;
  const bool is_folder = fs::is_directory(path);
  REQUIRE(::chmod(path.c_str(), (is_folder ? 0700U : 0600U) | extra) == 0);

  const auto vault = KeyVault::open(scratch.vault());

  REQUIRE_FALSE(vault);
  CHECK(vault.error().code() == ErrorCode::kRefused);
  CHECK(vault.error().what() == "others can read or write what must be private");
  CHECK(vault.error().places().front() ==
        base::Error::Place{is_folder ? "folder" : "file", path.string()});
  CHECK(vault.error().next_steps().front() == std::string("run: chmod ") +
                                                  (is_folder ? "0700 '" : "0600 '") +
                                                  path.string() + "'");
}

TEST_CASE("a vault behind a symlink is refused", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  const fs::path link = scratch.folder.path() / "link";
  fs::create_directory_symlink(scratch.vault(), link);
  CHECK(KeyVault::open(link).error().code() == ErrorCode::kRefused);
}

TEST_CASE("a slash at the end of a vault's name changes nothing", "[keyvault][vault]") {
  const Scratch scratch;
  const fs::path with_slash = scratch.vault().string() + "/";
  REQUIRE(KeyVault::init(with_slash));
  CHECK(mode_of(scratch.vault()) == 0700);
  CHECK(KeyVault::open(with_slash)->folder() == scratch.vault());
  fs::create_directory_symlink(scratch.vault(), scratch.folder.path() / "link");
  CHECK(KeyVault::open(scratch.folder.path() / "link/").error().code() ==
        ErrorCode::kRefused);
}

TEST_CASE("the folders above a new vault are made, readable by all",
          "[keyvault][vault]") {
  const Scratch scratch;
  REQUIRE(KeyVault::init(scratch.folder.path() / "etc" / "sealift" / "keyvault"));
  CHECK(mode_of(scratch.folder.path() / "etc" / "sealift") == 0755);
  CHECK(mode_of(scratch.folder.path() / "etc" / "sealift" / "keyvault") == 0700);
}

TEST_CASE("a vault with a symlink in it is refused", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  const fs::path key = scratch.vault() / "signing-key.pem";
  fs::rename(key, scratch.folder.path() / "moved.pem");
  fs::create_symlink(scratch.folder.path() / "moved.pem", key);
  CHECK(KeyVault::open(scratch.vault()).error().code() == ErrorCode::kRefused);
}

TEST_CASE("a vault that belongs to another user is refused", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  if (::geteuid() != 0) {
    WARN("only root can give files away: foreign owners were not tested");
    return;
  }
  const std::string name = GENERATE(as<std::string>(), "", "signing-key.pem");
  const fs::path path = name.empty() ? scratch.vault() : scratch.vault() / name;
  REQUIRE(::lchown(path.c_str(), 65534, 65534) == 0);
  const auto vault = KeyVault::open(scratch.vault());
  REQUIRE_FALSE(vault);
  CHECK(vault.error().code() == ErrorCode::kRefused);
  CHECK(vault.error().what() == "keys that belong to another user");
}

TEST_CASE("to anyone but root, another user's vault is the system's refusal",
          "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  if (::geteuid() != 0) {
    WARN("only root can become another user: that was not tested");
    return;
  }
  // The effective group stays root's.
  fs::permissions(scratch.folder.path(), fs::perms::group_exec | fs::perms::others_exec,
                  fs::perm_options::add);
  REQUIRE(::seteuid(65534) == 0);
  const auto vault = KeyVault::open(scratch.vault());
  REQUIRE(::seteuid(0) == 0);
  REQUIRE_FALSE(vault);
  CHECK(vault.error().code() == ErrorCode::kIo);
  CHECK(vault.error().what() == "these keys are another user's");
}

TEST_CASE("a vault with a pipe in it is refused, not waited for", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  const fs::path pipe = scratch.vault() / "trusted" / "pipe.pem";
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(KeyVault::open(scratch.vault()).error().code() == ErrorCode::kRefused);
}

TEST_CASE("a vault that is not there is not found", "[keyvault][vault]") {
  const Scratch scratch;
  CHECK(KeyVault::open(scratch.vault()).error().code() == ErrorCode::kNotFound);
  write(scratch.vault(), "a file");
  CHECK(KeyVault::open(scratch.vault() / "below").error().code() ==
        ErrorCode::kNotFound);
}

TEST_CASE("a folder without a signing key is no vault", "[keyvault][vault]") {
  const Scratch scratch;
  // Nor does its mode matter then: it may be a folder of anything.
  REQUIRE(::mkdir(scratch.vault().c_str(), 0755) == 0);
  CHECK(KeyVault::open(scratch.vault()).error().code() == ErrorCode::kNotFound);
}

TEST_CASE("a damaged signing key is reported, not replaced", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  write(scratch.vault() / "signing-key.pem", "damaged");
  CHECK(KeyVault::open(scratch.vault()).error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("a vault is never made over something", "[keyvault][vault]") {
  const Scratch scratch;
  const auto refusal = [&scratch] {
    return KeyVault::init(scratch.vault()).error().code();
  };
  SECTION("another vault, which stays") {
    const SignerId id =
        KeyVault::init(scratch.vault())->signing_key().public_key().id();
    CHECK(refusal() == ErrorCode::kRefused);
    CHECK(KeyVault::open(scratch.vault())->signing_key().public_key().id() == id);
  }
  SECTION("a folder with something in it") {
    fs::create_directory(scratch.vault());
    write(scratch.vault() / "other", "");
    CHECK(refusal() == ErrorCode::kRefused);
    CHECK_FALSE(fs::exists(scratch.vault() / "signing-key.pem"));
  }
  SECTION("a file") {
    write(scratch.vault(), "");
    CHECK(refusal() == ErrorCode::kRefused);
  }
  SECTION("a symlink to an empty folder") {
    fs::create_directory(scratch.folder.path() / "empty");
    fs::create_directory_symlink(scratch.folder.path() / "empty", scratch.vault());
    CHECK(refusal() == ErrorCode::kRefused);
  }
  SECTION("an empty folder that others can read") {
    REQUIRE(::mkdir(scratch.vault().c_str(), 0700) == 0);
    REQUIRE(::chmod(scratch.vault().c_str(), 0755) == 0);
    CHECK(refusal() == ErrorCode::kRefused);
  }
}

TEST_CASE("an init that was stopped anywhere can be run again", "[keyvault][vault]") {
  bool has_failed = true;
  std::size_t step = 0;
  for (; has_failed; ++step) {
    CAPTURE(step);
    const Scratch scratch;
    support::FailingFilesystem filesystem(step);
    const auto vault = KeyVault::init(scratch.vault(), filesystem);
    has_failed = filesystem.has_failed();
    CHECK(static_cast<bool>(vault) == !has_failed);
    if (has_failed) {
      CHECK(vault.error().code() == ErrorCode::kIo);
      CHECK(KeyVault::open(scratch.vault()).error().code() == ErrorCode::kNotFound);
      CHECK(KeyVault::init(scratch.vault()));
    }
  }
  CHECK(step > 4);
}

TEST_CASE("trusted signers come back by name", "[keyvault][vault]") {
  const Scratch scratch;
  auto vault = KeyVault::init(scratch.vault()).value();
  CHECK(vault.trusted_signers()->empty());
  const SigningKey a = SigningKey::generate().value();
  const SigningKey b = SigningKey::generate().value();
  REQUIRE(vault.trust("b.host_2", b.public_key()));
  REQUIRE(vault.trust("a-host", a.public_key()));
  const auto signers = KeyVault::open(scratch.vault())->trusted_signers().value();
  REQUIRE(signers.size() == 2);
  CHECK(signers[0].name == "a-host");
  CHECK(signers[0].key.id() == a.public_key().id());
  CHECK(signers[1].name == "b.host_2");
  CHECK(signers[1].key.id() == b.public_key().id());
}

TEST_CASE("a trusted name is never given to another signer", "[keyvault][vault]") {
  const Scratch scratch;
  auto vault = KeyVault::init(scratch.vault()).value();
  const SigningKey first = SigningKey::generate().value();
  REQUIRE(vault.trust("host", first.public_key()));
  CHECK(vault.trust("host", SigningKey::generate()->public_key()).error().code() ==
        ErrorCode::kRefused);
  CHECK(vault.trusted_signers()->front().key.id() == first.public_key().id());
}

TEST_CASE("a name that could leave the vault is refused", "[keyvault][vault]") {
  const Scratch scratch;
  auto vault = KeyVault::init(scratch.vault()).value();
  const std::string name = GENERATE(
      as<std::string>(), "", ".", "..", ".hidden", "../up", "a/b", "/root", "a b",
      "a\nb", "-rf", "h\xc3\xb6st", std::string("a\0b", 3), std::string(101, 'a'));
  CAPTURE(name);
  CHECK(vault.trust(name, vault.signing_key().public_key()).error().code() ==
        ErrorCode::kRefused);
  CHECK_FALSE(fs::exists(scratch.vault() / "trusted"));
}

TEST_CASE("a damaged trusted signer is reported with its file", "[keyvault][vault]") {
  const Scratch scratch;
  fill(scratch.vault());
  write(scratch.vault() / "trusted" / "elsewhere.pem", "damaged");
  const auto signers = KeyVault::open(scratch.vault())->trusted_signers();
  REQUIRE_FALSE(signers);
  CHECK(signers.error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("an exported key is kept beside the earlier ones of its name", "[vault]") {
  const Scratch scratch;
  KeyVault vault = KeyVault::init(scratch.vault()).value();
  const std::string name = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";
  using Order = KeptKey::Order;
  const auto keep = [&](const std::string& as, const std::string& when,
                        std::string_view text) {
    return vault.keep_exported_key({as, when, "AES", as + "_256.json"},
                                   base::as_bytes(text));
  };
  const auto order = [&](const std::string& when, std::string_view text) {
    return keep(name, when, text).value().order;
  };
  CHECK(vault.exported_keys().value().empty());
  const KeptKey first = keep(name, "20260101000000", "one").value();
  CHECK(first.order == Order::kFirst);
  CHECK(first.file == scratch.vault() / fs::path("escrow") / name / "20260101000000" /
                          "AES" / (name + "_256.json"));
  CHECK((fs::status(first.file).permissions() & fs::perms::mask) ==
        (fs::perms::owner_read | fs::perms::owner_write));
  // For another recovery key, in the same export.
  const KeptKey beside = keep(name, "20260101000000", "two").value();
  CHECK(beside.order == Order::kFirst);
  CHECK(beside.file.string().ends_with("/20260101000000/2/AES/" + name + "_256.json"));
  // Known whenever it is said to be of.
  CHECK(order("20270101000000", "two") == Order::kKnown);
  CHECK(order("20260201000000", "three") == Order::kNewer);
  CHECK(order("20260115000000", "four") == Order::kOlder);
  CHECK(keep("AzureStackTvmAKRootKey", "20260101000000", "one").value().order ==
        Order::kFirst);
  fs::create_directories(scratch.vault() / fs::path("escrow/killed/20260101000000"));
  CHECK(vault.exported_keys().value() ==
        std::vector<std::string>{name, "AzureStackTvmAKRootKey"});
  for (const char* bad : {"", "..", "a/b", "-a", "a b"}) {
    CHECK(keep(bad, "20260101000000", "x").error().code() == base::ErrorCode::kRefused);
    CHECK(keep(name, bad, "x").error().code() == base::ErrorCode::kRefused);
  }
  fs::remove_all(scratch.vault() / fs::path("escrow/killed"));
  // What is kept does not stand in the vault's way.
  CHECK(KeyVault::open(scratch.vault()));
}

}  // namespace sealift::keyvault
