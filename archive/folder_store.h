// A repository in a folder: local disk, NFS, SMB, USB.
#pragma once

#include <filesystem>
#include <memory>

#include "archive/object_store.h"
#include "base/filesystem.h"

namespace sealift::archive {

/// Objects are files under `folder`; files are 0644, so that storage may be read by
/// others (everything secret in them is sealed), folders 0755.
/// errors  kNotFound: `folder` is not there ("is it mounted?").
base::Result<std::unique_ptr<ObjectStore>> open_folder(
    const std::filesystem::path& folder, base::Filesystem& filesystem);

}  // namespace sealift::archive
