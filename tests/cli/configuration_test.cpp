// sealift.conf, by the errors it gives.
#include "tests/cli/command_line.h"

namespace sealift::cli {

TEST_CASE("an unknown setting is named with its file and line", "[cli]") {
  CommandLine host;
  host.make_repository();
  host.write("sealift.conf",
             "# the host\ncluster = berlin\n\n[job nightly]\nvm = all\n");
  const Outcome outcome = host.run({"repo", "sheet", "--out", host.path("sheet.html"),
                                    "--config", host.path("sealift.conf")});
  CHECK(outcome.status == 2);
  CHECK(outcome.error ==
        "error: there is no such setting\n"
        "  where: setting job nightly.vm, line 5, file " +
            host.path("sealift.conf") +
            "\n"
            "  next:  settings of this version: cluster, volume_size\n");
}

TEST_CASE("a configuration that was named must be there", "[cli]") {
  CommandLine host;
  host.make_repository();
  CHECK(host.run({"repo", "sheet", "--out", host.path("sheet.html"), "--config",
                  host.path("absent.conf")})
            .status == 10);
}

TEST_CASE("a line that is no setting is refused", "[cli]") {
  CommandLine host;
  host.make_repository();
  host.write("sealift.conf", "cluster\n");
  CHECK(host.run({"repo", "sheet", "--out", host.path("sheet.html"), "--config",
                  host.path("sealift.conf")})
            .status == 2);
  host.write("sealift.conf", "cluster =\n");
  CHECK(host.run({"repo", "sheet", "--out", host.path("sheet.html"), "--config",
                  host.path("sealift.conf")})
            .status == 2);
}

TEST_CASE("a cluster's name is no longer than a manifest holds", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::vector<std::string> words{"repo",     "sheet",
                                       "--out",    host.path("sheet.html"),
                                       "--config", host.path("sealift.conf")};
  host.write("sealift.conf", "cluster = " + std::string(256, 'c') + "\n");
  const Outcome outcome = host.run(words);
  CHECK(outcome.status == 2);
  CHECK(outcome.error ==
        "error: the cluster's name is longer than 255 bytes\n"
        "  where: setting cluster, file " +
            host.path("sealift.conf") + "\n");
  host.write("sealift.conf", "cluster = " + std::string(255, 'c') + "\n");
  CHECK(host.run(words).status == 0);
}

TEST_CASE("a volume size is a number of MiB or GiB within its limits", "[cli]") {
  CommandLine host;
  host.make_repository();
  const auto status_with = [&](const std::string& size) {
    host.write("sealift.conf", "volume_size = " + size + "\n");
    const Outcome outcome = host.run({"repo", "sheet", "--out", host.path("sheet.html"),
                                      "--config", host.path("sealift.conf")});
    std::filesystem::remove(host.path("sheet.html"));
    return outcome.status;
  };
  for (const char* good : {"1 MiB", "64 MiB", "4 GiB", "512 GiB", "64MiB", "4G"}) {
    CAPTURE(good);
    CHECK(status_with(good) == 0);
  }
  for (const char* bad : {"", "0 MiB", "64", "64 MB", "-1 MiB", "1.5 GiB", "513 GiB",
                          "99999999999999999999 MiB", "18014398509481984 MiB"}) {
    CAPTURE(bad);
    CHECK(status_with(bad) == 2);
  }
}

}  // namespace sealift::cli
