// Records: short signed texts, numbered and chained per signer.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "archive/ids.h"
#include "base/timestamp.h"

namespace sealift::archive {

/// One record. The snapshot text of an archive is one too (kind "snapshot").
/// docs/format/record.md.
///   sealift KIND 1
///   repository ID / signer ID / sequence N / previous DIGEST / created TIME
///   then fields, one "name value" a line.
struct Record {
  std::string kind;  ///< snapshot, enrolled, revoked, received, verified, ...
  RepositoryId repository;
  SignerId signer;  ///< For kinds that a recovery key signs: its recipient id's bytes.
  std::uint64_t sequence = 0;  ///< From 1.
  Sha256Digest previous;       ///< Of the signer's record before; zero for the first.
  base::Timestamp created;
  std::vector<std::pair<std::string, std::string>> fields;

  /// The value of the only field of that name.
  /// errors  kCorrupt: none, or several.
  base::Result<std::string> field(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
};

/// Limits of a record. Values are printable ASCII (0x20 to 0x7e), neither empty nor
/// beginning or ending with a blank; kinds and names are `[a-z][a-z0-9-]*`, at most 32
/// bytes.
constexpr std::size_t kMaxRecordSize = 1'048'576;
constexpr std::uint64_t kMaxSequence = 99'999'999;

/// `record` keeps the limits above: the caller has made it so.
std::string to_text(const Record& record);

/// SHA-256 of the record's text, which the signer's next record names as `previous`.
Sha256Digest digest_of(const Record& record);

/// Accepts exactly what to_text() writes.
/// errors  kCorrupt.  kUnsupported: a newer version of the kind line.
base::Result<Record> parse_record(base::ByteView text);

}  // namespace sealift::archive
