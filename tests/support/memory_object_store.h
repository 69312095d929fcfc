// Storage in memory, which can be damaged, watched and made to fail.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "archive/object_store.h"

namespace sealift::support {

/// Threads: any, as ObjectStore wants it.
class MemoryObjectStore final : public archive::ObjectStore {
 public:
  /// Every object, for a test to look at or to damage. Not while others use the store.
  std::map<std::string, base::Bytes, std::less<>> objects;

  /// From this step on, counted from 0, every create, append and publish fails with
  /// kIo, as on a full disk.
  void fail_from(std::size_t step) {
    steps_ = 0;
    failing_step_ = step;
  }
  std::size_t steps() const { return steps_; }
  /// How many bytes read() gave.
  std::uint64_t bytes_read() const { return bytes_read_; }
  /// Bytes of the largest read that was asked for, whether it could be given or not.
  std::uint64_t largest_read() const { return largest_read_; }

  std::string place() const override { return "memory"; }

  base::Result<std::vector<archive::ObjectInfo>> list(
      std::string_view prefix) const override {
    const std::lock_guard guard(guard_);
    std::vector<archive::ObjectInfo> found;
    for (const auto& [name, bytes] : objects) {
      if (name.starts_with(prefix)) found.push_back({name, bytes.size()});
    }
    return found;
  }

  base::Result<archive::ObjectInfo> examine(std::string_view name) const override {
    const std::lock_guard guard(guard_);
    const auto object = objects.find(name);
    if (object == objects.end()) return missing(name);
    return archive::ObjectInfo{std::string(name), object->second.size()};
  }

  base::Status read(std::string_view name, std::uint64_t offset,
                    std::span<std::byte> bytes) const override {
    const std::lock_guard guard(guard_);
    if (bytes.size() > largest_read_) largest_read_ = bytes.size();
    const auto object = objects.find(name);
    if (object == objects.end()) return missing(name);
    if (offset > object->second.size() ||
        bytes.size() > object->second.size() - offset) {
      return base::Error(base::ErrorCode::kCorrupt, "the object ends too soon")
          .at("object", name);
    }
    std::copy_n(object->second.begin() + static_cast<std::ptrdiff_t>(offset),
                bytes.size(), bytes.begin());
    bytes_read_ += bytes.size();
    return base::Done{};
  }

  base::Result<std::unique_ptr<archive::PendingObject>> create(
      std::string_view name) override {
    RETURN_IF_ERROR(step());
    return std::unique_ptr<archive::PendingObject>(
        std::make_unique<Pending>(*this, std::string(name)));
  }

 private:
  class Pending final : public archive::PendingObject {
   public:
    Pending(MemoryObjectStore& store, std::string name)
        : store_(&store), name_(std::move(name)) {}

    base::Status append(base::ByteView bytes) override {
      RETURN_IF_ERROR(store_->step());
      bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
      return base::Done{};
    }
    base::Status publish() override {
      RETURN_IF_ERROR(store_->step());
      const std::lock_guard guard(store_->guard_);
      if (!store_->objects.emplace(name_, bytes_).second) {
        return base::Error(base::ErrorCode::kBusy, "the object is there already")
            .at("object", name_);
      }
      return base::Done{};
    }

   private:
    MemoryObjectStore* store_;
    std::string name_;
    base::Bytes bytes_;
  };

  static base::Error missing(std::string_view name) {
    return base::Error(base::ErrorCode::kNotFound, "there is no such object")
        .at("object", name);
  }

  base::Status step() {
    if (steps_++ >= failing_step_) {
      return base::Error(base::ErrorCode::kIo, "the test stopped this step");
    }
    return base::Done{};
  }

  mutable std::mutex guard_;
  std::atomic<std::size_t> steps_{0};
  std::size_t failing_step_ = ~std::size_t{0};
  mutable std::atomic<std::uint64_t> bytes_read_{0};
  mutable std::atomic<std::uint64_t> largest_read_{0};
};

}  // namespace sealift::support
