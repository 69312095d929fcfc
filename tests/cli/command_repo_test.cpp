// The repo commands, and how every command knows that a repository is the one meant.
#include "archive/unfinished_init.h"
#include "base/strict_json.h"
#include "tests/cli/command_line.h"

namespace sealift::cli {

TEST_CASE("repo init prints the id alone, and says what to keep", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  const Outcome made =
      host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem")});
  CHECK(made.status == 0);
  CHECK(made.output.size() == 65);
  CHECK(made.output.find_first_not_of("0123456789abcdef\n") == std::string::npos);
  CHECK_THAT(made.error, Contains("recovery kit"));
  CHECK_THAT(
      made.error,
      Contains("warning: there is one recipient: if that recovery key is lost, so "
               "is every backup\n"));

  SECTION("it is not made twice") {
    const Outcome again =
        host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem")});
    CHECK(again.status == 5);
    CHECK(again.output.empty());
  }
  SECTION("the host knows it from then on, and shows who reads and writes") {
    const Outcome shown = host.run({"repo", "show", "--json"});
    REQUIRE(shown.status == 0);
    const base::Json json = base::parse_strict_json(shown.output).value();
    CHECK(json["id"].get<std::string>() + "\n" == made.output);
    REQUIRE(json["recipients"].size() == 1);
    CHECK(json["recipients"][0]["id"] ==
          CommandLine::recovery_key(1).recipient().id().hex());
    REQUIRE(json["signers"].size() == 1);
    CHECK(json["signers"][0]["role"] == "keeper");
    CHECK_THAT(host.run({"repo", "show"}).output, Contains(made.output));
  }
}

TEST_CASE("repo init with two recipients warns of nothing", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  host.write_recovery_key(2);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  const Outcome made =
      host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                "--recipient", host.path("key-2.pub.pem")});
  CHECK(made.status == 0);
  CHECK_THAT(made.error, !Contains("warning"));
}

TEST_CASE("chunk size and compression are chosen when a repository is made", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  REQUIRE(host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                    "--chunk-size", "1024", "--zstd-level", "9"})
              .status == 0);
  const base::Json json =
      base::parse_strict_json(host.run({"repo", "show", "--json"}).output).value();
  CHECK(json["chunk_size"] == 1024 * 1024);
  CHECK(json["zstd_level"] == 9);
  CHECK_THAT(host.run({"repo", "show"}).output,
             Contains("chunks of 1.0 MiB, zstd level 9\n"));
}

TEST_CASE("repo init that fails leaves no folder", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  SECTION("without a recipient") {
    const Outcome outcome = host.run({"repo", "init"});
    CHECK(outcome.status == 2);
    CHECK_THAT(outcome.error, StartsWith("error: a repository needs a recipient\n"));
  }
  SECTION("with a private key where a public one belongs") {
    CHECK(host.run({"repo", "init", "--recipient", host.path("key-1.pem")}).status ==
          2);
  }
  SECTION("with the same recipient twice") {
    CHECK(host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                    "--recipient", host.path("key-1.pub.pem")})
              .status == 2);
  }
  SECTION("with a chunk size or a level that cannot be") {
    for (const char* option : {"--chunk-size", "--zstd-level"}) {
      for (const char* number : {"0", "100", "-1", "4294967297", "1x", "many"}) {
        CAPTURE(option, number);
        const Outcome outcome = host.run({"repo", "init", "--recipient",
                                          host.path("key-1.pub.pem"), option, number});
        CHECK(outcome.status == 2);
        CHECK_THAT(outcome.error, Contains("  where: option " + std::string(option) +
                                           " " + number + "\n"));
      }
    }
    CHECK(host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem"),
                    "--chunk-size", "100"})
              .error ==
          "error: a chunk size is 64, 128, 256, 512, 1024, 2048 or 4096 KiB\n"
          "  where: option --chunk-size 100\n"
          "  next:  `sealift repo init --help` says how it is used\n");
  }
  SECTION("with a file that is not there") {
    CHECK(host.run({"repo", "init", "--recipient", host.path("absent")}).status == 10);
  }
  CHECK_FALSE(std::filesystem::exists(host.path("repository")));
}

TEST_CASE("a folder that holds something is no place for a repository", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  std::filesystem::create_directory(host.path("repository"));
  host.write("repository/note", "mine");
  CHECK(host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem")}).status ==
        5);
  CHECK(host.read("repository/note") == "mine");
}

TEST_CASE("repo init goes on where an interrupted one stopped", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  const std::vector<std::string> init{"repo", "init", "--recipient",
                                      host.path("key-1.pub.pem")};
  REQUIRE(host.run(init).status == 0);
  // All but repository.json, which comes last.
  std::filesystem::remove(host.path("repository/repository.json"));
  host.write("repository/format/.partial-0123456789abcdef", "half a page");
  SECTION("which left nothing else") {
    const Outcome again = host.run(init);
    CAPTURE(again.error);
    CHECK(again.status == 0);
    CHECK(host.run({"list"}).status == 0);
    CHECK_FALSE(std::filesystem::exists(
        host.path("repository/format/.partial-0123456789abcdef")));
  }
  SECTION("but not beside anything else, which is untouched") {
    std::string other;
    SECTION("a file") { other = "repository/note"; }
    SECTION("a page of another name") { other = "repository/format/note.md"; }
    SECTION("records of a repository that lost its document") {
      std::filesystem::create_directory(host.path("repository/records"));
      other = "repository/records/00000001";
    }
    host.write(other, "mine");
    CHECK(host.run(init).status == 5);
    CHECK(host.read(other) == "mine");
    CHECK(host.read("repository/format/.partial-0123456789abcdef") == "half a page");
  }
}

TEST_CASE("repo init keeps out of a folder that another one works in", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  std::filesystem::create_directory(host.path("repository"));
  const auto other = archive::lock_for_init(host.path("repository"));
  REQUIRE(other);
  host.write("repository/repository.json.sig", "the other's");
  const Outcome outcome =
      host.run({"repo", "init", "--recipient", host.path("key-1.pub.pem")});
  CHECK(outcome.status == 11);
  CHECK_THAT(outcome.error, Contains("another `repo init` is at work here"));
  CHECK(host.read("repository/repository.json.sig") == "the other's");
}

TEST_CASE("no repository named, and none there, are different errors", "[cli]") {
  CommandLine host;
  SECTION("none there") {
    const Outcome outcome = host.run({"list"});
    CHECK(outcome.status == 10);
    CHECK(outcome.error == "error: there is no repository\n  where: repository " +
                               host.path("repository") +
                               "\n  next:  is it mounted? mount it, then run the "
                               "command again\n");
    CHECK_FALSE(std::filesystem::exists(host.path("repository")));
  }
  SECTION("an empty folder") {
    std::filesystem::create_directory(host.path("repository"));
    const Outcome outcome = host.run({"list"});
    CHECK(outcome.status == 10);
    CHECK_THAT(outcome.error, Contains("is it mounted?"));
  }
  SECTION("a file") {
    host.write("repository", "mine");
    const Outcome outcome = host.run({"list"});
    CHECK(outcome.status == 10);
    CHECK(outcome.error == "error: this is not a folder\n  where: path " +
                               host.path("repository") +
                               "\n  next:  name the folder that holds "
                               "repository.json\n");
  }
  SECTION("none named") {
    host.variables.erase("SEALIFT_REPO");
    const Outcome outcome = host.run({"list"});
    CHECK(outcome.status == 2);
    CHECK(outcome.error ==
          "error: no repository is named\n"
          "  next:  name its folder with --repo DIR, or in SEALIFT_REPO\n");
  }
  SECTION("a bucket") {
    CHECK(host.run({"list", "--repo", "s3://bucket/prefix"}).status == 2);
  }
}

TEST_CASE("a repository is only read when it is known to be the one meant", "[cli]") {
  CommandLine host;
  const std::string id = host.make_repository();
  const std::string other(64, 'a');

  SECTION("pinned, and named: the name wins") {
    CHECK(host.run({"list"}).status == 0);
    CHECK(host.run({"list", "--repo-id", other}).status == 3);
  }
  SECTION("on a fresh host") {
    host.become_fresh_host();
    SECTION("with nothing to compare") {
      const Outcome outcome = host.run({"list"});
      CHECK(outcome.status == 3);
      CHECK_THAT(outcome.error, Contains(id));
      CHECK_THAT(outcome.error, Contains("--repo-id"));
      CHECK_THAT(outcome.error, Contains("there is no key vault in "));
    }
    SECTION("with the id") { CHECK(host.run({"list", "--repo-id", id}).status == 0); }
    SECTION("with the id in the environment, as typed from paper") {
      std::string typed;
      for (std::size_t at = 0; at < id.size(); at += 4) {
        typed += id.substr(at, 4) + (at % 32 == 28 ? "-" : " ");
      }
      std::ranges::transform(typed, typed.begin(), [](unsigned char c) {
        return static_cast<char>(std::toupper(c));
      });
      host.variables["SEALIFT_REPO_ID"] = typed;
      CHECK(host.run({"list"}).status == 0);
    }
    SECTION("with another id") {
      CHECK(host.run({"list", "--repo-id", other}).status == 3);
    }
    SECTION("with an id that is none") {
      CHECK(host.run({"list", "--repo-id", "1234"}).status == 2);
    }
    SECTION("a person who compares") {
      ScriptedTerminal terminal({"yes"});
      host.terminal = &terminal;
      CHECK(host.run({"list"}).status == 0);
      CHECK_THAT(terminal.asked, Contains(id.substr(0, 4) + " " + id.substr(4, 4)));
    }
    SECTION("a person who sees another id") {
      ScriptedTerminal terminal({"no"});
      host.terminal = &terminal;
      const Outcome outcome = host.run({"list"});
      CHECK(outcome.status == 3);
      // An id that a person has just called wrong is not offered to be pasted.
      CHECK_THAT(outcome.error, !Contains("--repo-id"));
    }
    SECTION("a person who leaves instead of answering") {
      ScriptedTerminal terminal({});
      host.terminal = &terminal;
      host.stop.request_stop();
      CHECK(host.run({"list"}).status == 130);
    }
  }
}

TEST_CASE("repo show gives the founder no date that nobody wrote down", "[cli]") {
  CommandLine host;
  host.make_repository();
  CHECK_THAT(host.run({"repo", "show", "--json"}).output, !Contains("1970"));
}

TEST_CASE("repo join lets a second host write, and does no harm twice", "[cli]") {
  CommandLine host;
  const std::string id = host.make_repository();
  host.write_recovery_key(2);
  host.variables["SEALIFT_KEYVAULT"] = host.path("second-vault");
  host.variables["SEALIFT_CATALOG"] = host.path("second-catalog.db");
  REQUIRE(host.run({"keyvault", "init"}).status == 0);

  CHECK(host.run({"repo", "join", "--repo-id", id}).status == 2);
  CHECK(
      host.run({"repo", "join", "--repo-id", id, "--identity", host.path("key-2.pem")})
          .status == 12);
  CHECK(host.run({"repo", "join", "--identity", host.path("key-1.pem")}).status == 3);
  const std::vector<std::string> join{"repo", "join",       "--repo-id",
                                      id,     "--identity", host.path("key-1.pem")};
  const Outcome joined = host.run(join);
  CAPTURE(joined.error);
  CHECK(joined.status == 0);
  CHECK(joined.output == "joined " + id + "\n");
  CHECK(host.run(join).status == 0);

  // Pinned now, and enrolled.
  const Outcome shown = host.run({"repo", "show", "--json"});
  REQUIRE(shown.status == 0);
  CHECK(base::parse_strict_json(shown.output).value()["signers"].size() == 2);
}

TEST_CASE("repo sheet has what a restore needs, and overwrites nothing", "[cli]") {
  CommandLine host;
  const std::string id = host.make_repository();
  host.write("sealift.conf", "cluster = <b>berlin & co\n");
  const std::vector<std::string> words{"repo",     "sheet",
                                       "--out",    host.path("sheet.html"),
                                       "--config", host.path("sealift.conf")};
  REQUIRE(host.run(words).status == 0);
  const std::string page = host.read("sheet.html");
  CHECK_THAT(page, Contains(id.substr(0, 4) + " " + id.substr(4, 4) + " "));
  CHECK_THAT(page, Contains("export SEALIFT_REPO_ID=" + id + "\n"));
  CHECK_THAT(page, Contains("export SEALIFT_REPO=" + host.path("repository") + "\n"));
  CHECK_THAT(page, Contains("sealift restore VM --identity KEY.pem --start\n"));
  CHECK_THAT(page, Contains("&lt;b&gt;berlin &amp; co"));
  CHECK_THAT(page, !Contains("http") && !Contains("<script"));

  CHECK(host.run(words).status == 5);
  CHECK(host.read("sheet.html") == page);
}

}  // namespace sealift::cli
