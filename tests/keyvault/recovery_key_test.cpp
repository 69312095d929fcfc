#include "keyvault/recovery_key.h"

#include <fstream>

#include "base/subprocess.h"
#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;
using vectors::secret_of;

constexpr std::string_view kPassphrase = "correct horse \xc3\xa4 battery";

void write(const std::filesystem::path& path, base::ByteView bytes) {
  std::ofstream file(path, std::ios::binary);
  file << base::as_text(bytes);
}

PassphraseSource passphrase(std::string_view text) {
  return [text = std::string(text)] { return Secret::copy_of(base::as_bytes(text)); };
}

// A passphrase that must not be asked for.
PassphraseSource never() {
  return []() -> base::Result<Secret> {
    FAIL("the passphrase was asked for");
    return Secret();
  };
}

int run(const std::vector<std::string>& command) {
  return base::run_program(command, std::chrono::seconds(60))->exit_status;
}

struct Scratch {
  support::ScratchFolder folder;
  std::string at(const char* name) const { return (folder.path() / name).string(); }
};

const std::string kKeyFile = vectors::path_of("recovery-key.pem");

RecipientId expected_id() {
  return RecoveryKey::load(kKeyFile, never())->recipient().id();
}

ErrorCode refusal_of(const std::string& path, const PassphraseSource& source) {
  const auto key = RecoveryKey::load(path, source);
  REQUIRE_FALSE(key);
  return key.error().code();
}

}  // namespace

TEST_CASE("a new recovery key has the size that was asked for", "[keyvault]") {
  const unsigned bits = GENERATE(2048U, 3072U);
  const RecoveryKey key = RecoveryKey::generate(bits).value();
  CHECK(key.recipient().bits() == bits);
}

TEST_CASE("a recovery key of another size is refused", "[keyvault]") {
  const unsigned bits = GENERATE(0U, 1024U, 2047U, 3000U, 8192U);
  CHECK(RecoveryKey::generate(bits).error().code() == ErrorCode::kUsage);
}

TEST_CASE("a recovery key comes back from its PEM", "[keyvault]") {
  const Scratch scratch;
  const RecoveryKey key = RecoveryKey::load(kKeyFile, never()).value();
  write(scratch.at("key.pem"), key.to_pem(nullptr)->view());
  CHECK(RecoveryKey::load(scratch.at("key.pem"), never())->recipient().id() ==
        expected_id());
}

TEST_CASE("an encrypted recovery key opens with its passphrase alone", "[keyvault]") {
  const Scratch scratch;
  const RecoveryKey key = RecoveryKey::load(kKeyFile, never()).value();
  const Secret secret = secret_of(kPassphrase);
  const Secret pem = key.to_pem(&secret).value();
  CHECK(base::as_text(pem.view()).starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"));
  write(scratch.at("key.pem"), pem.view());

  SECTION("the right one") {
    CHECK(RecoveryKey::load(scratch.at("key.pem"), passphrase(kPassphrase))
              ->recipient()
              .id() == expected_id());
  }
  SECTION("a wrong one") {
    CHECK(refusal_of(scratch.at("key.pem"), passphrase("incorrect")) ==
          ErrorCode::kWrongKey);
  }
  SECTION("the right one with a line feed after it") {
    CHECK(refusal_of(scratch.at("key.pem"), passphrase(std::string(kPassphrase) +
                                                       "\n")) == ErrorCode::kWrongKey);
  }
  SECTION("none to be had") {
    const PassphraseSource none = [] {
      return base::Error(ErrorCode::kWrongKey, "there is no passphrase");
    };
    CHECK(refusal_of(scratch.at("key.pem"), none) == ErrorCode::kWrongKey);
    CHECK(refusal_of(scratch.at("key.pem"), {}) == ErrorCode::kWrongKey);
  }
  SECTION("from a file") {
    write(scratch.at("passphrase"),
          base::as_bytes(std::string(kPassphrase) + "\nmore\n"));
    CHECK(RecoveryKey::load(scratch.at("key.pem"),
                            passphrase_from_file(scratch.at("passphrase"))));
  }
}

TEST_CASE("an encrypted recovery key is PBES2 with scrypt 16384/8/16 and AES-256-CBC",
          "[keyvault]") {
  const Scratch scratch;
  const Secret secret = secret_of(kPassphrase);
  const RecoveryKey key = RecoveryKey::load(kKeyFile, never()).value();
  write(scratch.at("key.pem"), key.to_pem(&secret)->view());

  const std::string dump =
      base::run_program({"openssl", "asn1parse", "-in", scratch.at("key.pem")},
                        std::chrono::seconds(20))
          ->output;

  for (const char* part :
       {"PBES2", "scrypt", "INTEGER           :4000", "INTEGER           :08",
        "INTEGER           :10", "aes-256-cbc"}) {
    CAPTURE(part, dump);
    CHECK(dump.find(part) != std::string::npos);
  }
}

TEST_CASE("openssl opens an encrypted recovery key", "[keyvault]") {
  const Scratch scratch;
  const Secret secret = secret_of(kPassphrase);
  const RecoveryKey key = RecoveryKey::load(kKeyFile, never()).value();
  write(scratch.at("key.pem"), key.to_pem(&secret)->view());
  write(scratch.at("right"), base::as_bytes(kPassphrase));
  write(scratch.at("wrong"), base::as_bytes("incorrect"));

  CHECK(run({"openssl", "pkey", "-in", scratch.at("key.pem"), "-passin",
             "file:" + scratch.at("right"), "-out", scratch.at("plain.pem")}) == 0);
  CHECK(RecoveryKey::load(scratch.at("plain.pem"), never())->recipient().id() ==
        expected_id());
  CHECK(run({"openssl", "pkey", "-in", scratch.at("key.pem"), "-passin",
             "file:" + scratch.at("wrong"), "-noout"}) != 0);
}

TEST_CASE("python3-cryptography opens an encrypted recovery key", "[keyvault]") {
  const Scratch scratch;
  const Secret secret = secret_of(kPassphrase);
  const RecoveryKey key = RecoveryKey::load(kKeyFile, never()).value();
  write(scratch.at("key.pem"), key.to_pem(&secret)->view());
  write(scratch.at("passphrase"), base::as_bytes(kPassphrase));
  write(scratch.at("read.py"), base::as_bytes(R"(import sys
from cryptography.hazmat.primitives import serialization as s
key = s.load_pem_private_key(open(sys.argv[1], "rb").read(),
                             open(sys.argv[2], "rb").read())
public = key.public_key()
sys.stdout.write(public.public_bytes(
    s.Encoding.PEM, s.PublicFormat.SubjectPublicKeyInfo).decode())
)"));
  const auto read = base::run_program({"python3", scratch.at("read.py"),
                                       scratch.at("key.pem"), scratch.at("passphrase")},
                                      std::chrono::seconds(60));
  CHECK(read->output == key.recipient().spki_pem());
}

TEST_CASE("recovery keys as other tools write them are read", "[keyvault]") {
  const Scratch scratch;
  write(scratch.at("passphrase"), base::as_bytes(kPassphrase));
  const std::string from = "file:" + scratch.at("passphrase");
  const std::string out = scratch.at("out.pem");
  std::vector<std::string> command;
  PassphraseSource source = never();
  SECTION("PKCS#1") {
    command = {"openssl", "rsa", "-traditional", "-in", kKeyFile, "-out", out};
  }
  SECTION("PKCS#1 with the old PEM encryption") {
    command = {"openssl", "rsa", "-traditional", "-aes256", "-passout",
               from,      "-in", kKeyFile,       "-out",    out};
    source = passphrase(kPassphrase);
  }
  SECTION("PKCS#8 with openssl's own choice of PBKDF2") {
    command = {"openssl", "pkcs8",  "-topk8", "-passout", from,
               "-in",     kKeyFile, "-out",   out};
    source = passphrase(kPassphrase);
  }
  SECTION("PKCS#8 with openssl's own choice of scrypt") {
    command = {"openssl", "pkcs8", "-topk8", "-scrypt", "-passout",
               from,      "-in",   kKeyFile, "-out",    out};
    source = passphrase(kPassphrase);
  }
  REQUIRE(run(command) == 0);
  CHECK(RecoveryKey::load(out, source)->recipient().id() == expected_id());
}

TEST_CASE("a wrong passphrase for the old PEM encryption is kWrongKey", "[keyvault]") {
  const Scratch scratch;
  write(scratch.at("passphrase"), base::as_bytes(kPassphrase));
  REQUIRE(run({"openssl", "rsa", "-traditional", "-aes256", "-passout",
               "file:" + scratch.at("passphrase"), "-in", kKeyFile, "-out",
               scratch.at("out.pem")}) == 0);
  CHECK(refusal_of(scratch.at("out.pem"), passphrase("incorrect")) ==
        ErrorCode::kWrongKey);
  CHECK(refusal_of(scratch.at("out.pem"), passphrase(std::string(5000, 'x'))) ==
        ErrorCode::kWrongKey);
}

TEST_CASE("a recovery key that is not there is not found", "[keyvault]") {
  CHECK(refusal_of("/nonexistent/key.pem", never()) == ErrorCode::kNotFound);
}

TEST_CASE("a public key is refused as a recovery key, by name and file", "[keyvault]") {
  const Scratch scratch;
  const Recipient recipient = RecoveryKey::load(kKeyFile, never())->recipient();
  write(scratch.at("key.pub.pem"), base::as_bytes(recipient.spki_pem()));
  const auto refused = RecoveryKey::load(scratch.at("key.pub.pem"), never());
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK(refused.error().what() == "not a recovery key: it is a public key");
  CHECK(refused.error().places().back() ==
        base::Error::Place{"file", scratch.at("key.pub.pem")});
  CHECK_FALSE(refused.error().next_steps().empty());
}

TEST_CASE("what is no RSA private key is refused as a recovery key", "[keyvault]") {
  const Scratch scratch;
  const std::string out = scratch.at("out.pem");
  SECTION("an Ed25519 key") {
    REQUIRE(run({"openssl", "genpkey", "-algorithm", "ED25519", "-out", out}) == 0);
  }
  SECTION("an RSA-PSS key") {
    REQUIRE(run({"openssl", "genpkey", "-algorithm", "RSA-PSS", "-out", out}) == 0);
  }
  SECTION("an RSA key of 1024 bits") {
    REQUIRE(run({"openssl", "genpkey", "-algorithm", "RSA", "-pkeyopt",
                 "rsa_keygen_bits:1024", "-out", out}) == 0);
  }
  SECTION("words") { write(out, base::as_bytes("correct horse\n")); }
  SECTION("nothing") { write(out, {}); }
  SECTION("a file that is too large") { write(out, base::Bytes(200000)); }
  const ErrorCode code = refusal_of(out, never());
  CHECK((code == ErrorCode::kUsage || code == ErrorCode::kRefused));
}

TEST_CASE("a recovery key whose halves do not fit is refused", "[keyvault]") {
  const Scratch scratch;
  write(scratch.at("mix.py"), base::as_bytes(R"(import sys
from cryptography.hazmat.primitives import serialization as s
from cryptography.hazmat.primitives.asymmetric import rsa
a, b = (s.load_pem_private_key(open(n, "rb").read(), None) for n in sys.argv[1:3])
n, m = a.private_numbers(), b.private_numbers()
mixed = s.load_pem_private_key(open(sys.argv[1], "rb").read(), None)
import base64
def integer(v):
    v = v.to_bytes(v.bit_length() // 8 + 1, "big")
    return b"\x02" + size(v) + v
def size(v):
    n = len(v)
    return bytes([n]) if n < 128 else b"\x82" + n.to_bytes(2, "big")
body = b"".join(integer(v) for v in (
    0, n.public_numbers.n, n.public_numbers.e, m.d, n.p, n.q, n.dmp1, n.dmq1, n.iqmp))
der = b"\x30" + size(body) + body
print("-----BEGIN RSA PRIVATE KEY-----")
print(base64.encodebytes(der).decode(), end="")
print("-----END RSA PRIVATE KEY-----")
)"));
  const auto mixed = base::run_program({"python3", scratch.at("mix.py"), kKeyFile,
                                        vectors::path_of("other-recovery-key.pem")},
                                       std::chrono::seconds(60));
  REQUIRE(mixed->exit_status == 0);
  write(scratch.at("mixed.pem"), base::as_bytes(mixed->output));
  CHECK(refusal_of(scratch.at("mixed.pem"), never()) == ErrorCode::kUsage);
}

TEST_CASE("no error of a recovery key holds its passphrase", "[keyvault]") {
  const Scratch scratch;
  const Secret secret = secret_of(kPassphrase);
  const RecoveryKey key = RecoveryKey::load(kKeyFile, never()).value();
  write(scratch.at("key.pem"), key.to_pem(&secret)->view());
  const auto refused =
      RecoveryKey::load(scratch.at("key.pem"), passphrase("hunter2-is-wrong"));
  CHECK(base::render(refused.error()).find("hunter2") == std::string::npos);
}

}  // namespace sealift::keyvault
