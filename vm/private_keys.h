// Private keys that somebody left with an export.
#pragma once

#include <filesystem>
#include <vector>

namespace sealift::vm {

/// Files at and below `folder` that hold a private key as PEM, encrypted or not, in any
/// encoding that Windows writes; in the order of their names. Of what cannot be read,
/// and of more than 10,000 files, nothing is said.
std::vector<std::filesystem::path> private_keys_in(const std::filesystem::path& folder);

/// The same of the files beside `folder` that are named as keys are: .pem, .key.
std::vector<std::filesystem::path> private_keys_beside(
    const std::filesystem::path& folder);

/// What is said of each, after its path: what it means and what to do.
constexpr const char* kPrivateKeyWords =
    "holds a private key, and whoever reads it opens what is wrapped to it: take it to "
    "the safe and delete it here; if others could read it, make a new recovery key and "
    "export the keys again, wrapped to that";

}  // namespace sealift::vm
