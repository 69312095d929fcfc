// sealift keyvault new-recovery-key: what opens every backup.
// Manual: docs/man/sealift-keyvault.1
#include <array>
#include <charconv>

#include "base/filesystem.h"
#include "cli/commands.h"
#include "cli/passphrase.h"
#include "keyvault/recovery_key.h"

namespace sealift::cli {

namespace fs = std::filesystem;

namespace {

constexpr unsigned kDefaultBits = 3072;
constexpr mode_t kPrivateMode = 0600;
constexpr mode_t kPublicMode = 0644;

void add_options(boost::program_options::options_description& described) {
  namespace options = boost::program_options;
  auto add = described.add_options();
  add("out", options::value<std::string>()->value_name("KEY.pem"),
      "the new private key; KEY.pub.pem and KEY.moc.pem are made beside it");
  add("bits", options::value<std::string>()->value_name("N"),
      "2048, 3072 (usual) or 4096; 2048 is for Azure Local's key export alone");
}

struct KeyFiles {
  fs::path private_key;
  fs::path public_key;  ///< SPKI.
  fs::path moc_key;     ///< PKCS#1.
};

KeyFiles files_for(const fs::path& out) {
  fs::path stem = out;
  if (stem.extension() == ".pem") stem.replace_extension();
  return {out, stem.string() + ".pub.pem", stem.string() + ".moc.pem"};
}

base::Result<unsigned> read_bits(const Values& values) {
  const auto said = values.one("bits");
  if (!said) return kDefaultBits;
  for (const unsigned bits : {2048U, 3072U, 4096U}) {
    if (*said == std::to_string(bits)) return bits;
  }
  return base::Error(base::ErrorCode::kUsage,
                     "a recovery key has 2048, 3072 or 4096 bits")
      .at("option", "--bits " + *said);
}

base::Status check_absent(const KeyFiles& files) {
  for (const fs::path& file : {files.private_key, files.public_key, files.moc_key}) {
    std::error_code ignored;
    if (!fs::exists(fs::symlink_status(file, ignored))) continue;
    return base::Error(base::ErrorCode::kRefused,
                       "a file is there already, and keys are never overwritten")
        .at("file", file.string())
        .next("choose another name for --out; nothing was written");
  }
  return base::Done{};
}

// All three or none: what was written is taken away again if a later one fails.
base::Status write_all(const KeyFiles& files, const keyvault::RecoveryKey& key,
                       const keyvault::Secret& private_pem) {
  const keyvault::Recipient& recipient = key.recipient();
  const std::string public_pem = recipient.spki_pem();
  const std::string moc_pem = recipient.pkcs1_pem();
  struct Piece {
    const fs::path& file;
    base::ByteView bytes;
    mode_t mode;
  };
  const std::array pieces{
      Piece{files.private_key, private_pem.view(), kPrivateMode},
      Piece{files.public_key, base::as_bytes(public_pem), kPublicMode},
      Piece{files.moc_key, base::as_bytes(moc_pem), kPublicMode}};
  base::Filesystem& filesystem = base::real_filesystem();
  for (std::size_t at = 0; at < pieces.size(); ++at) {
    const Piece& piece = pieces[at];
    base::Status written =
        base::publish(filesystem, piece.file, piece.bytes, piece.mode);
    if (written) continue;
    while (at > 0) static_cast<void>(filesystem.remove(pieces[--at].file));
    return std::move(written).error().at("file", piece.file.string());
  }
  return base::Done{};
}

void say_what_to_do(const Session& session, const KeyFiles& files, unsigned bits,
                    bool is_protected) {
  const auto name = [](const fs::path& file) { return base::printable(file.string()); };
  const bool is_for_keys = bits < kDefaultBits;
  session.say("wrote " + name(files.private_key) +
              (is_for_keys ? " (private: opens keys that Azure Local exported)"
                           : " (private: opens every backup)"));
  session.say("wrote " + name(files.public_key) +
              " (for `sealift repo init --recipient`)");
  session.say("wrote " + name(files.moc_key) + " (for Azure Local's Export-MocKey)");
  if (!is_protected) {
    session.warn(
        "the private key has no passphrase: whoever reads the file has the key");
    session.say("  (--passphrase-file FILE protects a new one, - asks for it here)");
  }
  if (is_for_keys) {
    session.warn(
        "2048 bits will do for Export-MocKey, not for archives: give `repo init` a key "
        "of 3072 bits too");
  }
  session.say(
      "Keep the private key away from every host that backs up: on a stick in a safe,\n"
      "twice. Without it no backup can be opened, by anybody.");
}

base::Result<ExitStatus> run_new_recovery_key(const Session& session,
                                              const Values& values) {
  const auto out = values.one("out");
  if (!out) {
    return base::Error(base::ErrorCode::kUsage, "the new key needs a file name")
        .next("name it with --out KEY.pem");
  }
  ASSIGN_OR_RETURN(const unsigned bits, read_bits(values));
  const KeyFiles files = files_for(*out);
  RETURN_IF_ERROR(check_absent(files));
  ASSIGN_OR_RETURN(const std::optional<keyvault::Secret> passphrase,
                   new_passphrase(session));
  ASSIGN_OR_RETURN(const keyvault::RecoveryKey key,
                   keyvault::RecoveryKey::generate(bits));
  ASSIGN_OR_RETURN(const keyvault::Secret pem,
                   key.to_pem(passphrase ? &*passphrase : nullptr));
  RETURN_IF_ERROR(write_all(files, key, pem));
  const std::string id = key.recipient().id().hex();
  if (session.wants_json()) {
    session.answer({{"recipient", id},
                    {"bits", bits},
                    {"private_key", files.private_key.string()},
                    {"public_key", files.public_key.string()},
                    {"moc_key", files.moc_key.string()}});
  } else {
    session.output() << "recipient " << id << "\n";
  }
  say_what_to_do(session, files, bits, passphrase.has_value());
  return ExitStatus::kDone;
}

}  // namespace

const Command kKeyvaultNewRecoveryKey{
    .words = "keyvault new-recovery-key",
    .group = Group::kKeys,
    .summary = "make a key that opens backups, for the safe",
    .synopsis = "--out KEY.pem [--bits N]",
    .details =
        "Makes a recovery key: KEY.pem (PKCS#8, 0600), its public half KEY.pub.pem,\n"
        "and the same as KEY.moc.pem in the form that Azure Local's Export-MocKey\n"
        "takes. Nothing is overwritten. Do this away from the hosts that back up.\n"
        "With --passphrase-file the private key is encrypted (scrypt).\n",
    .examples =
        "  sealift keyvault new-recovery-key --out safe-1.pem --passphrase-file -\n",
    .arguments = {},
    .add_options = add_options,
    .run = run_new_recovery_key,
};

}  // namespace sealift::cli
