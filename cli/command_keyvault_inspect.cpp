// sealift keyvault inspect: what a key file is, without showing the key.
// Manual: docs/man/sealift-keyvault.1
#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/passphrase.h"
#include "keyvault/protection_key.h"
#include "keyvault/secret_file.h"
#include "vm/hyperv_files.h"

namespace sealift::cli {

namespace {

constexpr std::size_t kFileLimit = 256 * base::kKiB;

void no_options(boost::program_options::options_description& /*described*/) {}

struct Fact {
  std::string name;
  std::string text;
};
using Facts = std::vector<Fact>;

void add_recipient(Facts& facts, const keyvault::Recipient& recipient) {
  facts.push_back({"recipient", recipient.id().hex()});
  facts.push_back({"bits", std::to_string(recipient.bits())});
}

base::Result<Facts> inspect_pem(const Session& session, const std::string& file,
                                base::ByteView text) {
  Facts facts;
  if (base::as_text(text).find("PRIVATE KEY-----") != std::string_view::npos) {
    ASSIGN_OR_RETURN(
        const keyvault::RecoveryKey key,
        keyvault::RecoveryKey::load(file, passphrase_source(session, file)));
    facts.push_back({"file", "Sealift recovery key (private)"});
    add_recipient(facts, key.recipient());
    return facts;
  }
  if (const auto signer = keyvault::SignerPublicKey::parse_pem(text)) {
    facts.push_back({"file", "signer public key"});
    facts.push_back({"signer", signer->id().hex()});
    return facts;
  }
  ASSIGN_OR_RETURN(const keyvault::Recipient recipient,
                   keyvault::Recipient::parse_pem(text));
  facts.push_back({"file", "recipient (public half of a recovery key)"});
  add_recipient(facts, recipient);
  return facts;
}

constexpr std::size_t kEight = 8;
constexpr std::size_t kVmKeyBytes = 32;

bool is_named_as_vm_key(const std::filesystem::path& file) {
  return vm::is_named_as_key(file) && file.stem().string().ends_with("_256");
}

// RFC 5649: n bytes become 8 more, filled up to whole eights.
void add_key_size(Facts& facts, const keyvault::KeyJson& json,
                  const keyvault::Recipient& wrapping_key,
                  const std::filesystem::path& file) {
  facts.push_back({"wrapped_bytes", std::to_string(json.wrapped.size())});
  const std::size_t envelope = wrapping_key.modulus_size();
  const std::size_t wrapped =
      json.wrapped.size() > envelope ? json.wrapped.size() - envelope : 0;
  const bool is_whole = wrapped >= 2 * kEight && wrapped % kEight == 0;
  const bool has_vm_key_size = wrapped == kVmKeyBytes + kEight;
  std::string problem;
  if (!is_whole) {
    problem = "it is no whole wrapped key: behind " + std::to_string(envelope) +
              " bytes of RSA lie " + std::to_string(wrapped);
  } else {
    const std::size_t most = wrapped - kEight;
    facts.push_back({"key_size", std::to_string(most - kEight + 1) + " to " +
                                     std::to_string(most) + " bytes" +
                                     (has_vm_key_size ? ": of an AES-256 key" : "")});
    if (is_named_as_vm_key(file) && !has_vm_key_size) {
      problem =
          "by its name it holds a key of 32 bytes, and it does not: it was cut "
          "off, or is named wrongly";
    }
  }
  // An RSA key's public half may lie beside it.
  if (json.is_ambiguous && (has_vm_key_size || is_named_as_vm_key(file))) {
    problem += std::string(problem.empty() ? "" : "; ") +
               "private-key and public-key hold different things: private-key is read";
  }
  if (!problem.empty()) facts.push_back({"problem", problem});
}

base::Result<Facts> inspect_key_json(const Session& session, const std::string& file,
                                     base::ByteView text) {
  ASSIGN_OR_RETURN(const keyvault::KeyJson json, keyvault::parse_key_json(text));
  ASSIGN_OR_RETURN(const keyvault::Recipient recipient,
                   keyvault::Recipient::parse_pkcs1(json.wrapping_key_pkcs1));
  Facts facts;
  facts.push_back({"file", "wrapped protection key"});
  facts.push_back({"encoding", json.encoding});
  facts.push_back({"member", json.member});
  if (!json.wrapping_key_name.empty()) {
    facts.push_back({"wrapping_key", json.wrapping_key_name});
  }
  add_recipient(facts, recipient);
  add_key_size(facts, json, recipient, file);
  if (!session.chosen().identity) return facts;
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey identity, load_identity(session));
  ASSIGN_OR_RETURN(const keyvault::UnwrappedProtectionKey opened,
                   keyvault::unwrap_protection_key(json, identity));
  facts.push_back({"opens", "yes"});
  facts.push_back({"key_bytes", std::to_string(opened.key.size())});
  facts.push_back({"oaep_hash", keyvault::name_of(opened.hash)});
  return facts;
}

base::Result<ExitStatus> run_inspect(const Session& session, const Values& values) {
  const std::string file = values.arguments().front();
  ASSIGN_OR_RETURN(const keyvault::Secret text,
                   keyvault::read_secret_file(file, kFileLimit,
                                              keyvault::SecretFilePlace::kRegular));
  const bool is_pem =
      base::as_text(text.view()).find("-----BEGIN ") != std::string_view::npos;
  auto facts = is_pem ? inspect_pem(session, file, text.view())
                      : inspect_key_json(session, file, text.view());
  if (!facts) {
    base::Error error = std::move(facts).error().at("file", file);
    if (error.code() == base::ErrorCode::kCorrupt) {
      error.next("name a protection-key.json, an Export-MocKey file, or a PEM file");
    }
    return error;
  }
  base::Json object = base::Json::object();
  for (const auto& [name, words] : facts.value()) {
    if (session.wants_json()) {
      object[name] = words;
      continue;
    }
    session.output() << name << ": " << base::printable(words) << "\n";
  }
  if (session.wants_json()) session.answer(object);
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultInspect{
    .words = "keyvault inspect",
    .group = Group::kKeys,
    .summary = "say what a key file is, never the key itself",
    .synopsis = "KEY.json|KEY.pem [--identity KEY.pem]",
    .details =
        "Says what a key file holds: a wrapped protection key (protection-key.json,\n"
        "or what Azure Local's Export-MocKey wrote) and who can open it, a recovery\n"
        "key, a recipient, a signer. With --identity it proves that this recovery\n"
        "key opens a wrapped one.\n",
    .examples =
        "  sealift keyvault inspect protection-key.json --identity safe-1.pem\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = no_options,
    .run = run_inspect,
};

}  // namespace sealift::cli
