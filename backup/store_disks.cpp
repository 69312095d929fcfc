#include "backup/store_disks.h"

#include <algorithm>

#include "backup/sample_check.h"

namespace sealift::backup {

namespace {

std::map<std::string, std::string> attributes_of(const vm::VmDescription& description,
                                                 const std::string& target) {
  const auto disk = std::ranges::find(description.disks, target, &vm::Disk::target);
  if (disk == description.disks.end()) return {};
  return {{"target", disk->target},
          {"bus", disk->bus},
          {"format", disk->format},
          {"path", disk->path.string()}};
}

class DiskStorer {
 public:
  DiskStorer(const ChangeTracking& tracking, archive::ArchiveWriter& writer,
             std::uint32_t chunk_size, const PipelineLimits& limits,
             const std::stop_token& stop)
      : tracking_(tracking),
        writer_(writer),
        chunk_size_(chunk_size),
        limits_(limits),
        stop_(stop) {}

  base::Status store(vm::DiskSource& source,
                     std::map<std::string, std::string> attributes,
                     const DiskProgress& progress) {
    const std::string& target = source.target();
    std::optional<archive::TreeView> earlier;
    const archive::Component* component = tracking_.disk(target);
    if (source.changes() != nullptr && component != nullptr) {
      ASSIGN_OR_RETURN(earlier, tracking_.earlier->view(*component));
      ASSIGN_OR_RETURN(const bool is_trusted,
                       try_out(*source.changes(), target, *earlier));
      if (!is_trusted) earlier.reset();
    } else {
      const auto reason = tracking_.whole.find(target);
      note_whole(target, reason == tracking_.whole.end()
                             ? "it is read from its image, past QEMU's notes"
                             : reason->second);
    }
    ASSIGN_OR_RETURN(
        const std::unique_ptr<archive::ComponentWriter> writer,
        earlier ? writer_.continue_disk(target, *earlier)
                : writer_.add_component("disk", target, archive::IdScope::kShared,
                                        source.size()));
    RETURN_IF_ERROR(store_disk(source, earlier ? Pieces::kChanged : Pieces::kAllocated,
                               *writer, writer_, chunk_size_, limits_, read_bytes_,
                               progress, stop_));
    return writer->finish(std::move(attributes));
  }

  StoredDisks take_stored() { return std::move(stored_); }

 private:
  void note_whole(const std::string& target, const std::string& reason) {
    stored_.facts["read_" + target] = "all: " + reason;
  }

  base::Result<bool> try_out(vm::TrackedDisk& disk, const std::string& target,
                             archive::TreeView& earlier) {
    ASSIGN_OR_RETURN(const SampleReport sample, check_sample(disk, earlier, stop_));
    if (sample.differs_at) {
      const std::string where = "at offset " + std::to_string(*sample.differs_at) +
                                " it has changed, and QEMU does not know";
      note_whole(target, where);
      stored_.warnings.push_back(
          "disk " + target + ": " + where +
          "; all of it was read. Was its image, or one below it, written to by "
          "something else?");
      return false;
    }
    stored_.is_incremental = true;
    stored_.facts["read_" + target] =
        "what changed since snapshot " + tracking_.earlier_id.hex();
    stored_.facts["sample_" + target] =
        std::to_string(sample.blocks) + " blocks called unchanged are what they were";
    return true;
  }

  const ChangeTracking& tracking_;
  archive::ArchiveWriter& writer_;
  const std::uint32_t chunk_size_;
  const PipelineLimits& limits_;
  const std::stop_token& stop_;
  std::atomic<std::uint64_t> read_bytes_ = 0;
  StoredDisks stored_;
};

}  // namespace

base::Result<StoredDisks> store_disks(
    const vm::Capture& capture, const vm::VmDescription& description,
    const ChangeTracking& tracking, archive::ArchiveWriter& writer,
    std::uint32_t chunk_size, const PipelineLimits& limits,
    const ProgressOfDisk& progress, const std::stop_token& stop) {
  DiskStorer storer(tracking, writer, chunk_size, limits, stop);
  for (const std::unique_ptr<vm::DiskSource>& source : capture.disks()) {
    const std::string& target = source->target();
    RETURN_IF_ERROR(storer.store(*source, attributes_of(description, target),
                                 progress ? progress(target) : nullptr));
  }
  return storer.take_stored();
}

}  // namespace sealift::backup
