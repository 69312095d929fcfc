// An archive being written, with what it was begun with.
#pragma once

#include <atomic>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <vector>

#include "archive/frame_store.h"
#include "archive/page_tree.h"

namespace sealift::archive {

/// An archive's surroundings. What it refers to outlives the archive.
struct ArchiveSetting {
  ObjectStore& store;
  RepositoryId repository;
  RepositorySettings settings;
  const keyvault::SigningKey& signer;
  const KnownChunks& known;
  base::Timestamp created;
  ArchiveOptions options;
  ArchiveId archive;
  std::function<void(std::span<std::byte> frame)> on_sealed;  ///< As in SealerParts.
};

/// ArchiveWriter::begin() with its random parts given.
/// errors  kDefect: a chunk size, level or volume size that cannot be.
base::Result<std::unique_ptr<ArchiveWriter>> begin_archive(
    ArchiveSetting setting, const std::vector<keyvault::Recipient>& recipients,
    const RepositoryKeys& keys, const keyvault::Secret& content_key);

/// What the components of one archive share. Threads: any.
class ArchiveSession {
 public:
  ArchiveSession(FrameStore& frames, std::uint32_t chunk_size)
      : frames_(&frames), chunk_size_(chunk_size) {}

  FrameStore& frames() noexcept { return *frames_; }
  std::uint32_t chunk_size() const noexcept { return chunk_size_; }

  /// A place in the manifest, in the order of asking.
  /// errors  kDefect: that kind and name are taken.
  base::Result<std::size_t> reserve(const std::string& kind, const std::string& name,
                                    std::uint64_t size);
  void fill(std::size_t place, Component component);
  /// Of one that was never filled: its kind and name are free again.
  void give_back(const std::string& kind, const std::string& name, std::uint64_t size);
  /// Those that were filled, in order.
  std::vector<Component> components() const;

  void count_data(std::uint64_t bytes, std::uint32_t new_frame_bytes);
  void count_page(std::uint32_t new_frame_bytes);
  ArchiveCounts counts() const;

 private:
  FrameStore* frames_;
  std::uint32_t chunk_size_;

  mutable std::mutex guard_;
  std::set<std::pair<std::string, std::string>> taken_;
  std::vector<std::optional<Component>> components_;
  ArchiveCounts counts_;
};

/// errors  kDefect: a kind, name, scope or size that no component can have.
base::Result<std::unique_ptr<ComponentWriter>> begin_component(
    ArchiveSession& session, std::string kind, std::string name, IdScope scope,
    std::uint64_t size, TreeBase base = {});

}  // namespace sealift::archive
