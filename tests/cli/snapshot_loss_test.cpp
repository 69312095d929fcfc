// What list and show say of snapshots that need what is lost.
#include "base/strict_json.h"
#include "tests/cli/written_snapshot.h"

namespace sealift::cli {

namespace {

base::Json json_of(const Outcome& outcome) {
  return base::parse_strict_json(outcome.output).value();
}

}  // namespace

TEST_CASE("a snapshot that needs a lost volume is damaged, and says what it can",
          "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::string base = write_snapshot(host, {});
  const std::string leaning = write_snapshot(
      host, {.created = 1'799'000'100, .second = 'b', .is_deduplicated = true});
  const std::string same = write_snapshot(
      host, {.created = 1'799'000'200, .second = 'b', .is_deduplicated = true});
  const std::string other =
      write_snapshot(host, {.created = 1'799'000'300, .content = 'c'});
  const std::string path = volume_path(host, base);
  const std::string lost = path.substr(host.path("repository/").size());

  const base::Json whole = json_of(host.run({"list", "--json"}));
  for (const base::Json& row : whole) {
    CHECK(row["verdict"] == "complete");
    CHECK(row["lost_volumes"].empty());
    CHECK(row["lost_parts"] == 0);
  }
  std::filesystem::remove(path);

  const Outcome listed = host.run({"list", "--json"});
  CHECK(listed.status == 3);
  const base::Json rows = json_of(listed);
  REQUIRE(rows.size() == 4);
  CHECK(rows[0]["id"] == other);
  CHECK(rows[0]["verdict"] == "complete");
  CHECK(rows[0]["lost_volumes"].empty());
  for (const std::size_t at : {1U, 2U}) {
    CAPTURE(at);
    CHECK(rows[at]["id"] == (at == 1 ? same : leaning));
    CHECK(rows[at]["verdict"] == "damaged");
    CHECK(rows[at]["lost_volumes"] == base::Json::array({lost}));
    CHECK(rows[at]["lost_parts"] == 1);
  }
  CHECK(rows[3]["verdict"] == "damaged");
  CHECK(rows[3]["lost_volumes"] == base::Json::array({lost}));
  const Outcome table = host.run({"list"});
  CHECK(table.status == 3);
  CHECK_THAT(table.output, Contains("damaged: 1 volume lost\n"));
  CHECK_THAT(table.output, Contains("complete\n"));

  for (const std::string& id : {leaning, same}) {
    const Outcome shown = host.run({"show", id});
    CAPTURE(shown.output, shown.error);
    CHECK(shown.status == 3);
    CHECK_THAT(shown.output, StartsWith("snapshot  " + id));
    CHECK_THAT(shown.output, Contains("verdict: damaged: 1 volume lost\n"));
    CHECK_THAT(shown.output, Contains("disk vda"));
    CHECK_THAT(shown.output, Contains("pause_milliseconds"));
    CHECK_THAT(shown.output, Contains(id + "-0001.tar"));
    CHECK_THAT(shown.output, EndsWith("  and, lost:\n  " + lost + "\n"));
    CHECK_THAT(shown.error, Contains("error: the snapshot needs what is lost"));
    const base::Json json = json_of(host.run({"show", id, "--json"}));
    CHECK(json["verdict"] == "damaged");
    CHECK(json["lost_volumes"] == base::Json::array({lost}));
    CHECK(json["components"].size() == 2);
  }
  CHECK(json_of(host.run({"show", same, "--json"}))["other_volumes"].size() == 1);
  const Outcome intact = host.run({"show", other});
  CHECK(intact.status == 3);
  CHECK_THAT(intact.output, Contains("verdict: complete\n"));
  const Outcome gone = host.run({"show", base});
  CHECK(gone.status == 3);
  CHECK_THAT(gone.error, StartsWith("error: a volume is missing\n"));
  CHECK_THAT(gone.error, Contains(lost));

  // A catalog that never saw the volume counts what lies nowhere.
  host.variables["SEALIFT_CATALOG"] = host.path("fresh-catalog.db");
  const Outcome fresh = host.run({"list", "--json"});
  CHECK(fresh.status == 3);
  const base::Json left = json_of(fresh);
  REQUIRE(left.size() == 3);
  CHECK(left[0]["verdict"] == "complete");
  CHECK(left[1]["verdict"] == "damaged");
  CHECK(left[1]["lost_volumes"].empty());
  CHECK(left[1]["lost_parts"] == 1);
  CHECK_THAT(host.run({"list"}).output, Contains("damaged: 1 part lost\n"));
  CHECK_THAT(host.run({"show", leaning}).output,
             Contains("verdict: damaged: 1 part lost\n"));
}

}  // namespace sealift::cli
