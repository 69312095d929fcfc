#include "vm/image_file_source.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <optional>

#include "vm/changed_pieces.h"
#include "vm/nbd_reader.h"
#include "vm/raw_reader.h"
#include "vm/read_only_server.h"
#include "vm/read_pieces.h"

namespace sealift::vm {

namespace {

constexpr unsigned kMostReaders = 8;

base::Error with_words(base::Error error, const ReadOnlyServer& server) {
  const std::string words = server.words();
  if (words.empty()) return error;
  return base::Error(base::ErrorCode::kIo, "cannot open a disk image").because(words);
}

base::Result<std::unique_ptr<NbdReader>> open_reader(ReadOnlyServer& server,
                                                     base::FileDescriptor socket,
                                                     const std::string& bitmap = {}) {
  if (auto status = server.wait_for(socket); !status) {
    return with_words(std::move(status).error(), server);
  }
  auto reader = NbdReader::open(std::move(socket), "", bitmap);
  if (!reader) return with_words(std::move(reader).error(), server);
  return reader;
}

class ImageFileSource final : public DiskSource, public TrackedDisk {
 public:
  ImageFileSource(Disk disk, std::string bitmap, std::optional<keyvault::Secret> key)
      : disk_(std::move(disk)), bitmap_(std::move(bitmap)), key_(std::move(key)) {}

  const std::string& target() const override { return disk_.target; }
  std::uint64_t size() const override { return disk_.size; }

  base::Status read_allocated(std::uint32_t piece_size, unsigned jobs,
                              const PieceSink& sink, const Progress& progress,
                              std::stop_token stop) override {
    RETURN_IF_ERROR(open(jobs));
    std::vector<DiskReader*> readers;
    for (const auto& reader : raw_readers_) readers.push_back(reader.get());
    for (const auto& reader : served_readers_) readers.push_back(reader.get());
    readers.resize(std::min<std::size_t>(readers.size(), std::max(jobs, 1U)));
    return located(read_pieces(readers, disk_.size, piece_size, sink, progress, stop));
  }

  TrackedDisk* changes() override { return bitmap_.empty() ? nullptr : this; }

  base::Status read_changed(std::uint32_t piece_size, unsigned jobs,
                            const PieceSink& sink, const Progress& progress,
                            std::stop_token stop) override {
    RETURN_IF_ERROR(open(jobs));
    return located(read_changed_pieces(served(), *changes_, jobs, disk_.size,
                                       piece_size, sink, progress, stop));
  }

  base::Result<bool> is_unchanged(std::uint64_t offset, std::uint64_t size) override {
    RETURN_IF_ERROR(open(kMostReaders));
    auto found = window_->is_unchanged(offset, size);
    if (!found) return located(std::move(found).error()).error();
    return found;
  }

  base::Status read_picked(const std::vector<std::uint64_t>& numbers,
                           std::uint32_t piece_size, unsigned jobs,
                           const PieceSink& sink, std::stop_token stop) override {
    RETURN_IF_ERROR(open(kMostReaders));
    return located(read_picked_pieces(served(), jobs, disk_.size, piece_size, numbers,
                                      sink, stop));
  }

 private:
  std::vector<NbdReader*> served() const {
    std::vector<NbdReader*> readers;
    for (const auto& reader : served_readers_) readers.push_back(reader.get());
    return readers;
  }

  bool is_read_directly() const { return disk_.format == "raw" && !disk_.rbd; }

  base::Status located(base::Status status) const {
    if (status) return status;
    return std::move(status)
        .error()
        .at("file", disk_.path.string())
        .at("disk", disk_.target);
  }

  // The server takes no further connection later: all that may be wanted are made.
  base::Status open(unsigned jobs) {
    if (!raw_readers_.empty() || !served_readers_.empty()) return base::Done{};
    const unsigned count = std::clamp(jobs, 1U, kMostReaders);
    return located(is_read_directly() ? open_raw(count) : open_server(count));
  }

  base::Status open_raw(unsigned count) {
    file_ = base::FileDescriptor(::open(disk_.path.c_str(), O_RDONLY | O_CLOEXEC));
    struct stat found {};
    if (!file_ || ::fstat(file_.get(), &found) != 0) {
      return base::system_error(errno, "cannot open a disk image");
    }
    const bool is_file = S_ISREG(found.st_mode);
    const auto file_size =
        is_file ? static_cast<std::uint64_t>(found.st_size) : disk_.size;
    direct_ = open_direct(file_);
    for (unsigned i = 0; i < count; ++i) {
      raw_readers_.push_back(std::make_unique<RawReader>(
          file_.get(), direct_.get(), disk_.size, file_size, is_file));
    }
    return base::Done{};
  }

  base::Status open_server(unsigned count) {
    const unsigned for_changes = bitmap_.empty() ? 0 : 1;
    ASSIGN_OR_RETURN(ReadOnlyServer server,
                     ReadOnlyServer::start(disk_, count + for_changes,
                                           key_ ? &*key_ : nullptr, bitmap_));
    key_.reset();
    server_.emplace(std::move(server));
    for (base::FileDescriptor& socket : server_->take_sockets()) {
      const bool is_for_changes = served_readers_.size() == count;
      auto reader =
          open_reader(*server_, std::move(socket), is_for_changes ? bitmap_ : "");
      if (!reader) return std::move(reader).error();
      if (reader.value()->size() != disk_.size) {
        return base::Error(base::ErrorCode::kIo, "the disk's size changed meanwhile");
      }
      if (is_for_changes) {
        changes_ = std::move(reader).value();
        window_.emplace(*changes_);
      } else {
        served_readers_.push_back(std::move(reader).value());
      }
    }
    return base::Done{};
  }

  Disk disk_;
  std::string bitmap_;                   // Empty: none.
  std::optional<keyvault::Secret> key_;  // Until the server has it.
  base::FileDescriptor file_;
  base::FileDescriptor direct_;  // Empty where there is no O_DIRECT.
  std::optional<ReadOnlyServer> server_;
  std::vector<std::unique_ptr<RawReader>> raw_readers_;
  std::vector<std::unique_ptr<NbdReader>> served_readers_;
  std::unique_ptr<NbdReader> changes_;  // Of the server, too; null: no bitmap.
  std::optional<ChangeWindow> window_;  // On it.
};

base::Result<std::optional<keyvault::Secret>> read_key(const Connection& connection,
                                                       const Disk& disk) {
  if (disk.rbd) return read_rbd_key(connection, *disk.rbd);
  return std::optional<keyvault::Secret>();
}

}  // namespace

std::unique_ptr<DiskSource> open_image_files(const Disk& disk,
                                             const std::string& bitmap,
                                             std::optional<keyvault::Secret> key) {
  return std::make_unique<ImageFileSource>(disk, bitmap, std::move(key));
}

base::Result<std::unique_ptr<DiskSource>> open_image_files(const Connection& connection,
                                                           const Disk& disk,
                                                           const std::string& bitmap) {
  ASSIGN_OR_RETURN(std::optional<keyvault::Secret> key, read_key(connection, disk));
  return open_image_files(disk, bitmap, std::move(key));
}

base::Result<std::uint64_t> measure_image(const Connection& connection,
                                          const Disk& disk) {
  ASSIGN_OR_RETURN(const std::optional<keyvault::Secret> key,
                   read_key(connection, disk));
  ASSIGN_OR_RETURN(ReadOnlyServer server,
                   ReadOnlyServer::start(disk, 1, key ? &*key : nullptr));
  auto reader = open_reader(server, std::move(server.take_sockets().front()));
  if (!reader) return std::move(reader).error().at("file", disk.path.string());
  return reader.value()->size();
}

}  // namespace sealift::vm
