// sealift backup, as far as it goes without a VM.
#include "cli/scratch_folder.h"
#include "tests/cli/command_line.h"
#include "vm/connection.h"

namespace sealift::cli {

TEST_CASE("backup wants VMs or --all, and not both", "[cli]") {
  CommandLine host;
  CHECK(host.run({"backup"}).error ==
        "error: no VM is named\n"
        "  next:  name VMs, or take every one with --all\n");
  CHECK(host.run({"backup", "web-01", "--all"}).status == 2);
}

TEST_CASE("a limit is a whole number of MiB a second", "[cli]") {
  CommandLine host;
  for (const char* limit : {"0", "-1", "1.5", "ten", "", "18446744073709551616"}) {
    CAPTURE(limit);
    CHECK(host.run({"backup", "web-01", "--read-limit", limit}).status == 2);
  }
  CHECK(host.run({"backup", "web-01", "--write-limit", "1x"}).error ==
        "error: a limit is a whole number of MiB a second, from 1 on\n"
        "  where: option --write-limit 1x\n"
        "  next:  `sealift backup --help` says how it is used\n");
}

TEST_CASE("backup needs a key vault, then a repository", "[cli]") {
  CommandLine host;
  CHECK(host.run({"backup", "web-01"}).status == 10);
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  const Outcome outcome = host.run({"backup", "web-01"});
  CHECK(outcome.status == 10);
  CHECK_THAT(outcome.error, Contains("is it mounted?"));
}

TEST_CASE("backup reaches libvirt on this host only", "[cli]") {
  CommandLine host;
  host.make_repository();
  CHECK(host.run({"backup", "web-01", "--connect", "qemu+ssh://other/system"}).status ==
        2);
  CHECK(host.run({"backup", "web-01", "--connect",
                  "qemu:///system?socket=" + host.path("no-socket")})
            .status == 16);
}

TEST_CASE("a protection key belongs to a VM that is backed up", "[cli]") {
  CommandLine host;
  host.make_repository();
  const std::vector<std::string> words{"backup", "web-01", "--connect",
                                       "test:///default", "--vtpm-secret-file"};
  for (const char* wrong : {"FILE", "=FILE", "web-01=", "db-01=FILE"}) {
    CAPTURE(wrong);
    std::vector<std::string> all = words;
    all.emplace_back(wrong);
    CHECK(host.run(all).status == 2);
  }
}

TEST_CASE("a scratch folder is looked at before libvirt is", "[cli]") {
  CommandLine host;
  host.make_repository();
  const auto run = [&](const std::string& folder) {
    return host.run({"backup", "web-01", "--connect",
                     "qemu:///system?socket=" + host.path("no-socket"), "--scratch-dir",
                     folder});
  };
  const Outcome gone = run("no/such");
  CHECK(gone.status == 10);
  CHECK(gone.error ==
        "error: the folder is not there\n"
        "  where: option --scratch-dir no/such\n"
        "  next:  name a folder that QEMU's user may write into, or leave the option "
        "out\n");
  host.write("file", "");
  const Outcome file = run(host.path("file"));
  CHECK(file.status == 5);
  CHECK_THAT(file.error, StartsWith("error: this is no folder\n"));
  CHECK(run(host.path("")).status == 16);
}

TEST_CASE("a scratch folder is made absolute", "[cli]") {
  boost::program_options::variables_map map;
  map.insert({"scratch-dir",
              boost::program_options::variable_value(std::string("./x/.."), false)});
  CHECK(scratch_folder(Values(std::move(map))).value().value() ==
        std::filesystem::current_path() / "");
}

TEST_CASE("--all on a host without VMs says where to look", "[cli]") {
  CommandLine host;
  host.make_repository();
  // The test driver's VMs are there for as long as one connection is.
  const vm::Connection connection = vm::connect("test:///default").value();
  const vm::Domain domain = vm::find_domain(connection, "test").value();
  REQUIRE(virDomainDestroy(domain.get()) == 0);
  REQUIRE(virDomainUndefine(domain.get()) == 0);
  const Outcome outcome = host.run({"backup", "--all", "--connect", "test:///default"});
  CHECK(outcome.status == 10);
  CHECK(outcome.error ==
        "error: libvirt knows no VM on this host\n"
        "  next:  list them with `virsh list --all`; name another libvirt with "
        "--connect\n");
}

TEST_CASE("an unknown VM is named, with exit 10", "[cli]") {
  CommandLine host;
  host.make_repository();
  const Outcome one =
      host.run({"backup", "web-02", "--connect", "test:///default", "--json"});
  CHECK(one.status == 10);
  CHECK_THAT(one.error, StartsWith("error: this host has no such VM\n"
                                   "  where: vm web-02\n"));
  CHECK_THAT(one.output, StartsWith("{\"id\":null,\"vm\":\"web-02\""));

  const Outcome two =
      host.run({"backup", "web-02", "web-03", "--connect", "test:///default"});
  CHECK(two.status == 10);
  CHECK_THAT(two.error, Contains("web-02") && Contains("web-03"));
  // Both errors are said before.
  CHECK(two.error.ends_with("0 of 2 VMs backed up\n"));
}

}  // namespace sealift::cli
