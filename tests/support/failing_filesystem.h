// Filesystems that stop the world between any two steps of writing.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include "base/filesystem.h"

namespace sealift::support {

/// Passes everything to another filesystem until step `failing_step` (counted from 0,
/// each call of create, append, publish, replace, create_directories or remove is one);
/// that step and all after it fail with kIo and do nothing. One thread at a time.
class FailingFilesystem final : public base::Filesystem {
 public:
  explicit FailingFilesystem(std::size_t failing_step,
                             base::Filesystem& real = base::real_filesystem())
      : failing_step_(failing_step), real_(&real) {}

  bool has_failed() const noexcept { return steps_ > failing_step_; }
  std::size_t steps() const noexcept { return steps_; }

  base::Result<std::unique_ptr<base::NewFile>> create(const std::filesystem::path& path,
                                                      mode_t mode) override {
    RETURN_IF_ERROR(step());
    ASSIGN_OR_RETURN(std::unique_ptr<base::NewFile> file, real_->create(path, mode));
    return std::unique_ptr<base::NewFile>(
        std::make_unique<FailingFile>(*this, std::move(file)));
  }

  base::Status replace(const std::filesystem::path& path, base::ByteView bytes,
                       mode_t mode) override {
    RETURN_IF_ERROR(step());
    return real_->replace(path, bytes, mode);
  }

  base::Status create_directories(const std::filesystem::path& path,
                                  mode_t mode) override {
    RETURN_IF_ERROR(step());
    return real_->create_directories(path, mode);
  }

  base::Status remove(const std::filesystem::path& path) override {
    RETURN_IF_ERROR(step());
    return real_->remove(path);
  }

 private:
  class FailingFile final : public base::NewFile {
   public:
    FailingFile(FailingFilesystem& filesystem, std::unique_ptr<base::NewFile> real)
        : filesystem_(&filesystem), real_(std::move(real)) {}

    base::Status append(base::ByteView bytes) override {
      RETURN_IF_ERROR(filesystem_->step());
      return real_->append(bytes);
    }
    base::Status publish() override {
      RETURN_IF_ERROR(filesystem_->step());
      return real_->publish();
    }

   private:
    FailingFilesystem* filesystem_;
    std::unique_ptr<base::NewFile> real_;
  };

  base::Status step() {
    if (steps_++ >= failing_step_) {
      return base::Error(base::ErrorCode::kIo, "the test stopped this step");
    }
    return base::Done{};
  }

  std::size_t failing_step_;
  std::size_t steps_ = 0;
  base::Filesystem* real_;
};

}  // namespace sealift::support
