// What every ObjectStore keeps, whatever storage it speaks to.
#pragma once

#include "archive/object_store.h"
#include "tests/support/catch.h"

namespace sealift::support {

inline std::vector<std::string> names_of(
    const std::vector<archive::ObjectInfo>& objects) {
  std::vector<std::string> names;
  for (const auto& object : objects) names.push_back(object.name);
  return names;
}

/// `store` is empty. Called once a section.
inline void check_object_store_contract(archive::ObjectStore& store) {
  using base::ErrorCode;
  const auto content = [](std::string_view text) { return base::as_bytes(text); };

  SECTION("an object is there only when it is published, and then whole") {
    auto pending = store.create("archives/aa/one.tar");
    REQUIRE(pending);
    REQUIRE(pending.value()->append(content("first ")));
    REQUIRE(pending.value()->append(content("second")));
    CHECK(store.list("").value().empty());
    CHECK(store.examine("archives/aa/one.tar").error().code() == ErrorCode::kNotFound);
    REQUIRE(pending.value()->publish());

    CHECK(store.examine("archives/aa/one.tar").value().size == 12);
    const auto read = read_object(store, "archives/aa/one.tar", 12);
    CHECK(base::as_text(read.value()) == "first second");
  }
  SECTION("an object that is not published leaves nothing") {
    {
      auto pending = store.create("archives/aa/one.tar");
      REQUIRE(pending.value()->append(content("lost")));
    }
    CHECK(store.list("").value().empty());
  }
  SECTION("an object is never replaced") {
    REQUIRE(put_object(store, "a/b", content("old")));
    auto again = put_object(store, "a/b", content("new"));
    REQUIRE_FALSE(again);
    CHECK(again.error().code() == ErrorCode::kBusy);
    CHECK(base::as_text(read_object(store, "a/b", 9).value()) == "old");
  }
  SECTION("a listing gives what begins with the prefix, sorted, and nothing else") {
    for (const char* name : {"records/b", "records/a/2", "records/a/1", "recordsx/c",
                             "archives/x", "repository.json"}) {
      REQUIRE(put_object(store, name, content("x")));
    }
    using Names = std::vector<std::string>;
    CHECK(names_of(store.list("records/").value()) ==
          Names{"records/a/1", "records/a/2", "records/b"});
    CHECK(names_of(store.list("records/a").value()) ==
          Names{"records/a/1", "records/a/2"});
    CHECK(names_of(store.list("rec").value()).size() == 4);
    CHECK(store.list("").value().size() == 6);
    CHECK(store.list("none/").value().empty());
    CHECK(store.list("none/below/that").value().empty());
    CHECK_FALSE(store.is_empty().value());
  }
  SECTION("a range is read exactly, or refused") {
    REQUIRE(put_object(store, "object", content("0123456789")));
    std::array<std::byte, 4> range{};
    REQUIRE(store.read("object", 3, range));
    CHECK(base::as_text(range) == "3456");
    CHECK(store.read("object", 7, range).error().code() == ErrorCode::kCorrupt);
    CHECK(store.read("object", ~std::uint64_t{0}, range).error().code() ==
          ErrorCode::kCorrupt);
    CHECK(store.read("object", 10, {}));
    CHECK(store.read("none", 0, range).error().code() == ErrorCode::kNotFound);
  }
  SECTION("a whole object is read up to a limit") {
    REQUIRE(put_object(store, "object", content("0123456789")));
    CHECK(read_object(store, "object", 10));
    CHECK(read_object(store, "object", 9).error().code() == ErrorCode::kCorrupt);
    CHECK(read_object(store, "none", 9).error().code() == ErrorCode::kNotFound);
  }
  SECTION("a name that no object can have is not written and not found") {
    for (const char* name : {"", "/etc/passwd", "../x", "a/../b", "a//b", "a/", ".x",
                             "a/.partial-1", "a b", "a\nb", "\xc3\xa4"}) {
      CAPTURE(name);
      CHECK(store.create(name).error().code() == ErrorCode::kDefect);
      CHECK(store.examine(name).error().code() == ErrorCode::kNotFound);
    }
  }
  SECTION("an empty storage is empty") {
    CHECK(store.is_empty().value());
    CHECK(store.list("").value().empty());
  }
}

}  // namespace sealift::support
