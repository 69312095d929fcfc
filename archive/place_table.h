// Where frames lie, in as little memory as hints need.
#pragma once

#include <string>
#include <vector>

#include "archive/snapshot_reader.h"

namespace sealift::archive {

/// What finds an id among hints: its first 8 bytes.
std::uint64_t id_head_of(const ChunkId& id);

/// A place is only a hint: 8 bytes of an id find it, and what lies there is believed
/// because its whole id fits. Threads: add() and sort() from one, then locate() from
/// any.
class PlaceTable final : public ChunkLocator {
 public:
  void add(const std::string& volume, const std::vector<IndexEntry>& entries);
  /// After the last add().
  void sort();
  base::Result<std::vector<ChunkLocation>> locate(const ChunkId& id) const override;

 private:
  struct Place {
    std::uint64_t id_head = 0;
    std::uint64_t offset = 0;
    std::uint32_t stored_size = 0;
    std::uint32_t volume = 0;  ///< In volumes_.
  };
  std::vector<std::string> volumes_;
  std::vector<Place> places_;
};

}  // namespace sealift::archive
