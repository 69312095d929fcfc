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
          {"path", disk->path.string()},
          {kImageAttribute, image_of(*disk)}};
}

bool is_no_longer_there(const base::Error& error) {
  return error.code() == base::ErrorCode::kCorrupt ||
         error.code() == base::ErrorCode::kNotFound;
}

class DiskStorer {
 public:
  DiskStorer(const ChangeTracking& tracking, KnownUntilDamage& known,
             archive::ArchiveWriter& writer, std::uint32_t chunk_size, Pace& pace,
             const std::stop_token& stop)
      : tracking_(tracking),
        known_(known),
        writer_(writer),
        chunk_size_(chunk_size),
        pace_(pace),
        stop_(stop) {}

  /// Before any is stored: what one disk finds damaged the others do not lean on.
  base::Status look_at_earlier(vm::DiskSource& source) {
    ASSIGN_OR_RETURN(earlier_[source.target()], find_trusted(source));
    return base::Done{};
  }

  base::Status store(vm::DiskSource& source,
                     const std::map<std::string, std::string>& attributes,
                     const DiskProgress& progress) {
    const std::string& target = source.target();
    std::optional<archive::TreeView>& earlier = earlier_[target];
    if (earlier && known_.is_damaged()) {
      distrust(target, "the earlier snapshot is damaged");
      earlier.reset();
    }
    if (earlier) {
      auto stored = store_pieces(source, earlier, attributes, progress);
      if (stored) {
        stored_.is_incremental = true;
        return stored;
      }
      if (!is_no_longer_there(stored.error())) return stored;
      distrust_earlier(target, stored.error());
    }
    return store_pieces(source, std::nullopt, attributes, progress);
  }

  StoredDisks take_stored() { return std::move(stored_); }

 private:
  base::Status store_pieces(vm::DiskSource& source,
                            const std::optional<archive::TreeView>& earlier,
                            const std::map<std::string, std::string>& attributes,
                            const DiskProgress& progress) {
    const std::string& target = source.target();
    ASSIGN_OR_RETURN(
        const std::unique_ptr<archive::ComponentWriter> writer,
        earlier ? writer_.continue_disk(target, *earlier)
                : writer_.add_component("disk", target, archive::IdScope::kShared,
                                        source.size()));
    const Pieces pieces = earlier ? Pieces::kChanged : Pieces::kAllocated;
    RETURN_IF_ERROR(store_disk(source, pieces, *writer, chunk_size_, jobs_, pace_,
                               progress, stop_));
    return writer->finish(attributes);
  }

  void note_whole(const std::string& target, const std::string& reason) {
    stored_.facts["read_" + target] = "all: " + reason;
  }

  // What cannot be trusted is no error: everything is read.
  void distrust(const std::string& target, const std::string& reason) {
    note_whole(target, reason);
    stored_.facts.erase("sample_" + target);
    stored_.warnings.push_back("disk " + target + ": " + reason +
                               "; all of it was read");
  }

  // What else the repository holds of this VM may be damaged, too, and is not leant on.
  void distrust_earlier(const std::string& target, const base::Error& error) {
    known_.note_damage();
    std::string where;
    for (const base::Error::Place& place : error.places()) {
      if (place.kind == "volume") where = " (volume " + place.name + ")";
    }
    distrust(target, std::string("the earlier snapshot is damaged: ")
                         .append(error.what())
                         .append(where)
                         .append("; nothing of this VM that was stored before is used. "
                                 "See how far it goes with `sealift verify --all`"));
  }

  base::Result<std::optional<archive::TreeView>> find_trusted(vm::DiskSource& source) {
    const std::string& target = source.target();
    const archive::Component* component = tracking_.disk(target);
    if (source.changes() == nullptr || component == nullptr) {
      const auto reason = tracking_.whole.find(target);
      note_whole(target, reason == tracking_.whole.end()
                             ? "nothing of its changes is known"
                             : reason->second);
      return std::optional<archive::TreeView>();
    }
    ASSIGN_OR_RETURN(archive::TreeView earlier, tracking_.earlier->view(*component));
    auto sample = check_sample(
        *source.changes(), earlier, known_, jobs_,
        [this](std::size_t bytes) { pace_.keep(bytes); }, stop_);
    if (!sample) {
      if (!is_no_longer_there(sample.error())) return std::move(sample).error();
      distrust_earlier(target, sample.error());
      return std::optional<archive::TreeView>();
    }
    if (sample->missing_at) {
      distrust(target, "what the earlier snapshot holds at offset " +
                           std::to_string(*sample->missing_at) +
                           " is not stored any more");
      return std::optional<archive::TreeView>();
    }
    if (sample->differs_at) {
      distrust(target, "at offset " + std::to_string(*sample->differs_at) +
                           " it has changed, and QEMU does not know: something else "
                           "wrote to its image, or to one below it, or it was made "
                           "smaller and larger again. Snapshots of this disk since the "
                           "last one that read all of it may be wrong");
      return std::optional<archive::TreeView>();
    }
    stored_.facts["read_" + target] =
        "what changed since snapshot " + tracking_.earlier_id.hex();
    stored_.facts["sample_" + target] = words_of(sample.value());
    return std::optional(std::move(earlier));
  }

  const ChangeTracking& tracking_;
  KnownUntilDamage& known_;
  archive::ArchiveWriter& writer_;
  const std::uint32_t chunk_size_;
  Pace& pace_;
  const unsigned jobs_ = default_jobs();
  const std::stop_token& stop_;
  std::map<std::string, std::optional<archive::TreeView>> earlier_;  ///< By target.
  StoredDisks stored_;
};

}  // namespace

base::Result<StoredDisks> store_disks(
    const vm::Capture& capture, const vm::VmDescription& description,
    const ChangeTracking& tracking, KnownUntilDamage& known,
    archive::ArchiveWriter& writer, std::uint32_t chunk_size, Pace& pace,
    const std::function<void(const std::string& words)>& say,
    const std::stop_token& stop) {
  DiskStorer storer(tracking, known, writer, chunk_size, pace, stop);
  for (const std::unique_ptr<vm::DiskSource>& source : capture.disks()) {
    if (source->changes() != nullptr) {
      say(source->target() + ": comparing a sample of what did not change");
    }
    RETURN_IF_ERROR(storer.look_at_earlier(*source));
  }
  for (const std::unique_ptr<vm::DiskSource>& source : capture.disks()) {
    const std::string& target = source->target();
    RETURN_IF_ERROR(storer.store(*source, attributes_of(description, target),
                                 progress_in_words(target, say)));
  }
  return storer.take_stored();
}

}  // namespace sealift::backup
