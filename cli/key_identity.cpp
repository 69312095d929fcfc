#include "cli/key_identity.h"

#include "cli/passphrase.h"

namespace sealift::cli {

namespace options = boost::program_options;

void add_key_identity_options(options::options_description& described) {
  described.add_options()(
      "key-identity", options::value<std::string>()->value_name("KEY.pem"),
      "the recovery key that Azure Local's keys are wrapped to, if not --identity")(
      "key-passphrase-file", options::value<std::string>()->value_name("FILE"),
      "its passphrase, if not that of --passphrase-file");
}

base::Result<std::optional<keyvault::RecoveryKey>> load_key_identity(
    const Session& session, const Values& values) {
  const auto file = values.one("key-identity");
  const auto passphrase = values.one("key-passphrase-file");
  if (!file && passphrase) {
    return base::Error(base::ErrorCode::kUsage,
                       "--key-passphrase-file goes with --key-identity KEY.pem only");
  }
  if (!file) return std::optional<keyvault::RecoveryKey>();
  ASSIGN_OR_RETURN(keyvault::RecoveryKey key,
                   keyvault::RecoveryKey::load(
                       *file, passphrase ? keyvault::passphrase_from_file(*passphrase)
                                         : passphrase_source(session, *file)));
  return std::optional(std::move(key));
}

}  // namespace sealift::cli
