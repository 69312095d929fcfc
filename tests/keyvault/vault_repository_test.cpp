#include <sys/wait.h>
#include <unistd.h>

#include <fstream>

#include "keyvault/vault.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/failing_filesystem.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
namespace fs = std::filesystem;

constexpr std::string_view kDocument = R"({"format":1})";
const RepositoryId kId(sha256(base::as_bytes(kDocument)).bytes());
const RepositoryId kOtherId(sha256(base::as_bytes("{}")).bytes());

struct Scratch {
  support::ScratchFolder folder;
  fs::path path() const { return folder.path() / "keyvault"; }
  fs::path file(const char* name) const {
    return path() / "repositories" / kId.hex() / name;
  }
  KeyVault vault = KeyVault::init(path()).value();
};

ChainHead head_at(std::uint64_t sequence) {
  return {sequence, sha256(base::as_bytes(std::to_string(sequence)))};
}

void write(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

}  // namespace

TEST_CASE("a pinned repository is remembered, byte for byte", "[keyvault][vault]") {
  Scratch scratch;
  CHECK(scratch.vault.pinned()->empty());
  CHECK_FALSE(scratch.vault.is_pinned(kId));
  CHECK(scratch.vault.pinned_document(kId).error().code() == ErrorCode::kNotFound);

  REQUIRE(scratch.vault.pin(kId, base::as_bytes(kDocument)));
  REQUIRE(scratch.vault.pin(kId, base::as_bytes(kDocument)));

  const KeyVault again = KeyVault::open(scratch.path()).value();
  CHECK(again.is_pinned(kId));
  CHECK_FALSE(again.is_pinned(kOtherId));
  CHECK(again.pinned().value() == std::vector{kId});
  CHECK(base::as_text(again.pinned_document(kId).value()) == kDocument);
}

TEST_CASE("a document that its id does not name is not pinned", "[keyvault][vault]") {
  Scratch scratch;
  CHECK(scratch.vault.pin(kOtherId, base::as_bytes(kDocument)).error().code() ==
        ErrorCode::kCorrupt);
  CHECK_FALSE(scratch.vault.is_pinned(kOtherId));
}

TEST_CASE("a pinned document that changed is reported", "[keyvault][vault]") {
  Scratch scratch;
  REQUIRE(scratch.vault.pin(kId, base::as_bytes(kDocument)));
  write(scratch.file("repository.json"), "{}");
  CHECK(scratch.vault.pinned_document(kId).error().code() == ErrorCode::kCorrupt);
  CHECK(scratch.vault.pin(kId, base::as_bytes(kDocument)).error().code() ==
        ErrorCode::kCorrupt);
}

TEST_CASE("a repository key comes back, and is never replaced", "[keyvault][vault]") {
  Scratch scratch;
  const Secret key = Secret::random(32).value();
  CHECK(scratch.vault.repository_key(kId).error().code() == ErrorCode::kNotFound);
  REQUIRE(scratch.vault.store_repository_key(kId, key));
  REQUIRE(scratch.vault.store_repository_key(kId, key));
  CHECK(is_same(scratch.vault.repository_key(kId)->view(), key.view()));

  const auto refused =
      scratch.vault.store_repository_key(kId, Secret::random(32).value());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kRefused);
  CHECK(is_same(scratch.vault.repository_key(kId)->view(), key.view()));
}

TEST_CASE("a repository key cut short is reported", "[keyvault][vault]") {
  Scratch scratch;
  REQUIRE(scratch.vault.store_repository_key(kId, Secret::random(32).value()));
  write(scratch.file("repository-key"), "short");
  CHECK(scratch.vault.repository_key(kId).error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("a repository key that others can read is refused on reading too",
          "[keyvault][vault]") {
  Scratch scratch;
  REQUIRE(scratch.vault.store_repository_key(kId, Secret::random(32).value()));
  fs::permissions(scratch.file("repository-key"), fs::perms(0644));
  CHECK(scratch.vault.repository_key(kId).error().code() == ErrorCode::kRefused);
}

TEST_CASE("the head of a chain moves forward and is remembered", "[keyvault][vault]") {
  Scratch scratch;
  CHECK(scratch.vault.head(kId)->sequence == 0);
  CHECK(scratch.vault.head(kId)->digest.is_zero());
  REQUIRE(scratch.vault.set_head(kId, head_at(1)));
  REQUIRE(scratch.vault.set_head(kId, head_at(1)));
  REQUIRE(scratch.vault.set_head(kId, head_at(12)));
  const ChainHead head = KeyVault::open(scratch.path())->head(kId).value();
  CHECK(head.sequence == 12);
  CHECK(head.digest == head_at(12).digest);
  CHECK(vectors::read_text(scratch.file("head")) ==
        "12 " + head_at(12).digest.hex() + "\n");
}

TEST_CASE("the head of a chain never goes back", "[keyvault][vault]") {
  Scratch scratch;
  REQUIRE(scratch.vault.set_head(kId, head_at(5)));
  CHECK(scratch.vault.set_head(kId, head_at(4)).error().code() == ErrorCode::kRefused);
  CHECK(scratch.vault.set_head(kId, {5, head_at(4).digest}).error().code() ==
        ErrorCode::kRefused);
  CHECK(scratch.vault.head(kId)->sequence == 5);
}

TEST_CASE("a damaged head is reported, never taken for the start",
          "[keyvault][vault]") {
  Scratch scratch;
  REQUIRE(scratch.vault.set_head(kId, head_at(5)));
  const std::string digest = head_at(5).digest.hex();
  const std::string text =
      GENERATE_REF(as<std::string>(), "", "5", "5 ", "5 " + digest,
                   "5 " + digest + "\n\n", "05 " + digest + "\n", " 5 " + digest + "\n",
                   "-5 " + digest + "\n", "+5 " + digest + "\n", "5  " + digest + "\n",
                   digest + "\n", "5 " + digest.substr(1) + "\n",
                   "99999999999999999999 " + digest + "\n", std::string(1000, '5'));
  CAPTURE(text);
  write(scratch.file("head"), text);
  const auto head = scratch.vault.head(kId);
  REQUIRE_FALSE(head);
  const ErrorCode code = head.error().code();
  CHECK((code == ErrorCode::kCorrupt || code == ErrorCode::kRefused));
  CHECK_FALSE(scratch.vault.set_head(kId, head_at(6)));
}

TEST_CASE("whatever step of writing fails, the vault holds the old or the new",
          "[keyvault][vault]") {
  const Scratch outer;
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    CAPTURE(step);
    const Scratch scratch;
    support::FailingFilesystem filesystem(step);
    auto vault = KeyVault::open(scratch.path(), filesystem).value();
    const Secret key = Secret::random(32).value();

    const bool is_done = vault.pin(kId, base::as_bytes(kDocument)) &&
                         vault.store_repository_key(kId, key) &&
                         vault.set_head(kId, head_at(1)) &&
                         vault.trust("host", vault.signing_key().public_key());

    has_failed = filesystem.has_failed();
    CHECK(is_done == !has_failed);
    const KeyVault after = KeyVault::open(scratch.path()).value();
    if (after.is_pinned(kId)) CHECK(after.pinned_document(kId));
    const auto held = after.repository_key(kId);
    CHECK((held ? is_same(held->view(), key.view())
                : held.error().code() == ErrorCode::kNotFound));
    CHECK(after.head(kId));
    CHECK(after.trusted_signers());
  }
}

TEST_CASE("one holder of the chain lock at a time", "[keyvault][vault]") {
  const Scratch scratch;
  auto lock = scratch.vault.lock_chain(kId, std::chrono::seconds(0));
  REQUIRE(lock);
  const auto second = scratch.vault.lock_chain(kId, std::chrono::seconds(0));
  REQUIRE_FALSE(second);
  CHECK(second.error().code() == ErrorCode::kBusy);
  CHECK(scratch.vault.lock_chain(kOtherId, std::chrono::seconds(0)));
  lock.value() = ChainLock();
  CHECK(scratch.vault.lock_chain(kId, std::chrono::seconds(0)));
}

TEST_CASE("processes that race for the chain lock take turns", "[keyvault][vault]") {
  constexpr int kProcesses = 4;
  constexpr int kRecords = 25;
  const Scratch scratch;
  std::vector<pid_t> children;
  for (int i = 0; i < kProcesses; ++i) {
    const pid_t child = ::fork();
    if (child == 0) {
      auto vault = KeyVault::open(scratch.path());
      int done = 0;
      while (vault && done < kRecords) {
        const auto lock = vault->lock_chain(kId, std::chrono::seconds(30));
        const auto head = vault->head(kId);
        if (!lock || !head) break;
        if (!vault->set_head(kId, head_at(head->sequence + 1))) break;
        ++done;
      }
      ::_exit(done == kRecords ? 0 : 1);
    }
    children.push_back(child);
  }
  for (const pid_t child : children) {
    int status = 0;
    ::waitpid(child, &status, 0);
    CHECK(WIFEXITED(status));
    CHECK(WEXITSTATUS(status) == 0);
  }
  CHECK(scratch.vault.head(kId)->sequence == kProcesses * kRecords);
}

TEST_CASE("a process that dies gives the chain lock back", "[keyvault][vault]") {
  const Scratch scratch;
  const pid_t child = ::fork();
  if (child == 0) {
    const auto lock = scratch.vault.lock_chain(kId, std::chrono::seconds(5));
    ::_exit(lock ? 0 : 1);
  }
  int status = 0;
  ::waitpid(child, &status, 0);
  CHECK(WEXITSTATUS(status) == 0);
  CHECK(scratch.vault.lock_chain(kId, std::chrono::seconds(0)));
}

}  // namespace sealift::keyvault
