#include "archive/repository.h"

#include <algorithm>

#include "archive/format_pages.h"
#include "archive/unfinished_init.h"
#include "tests/archive/repository_fixture.h"
#include "tests/support/failing_filesystem.h"

using namespace sealift;
using archive::Expectation;
using archive::Repository;
using base::ErrorCode;
using support::at;
using support::Host;
using support::next_record;
using support::recovery_key;
using support::RepositoryInFolder;
using support::rule_of;
using support::signed_by;
namespace fs = std::filesystem;

namespace {

// Enrols `host` by the founder and gives the repository as it is then.
Repository enrol(const RepositoryInFolder& scene, const Host& host,
                 std::string_view role) {
  const auto opened = scene.open().value();
  const auto record =
      support::enrolled(next_record(opened, scene.founder.id(), "enrolled", at(1)),
                        host.key().public_key(), role);
  REQUIRE(put_record(*scene.store(), record, signed_by(scene.founder.key())));
  return scene.open().value();
}

fs::path path_of(const RepositoryInFolder& scene, const archive::SignerId& signer,
                 std::uint64_t sequence, std::string_view ending = "") {
  return scene.folder.path() /
         (archive::record_name(signer, sequence) + std::string(ending));
}

}  // namespace

TEST_CASE("a repository is made, pinned, and opened again", "[archive]") {
  const RepositoryInFolder scene(2);
  CHECK(scene.founder.vault.is_pinned(scene.made.id()));
  const auto opened = Repository::open(
      scene.store(), {.id = {}, .vault = &scene.founder.vault, .confirm = {}});
  REQUIRE(opened);
  CHECK(opened->id() == scene.made.id());
  CHECK(opened->document().recipients.size() == 2);
  CHECK(opened->records().empty());
  CHECK(opened->trust().find(scene.founder.id(), at(0)));

  SECTION("its keys come from the key vault and from each recovery key alone") {
    const auto keys = opened->keys(scene.founder.vault);
    REQUIRE(keys);
    for (const std::size_t number : {std::size_t{0}, std::size_t{1}}) {
      const auto others = opened->keys(recovery_key(number));
      REQUIRE(others);
      CHECK(keyvault::is_same(keys->id_key.view(), others->id_key.view()));
    }
    CHECK(opened->keys(recovery_key(2)).error().code() == ErrorCode::kWrongKey);
    const Host stranger;
    const auto none = opened->keys(stranger.vault);
    CHECK(none.error().code() == ErrorCode::kNotFound);
    CHECK(none.error().next_steps().size() == 1);
  }
  SECTION("it carries the format pages and the emergency reader") {
    CHECK(archive::format_pages().size() >= 10);
    CHECK(archive::format_pages().front().name == "README.md");
    CHECK(std::ranges::count(archive::format_pages(), "emergency-restore.py",
                             &archive::FormatPage::name) == 1);
    for (const auto& page : archive::format_pages()) {
      CAPTURE(page.name);
      const auto folder = page.name.ends_with(".md") ? "docs/format" : "scripts";
      const std::string source =
          support::contents(fs::path(SEALIFT_SOURCE_DIR) / folder / page.name);
      CHECK(page.text == source);
      CHECK(support::contents(scene.folder.path() / "format" / page.name) == page.text);
    }
  }
}

TEST_CASE("a repository is only made where nothing is yet", "[archive]") {
  const support::ScratchFolder folder;
  support::overwrite(folder.path() / "My Documents", "x");
  Host host;
  const auto store = std::shared_ptr<archive::ObjectStore>(
      archive::open_folder(folder.path(), base::real_filesystem()).value());
  const auto made = Repository::init(store, host.vault, {recovery_key(0).recipient()},
                                     {.chunk_size = archive::kMinChunkSize});
  REQUIRE_FALSE(made);
  CHECK(made.error().code() == ErrorCode::kRefused);
  CHECK(base::render(made.error()) ==
        "error: a repository is only made where nothing is yet\n"
        "  where: repository " +
            folder.path().string() +
            "\n"
            "  next:  choose a new or empty folder; what is there is untouched\n");
  CHECK(host.vault.pinned().value().empty());
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);
}

TEST_CASE("of what lies there, init clears what it made itself, and nothing else",
          "[archive]") {
  const auto clears = [](const std::string& name) {
    const support::ScratchFolder folder;
    const fs::path path = folder.path() / name;
    fs::create_directories(path.parent_path());
    support::overwrite(path, "x");
    REQUIRE(archive::clear_unfinished_init(folder.path()));
    return fs::is_empty(folder.path());
  };
  CHECK(clears(".partial-0123456789abcdef"));
  CHECK(clears("format/.partial-0123456789abcdef"));
  CHECK(clears("repository.json.sig"));
  CHECK_FALSE(clears("xpartial-0123456789abcdef"));
  CHECK_FALSE(clears(".partial-0123456789abcdefa"));
  CHECK_FALSE(clears(".partial-0123456789abcdeg"));
  CHECK_FALSE(clears("format/My Documents"));
  CHECK_FALSE(clears("archives/.partial-0123456789abcdef"));
}

TEST_CASE("a repository is made whole or is none, wherever it fails",
          "[archive][crash]") {
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    CAPTURE(step);
    const support::ScratchFolder folder;
    Host host;
    support::FailingFilesystem filesystem(step);
    const auto made = Repository::init(
        archive::open_folder(folder.path(), filesystem).value(), host.vault,
        {recovery_key(0).recipient()}, {.chunk_size = archive::kMinChunkSize});
    has_failed = filesystem.has_failed();
    REQUIRE(static_cast<bool>(made) != has_failed);

    const auto opened = Repository::open(
        archive::open_folder(folder.path(), base::real_filesystem()).value(),
        {.id = {}, .vault = &host.vault, .confirm = {}});
    CHECK(static_cast<bool>(opened) == static_cast<bool>(made));
    if (!opened) CHECK(opened.error().code() == ErrorCode::kNotFound);
    if (!made) CHECK(made.error().code() == ErrorCode::kIo);
  }
}

TEST_CASE("a place without a repository asks whether it is mounted", "[archive]") {
  const support::ScratchFolder folder;
  const auto opened = Repository::open(
      archive::open_folder(folder.path(), base::real_filesystem()).value(), {});
  REQUIRE_FALSE(opened);
  CHECK(opened.error().code() == ErrorCode::kNotFound);
  const std::string place = folder.path().string();
  CHECK(base::render(opened.error()) ==
        "error: there is no repository\n"
        "  where: repository " +
            place +
            "\n"
            "  next:  is it mounted? mount it, then run the command again\n"
            "  next:  a new repository is made with `sealift repo init --repo " +
            place + " --recipient KEY.pub.pem`\n");
}

TEST_CASE("a repository is only believed when something names it", "[archive][trust]") {
  const RepositoryInFolder scene;
  const std::string found = scene.made.id().hex();
  const std::string place = scene.folder.path().string();

  SECTION("nothing names it") {
    const auto opened = Repository::open(scene.store(), {});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == ErrorCode::kCorrupt);
    CHECK(base::render(opened.error()) ==
          "error: nothing on this host says that this repository is the right one\n"
          "  where: repository " +
              place + ", found " + found +
              ", rule D0"
              "\n"
              "  next:  compare the id found with the printed sheet of the repository; "
              "if they are equal, run the command again with `--repo-id " +
              found + "`\n");
  }
  SECTION("another id was expected") {
    const auto other = archive::RepositoryId::parse(std::string(64, '7')).value();
    const auto opened =
        Repository::open(scene.store(), {.id = other, .vault = {}, .confirm = {}});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == ErrorCode::kCorrupt);
    CHECK(base::render(opened.error()) ==
          "error: this is another repository than the one expected\n"
          "  where: repository " +
              place + ", expected " + other.hex() + ", found " + found +
              ", rule D0\n"
              "  next:  compare both ids with the printed sheet of the repository: the "
              "expected one must stand there\n");
  }
  SECTION("the id wins over a pin, either way") {
    const RepositoryInFolder other;
    CHECK_FALSE(Repository::open(
        scene.store(),
        {.id = other.made.id(), .vault = &scene.founder.vault, .confirm = {}}));
    CHECK(Repository::open(
        scene.store(),
        {.id = scene.made.id(), .vault = &other.founder.vault, .confirm = {}}));
  }
  SECTION("the key vault has pinned another one") {
    const RepositoryInFolder other;
    const auto opened = Repository::open(
        scene.store(), {.id = {}, .vault = &other.founder.vault, .confirm = {}});
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == ErrorCode::kCorrupt);
    const std::string text = base::render(opened.error());
    CHECK(text.find(found) != std::string::npos);
    CHECK(text.find(other.made.id().hex()) != std::string::npos);
  }
  SECTION("a person is asked, and answers") {
    for (const bool answer : {true, false}) {
      std::string shown;
      const auto opened = Repository::open(
          scene.store(), {.id = {},
                          .vault = nullptr,
                          .confirm = [&](const archive::RepositoryDocument& document) {
                            shown = document.id.hex();
                            return answer;
                          }});
      CHECK(static_cast<bool>(opened) == answer);
      CHECK(shown == found);
    }
  }
}

TEST_CASE("a repository document that storage changed is refused", "[archive][trust]") {
  const RepositoryInFolder scene;
  const fs::path document = scene.folder.path() / "repository.json";
  const fs::path signature = scene.folder.path() / "repository.json.sig";

  SECTION("a stranger's repository wrapped to our public keys") {
    const auto stranger = keyvault::SigningKey::generate().value();
    const auto made =
        archive::make_repository_document({recovery_key(0).recipient()}, stranger,
                                          {.chunk_size = archive::kMinChunkSize});
    support::overwrite(document, base::as_text(made->document.text));
    support::overwrite(signature, base::as_text(made->signature));
    const auto opened = scene.open();
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code() == ErrorCode::kCorrupt);
    CHECK(opened.error().what() == "this is another repository than the one expected");
    CHECK_FALSE(Repository::open(
        scene.store(), {.id = {}, .vault = &scene.founder.vault, .confirm = {}}));
  }
  SECTION("a changed recipient, on a host that pinned it") {
    std::string text = support::contents(document);
    const std::string ours = base::to_base64(recovery_key(0).recipient().spki());
    text.replace(text.find(ours), ours.size(),
                 base::to_base64(recovery_key(1).recipient().spki()));
    support::overwrite(document, text);
    const auto opened = Repository::open(
        scene.store(), {.id = {}, .vault = &scene.founder.vault, .confirm = {}});
    REQUIRE_FALSE(opened);
    // Compared before it is parsed: both ids are said, not that a signature is wrong.
    CHECK(rule_of(opened.error()) == "D0");
    CHECK(opened.error().places()[2] ==
          base::Error::Place{"expected", scene.made.id().hex()});
  }
  SECTION("no signature") {
    fs::remove(signature);
    CHECK(rule_of(scene.open().error()) == "D5");
  }
  SECTION("a foreign signature") {
    support::overwrite(signature, std::string(64, 'x'));
    CHECK(rule_of(scene.open().error()) == "D5");
  }
  SECTION("a signature with a byte more") {
    support::overwrite(signature, support::contents(signature) + "x");
    CHECK(rule_of(scene.open().error()) == "D5");
  }
  CHECK(scene.open().error().code() == ErrorCode::kCorrupt);
}

TEST_CASE("a host joins with the recovery key", "[archive]") {
  const RepositoryInFolder scene(2);
  Host host;
  auto repository = scene.open().value();
  REQUIRE(repository.join(host.vault, recovery_key(1), at(5)));

  CHECK(host.vault.is_pinned(repository.id()));
  CHECK(repository.keys(host.vault));
  REQUIRE(repository.trust().find(host.id(), at(5)));
  CHECK(repository.trust().lookup(host.id())->role == archive::Role::kWriter);
  REQUIRE(repository.records().size() == 1);
  CHECK(repository.records().front().kind == "enrolled");
  // A fresh host that has the id alone believes it too.
  CHECK(scene.open().value().trust().find(host.id(), at(5)));

  SECTION("joining again adds nothing") {
    REQUIRE(repository.join(host.vault, recovery_key(0), at(6)));
    CHECK(scene.open().value().records().size() == 1);
  }
  SECTION("a host that is trusted here alone is not enrolled yet") {
    Host second;
    REQUIRE(second.vault.trust("myself", second.key().public_key()));
    auto trusting = scene.open(&second.vault).value();
    REQUIRE(trusting.trust().lookup(second.id()) != nullptr);
    REQUIRE(trusting.join(second.vault, recovery_key(0), at(6)));
    CHECK(scene.open().value().records().size() == 2);
  }
  SECTION("the founder is enrolled already") {
    Host& founder = const_cast<Host&>(scene.founder);
    REQUIRE(repository.join(founder.vault, recovery_key(0), at(6)));
    CHECK(scene.open().value().records().size() == 1);
  }
  SECTION("the next host is the next record of the same chain") {
    Host second;
    REQUIRE(scene.open().value().join(second.vault, recovery_key(1), at(7)));
    const auto opened = scene.open().value();
    REQUIRE(opened.records().size() == 2);
    CHECK(opened.records()[1].sequence == 2);
    CHECK(opened.records()[1].previous == digest_of(opened.records()[0]));
    CHECK(opened.trust().find(second.id(), at(7)));
  }
  SECTION("a host that looked before the other joined still joins") {
    auto stale = scene.open().value();
    Host second;
    Host third;
    REQUIRE(scene.open().value().join(second.vault, recovery_key(1), at(7)));
    REQUIRE(stale.join(third.vault, recovery_key(1), at(8)));
    CHECK(scene.open().value().records().size() == 3);
  }
  SECTION("a foreign recovery key does not open it, and nothing changes") {
    Host second;
    const auto joined = repository.join(second.vault, recovery_key(2), at(7));
    CHECK(joined.error().code() == ErrorCode::kWrongKey);
    CHECK(second.vault.pinned().value().empty());
    CHECK(scene.open().value().records().size() == 1);
  }
  SECTION("a revoked host does not come back") {
    const auto record =
        support::revoked(next_record(repository, scene.founder.id(), "revoked", at(9)),
                         host.id(), at(8));
    REQUIRE(put_record(*scene.store(), record, signed_by(scene.founder.key())));
    auto fresh = scene.open().value();
    const auto joined = fresh.join(host.vault, recovery_key(1), at(10));
    CHECK(joined.error().code() == ErrorCode::kRefused);
  }
}

TEST_CASE("joining fails whole, and can be repeated, wherever it fails",
          "[archive][crash]") {
  const RepositoryInFolder scene;
  bool has_failed = true;
  for (std::size_t step = 0; has_failed; ++step) {
    CAPTURE(step);
    Host host;
    support::FailingFilesystem filesystem(step);
    auto repository =
        Repository::open(archive::open_folder(scene.folder.path(), filesystem).value(),
                         {.id = scene.made.id(), .vault = nullptr, .confirm = {}})
            .value();
    const auto joined = repository.join(host.vault, recovery_key(0), at(5));
    has_failed = filesystem.has_failed();
    CHECK(static_cast<bool>(joined) != has_failed);
    CHECK((scene.open().value().trust().lookup(host.id()) != nullptr) ==
          static_cast<bool>(joined));

    auto again = scene.open().value();
    REQUIRE(again.join(host.vault, recovery_key(0), at(6)));
    CHECK(scene.open().value().trust().lookup(host.id()) != nullptr);
  }
}

TEST_CASE("records of a known signer must be whole", "[archive][trust]") {
  const RepositoryInFolder scene;
  const Host anna;
  const Host bert;
  enrol(scene, anna, "keeper");
  enrol(scene, bert, "writer");
  const archive::SignerId founder = scene.founder.id();
  CHECK(scene.open().value().records().size() == 2);

  SECTION("R7: a flipped bit") {
    std::string text = support::contents(path_of(scene, founder, 1));
    text[80] = static_cast<char>(text[80] ^ 1);
    support::overwrite(path_of(scene, founder, 1), text);
    CHECK(rule_of(scene.open().error()) == "R7");
  }
  SECTION("R7: no signature") {
    fs::remove(path_of(scene, founder, 2, ".sig"));
    CHECK(rule_of(scene.open().error()) == "R7");
  }
  SECTION("R15: the record before was replaced by another that was signed too") {
    const archive::Record first = scene.open().value().records()[0];
    archive::Record other = first;
    other.created = at(-50);
    const std::string text = to_text(other);
    const auto signature = scene.founder.key().sign(base::as_bytes(text)).value();
    support::overwrite(path_of(scene, founder, 1), text);
    support::overwrite(path_of(scene, founder, 1, ".sig"), base::as_text(signature));
    CHECK(rule_of(scene.open().error()) == "R15");
  }
  REQUIRE_FALSE(scene.open());
  CHECK(scene.open().error().code() == ErrorCode::kCorrupt);
  CHECK(scene.open().error().places().back().kind == "signer");
}

TEST_CASE("R15: a recovery key's records have no gap", "[archive][trust]") {
  const RepositoryInFolder scene;
  Host anna;
  Host bert;
  REQUIRE(scene.open().value().join(anna.vault, recovery_key(0), at(1)));
  REQUIRE(scene.open().value().join(bert.vault, recovery_key(0), at(2)));
  const archive::SignerId recovery(recovery_key(0).recipient().id().bytes());
  fs::remove(path_of(scene, recovery, 1));
  const auto opened = scene.open();
  REQUIRE_FALSE(opened);
  CHECK(rule_of(opened.error()) == "R15");
}

TEST_CASE("records of a stranger count for nothing and are reported",
          "[archive][trust]") {
  const RepositoryInFolder scene;
  const Host stranger;
  auto record =
      support::enrolled(next_record(scene.made, stranger.id(), "enrolled", at(1)),
                        stranger.key().public_key(), "keeper");
  REQUIRE(put_record(*scene.store(), record, signed_by(stranger.key())));
  const auto opened = scene.open();
  REQUIRE(opened);
  CHECK(opened->records().empty());
  CHECK_FALSE(opened->trust().lookup(stranger.id()));
  REQUIRE(opened->unbelieved().size() == 1);
  CHECK(rule_of(opened->unbelieved().front()) == "R9");
  CHECK(opened->unbelieved().front().places()[1].name == stranger.id().hex());

  SECTION("until the key vault trusts it, as a writer") {
    Host reader;
    REQUIRE(reader.vault.trust("elsewhere", stranger.key().public_key()));
    const auto believed = scene.open(&reader.vault);
    REQUIRE(believed);
    CHECK(believed->unbelieved().empty());
    CHECK(believed->trust().lookup(stranger.id())->role == archive::Role::kWriter);
    CHECK(believed->records().size() == 1);
  }
}

TEST_CASE("a reader learns of new records when it looks again", "[archive]") {
  const RepositoryInFolder scene;
  const Host anna;
  auto opened = scene.open().value();
  enrol(scene, anna, "writer");
  CHECK_FALSE(opened.trust().lookup(anna.id()));
  REQUIRE(opened.refresh());
  CHECK(opened.trust().lookup(anna.id()));
}
