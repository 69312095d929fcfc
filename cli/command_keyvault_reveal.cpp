// sealift keyvault reveal: a protection key in the clear, for libvirt's secret store.
// Manual: docs/man/sealift-keyvault.1
#include "base/byte_count.h"
#include "base/filesystem.h"
#include "cli/commands.h"
#include "cli/new_file.h"
#include "cli/open.h"
#include "cli/shell_word.h"
#include "keyvault/protection_key.h"
#include "keyvault/secret_file.h"

namespace sealift::cli {

namespace {

constexpr std::size_t kFileLimit = 256 * base::kKiB;
constexpr mode_t kPrivateMode = 0600;

void add_options(boost::program_options::options_description& described) {
  namespace options = boost::program_options;
  described.add_options()("out", options::value<std::string>()->value_name("FILE"),
                          "the file for the plaintext protection key (0600, new)");
}

// The UUID and the usage name stand in the VM's definition, not in the key file.
void print_virsh_commands(std::ostream& output, const std::string& file) {
  output << "# UUID: the one in the VM's definition, <encryption secret='UUID'/>.\n"
            "# NAME: any name that no other secret of the cluster has.\n"
            "cat > secret.xml <<'END'\n"
            "<secret ephemeral='no' private='no'>\n"
            "  <uuid>UUID</uuid>\n"
            "  <usage type='vtpm'><name>NAME</name></usage>\n"
            "</secret>\n"
            "END\n"
            "virsh secret-define secret.xml\n"
            "virsh secret-set-value UUID --file "
         << shell_word(file)
         << " --plain\n"
            "shred -u "
         << shell_word(file) << "\n";
}

base::Result<ExitStatus> run_reveal(const Session& session, const Values& values) {
  const std::string file = values.arguments().front();
  const auto out = values.one("out");
  if (!out) {
    return base::Error(base::ErrorCode::kUsage, "the plaintext key needs a file name")
        .next("name it with --out FILE; a key is never printed");
  }
  ASSIGN_OR_RETURN(const keyvault::Secret text,
                   keyvault::read_secret_file(file, kFileLimit,
                                              keyvault::SecretFilePlace::kRegular));
  auto json = keyvault::parse_key_json(text.view());
  if (!json) return std::move(json).error().at("file", file);
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey identity, load_identity(session));
  auto opened = keyvault::unwrap_protection_key(json.value(), identity);
  if (!opened) return std::move(opened).error().at("file", file);
  RETURN_IF_ERROR(write_new_file(*out, opened->key.view(), kPrivateMode));
  if (session.wants_json()) {
    session.answer({{"file", *out}, {"bytes", opened->key.size()}});
  } else {
    print_virsh_commands(session.output(), *out);
  }
  session.say("wrote " + base::printable(*out) + ": " +
              std::to_string(opened->key.size()) +
              " bytes, the protection key in the clear; shred it after use");
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultReveal{
    .words = "keyvault reveal",
    .group = Group::kKeys,
    .summary = "write a protection key in the clear",
    .synopsis = "KEY.json --identity KEY.pem --out FILE",
    .details =
        "Opens a wrapped protection key with a recovery key, writes it to a new file\n"
        "(0600), byte for byte, and prints the virsh commands that give it to\n"
        "libvirt. For the day when only files are left; a restore does this itself\n"
        "and writes no plaintext.\n",
    .examples =
        "  sealift keyvault reveal protection-key.json --identity safe-1.pem \\\n"
        "      --out vtpm.key\n",
    .arguments = {.least = 1, .most = 1},
    .add_options = add_options,
    .run = run_reveal,
};

}  // namespace sealift::cli
