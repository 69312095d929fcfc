// list, show, verify, restore and catalog rebuild over snapshots that are there.
#include "base/strict_json.h"
#include "tests/cli/written_snapshot.h"

namespace sealift::cli {

TEST_CASE("an empty repository is listed as empty", "[cli]") {
  CommandLine host;
  host.make_repository();
  const Outcome outcome = host.run({"list"});
  CHECK(outcome.status == 0);
  CHECK(outcome.output.empty());
  CHECK(outcome.error == "the repository holds no snapshot yet\n");
  CHECK(host.run({"list", "--json"}).output == "[]\n");
  CHECK(host.run({"verify"}).status == 10);
}

TEST_CASE("list shows snapshots in a table and as JSON", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string older = write_snapshot(host, {});
  const std::string newer =
      write_snapshot(host, {.vm = "db \x1b[2J", .created = 1'799'000'100});

  const Outcome table = host.run({"list"});
  CAPTURE(table.error, table.output);
  REQUIRE(table.status == 0);
  CHECK(table.error.empty());
  CHECK_THAT(table.output, StartsWith("ID        VM          CREATED "));
  CHECK_THAT(table.output, Contains(older.substr(0, 8) + "  web-01"));
  CHECK_THAT(table.output, Contains("db \\x1b[2J"));
  CHECK(table.output.find(newer.substr(0, 8)) < table.output.find(older.substr(0, 8)));
  std::istringstream lines(table.output);
  for (std::string line; std::getline(lines, line);) CHECK(line.size() <= 100);

  const base::Json json =
      base::parse_strict_json(host.run({"list", "--json"}).output).value();
  REQUIRE(json.size() == 2);
  const base::Json& row = json[1];
  CHECK(row["id"] == older);
  CHECK(row["vm"] == "web-01");
  CHECK(row["vm_uuid"] == "6f0c1d3e-0000-4000-8000-0123456789ab");
  CHECK(row["cluster"] == "cluster-a");
  CHECK(row["host"] == "host-a");
  CHECK(row["created"] == base::Timestamp(1'799'000'000).text());
  CHECK(row["kind"] == "full");
  CHECK(row["read"] == "all");
  CHECK(row["verdict"] == "complete");
  for (const char* name : {"source_bytes", "changed_bytes", "stored_bytes"}) {
    CHECK(row[name].is_number_unsigned());
  }
}

TEST_CASE("list names the VM it cannot find, and the command that lists VMs", "[cli]") {
  CommandLine host;
  host.make_repository();
  const Outcome outcome = host.run({"list", "web-02"});
  CHECK(outcome.status == 10);
  CHECK(outcome.output.empty());
  CHECK(outcome.error ==
        "error: the repository holds no snapshot of this VM\n"
        "  where: repository " +
            host.path("repository") +
            ", vm web-02\n"
            "  next:  list what it holds with `sealift list`\n");
}

TEST_CASE("what is left beside a gap is shown with status 3, and restored by its id",
          "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string lost = write_snapshot(host, {});
  const std::string left = write_snapshot(
      host, {.vm = "web-02", .uuid = "6f0c1d3e-0000-4000-8000-0123456789ac"});
  std::filesystem::remove_all(
      host.path("repository/archives/" + lost.substr(0, 2) + "/" + lost));
  const std::vector<std::string> key{"--identity", host.path("key-1.pem")};
  const auto run = [&](std::vector<std::string> words) {
    words.insert(words.end(), key.begin(), key.end());
    return host.run(words);
  };

  for (const std::vector<std::string>& words : {std::vector<std::string>{"list"},
                                                {"show", left},
                                                {"verify", left},
                                                {"verify"}}) {
    CAPTURE(words);
    const Outcome outcome = run(words);
    CHECK(outcome.status == 3);
    CHECK_THAT(outcome.output, Contains("web-02"));
    CHECK_THAT(outcome.error, StartsWith("error: a record of this signer is missing"));
    CHECK_THAT(outcome.error, Contains("--accept-loss"));
    // Once.
    CHECK(outcome.error.find("error:", 1) == std::string::npos);
  }
  for (const char* command : {"show", "verify"}) {
    CAPTURE(command);
    const Outcome newest = run({command, "web-02"});
    CHECK(newest.status == 3);
    CHECK(newest.output.empty());
  }
  const auto restore = [&](const std::string& what, bool accepts) {
    std::vector<std::string> words{"restore", what, "--to-directory", host.path("out")};
    if (accepts) words.emplace_back("--accept-loss");
    return run(words);
  };
  CHECK(restore(left, false).status == 3);
  CHECK(restore("web-02", true).status == 3);
  CHECK(restore("web-02@latest", true).status == 3);
  CHECK(restore(lost, true).status == 3);
  CHECK_FALSE(std::filesystem::exists(host.path("out")));
  const Outcome restored = restore(left, true);
  CAPTURE(restored.error);
  CHECK(restored.status == 0);
  CHECK_THAT(restored.error, StartsWith("error: a record of this signer is missing"));
  CHECK(std::filesystem::exists(host.path("out/vda.raw")));
  // Nobody gets used to it.
  CHECK(restore(left, false).status == 3);
}

TEST_CASE("a fresh host sees names with a recovery key", "[cli]") {
  CommandLine host;
  const std::string id = host.make_repository();
  const std::string snapshot = write_snapshot(host, {});
  host.write_recovery_key(2);
  host.become_fresh_host();
  host.variables["SEALIFT_REPO_ID"] = id;

  const Outcome sealed = host.run({"list"});
  CHECK(sealed.status == 0);
  CHECK_THAT(sealed.output, Contains(snapshot.substr(0, 8)));
  CHECK_THAT(sealed.output, !Contains("web-01"));
  CHECK_THAT(sealed.error, StartsWith("warning: names and sizes are sealed"));

  for (const std::string command : {"list", "show", "verify"}) {
    CAPTURE(command);
    const Outcome named = host.run({command, "web-01"});
    CHECK(named.status == 10);
    CHECK_THAT(named.error, StartsWith("error: names of VMs are sealed, and this host "
                                       "does not hold the repository key\n"));
    CHECK_THAT(named.error, Contains("--identity KEY.pem"));
    CHECK_THAT(named.error, Contains("sealift repo join"));
  }
  const base::Json rows =
      base::parse_strict_json(host.run({"list", "--json"}).output).value();
  REQUIRE(rows.size() == 1);
  CHECK(rows[0]["id"] == snapshot);
  CHECK(rows[0]["sealed"] == true);

  const Outcome shown = host.run({"show", snapshot});
  CHECK(shown.status == 10);
  CHECK_THAT(shown.error, Contains("--identity"));

  const Outcome open = host.run({"list", "--identity", host.path("key-1.pem")});
  CAPTURE(open.error);
  CHECK(open.status == 0);
  CHECK_THAT(open.output, Contains("web-01"));
  CHECK(open.error.empty());

  CHECK(host.run({"list", "--identity", host.path("key-2.pem")}).status == 12);
  CHECK(host.run({"list", "--identity", host.path("absent.pem")}).status == 10);
}

TEST_CASE("show says what a snapshot is worth and what it is made of", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string id = write_snapshot(host, {});
  const Outcome outcome = host.run({"show", "web-01@latest"});
  CAPTURE(outcome.error, outcome.output);
  REQUIRE(outcome.status == 0);
  CHECK_THAT(outcome.output, StartsWith("snapshot  " + id));
  CHECK_THAT(outcome.output, Contains("verdict: complete\n"));
  CHECK_THAT(outcome.output, Contains("guest-state     absent    the VM has no vTPM"));
  CHECK_THAT(outcome.output, Contains("pause_milliseconds"));
  CHECK_THAT(outcome.output, Contains("-0001.tar"));
  const base::Json json =
      base::parse_strict_json(host.run({"show", id, "--json"}).output).value();
  CHECK(json["id"] == id);
  CHECK(json["components"].size() == 2);
  CHECK(host.run({"show", "web-09"}).status == 10);
}

TEST_CASE("newer snapshots that are not complete are passed over by name", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string good = write_snapshot(host, {});
  const std::string bad =
      write_snapshot(host, {.created = 1'799'000'500, .verdict = "incomplete"});
  const Outcome outcome = host.run({"show", "web-01", "--json"});
  CHECK(outcome.status == 0);
  CHECK(base::parse_strict_json(outcome.output).value()["id"] == good);
  CHECK_THAT(outcome.error,
             Contains("passed over the newer snapshot " + bad.substr(0, 8)));
}

TEST_CASE("verify ends with the level reached", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string id = write_snapshot(host, {});
  host.write_recovery_key(2);

  const Outcome without = host.run({"verify", "web-01"});
  CAPTURE(without.error);
  CHECK(without.status == 0);
  CHECK_THAT(without.output, StartsWith(id.substr(0, 8) + "  web-01  level 1 of 3"));
  CHECK_THAT(without.output, EndsWith("level 1 reached: signatures and sums\n"));

  const Outcome with =
      host.run({"verify", "--all", "--identity", host.path("key-1.pem")});
  CAPTURE(with.error);
  CHECK(with.status == 0);
  CHECK_THAT(with.output, EndsWith("level 2 reached: every chunk\n"));

  CHECK(host.run({"verify", id, "--identity", host.path("key-2.pem")}).status == 12);
  CHECK(host.run({"verify", id, "--all"}).status == 2);
}

TEST_CASE("verify says that a vTPM was never started", "[cli]") {
  CommandLine host;
  host.make_repository();
  write_snapshot(host, {.no_state = "the VM was never started"});
  const Outcome outcome =
      host.run({"verify", "web-01", "--identity", host.path("key-1.pem")});
  CAPTURE(outcome.error);
  CHECK(outcome.status == 0);
  CHECK_THAT(outcome.output, Contains("(the VM was never started)"));
}

TEST_CASE("a flipped bit is exit 3 and the volume is named", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string good = write_snapshot(host, {.vm = "db-01"});
  const std::string id =
      write_snapshot(host, {.created = 1'799'000'200, .content = 'b'});
  const std::string volume = volume_path(host, id);
  const std::string name = volume.substr(host.path("repository/").size());
  const std::vector<std::string> restore{"restore",        "web-01",
                                         "--identity",     host.path("key-1.pem"),
                                         "--to-directory", host.path("restored")};
  const auto names_it = [&](const Outcome& outcome) {
    CAPTURE(outcome.output);
    CHECK(outcome.status == 3);
    CHECK_THAT(outcome.error, Contains(name));
  };

  SECTION("in the frames, which only reading every byte shows") {
    constexpr std::streamoff kInTheFrames = 60'000;
    flip_a_bit(volume, kInTheFrames);
    names_it(host.run({"verify", "web-01"}));
    const Outcome all = host.run({"verify", "--all", "--json"});
    names_it(all);
    CHECK_THAT(all.output, Contains(good));
    CHECK(host.run({"verify", "db-01"}).status == 0);
    CHECK(host.run({"list"}).status == 0);
  }
  SECTION("in the signature, which every command looks at") {
    constexpr std::streamoff kInTheSignature = -1024 - 1024 - 512 + 8;
    flip_a_bit(volume, kInTheSignature);
    names_it(host.run({"verify", "web-01"}));
    names_it(host.run({"verify"}));
    names_it(host.run({"list"}));
  }
  names_it(host.run(restore));
  CHECK_FALSE(std::filesystem::exists(host.path("restored/vda.raw")));
}

TEST_CASE("a volume of nobody's is left out, named, and not gone by", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string id = write_snapshot(host, {});
  const std::string stray = std::string(32, 'a');
  const std::string volume = volume_path(host, stray);
  std::filesystem::create_directories(std::filesystem::path(volume).parent_path());
  std::filesystem::copy_file(volume_path(host, id), volume);
  const std::string name = volume.substr(host.path("repository/").size());

  const Outcome listed = host.run({"list"});
  CHECK(listed.status == 4);
  CHECK_THAT(listed.error, Contains(name));
  CHECK_THAT(listed.output, Contains(id.substr(0, 8)));

  const Outcome newest = host.run({"show", "web-01"});
  CHECK(newest.status == 3);
  CHECK_THAT(newest.error, Contains(name));
  CHECK_THAT(newest.error, Contains("name a snapshot by its id"));

  const Outcome by_id = host.run({"show", id});
  CHECK(by_id.status == 0);
  CHECK_THAT(by_id.error, Contains(name));
  CHECK(host.run({"verify", "--all"}).status == 3);
  CHECK(host.run({"catalog", "rebuild"}).status == 4);
}

TEST_CASE("what a revoked host wrote since then is exit 3, not not-found", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string early = write_snapshot(host, {.vm = "early"});
  const std::string late =
      write_snapshot(host, {.vm = "late", .created = 1'799'000'200});
  const base::Timestamp since(1'799'000'100);
  const std::string signer = revoke_host(host, since);

  for (const std::string& named : {std::string("late"), late, late.substr(0, 8)}) {
    CAPTURE(named);
    const Outcome outcome = host.run({"show", named});
    CHECK(outcome.status == 3);
    CHECK(outcome.output.empty());
    CHECK_THAT(outcome.error, Contains("snapshot " + named + ", volume "));
    CHECK_THAT(outcome.error,
               Contains("revoked since " + since.text() + ", signer " + signer));
    CHECK_THAT(outcome.error, Contains("what is believed holds no such VM"));
  }
  CHECK(host.run({"show", "early"}).status == 0);
  CHECK(host.run({"show", early}).status == 0);
}

TEST_CASE("restore --to-directory gives the VM's files", "[cli]") {
  CommandLine host;
  const std::string repository = host.make_repository();
  write_snapshot(host, {.content = 'z'});
  host.become_fresh_host();
  host.variables["SEALIFT_REPO_ID"] = repository;
  const std::vector<std::string> words{"restore",        "web-01",
                                       "--identity",     host.path("key-1.pem"),
                                       "--to-directory", host.path("restored")};
  const Outcome outcome = host.run(words);
  CAPTURE(outcome.error);
  REQUIRE(outcome.status == 0);
  const std::string disk = host.read("restored/vda.raw");
  const std::size_t chunk = disk.size() / 3;
  const std::string wanted =
      std::string(chunk, '\0') + chunk_of('z', chunk) + std::string(chunk, '\0');
  CHECK((disk == wanted));
  CHECK(host.run(words).status == 5);
}

TEST_CASE("restore refuses words that do not go together, touching nothing", "[cli]") {
  CommandLine host;
  host.make_repository();
  host.write_recovery_key(1);
  CHECK(host.run({"restore", "web-01"}).error ==
        "error: this command needs a recovery key\n"
        "  next:  name its file with --identity KEY.pem\n");
  const Outcome both =
      host.run({"restore", "web-01", "--identity", host.path("key-1.pem"),
                "--to-directory", host.path("x"), "--start"});
  CHECK(both.status == 2);
  CHECK(both.error ==
        "error: --to-directory and --start do not go together\n"
        "  next:  `sealift restore --help` says how it is used\n");
  CHECK(host.run({"restore", "web-01", "--identity", host.path("key-1.pem"),
                  "--to-directory", host.path("x")})
            .status == 10);
  CHECK_FALSE(std::filesystem::exists(host.path("x")));
}

TEST_CASE("an option with an empty value is a wrong command line", "[cli]") {
  CommandLine host;
  host.make_repository();
  write_snapshot(host, {});
  for (const std::string option :
       {"--storage-dir", "--to-directory", "--allow-element", "--repo"}) {
    CAPTURE(option);
    const Outcome outcome = host.run(
        {"restore", "web-01", "--identity", host.path("key-1.pem"), option, ""});
    CHECK(outcome.status == 2);
    CHECK(outcome.error ==
          "error: the option's value is empty\n  where: option " + option + "\n");
  }
}

// Every byte behind the file's header.
void spoil_catalog(const CommandLine& host) {
  constexpr std::size_t kHeader = 100;
  const std::string content = host.read("catalog.db");
  host.write("catalog.db",
             content.substr(0, kHeader) + std::string(content.size() - kHeader, 'x'));
}

TEST_CASE("catalog rebuild makes the same catalog anew", "[cli]") {
  CommandLine host;
  host.make_repository();
  write_snapshot(host, {});
  const std::string before = host.run({"list", "--json"}).output;

  SECTION("over a good one") {
    CHECK(host.run({"catalog", "rebuild"}).output ==
          "rebuilt " + host.path("catalog.db") + ": 1 snapshot\n");
  }
  SECTION("over a damaged one, which is put aside with its log, and again") {
    for (const std::string aside : {"catalog.db.damaged", "catalog.db.damaged-2"}) {
      CAPTURE(aside);
      spoil_catalog(host);
      host.write("catalog.db-wal", "log of " + aside);
      const std::string spoilt = host.read("catalog.db");
      const Outcome listed = host.run({"list"});
      CHECK(listed.status == 3);
      CHECK_THAT(listed.error, Contains("sealift catalog rebuild"));
      host.write("catalog.db-wal", "log of " + aside);
      const Outcome rebuilt = host.run({"catalog", "rebuild"});
      CAPTURE(rebuilt.error);
      CHECK(rebuilt.status == 0);
      CHECK((host.read(aside) == spoilt));
    }
  }
  CHECK(host.run({"list", "--json"}).output == before);
}

TEST_CASE("catalog rebuild leaves a file alone that is no catalog", "[cli]") {
  CommandLine host;
  host.make_repository();
  host.variables["SEALIFT_CATALOG"] = host.path("notes");
  for (const std::string& content :
       {std::string("my notes"), "SQLite format 3" + std::string(8192, 'x')}) {
    host.write("notes", content);
    host.write("notes-wal", "mine too");
    host.write("notes.damaged", "and this");
    const Outcome outcome = host.run({"catalog", "rebuild"});
    CHECK(outcome.status == 5);
    CHECK(outcome.error ==
          "error: the file does not look like a catalog\n"
          "  where: catalog " +
              host.path("notes") +
              "\n"
              "  next:  name the catalog with --catalog FILE, or if it is one remove "
              "it by hand; this file is untouched\n");
    CHECK((host.read("notes") == content));
    CHECK(host.read("notes-wal") == "mine too");
    CHECK(host.read("notes.damaged") == "and this");
  }
}

TEST_CASE("the catalog of another repository is refused", "[cli]") {
  CommandLine host;
  host.make_repository();
  REQUIRE(host.run({"list"}).status == 0);
  const std::vector<std::string> init{"repo",        "init",
                                      "--repo",      host.path("second"),
                                      "--recipient", host.path("key-1.pub.pem")};
  REQUIRE(host.run(init).status == 0);
  CHECK(host.run({"list", "--repo", host.path("second")}).status == 5);
}

}  // namespace sealift::cli
