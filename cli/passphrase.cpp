#include "cli/passphrase.h"

#include "keyvault/secret_file.h"

namespace sealift::cli {

namespace {

constexpr const char* kAskTerminal = "-";

base::Error nobody_to_ask(const std::filesystem::path& key) {
  return base::Error(base::ErrorCode::kWrongKey,
                     "the key has a passphrase and nobody is here to type it")
      .at("file", key.string())
      .next("put it in the first line of a file and name that with --passphrase-file");
}

}  // namespace

keyvault::PassphraseSource passphrase_source(const Session& session,
                                             const std::filesystem::path& key) {
  return [&session, key]() -> base::Result<keyvault::Secret> {
    const auto& file = session.chosen().passphrase_file;
    if (file && *file != kAskTerminal) return keyvault::read_passphrase_file(*file);
    Terminal* terminal = session.surroundings().terminal;
    if (terminal == nullptr) return nobody_to_ask(key);
    return terminal->ask_secret("Passphrase of " + base::printable(key.string()) +
                                ": ");
  };
}

base::Result<std::optional<keyvault::Secret>> new_passphrase(const Session& session) {
  const auto& file = session.chosen().passphrase_file;
  if (!file) return std::optional<keyvault::Secret>();
  if (*file != kAskTerminal) {
    ASSIGN_OR_RETURN(keyvault::Secret read, keyvault::read_passphrase_file(*file));
    return std::optional(std::move(read));
  }
  Terminal* terminal = session.surroundings().terminal;
  if (terminal == nullptr) {
    return base::Error(base::ErrorCode::kWrongKey,
                       "there is no terminal to ask for a passphrase")
        .at("option", "--passphrase-file -")
        .next("name a file whose first line is the passphrase");
  }
  ASSIGN_OR_RETURN(keyvault::Secret first,
                   terminal->ask_secret("New passphrase for the recovery key: "));
  ASSIGN_OR_RETURN(const keyvault::Secret second,
                   terminal->ask_secret("The same once more: "));
  if (first.size() == 0 || !keyvault::is_same(first.view(), second.view())) {
    return base::Error(base::ErrorCode::kWrongKey, first.size() == 0
                                                       ? "the passphrase is empty"
                                                       : "the two passphrases differ");
  }
  return std::optional(std::move(first));
}

}  // namespace sealift::cli
