// sealift keyvault inspect: what a key file is, without showing the key.
// Manual: docs/man/sealift-keyvault.1
#include <optional>

#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/passphrase.h"
#include "keyvault/key_fit.h"
#include "keyvault/secret_file.h"

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

/// What there is to say of one file, and what is wrong with it.
struct Inspected {
  Facts facts;
  std::vector<std::string> remarks;
  std::optional<base::Error> problem;
};

base::Result<Inspected> inspect_pem(const Session& session, const std::string& file,
                                    base::ByteView text) {
  Inspected inspected;
  Facts& facts = inspected.facts;
  if (base::as_text(text).find("PRIVATE KEY-----") != std::string_view::npos) {
    ASSIGN_OR_RETURN(
        const keyvault::RecoveryKey key,
        keyvault::RecoveryKey::load(file, passphrase_source(session, file)));
    facts.push_back({"file", "Sealift recovery key (private)"});
    add_recipient(facts, key.recipient());
    return inspected;
  }
  if (const auto signer = keyvault::SignerPublicKey::parse_pem(text)) {
    facts.push_back({"file", "signer public key"});
    facts.push_back({"signer", signer->id().hex()});
    return inspected;
  }
  ASSIGN_OR_RETURN(const keyvault::Recipient recipient,
                   keyvault::Recipient::parse_pem(text));
  facts.push_back({"file", "recipient (public half of a recovery key)"});
  add_recipient(facts, recipient);
  return inspected;
}

// RFC 5649: n bytes become 8 more, filled up to whole eights.
std::string size_text(std::size_t wrapped) {
  constexpr std::size_t kEight = 8;
  constexpr std::size_t kVmKeyBytes = 32;
  const std::size_t most = wrapped - kEight;
  return std::to_string(most - kEight + 1) + " to " + std::to_string(most) + " bytes" +
         (most == kVmKeyBytes ? ": of an AES-256 key" : "");
}

base::Status open_key(const Session& session, const keyvault::KeyJson& json,
                      const keyvault::ExpectedKey& expected, Inspected& inspected) {
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey identity, load_identity(session));
  ASSIGN_OR_RETURN(const keyvault::UnwrappedProtectionKey opened,
                   keyvault::unwrap_protection_key(json, identity));
  inspected.facts.push_back({"opens", "yes"});
  inspected.facts.push_back({"key_bytes", std::to_string(opened.key.size())});
  inspected.facts.push_back({"oaep_hash", keyvault::name_of(opened.hash)});
  auto checked = keyvault::check_opened_key(opened.key, expected);
  if (!checked) inspected.problem = std::move(checked).error();
  return base::Done{};
}

base::Result<Inspected> inspect_key_json(const Session& session,
                                         const std::string& file, base::ByteView text) {
  ASSIGN_OR_RETURN(const keyvault::KeyJson json, keyvault::parse_key_json(text));
  ASSIGN_OR_RETURN(const keyvault::Recipient wrapping_key,
                   keyvault::wrapping_key_of(json));
  Inspected inspected;
  Facts& facts = inspected.facts;
  facts.push_back({"file", "wrapped protection key"});
  facts.push_back({"encoding", json.encoding});
  facts.push_back({"member", json.member});
  if (!json.wrapping_key_name.empty()) {
    facts.push_back({"wrapping_key", json.wrapping_key_name});
  }
  add_recipient(facts, wrapping_key);
  facts.push_back({"wrapped_bytes", std::to_string(json.wrapped.size())});
  const std::string stem = std::filesystem::path(file).stem().string();
  const keyvault::ExpectedKey expected = keyvault::expected_key(stem, json);
  // An RSA key's public half may lie beside it.
  if (json.is_ambiguous && expected.kind != keyvault::KeyKind::kRsa) {
    inspected.remarks.emplace_back(
        "private-key and public-key hold different things: private-key is read");
  }
  auto checked = keyvault::check_wrapped_key(json, wrapping_key, expected);
  if (!checked) {
    inspected.problem = std::move(checked).error();
    return inspected;
  }
  const std::size_t wrapped = keyvault::wrapped_size(json, wrapping_key);
  facts.push_back({"key_size", size_text(wrapped)});
  if (!session.chosen().identity) return inspected;
  RETURN_IF_ERROR(open_key(session, json, expected, inspected));
  return inspected;
}

void answer(const Session& session, const Inspected& inspected) {
  base::Json object = base::Json::object();
  for (const auto& [name, words] : inspected.facts) object[name] = words;
  object["remarks"] = inspected.remarks;
  object["problems"] = base::Json::array();
  if (inspected.problem) object["problems"].push_back(inspected.problem->what());
  session.answer(object);
}

void print(const Session& session, const Inspected& inspected) {
  for (const auto& [name, words] : inspected.facts) {
    session.output() << name << ": " << base::printable(words) << "\n";
  }
  for (const std::string& remark : inspected.remarks) {
    session.output() << "remark: " << remark << "\n";
  }
  if (inspected.problem) {
    session.output() << "problem: " << inspected.problem->what() << "\n";
  }
}

base::Result<ExitStatus> run_inspect(const Session& session, const Values& values) {
  const std::string file = values.arguments().front();
  ASSIGN_OR_RETURN(const keyvault::Secret text,
                   keyvault::read_secret_file(file, kFileLimit,
                                              keyvault::SecretFilePlace::kRegular));
  const bool is_pem =
      base::as_text(text.view()).find("-----BEGIN ") != std::string_view::npos;
  auto inspected = is_pem ? inspect_pem(session, file, text.view())
                          : inspect_key_json(session, file, text.view());
  if (!inspected) {
    base::Error error = std::move(inspected).error().at("file", file);
    if (error.code() == base::ErrorCode::kCorrupt && error.next_steps().empty()) {
      error.next("name a protection-key.json, an Export-MocKey file, or a PEM file");
    }
    return error;
  }
  if (session.wants_json()) {
    answer(session, inspected.value());
  } else {
    print(session, inspected.value());
  }
  session.output().flush();
  if (!inspected->problem) return ExitStatus::kDone;
  return std::move(*inspected->problem).at("file", file);
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
