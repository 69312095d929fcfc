// The vectors of tests/vectors/keyvault, which a second implementation computed.
#pragma once

#include <fstream>
#include <iterator>
#include <stdexcept>
#include <string>

#include "base/strict_json.h"
#include "keyvault/secret.h"
#include "tests/support/hex.h"

namespace sealift::keyvault::vectors {

inline std::string path_of(const std::string& name) {
  return std::string(SEALIFT_SOURCE_DIR) + "/tests/vectors/keyvault/" + name;
}

inline std::string read_text(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error("cannot read " + path);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline base::Json load(const std::string& name) {
  return base::parse_strict_json(read_text(path_of(name))).value();
}

inline std::string text(const base::Json& row, const std::string& field) {
  return base::json_string(row, field).value();
}

inline base::Bytes bytes(const base::Json& row, const std::string& field) {
  return support::from_hex(text(row, field));
}

inline Secret secret_of(base::ByteView bytes) { return Secret::copy_of(bytes).value(); }
inline Secret secret_of(std::string_view text) {
  return Secret::copy_of(base::as_bytes(text)).value();
}

inline Secret secret(const base::Json& row, const std::string& field) {
  return secret_of(base::ByteView(bytes(row, field)));
}

inline base::Bytes copy(base::ByteView view) { return {view.begin(), view.end()}; }

}  // namespace sealift::keyvault::vectors
