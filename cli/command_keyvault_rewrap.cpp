// sealift keyvault rewrap: a wrapped protection key, wrapped to another key.
// Manual: docs/man/sealift-keyvault.1
#include <algorithm>

#include "base/byte_count.h"
#include "base/lower_case.h"
#include "cli/commands.h"
#include "cli/new_file.h"
#include "cli/open.h"
#include "keyvault/key_fit.h"
#include "keyvault/secret_file.h"

namespace sealift::cli {

namespace {

constexpr std::size_t kFileLimit = 256 * base::kKiB;
constexpr mode_t kPublicMode = 0644;  // What is written is wrapped.

void add_options(boost::program_options::options_description& described) {
  const auto text = [](const char* name) {
    return boost::program_options::value<std::string>()->value_name(name);
  };
  auto add = described.add_options();
  add("to", text("PUB.pem"), "the wrapping key of the cluster it goes to");
  add("wrapping-key-name", text("NAME"), "the name of that key in its key vault");
  add("out", text("NEW.json"), "the file for the key, wrapped anew");
}

base::Result<keyvault::Recipient> read_target(const std::string& file) {
  ASSIGN_OR_RETURN(const base::Bytes pem, base::read_file(file, kFileLimit));
  auto target = keyvault::Recipient::parse_pem(pem);
  if (!target) return std::move(target).error().at("file", file);
  return target;
}

// NAME of NAME_256.json.
std::string key_name_of(const std::string& file) {
  const std::string stem = std::filesystem::path(file).stem().string();
  return stem.substr(0, stem.rfind('_'));
}

// The import of a key that is named like its wrapping key may hang.
base::Status must_have_own_name(const std::string& name,
                                const std::vector<std::string>& files) {
  if (name.empty()) return base::Done{};
  const auto is_it = [&name](const std::string& key) {
    return base::lower_case(key) == base::lower_case(name);
  };
  const bool is_taken =
      is_it("AzureStackTvmAKRootKey") || std::ranges::any_of(files, is_it, key_name_of);
  if (!is_taken) return base::Done{};
  return base::Error(base::ErrorCode::kRefused,
                     "the wrapping key is named like a key that it is to import; "
                     "nothing was written")
      .at("option", "--wrapping-key-name " + name)
      .next(
          "make a wrapping key under a name of its own, and name that one with --to "
          "and --wrapping-key-name");
}

// A key that is not what its cluster needs is not handed on: the import may take it.
base::Result<keyvault::RewrappedKey> rewrap(const std::string& file,
                                            base::ByteView text,
                                            const keyvault::RecoveryKey& identity,
                                            const keyvault::Recipient& target,
                                            const std::string& name) {
  ASSIGN_OR_RETURN(const keyvault::KeyJson json, keyvault::parse_key_json(text));
  ASSIGN_OR_RETURN(const keyvault::Recipient wrapping_key,
                   keyvault::wrapping_key_of(json));
  const std::string stem = std::filesystem::path(file).stem().string();
  const keyvault::ExpectedKey expected = keyvault::expected_key(stem, json);
  RETURN_IF_ERROR(keyvault::check_wrapped_key(json, wrapping_key, expected));
  return keyvault::rewrap_key_json(text, identity, target, name,
                                   [&](const keyvault::Secret& key) {
                                     return keyvault::check_opened_key(key, expected);
                                   });
}

base::Result<ExitStatus> run(const Session& session, const Values& values) {
  const std::string file = values.arguments().front();
  const auto to = values.one("to");
  const auto out = values.one("out");
  if (!to || !out) {
    return base::Error(base::ErrorCode::kUsage,
                       to ? "the new key file needs a name, --out NEW.json"
                          : "it needs a key to wrap to, --to PUB.pem");
  }
  const std::string name = values.one("wrapping-key-name").value_or("");
  if (base::printable(name) != name) {
    return base::Error(base::ErrorCode::kUsage, "the name of a key is printable text")
        .at("option", "--wrapping-key-name " + name);
  }
  RETURN_IF_ERROR(must_have_own_name(name, {file, *out}));
  ASSIGN_OR_RETURN(const keyvault::Recipient target, read_target(*to));
  ASSIGN_OR_RETURN(const keyvault::Secret text,
                   keyvault::read_secret_file(file, kFileLimit,
                                              keyvault::SecretFilePlace::kRegular));
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey identity, load_identity(session));
  auto rewrapped = rewrap(file, text.view(), identity, target, name);
  if (!rewrapped) {
    base::Error error = std::move(rewrapped).error().at("file", file);
    if (error.code() == base::ErrorCode::kCorrupt && error.next_steps().empty()) {
      error.next("name a protection-key.json, or a file that Export-MocKey wrote");
    }
    return error;
  }
  RETURN_IF_ERROR(write_new_file(*out, base::as_bytes(rewrapped->json), kPublicMode));
  const char* const hash = keyvault::name_of(rewrapped->hash);
  if (session.wants_json()) {
    session.answer({{"file", *out},
                    {"recipient", target.id().hex()},
                    {"key_bytes", rewrapped->key_size},
                    {"oaep_hash", hash}});
  } else {
    session.output() << "wrote " << base::printable(*out) << ": a key of "
                     << rewrapped->key_size << " bytes, wrapped to "
                     << target.id().hex() << " with OAEP and " << hash
                     << ", as it was before\n";
  }
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultRewrap{
    .words = "keyvault rewrap",
    .group = Group::kKeys,
    .summary = "wrap a protection key to another cluster's key",
    .synopsis = "KEY.json --identity K --to PUB.pem --out NEW.json",
    .details =
        "Opens a wrapped protection key with a recovery key and wraps it to another\n"
        "public key (PEM, SPKI or PKCS#1): the wrapping key of the cluster that is to\n"
        "import it. The form of the file stays what it was, and so does the hash of\n"
        "its wrapping. The key itself is never written.\n",
    .examples =
        "  sealift keyvault rewrap protection-key.json --identity safe-1.pem \\\n"
        "      --to wrapping-key.pem --out "
        "7fb16fe7-00a0-476f-92b3-ccb98fd9525a_256.json\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = add_options,
    .run = run,
};

}  // namespace sealift::cli
