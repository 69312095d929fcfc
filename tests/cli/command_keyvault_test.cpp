// The keyvault commands, by their words.
#include "keyvault/protection_key.h"
#include "tests/cli/command_line.h"

namespace sealift::cli {

TEST_CASE("keyvault init makes a private folder, once", "[cli]") {
  CommandLine host;
  const Outcome first = host.run({"keyvault", "init"});
  CHECK(first.status == 0);
  CHECK_THAT(first.output, StartsWith("signer "));
  CHECK(host.mode("vault") == 0700);
  CHECK(host.mode("vault/signing-key.pem") == 0600);
  const std::string key = host.read("vault/signing-key.pem");

  const Outcome second = host.run({"keyvault", "init"});
  CHECK(second.status == 5);
  CHECK(second.output.empty());
  CHECK_THAT(second.error, StartsWith("error: something is there already, and a key "
                                      "vault is never replaced\n"));
  CHECK_THAT(second.error, Contains(host.path("vault")));
  CHECK(host.read("vault/signing-key.pem") == key);
}

TEST_CASE("a key vault that others can read is refused, with the chmod", "[cli]") {
  CommandLine host;
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  std::filesystem::permissions(host.path("vault"), std::filesystem::perms(0750));
  const Outcome outcome = host.run({"keyvault", "export-signer"});
  CHECK(outcome.status == 5);
  CHECK(outcome.output.empty());
  CHECK_THAT(outcome.error, Contains("others can read or write what must be private"));
  CHECK_THAT(outcome.error, Contains("chmod 0700"));
}

TEST_CASE("without a key vault it says how to make one", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run({"keyvault", "export-signer"});
  CHECK(outcome.status == 10);
  CHECK(outcome.error ==
        "error: there is no key vault\n  where: folder " + host.path("vault") +
            "\n  next:  make one with `sealift keyvault init`, or name "
            "another with --keyvault\n");
}

TEST_CASE("new-recovery-key writes three files and overwrites none", "[cli]") {
  CommandLine host;
  const std::string out = host.path("safe.pem");
  const Outcome made = host.run({"keyvault", "new-recovery-key", "--out", out});
  CHECK(made.status == 0);
  CHECK_THAT(made.output, StartsWith("recipient "));
  CHECK_THAT(made.error, Contains("has no passphrase"));
  CHECK(host.mode("safe.pem") == 0600);
  CHECK_THAT(host.read("safe.pem"), StartsWith("-----BEGIN PRIVATE KEY-----"));
  CHECK_THAT(host.read("safe.pub.pem"), StartsWith("-----BEGIN PUBLIC KEY-----"));
  CHECK_THAT(host.read("safe.moc.pem"), StartsWith("-----BEGIN RSA PUBLIC KEY-----"));

  std::filesystem::remove(out);
  const std::string before = host.read("safe.pub.pem");
  const Outcome again = host.run({"keyvault", "new-recovery-key", "--out", out});
  CHECK(again.status == 5);
  CHECK(again.error ==
        "error: a file is there already, and keys are never overwritten\n"
        "  where: file " +
            host.path("safe.pub.pem") +
            "\n  next:  choose another name for --out; nothing was "
            "written\n");
  CHECK_FALSE(std::filesystem::exists(out));
  CHECK(host.read("safe.pub.pem") == before);
}

TEST_CASE("new-recovery-key refuses sizes that are none", "[cli]") {
  CommandLine host;
  const Outcome outcome = host.run(
      {"keyvault", "new-recovery-key", "--out", host.path("k.pem"), "--bits", "1024"});
  CHECK(outcome.status == 2);
  CHECK(outcome.error ==
        "error: a recovery key has 2048, 3072 or 4096 bits\n"
        "  where: option --bits 1024\n"
        "  next:  `sealift keyvault new-recovery-key --help` says how it is used\n");
}

TEST_CASE("a recovery key with a passphrase opens with it and not without", "[cli]") {
  CommandLine host;
  host.write("passphrase", "correct horse\n");
  const std::string out = host.path("safe.pem");
  const Outcome made = host.run({"keyvault", "new-recovery-key", "--out", out,
                                 "--passphrase-file", host.path("passphrase")});
  REQUIRE(made.status == 0);
  CHECK_THAT(host.read("safe.pem"),
             StartsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
  CHECK_THAT(made.error, !Contains("has no passphrase"));

  SECTION("from a file") {
    CHECK(host.run({"keyvault", "inspect", out, "--passphrase-file",
                    host.path("passphrase")})
              .status == 0);
  }
  SECTION("from the terminal") {
    ScriptedTerminal terminal({"correct horse"});
    host.terminal = &terminal;
    CHECK(host.run({"keyvault", "inspect", out}).status == 0);
    CHECK_THAT(terminal.asked, StartsWith("Passphrase of "));
  }
  SECTION("a wrong one is exit 12") {
    host.write("passphrase", "wrong\n");
    CHECK(host.run({"keyvault", "inspect", out, "--passphrase-file",
                    host.path("passphrase")})
              .status == 12);
  }
  SECTION("a file that is not there is named, and not taken for the key") {
    const Outcome outcome = host.run(
        {"keyvault", "inspect", out, "--passphrase-file", host.path("no-such-file")});
    CHECK(outcome.status == 10);
    CHECK_THAT(outcome.error, StartsWith("error: the passphrase file is not there\n"));
    CHECK_THAT(outcome.error, !Contains("--identity"));
  }
  SECTION("with nobody to ask it does not wait") {
    const Outcome outcome = host.run({"keyvault", "inspect", out});
    CHECK(outcome.status == 12);
    CHECK_THAT(outcome.error,
               StartsWith("error: the key has a passphrase and nobody is here to type "
                          "it\n"));
    CHECK_THAT(outcome.error, Contains("--passphrase-file"));
  }
}

TEST_CASE("a new passphrase is asked for twice", "[cli]") {
  CommandLine host;
  const std::vector<std::string> words{"keyvault",
                                       "new-recovery-key",
                                       "--out",
                                       host.path("safe.pem"),
                                       "--passphrase-file",
                                       "-"};
  SECTION("two answers that differ") {
    ScriptedTerminal terminal({"one", "two"});
    host.terminal = &terminal;
    const Outcome outcome = host.run(words);
    CHECK(outcome.status == 12);
    CHECK(outcome.error == "error: the two passphrases differ\n");
    CHECK_FALSE(std::filesystem::exists(host.path("safe.pem")));
  }
  SECTION("nobody to ask") { CHECK(host.run(words).status == 12); }
}

TEST_CASE("export-signer prints a key that trust takes", "[cli]") {
  CommandLine host;
  REQUIRE(host.run({"keyvault", "init"}).status == 0);
  const Outcome exported = host.run({"keyvault", "export-signer"});
  CHECK(exported.status == 0);
  CHECK_THAT(exported.output, StartsWith("-----BEGIN PUBLIC KEY-----"));
  host.write("signer.pub.pem", exported.output);
  CHECK(host.run({"keyvault", "trust", "host-b", host.path("signer.pub.pem")}).status ==
        0);
  CHECK(host.run({"keyvault", "trust", "host-b", host.path("signer.pub.pem")}).status ==
        5);
  CHECK(host.run({"keyvault", "trust", "../x", host.path("signer.pub.pem")}).status ==
        5);
  CHECK(host.run({"keyvault", "trust", "c", host.path("absent")}).status == 10);
}

TEST_CASE("inspect says what a file is", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  const std::string id = CommandLine::recovery_key(1).recipient().id().hex();
  CHECK(host.run({"keyvault", "inspect", host.path("key-1.pem")}).output ==
        "file: Sealift recovery key (private)\nrecipient: " + id + "\nbits: 3072\n");
  CHECK(host.run({"keyvault", "inspect", host.path("key-1.pub.pem")}).output ==
        "file: recipient (public half of a recovery key)\nrecipient: " + id +
            "\nbits: 3072\n");
  host.write("nonsense", "{}");
  CHECK(host.run({"keyvault", "inspect", host.path("nonsense")}).status == 3);
  CHECK(host.run({"keyvault", "inspect", host.path("absent")}).status == 10);
}

TEST_CASE("inspect says what an exported key is, and what is wrong", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  const auto inspect = [&](std::size_t size) {
    const auto key = keyvault::Secret::copy_of(base::Bytes(size, std::byte{7})).value();
    host.write("key.json", keyvault::wrap_protection_key(
                               key, CommandLine::recovery_key(1).recipient())
                               .value());
    return host
        .run({"keyvault", "inspect", host.path("key.json"), "--identity",
              host.path("key-1.pem")})
        .output;
  };
  const std::string aes = inspect(32);
  CHECK_THAT(aes, Contains("wrapped_bytes: 424\n"));
  CHECK_THAT(aes, Contains("key_size: 25 to 32 bytes: of an AES-256 key\n"));
  CHECK_THAT(aes, Contains("key_bytes: 32\noaep_hash: SHA-256\n"));
  CHECK_THAT(aes, Contains("member: private-key\n"));
  CHECK_THAT(inspect(33), Contains("key_size: 33 to 40 bytes\n"));
  std::string text = host.read("key.json");
  const std::string member = "\"private-key\":\"";
  // Microsoft's two members, the other way round.
  std::string other = text;
  other.replace(other.find(member), member.size(), "\"public-key\":\"");
  other.replace(other.find("\"public-key\":\"\""), 15, "\"private-key\":\"\"");
  host.write("key.json", other);
  const Outcome swapped = host.run({"keyvault", "inspect", host.path("key.json")});
  CHECK_THAT(swapped.output, Contains("member: public-key\n"));
  text.erase(text.find(member) + member.size(), 4);
  host.write("key.json", text);
  const Outcome cut = host.run({"keyvault", "inspect", host.path("key.json")});
  CHECK(cut.status == 3);
  CHECK_THAT(cut.output, Contains("problem: it is no whole wrapped key"));
}

TEST_CASE("reveal gives back every byte, into a private new file", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  host.write_recovery_key(2);
  const std::string plain("a\0b\n\xff", 5);
  const keyvault::Secret key = keyvault::Secret::copy_of(base::as_bytes(plain)).value();
  host.write("key.json", keyvault::wrap_protection_key(
                             key, CommandLine::recovery_key(1).recipient())
                             .value());
  const std::string out = host.path("it's plain");
  const std::vector<std::string> words{"keyvault", "reveal", host.path("key.json"),
                                       "--out",    out,      "--identity"};
  const auto with = [&](const std::string& identity) {
    std::vector<std::string> all = words;
    all.push_back(host.path(identity));
    return host.run(all);
  };

  const Outcome wrong = with("key-2.pem");
  CHECK(wrong.status == 12);
  CHECK_FALSE(std::filesystem::exists(out));

  const Outcome outcome = with("key-1.pem");
  CHECK(outcome.status == 0);
  CHECK(host.read("it's plain") == plain);
  CHECK(host.mode("it's plain") == 0600);
  CHECK_THAT(outcome.output, Contains("virsh secret-define secret.xml\n"));
  CHECK_THAT(outcome.output, Contains("virsh secret-set-value UUID --file '" +
                                      host.path("it") + "'\\''s plain' --plain\n"));
  CHECK_THAT(outcome.output + outcome.error, !Contains(plain));

  CHECK(with("key-1.pem").status == 5);
  CHECK(host.read("it's plain") == plain);
}

TEST_CASE("reveal without a recovery key says which option names one", "[cli]") {
  CommandLine host;
  host.write("key.json",
             keyvault::wrap_protection_key(keyvault::Secret::random(32).value(),
                                           CommandLine::recovery_key(1).recipient())
                 .value());
  const Outcome outcome = host.run(
      {"keyvault", "reveal", host.path("key.json"), "--out", host.path("plain")});
  CHECK(outcome.status == 2);
  CHECK(outcome.error ==
        "error: this command needs a recovery key\n"
        "  next:  name its file with --identity KEY.pem\n");
}

TEST_CASE("keyvault rewrap gives a key to another cluster", "[cli]") {
  CommandLine host;
  host.write_recovery_key(1);
  host.write_recovery_key(2);
  const auto key = keyvault::Secret::copy_of(base::as_bytes("protection key")).value();
  const std::string wrapped =
      keyvault::wrap_protection_key(key, CommandLine::recovery_key(1).recipient())
          .value();
  host.write("key.json", wrapped);
  const auto run = [&](std::vector<std::string> more) {
    std::vector<std::string> words{"keyvault", "rewrap", host.path("key.json")};
    words.insert(words.end(), more.begin(), more.end());
    return host.run(words);
  };
  const std::string identity = host.path("key-1.pem");
  const std::string to = host.path("key-2.pub.pem");
  const std::string out = host.path("new.json");

  CHECK(run({"--identity", identity, "--to", to}).status == 2);
  CHECK(run({"--identity", identity, "--out", out}).status == 2);
  CHECK(run({"--to", to, "--out", out}).status == 2);
  CHECK(run({"--identity", identity, "--to", to, "--out", out, "--wrapping-key-name",
             "\xff"})
            .status == 2);
  CHECK(run({"--identity", host.path("key-2.pem"), "--to", to, "--out", out}).status ==
        12);
  CHECK(run({"--identity", identity, "--to", host.path("none"), "--out", out}).status ==
        10);
  CHECK_FALSE(std::filesystem::exists(out));
  // The import of a key that is named like its wrapping key may hang.
  for (const char* name : {"Web-01", "AzureStackTvmAKRootKey"}) {
    const Outcome same =
        run({"--identity", identity, "--to", to, "--out", host.path("web-01_256.json"),
             "--wrapping-key-name", name});
    CHECK(same.status == 5);
    CHECK_THAT(same.error, Contains("named like a key that it is to import"));
    CHECK_FALSE(std::filesystem::exists(host.path("web-01_256.json")));
  }

  const Outcome done = run({"--identity", identity, "--to", to, "--out", out});
  CHECK(done.status == 0);
  CHECK_THAT(done.output, Contains("a key of 14 bytes"));
  CHECK_THAT(done.output, Contains("SHA-256"));
  const std::string text = host.read("new.json");
  const auto json = keyvault::parse_key_json(base::as_bytes(text)).value();
  const auto opened =
      keyvault::unwrap_protection_key(json, CommandLine::recovery_key(2)).value();
  CHECK(base::as_text(opened.key.view()) == "protection key");

  const Outcome again = run({"--identity", identity, "--to", to, "--out", out});
  CHECK(again.status == 5);
  CHECK(host.read("new.json") == text);
}

}  // namespace sealift::cli
