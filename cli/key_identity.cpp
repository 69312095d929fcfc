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
  auto key = keyvault::RecoveryKey::load(
      *file, passphrase ? keyvault::passphrase_from_file(*passphrase)
                        : passphrase_source(session, *file));
  if (key) return std::optional(std::move(key).value());
  base::Error error = std::move(key).error();
  // What is not there may also be the file of its passphrase.
  if (error.code() == base::ErrorCode::kWrongKey ||
      (passphrase && error.code() == base::ErrorCode::kNotFound)) {
    error.next(
        "the passphrase of --key-identity is in the file of --key-passphrase-file; "
        "without that option it is taken from --passphrase-file, else from the "
        "terminal");
  }
  return error;
}

}  // namespace sealift::cli
