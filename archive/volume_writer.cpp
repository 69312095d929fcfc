#include "archive/volume_writer.h"

#include "archive/frame_index.h"
#include "archive/limits.h"

namespace sealift::archive {

VolumeWriter::VolumeWriter(VolumeWriterParts parts) : parts_(std::move(parts)) {
  segment_begin_ = VolumeFile::first_segment_at(header_text(number_).size());
}

std::string VolumeWriter::header_text(std::uint32_t number) const {
  VolumeHeader header = parts_.header;
  header.number = number;
  return to_json_text(header);
}

base::Status VolumeWriter::append(const FrameHeader& header, base::ByteView frame) {
  std::unique_lock filling(filling_);
  segment_entries_.push_back(entry_of(header, header.kind == FrameKind::kData ? 0 : 1,
                                      segment_begin_ + segment_.size()));
  segment_.insert(segment_.end(), frame.begin(), frame.end());
  ++entries_;

  const After after = where_next();
  const bool is_full =
      segment_.size() + parts_.chunk_size + kFrameOverhead > kMaxSegmentSize;
  if (after == After::kSameVolume && !is_full) return base::Done{};
  return write_segment(std::move(filling), after);
}

VolumeWriter::After VolumeWriter::where_next() const {
  const bool is_full = segment_begin_ + segment_.size() >= parts_.volume_size ||
                       segments_ + 1 == kMaxSegments ||
                       entries_ == parts_.volume_frames;
  return is_full ? After::kNextVolume : After::kSameVolume;
}

// Hand over hand: the turn to write is taken before others may fill the next segment.
base::Status VolumeWriter::write_segment(std::unique_lock<std::mutex> filling,
                                         After after) {
  const std::lock_guard writing(writing_);
  if (failure_) return *failure_;
  if (after == After::kNextVolume && number_ == kMaxVolumes) {
    failure_ =
        base::Error(base::ErrorCode::kRefused, "the archive has too many volumes")
            .at("archive", parts_.header.archive.hex())
            .next("choose a greater volume size");
    return *failure_;
  }
  const std::uint32_t number = number_;
  segment_.swap(spare_);
  volume_entries_.insert(volume_entries_.end(), segment_entries_.begin(),
                         segment_entries_.end());
  segment_entries_.clear();
  segment_begin_ += tar_padded(spare_.size()) + kTarBlock;
  ++segments_;
  if (after == After::kNextVolume) {
    ++number_;
    segment_begin_ = VolumeFile::first_segment_at(header_text(number_).size());
    segments_ = 0;
    entries_ = 0;
  }
  filling.unlock();

  auto written = write_spare(number);
  if (written && after == After::kNextVolume) {
    written = finish_volume(number, std::nullopt);
  }
  if (!written) failure_ = written.error();
  return written;
}

base::Status VolumeWriter::write_spare(std::uint32_t number) {
  if (!file_) {
    std::string name = volume_name(parts_.header.archive, number);
    ASSIGN_OR_RETURN(std::unique_ptr<PendingObject> object, parts_.store.create(name));
    ASSIGN_OR_RETURN(file_, VolumeFile::begin(std::move(object), std::move(name),
                                              header_text(number)));
  }
  if (!spare_.empty()) RETURN_IF_ERROR(file_->add_segment(spare_));
  spare_.clear();
  return base::Done{};
}

base::Status VolumeWriter::finish_volume(std::uint32_t number,
                                         const std::optional<LastMembers>& last) {
  ASSIGN_OR_RETURN(
      const std::uint64_t size,
      file_->finish(volume_entries_, parts_.seal_index, last, parts_.signer));
  written_ += size;
  file_.reset();
  if (!last && parts_.on_finished) {
    parts_.on_finished({volume_name(parts_.header.archive, number), size},
                       volume_entries_);
  }
  volume_entries_.clear();
  return base::Done{};
}

base::Result<VolumeWriter::Totals> VolumeWriter::finish(
    const std::function<base::Result<LastMembers>(std::uint32_t number)>& make_last) {
  {
    std::unique_lock filling(filling_);
    RETURN_IF_ERROR(write_segment(std::move(filling), After::kSameVolume));
  }
  const std::lock_guard writing(writing_);
  const auto end = [&]() -> base::Status {
    ASSIGN_OR_RETURN(LastMembers last, make_last(number_));
    return finish_volume(number_, std::move(last));
  };
  auto ended = end();
  if (!ended) {
    failure_ = ended.error();
    return std::move(ended).error();
  }
  return Totals{number_, written_};
}

}  // namespace sealift::archive
