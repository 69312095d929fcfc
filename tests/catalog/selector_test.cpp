#include "tests/catalog/catalog_fixture.h"

using namespace sealift;
using base::ErrorCode;
using support::at;
using support::CatalogScene;

namespace {

constexpr const char* kOtherUuid = "11111111-2222-4333-8444-555555555555";

std::string hex(const archive::CommittedSnapshot& snapshot) {
  return snapshot.id.hex();
}

}  // namespace

TEST_CASE("a snapshot is found as people name it", "[catalog]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {.created = at(100)});
  const auto second = scene.back_up(scene.anna, {.created = at(200)});
  const auto third =
      scene.back_up(scene.anna, {.created = at(300), .verdict = "incomplete"});
  const auto other =
      scene.back_up(scene.bert, {.vm = "a@b", .uuid = kOtherUuid, .created = at(250)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  const auto find = [&](const std::string& selector) {
    return support::must(catalog->find(selector));
  };
  const auto code = [&](const std::string& selector) {
    const auto found = catalog->find(selector);
    REQUIRE_FALSE(found);
    return found.error().code();
  };

  SECTION("listings are newest first") {
    const auto all = catalog->list("").value();
    REQUIRE(all.size() == 4);
    CHECK(all[0].id == third.id);
    CHECK(all[3].id == first.id);
    CHECK(catalog->list("web-01").value().size() == 3);
    CHECK(catalog->list("6F0C1D3E-0000-4000-8000-0123456789AB").value().size() == 3);
    CHECK(catalog->list("none").value().empty());
  }
  SECTION("by its id or a prefix") {
    CHECK(find(hex(third)).snapshot.id == third.id);
    CHECK(find(hex(third).substr(0, 12)).snapshot.id == third.id);
    CHECK(code(hex(third).substr(0, 3)) == ErrorCode::kNotFound);
    CHECK(code(hex(third) + "0") == ErrorCode::kNotFound);
    CHECK(base::render(catalog->find("d19").error()) ==
          "error: the repository holds no such VM, and no snapshot of that id\n"
          "  where: snapshot d19\n"
          "  next:  if it is the start of an id, give at least 4 digits\n"
          "  next:  list what it holds with `sealift list`\n");
  }
  SECTION("the newest complete one, passing over and naming newer ones") {
    for (const char* selector :
         {"web-01", "web-01@latest", "6f0c1d3e-0000-4000-8000-0123456789ab",
          "6F0C1D3E-0000-4000-8000-0123456789AB@latest"}) {
      CAPTURE(selector);
      const auto found = find(selector);
      CHECK(found.snapshot.id == second.id);
      REQUIRE(found.passed_over.size() == 1);
      CHECK(found.passed_over.front().id == third.id);
    }
  }
  SECTION("the newest complete one not after a time") {
    CHECK(find("web-01@" + at(200).text()).snapshot.id == second.id);
    CHECK(find("web-01@" + at(199).text()).snapshot.id == first.id);
    CHECK(find("web-01@" + at(199).text()).passed_over.empty());
    CHECK(code("web-01@" + at(99).text()) == ErrorCode::kNotFound);
    CHECK(code("web-01@yesterday") == ErrorCode::kUsage);
  }
  SECTION("a day without a time is meant to its end") {
    const std::string day = at(200).text().substr(0, 10);
    CHECK(find("web-01@" + day).snapshot.id == second.id);
    CHECK(code("web-01@2001-01-01") == ErrorCode::kNotFound);
    CHECK(code("web-01@2026-02-30") == ErrorCode::kUsage);
  }
  SECTION("the last @ splits") {
    CHECK(find("a@b@latest").snapshot.id == other.id);
    CHECK(code("a@b") == ErrorCode::kNotFound);
  }
  SECTION("what is not there is not found") {
    CHECK(code("none") == ErrorCode::kNotFound);
    CHECK(code("none@latest") == ErrorCode::kNotFound);
    CHECK(code("abcdef0123") == ErrorCode::kNotFound);
    CHECK(code("") == ErrorCode::kUsage);
    CHECK(code("@latest") == ErrorCode::kUsage);
    CHECK(base::render(catalog->find("none").error()) ==
          "error: the repository holds no such VM, and no snapshot of that id\n"
          "  where: snapshot none\n"
          "  next:  list what it holds with `sealift list`\n");
  }
}

TEST_CASE("a selector without a VM names none, were there only one", "[catalog]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  CHECK(catalog->find("").error().code() == ErrorCode::kUsage);
  CHECK(catalog->find("@latest").error().code() == ErrorCode::kUsage);
}

TEST_CASE("a name that two VMs have is asked about", "[catalog]") {
  CatalogScene scene;
  scene.back_up(scene.anna, {.created = at(100)});
  const auto other =
      scene.back_up(scene.bert, {.uuid = kOtherUuid, .created = at(200)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  const auto found = catalog->find("web-01");
  REQUIRE_FALSE(found);
  CHECK(found.error().code() == ErrorCode::kUsage);
  REQUIRE(found.error().next_steps().size() == 2);
  CHECK(found.error().next_steps().front().find(kOtherUuid) != std::string::npos);
  CHECK(support::must(catalog->find(kOtherUuid)).snapshot.id == other.id);
}

TEST_CASE("a VM whose name looks like an id is itself", "[catalog]") {
  CatalogScene scene;
  const auto first = scene.back_up(scene.anna, {});
  const std::string prefix = first.id.hex().substr(0, 6);
  const auto named =
      scene.back_up(scene.bert, {.vm = prefix, .uuid = kOtherUuid, .created = at(200)});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  CHECK(support::must(catalog->find(prefix)).snapshot.id == named.id);
}

TEST_CASE("no complete snapshot is not found, and one is offered by its id",
          "[catalog]") {
  CatalogScene scene;
  const auto only = scene.back_up(scene.anna, {.verdict = "incomplete"});
  const auto catalog = scene.memory();
  REQUIRE(scene.refresh(*catalog));
  const auto found = catalog->find("web-01");
  REQUIRE_FALSE(found);
  CHECK(found.error().code() == ErrorCode::kNotFound);
  CHECK(found.error().next_steps().front() ==
        "name one of them by its id: `" + only.id.hex() + "`");
}
