#include "archive/frame_source.h"

#include "archive/limits.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

base::Error at_location(base::Error error, const ChunkLocation& location,
                        const ObjectReader& store) {
  bool has_volume = false;
  for (const auto& place : error.places()) {
    has_volume = has_volume || place.kind == "volume";
  }
  if (has_volume) return error;
  const std::string member = member_at(store, location.volume, location.offset);
  if (!member.empty()) error.at("member", member);
  error.at("volume", location.volume);
  return missing_is_corrupt(std::move(error), location.volume);
}

keyvault::HmacSha256& ids_for(const WantedChunk& wanted, OpeningState& state) {
  const bool is_private =
      wanted.kind == FrameKind::kData && wanted.scope == IdScope::kPrivate;
  return is_private ? *state.private_ids : state.shared_ids;
}

}  // namespace

bool can_be_place(const ChunkLocation& location) {
  return location.stored_size > kFrameOverhead &&
         location.stored_size <= kMaxFrameSize && location.offset <= kMaxVolumeFileSize;
}

base::Result<std::vector<ChunkLocation>> FrameSource::locate(const ChunkId& id) const {
  ASSIGN_OR_RETURN(std::vector<ChunkLocation> locations, locator_->locate(id));
  if (!locations.empty()) return locations;
  ASSIGN_OR_RETURN(locations, scan_.locate(id));
  if (!locations.empty()) return locations;
  return broken("P4", "a part of the snapshot lies in no volume of the repository")
      .at("frame", id.hex())
      .next(
          "the volume that held it is lost: see how far it goes with `sealift verify "
          "--all`, and the runbook lost-volumes.md");
}

base::Result<base::ByteView> FrameSource::open(const WantedChunk& wanted,
                                               OpeningState& state) const {
  ASSIGN_OR_RETURN(const std::vector<ChunkLocation> locations, locate(wanted.id));
  std::optional<base::Error> first;
  bool was_found = false;
  const auto open_one =
      [&](const ChunkLocation& location) -> base::Result<base::ByteView> {
    ASSIGN_OR_RETURN(const FrameHeader header, look_at(wanted, location, state));
    was_found = true;
    return open_at(wanted, location, header, state);
  };
  for (const ChunkLocation& location : locations) {
    auto plain = open_one(location);
    if (plain) return plain;
    if (!first) first = at_location(std::move(plain).error(), location, *store_);
  }
  if (was_found) return *std::move(first);
  ASSIGN_OR_RETURN(const std::vector<ChunkLocation> real, scan_.locate(wanted.id));
  for (const ChunkLocation& location : real) {
    auto plain = open_one(location);
    if (plain) return plain;
  }
  return *std::move(first);
}

base::Result<FrameHeader> FrameSource::look_at(const WantedChunk& wanted,
                                               const ChunkLocation& location,
                                               OpeningState& state) const {
  if (!can_be_place(location)) {
    return broken("I5", "the place of a frame cannot be");
  }
  state.frame.resize(location.stored_size);
  RETURN_IF_ERROR(store_->read(location.volume, location.offset, state.frame));
  return examine_frame(state.frame, {wanted.kind, wanted.id, wanted.plain_size});
}

base::Result<base::ByteView> FrameSource::open_at(const WantedChunk& wanted,
                                                  const ChunkLocation& location,
                                                  const FrameHeader& header,
                                                  OpeningState& state) const {
  ASSIGN_OR_RETURN(FrameCipher* const cipher,
                   cipher_for(header, location.volume, state));
  return state.opener.open(state.frame, header, *cipher, ids_for(wanted, state));
}

base::Status FrameSource::open_read(const WantedChunk& wanted, base::ByteView frame,
                                    const std::string& volume, OpeningState& state,
                                    std::span<std::byte> plain) const {
  ASSIGN_OR_RETURN(const FrameHeader header,
                   examine_frame(frame, {wanted.kind, wanted.id,
                                         static_cast<std::uint32_t>(plain.size())}));
  ASSIGN_OR_RETURN(FrameCipher* const cipher, cipher_for(header, volume, state));
  return state.opener.open_into(frame, header, *cipher, ids_for(wanted, state), plain);
}

base::Result<FrameCipher*> FrameSource::cipher_for(const FrameHeader& header,
                                                   const std::string& volume,
                                                   OpeningState& state) const {
  const std::pair use(header.key, header.kind);
  const auto found = state.ciphers.find(use);
  if (found != state.ciphers.end()) return &found->second;
  const keyvault::Secret* key = keys_->held(header.key, header.kind);
  if (key == nullptr) {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Volume> opened, volumes_->get(volume));
    ASSIGN_OR_RETURN(key, keys_->unwrap(*opened, header.key, header.kind));
  }
  ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::create(*key));
  return &state.ciphers.emplace(use, std::move(cipher)).first->second;
}

}  // namespace sealift::archive
