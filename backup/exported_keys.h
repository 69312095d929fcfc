// The protection keys that an Azure Local cluster's key vault exported: Export-MocKey's
// files, alone or in the folders of TvmBackupUtils. docs/format/key-json.md.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "archive/archive_writer.h"
#include "archive/repository_document.h"
#include "keyvault/key_fit.h"

namespace sealift::backup {

using keyvault::kAttestationRootKey;

/// One file. What it holds is anonymous: only its name says which key it is.
struct ExportedKey {
  std::filesystem::path path;
  std::string name;   ///< "7fb16fe7-…" (a VM's id, lower case), or any; may be empty.
  unsigned size = 0;  ///< Bits, after the name: 256 of "…_256.json"; 0: not said.
  std::string exported;       ///< The folder "20250722192116" it lies in; may be empty.
  bool is_named = false;      ///< By the operator, not found in a folder.
  bool is_in_export = false;  ///< Among the VM's own files.
  bool is_assumed = false;    ///< Its file's name does not say whose it is.
  std::string text;           ///< Its bytes, as they are stored.
  keyvault::KeyJson json;     ///< Unless it is refused.
  archive::RecipientId wrapped_to;     ///< Unless it is refused.
  std::optional<base::Error> refused;  ///< Why it is no wrapped key.
};

/// Of each of `given`: the file, or every .json file in the folder and below that is
/// named as an exported key or has its form.
/// errors  kNotFound: it is not there, or no .json file is.  kRefused, kIo: as
///         vm::list_key_files().
base::Result<std::vector<ExportedKey>> read_exported_keys(
    const std::vector<std::filesystem::path>& given);

/// Key files that lie among a VM's own, whole or not.
std::vector<ExportedKey> read_keys_in_export(
    const std::vector<std::filesystem::path>& files);

/// Whether the file's name makes it the key of this VM.
bool is_key_of(const ExportedKey& key, const std::string& vm_id);

/// Whether the repository names it as a recipient, of archives or of keys alone.
bool is_recipient(const archive::RepositoryDocument& repository,
                  const archive::RecipientId& id);

/// Whether it is an RSA key that a key vault of Trusted Launch VMs should not hold: a
/// wrapping key that somebody left there.
bool is_other_key(const ExportedKey& key);

/// The names of those, each once.
std::vector<std::string> names_of_other_keys(const std::vector<ExportedKey>& keys);

/// What a snapshot of one VM gets of them.
struct ChosenKeys {
  std::vector<archive::ProtectionKeyFile> files;
  bool has_vm_key = false;  ///< One at least is the VM's own.
  bool is_assumed = false;  ///< Of one of those that only its being given says.
  std::vector<std::string> warnings;
};

/// The newest key of the VM for each recipient, in the recipients' order, then the
/// attestation root key the same way. What lies in the export is newer than what is in
/// a folder, which goes by its dates; one that the operator named comes before both,
/// and must be the export's own if that has one. A key of no use does no harm beside a
/// good one of the same export, or a newer one.
/// errors  kRefused: a key of this VM is wrapped to no recipient of the repository, is
///         no AES-256 key, or was not wrapped at all; two differ and nothing says which
///         is newer; one that was named contradicts the export's. Names the files.
base::Result<ChosenKeys> choose_keys(const std::vector<ExportedKey>& keys,
                                     const std::string& vm_id,
                                     const archive::RepositoryDocument& repository);

}  // namespace sealift::backup
