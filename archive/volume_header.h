// header.json: what a volume is, and which keys seal its frames.
// docs/format/volume.md, section 3.
#pragma once

#include <string>

#include "archive/volume.h"

namespace sealift::archive {

struct VolumeHeader {
  RepositoryId repository;
  ArchiveId archive;
  std::uint32_t number = 0;
  base::Timestamp created;
  SignerId signer;
  KeyId content_key;
  std::vector<Envelope> envelopes;
  std::vector<FrameKey> keys;
  std::vector<std::pair<KeyId, base::Bytes>> metadata_envelopes;
  std::vector<AddedKey> added_keys;
};

std::string to_json_text(const VolumeHeader& header);

/// Rules V9 and V12. errors  kCorrupt, kUnsupported.
base::Result<VolumeHeader> parse_volume_header(base::ByteView text);

}  // namespace sealift::archive
