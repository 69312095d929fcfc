// The worked examples of docs/format/, copied from the pages and not computed here.
#pragma once

#include <fstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/filesystem.h"
#include "keyvault/secret.h"
#include "tests/support/hex.h"

namespace sealift::archive {

inline base::Bytes read_source_file(const std::string& path) {
  auto bytes = base::read_file(std::string(SEALIFT_SOURCE_DIR) + "/" + path, 1U << 24U);
  if (!bytes) throw std::runtime_error("cannot read " + path);
  return std::move(bytes).value();
}

/// The indented lines of the worked example of a page, without their indentation.
inline std::vector<std::string> example_of(const std::string& page) {
  std::ifstream text(std::string(SEALIFT_SOURCE_DIR) + "/docs/format/" + page);
  std::vector<std::string> lines;
  bool is_example = false;
  for (std::string line; std::getline(text, line);) {
    if (line.starts_with("**")) {
      is_example = line.find("Worked example") != std::string::npos;
    }
    if (is_example && line.starts_with("    ")) lines.push_back(line.substr(4));
  }
  if (lines.empty()) throw std::runtime_error("no worked example in " + page);
  return lines;
}

/// Those lines, from `first` on, as bytes.
inline base::Bytes example_bytes(const std::string& page, std::size_t first = 0) {
  std::string digits;
  const std::vector<std::string> lines = example_of(page);
  for (std::size_t i = first; i < lines.size(); ++i) digits += lines[i];
  return support::from_hex(digits);
}

/// `first`, `first` + 1, …
inline base::Bytes counting(unsigned first, std::size_t size = 32) {
  base::Bytes bytes(size);
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(first++);
  return bytes;
}

inline keyvault::Secret counting_key(unsigned first) {
  return keyvault::Secret::copy_of(counting(first)).value();
}

}  // namespace sealift::archive
