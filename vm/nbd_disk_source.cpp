#include "vm/nbd_disk_source.h"

#include <algorithm>
#include <optional>

#include "vm/changed_pieces.h"
#include "vm/nbd_reader.h"

namespace sealift::vm {

namespace {

class PulledDiskSource final : public DiskSource, public TrackedDisk {
 public:
  PulledDiskSource(const Disk& disk, std::filesystem::path socket, std::string bitmap,
                   GuardProcess& guard, unsigned most_connections,
                   ExplainFailure explain)
      : target_(disk.target),
        size_(disk.size),
        socket_(std::move(socket)),
        bitmap_(std::move(bitmap)),
        guard_(guard),
        most_connections_(most_connections),
        explain_(std::move(explain)) {}

  const std::string& target() const override { return target_; }
  std::uint64_t size() const override { return size_; }

  base::Status read_allocated(std::uint32_t piece_size, unsigned jobs,
                              const PieceSink& sink, const Progress& progress,
                              std::stop_token stop) override {
    if (auto status = connect_all(jobs); !status) return told(std::move(status));
    std::vector<DiskReader*> readers;
    for (const auto& reader : readers_) readers.push_back(reader.get());
    return told(read_pieces(readers, size_, piece_size, sink, progress, stop));
  }

  TrackedDisk* changes() override { return bitmap_.empty() ? nullptr : this; }

  base::Status read_changed(std::uint32_t piece_size, unsigned jobs,
                            const PieceSink& sink, const Progress& progress,
                            std::stop_token stop) override {
    if (auto status = connect_for_changes(); !status) return told(std::move(status));
    auto readers = any_readers(jobs);
    if (!readers) return told(std::move(readers).error());
    return told(read_changed_pieces(readers.value(), *changes_, jobs, size_, piece_size,
                                    sink, progress, stop));
  }

  base::Result<bool> is_unchanged(std::uint64_t offset, std::uint64_t size) override {
    if (auto status = connect_for_changes(); !status) {
      return told(std::move(status)).error();
    }
    auto found = window_->is_unchanged(offset, size);
    if (!found) return told(std::move(found).error()).error();
    return found;
  }

  base::Status read_picked(const std::vector<std::uint64_t>& numbers,
                           std::uint32_t piece_size, unsigned jobs,
                           const PieceSink& sink, std::stop_token stop) override {
    auto readers = any_readers(jobs);
    if (!readers) return told(std::move(readers).error());
    return told(read_picked_pieces(readers.value(), jobs, size_, piece_size, numbers,
                                   sink, stop));
  }

 private:
  base::Status told(base::Status status) const {
    if (status) return status;
    return explain_(std::move(status).error()).at("disk", target_);
  }

  base::Status connect_all(unsigned jobs) {
    const unsigned count = std::clamp(jobs, 1U, most_connections_);
    while (readers_.size() < count) {
      ASSIGN_OR_RETURN(auto reader, connect(""));
      readers_.push_back(std::move(reader));
    }
    return base::Done{};
  }

  // To read with. Where each disk may have but one connection it is the bitmap's.
  base::Result<std::vector<NbdReader*>> any_readers(unsigned jobs) {
    if (changes_ && most_connections_ == 1) return std::vector{changes_.get()};
    RETURN_IF_ERROR(connect_all(jobs));
    std::vector<NbdReader*> readers;
    for (const auto& reader : readers_) readers.push_back(reader.get());
    return readers;
  }

  base::Status connect_for_changes() {
    if (changes_) return base::Done{};
    ASSIGN_OR_RETURN(changes_, connect(bitmap_));
    window_.emplace(*changes_);
    return base::Done{};
  }

  base::Result<std::unique_ptr<NbdReader>> connect(const std::string& bitmap) {
    // The guard has it before it is connected: it must know every connection, and end
    // those whose handshake we did not live to finish.
    ASSIGN_OR_RETURN(base::FileDescriptor socket, make_socket());
    RETURN_IF_ERROR(guard_.hold_socket(socket.get()));
    RETURN_IF_ERROR(connect_to_socket(socket, socket_.string()));
    ASSIGN_OR_RETURN(auto reader, NbdReader::open(std::move(socket), target_, bitmap));
    if (reader->size() != size_) {
      return base::Error(base::ErrorCode::kIo, "the disk's size changed meanwhile");
    }
    return reader;
  }

  std::string target_;
  std::uint64_t size_;
  std::filesystem::path socket_;
  std::string bitmap_;  // Empty: none.
  GuardProcess& guard_;
  unsigned most_connections_;
  ExplainFailure explain_;
  std::vector<std::unique_ptr<NbdReader>> readers_;
  std::unique_ptr<NbdReader> changes_;  // Null: nobody asked yet.
  std::optional<ChangeWindow> window_;  // On it.
};

}  // namespace

std::unique_ptr<DiskSource> open_pulled_disk(
    const Disk& disk, const std::filesystem::path& socket, const std::string& bitmap,
    GuardProcess& guard, unsigned most_connections, ExplainFailure explain) {
  return std::make_unique<PulledDiskSource>(disk, socket, bitmap, guard,
                                            most_connections, std::move(explain));
}

}  // namespace sealift::vm
