// What --archive names: a snapshot in files, opened.
#pragma once

#include <memory>

#include "archive/portable_archive.h"
#include "catalog/catalog.h"
#include "cli/command.h"

namespace sealift::cli {

/// Believed because of the signers that --signer names and those that this host's key
/// vault trusts, if it has one.
/// errors  kUsage: nobody is to be believed, or --signer names no such key.  As
///         archive::PortableArchive::open().
base::Result<std::unique_ptr<archive::PortableArchive>> open_portable(
    const Session& session, const Values& values,
    const keyvault::RecoveryKey& identity);

/// What a listing would say of it.
catalog::Snapshot snapshot_of(const archive::PortableArchive& archive);

}  // namespace sealift::cli
