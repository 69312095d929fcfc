#include "vm/file_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/filesystem.h"
#include "vm/raw_reader.h"

namespace sealift::vm {

namespace {

constexpr unsigned kMostReaders = 8;
constexpr std::int64_t kNanoseconds = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) {
  return time.tv_sec * kNanoseconds + time.tv_nsec;
}

FileStamp stamp(const struct stat& found) {
  return {found.st_dev, found.st_ino, static_cast<std::uint64_t>(found.st_size),
          nanoseconds(found.st_mtim), nanoseconds(found.st_ctim)};
}

// Lets through what counts, and zeros for what does not.
class CountingReader final : public DiskReader {
 public:
  CountingReader(RawReader file, const std::vector<ByteRange>& counting)
      : file_(std::move(file)), counting_(counting) {}

  base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                            std::uint64_t size) override {
    const auto range = first_that_ends_after(offset);
    if (range == counting_.end()) return std::vector<Extent>{{size, true}};
    if (range->offset > offset) {
      return std::vector<Extent>{{std::min(size, range->offset - offset), true}};
    }
    const std::uint64_t end = range->offset + range->size;
    return file_.extents(offset, std::min(size, end - offset));
  }

  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override {
    RETURN_IF_ERROR(file_.read(offset, bytes));
    std::uint64_t at = offset;
    const std::uint64_t end = offset + bytes.size();
    while (at < end) {
      const auto range = first_that_ends_after(at);
      const std::uint64_t begin =
          range == counting_.end() ? end : std::clamp(range->offset, at, end);
      std::ranges::fill(bytes.subspan(at - offset, begin - at), std::byte{0});
      if (range == counting_.end()) break;
      at = std::max(begin, std::min(end, range->offset + range->size));
    }
    return base::Done{};
  }

 private:
  std::vector<ByteRange>::const_iterator first_that_ends_after(
      std::uint64_t offset) const {
    return std::partition_point(counting_.begin(), counting_.end(),
                                [offset](const ByteRange& range) {
                                  return range.offset + range.size <= offset;
                                });
  }

  RawReader file_;
  const std::vector<ByteRange>& counting_;
};

class FileSource final : public DiskSource {
 public:
  FileSource(std::string name, std::filesystem::path path, const FileStamp& expected,
             std::optional<std::vector<ByteRange>> counting)
      : name_(std::move(name)), path_(std::move(path)), expected_(expected) {
    counting_ =
        counting ? std::move(*counting) : std::vector<ByteRange>{{0, expected.size}};
  }

  const std::string& target() const override { return name_; }
  std::uint64_t size() const override { return expected_.size; }

  base::Status read_allocated(std::uint32_t piece_size, unsigned jobs,
                              const PieceSink& sink, const Progress& progress,
                              std::stop_token stop) override {
    auto status = read(piece_size, jobs, sink, progress, stop);
    if (status) return status;
    return std::move(status).error().at("file", path_.string());
  }

 private:
  base::Status read(std::uint32_t piece_size, unsigned jobs, const PieceSink& sink,
                    const Progress& progress, const std::stop_token& stop) const {
    auto opened = base::open_regular_file(path_);
    if (!opened && opened.error().code() == base::ErrorCode::kNotFound) {
      return changed_meanwhile();
    }
    ASSIGN_OR_RETURN(const base::FileDescriptor file, std::move(opened));
    struct stat found {};
    if (::fstat(file.get(), &found) != 0) {
      return base::system_error(errno, "cannot read the file");
    }
    if (stamp(found) != expected_) return changed_meanwhile();
    const base::FileDescriptor direct = open_direct(file);
    std::vector<std::unique_ptr<DiskReader>> readers;
    std::vector<DiskReader*> pointers;
    for (unsigned i = 0; i < std::clamp(jobs, 1U, kMostReaders); ++i) {
      readers.push_back(std::make_unique<CountingReader>(
          RawReader(file.get(), direct.get(), expected_.size, expected_.size, true),
          counting_));
      pointers.push_back(readers.back().get());
    }
    return read_pieces(pointers, expected_.size, piece_size, sink, progress, stop);
  }

  std::string name_;
  std::filesystem::path path_;
  FileStamp expected_;
  std::vector<ByteRange> counting_;
};

}  // namespace

base::Result<FileStamp> stamp_of(const std::filesystem::path& path) {
  struct stat found {};
  if (::lstat(path.c_str(), &found) != 0) {
    if (errno == ENOENT) {
      return base::Error(base::ErrorCode::kNotFound, "the file is not there")
          .at("file", path.string());
    }
    return base::system_error(errno, "cannot look at the file")
        .at("file", path.string());
  }
  if (!S_ISREG(found.st_mode)) {
    return base::Error(base::ErrorCode::kRefused, "it is no regular file")
        .at("file", path.string())
        .next("put the file itself there, not a link to it");
  }
  return stamp(found);
}

std::unique_ptr<DiskSource> open_file_source(
    std::string name, std::filesystem::path path, const FileStamp& stamp,
    std::optional<std::vector<ByteRange>> counting) {
  return std::make_unique<FileSource>(std::move(name), std::move(path), stamp,
                                      std::move(counting));
}

base::Error changed_meanwhile() {
  return base::Error(base::ErrorCode::kBusy,
                     "a file of the export changed while it was read")
      .next("wait until the export is whole, and try again");
}

}  // namespace sealift::vm
