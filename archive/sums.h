// SHA256SUMS: a line for each member, as sha256sum -c reads it.
#pragma once

#include <string>
#include <vector>

#include "archive/ids.h"
#include "base/bytes.h"
#include "base/result.h"

namespace sealift::archive {

struct MemberSum {
  std::string name;
  Sha256Digest digest;
};

/// In the order of the members.
std::string to_sums_text(const std::vector<MemberSum>& sums);

/// The members before SHA256SUMS and what their sums are. Rule V7: exactly
/// `header.json`, segments from 1 on without gap, then `tail` in order. errors
/// kCorrupt.
base::Result<std::vector<MemberSum>> parse_sums(base::ByteView text,
                                                const std::vector<std::string>& tail);

/// "segments/00000001" for 1.
std::string segment_name(std::uint32_t number);

}  // namespace sealift::archive
