#include "archive/archive_session.h"

#include "archive/limits.h"

namespace sealift::archive {

base::Result<std::size_t> ArchiveSession::reserve(const std::string& kind,
                                                  const std::string& name,
                                                  std::uint64_t size) {
  const std::lock_guard guard(guard_);
  if (components_.size() == kMaxComponents || !taken_.insert({kind, name}).second) {
    return base::Error(base::ErrorCode::kDefect,
                       "the component is in the archive already, or there are too many")
        .at(kind, name);
  }
  counts_.source_bytes += size;
  components_.emplace_back();
  return components_.size() - 1;
}

void ArchiveSession::fill(std::size_t place, Component component) {
  const std::lock_guard guard(guard_);
  components_[place] = std::move(component);
}

void ArchiveSession::give_back(const std::string& kind, const std::string& name,
                               std::uint64_t size) {
  const std::lock_guard guard(guard_);
  taken_.erase({kind, name});
  counts_.source_bytes -= size;
}

std::vector<Component> ArchiveSession::components() const {
  const std::lock_guard guard(guard_);
  std::vector<Component> components;
  for (const std::optional<Component>& component : components_) {
    if (component) components.push_back(*component);
  }
  return components;
}

void ArchiveSession::count_data(std::uint64_t bytes, std::uint32_t new_frame_bytes) {
  const std::lock_guard guard(guard_);
  counts_.data_bytes += bytes;
  counts_.chunks += 1;
  counts_.stored_bytes += new_frame_bytes;
  if (new_frame_bytes == 0) return;
  counts_.new_bytes += bytes;
  counts_.new_chunks += 1;
}

void ArchiveSession::count_page(std::uint32_t new_frame_bytes) {
  const std::lock_guard guard(guard_);
  counts_.stored_bytes += new_frame_bytes;
}

ArchiveCounts ArchiveSession::counts() const {
  const std::lock_guard guard(guard_);
  return counts_;
}

}  // namespace sealift::archive
