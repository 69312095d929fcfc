#include "archive/portable_writer.h"

#include <algorithm>
#include <iterator>

#include "archive/archive_writer.h"
#include "archive/frame_sealer.h"
#include "archive/limits.h"
#include "archive/place_table.h"
#include "archive/portable_plan.h"
#include "archive/portable_volume.h"
#include "archive/segment_checks.h"
#include "base/byte_count.h"
#include "keyvault/key_wrap.h"

namespace sealift::archive {

namespace {

namespace fs = std::filesystem;

// For the header's other texts, tar blocks, sums of the tail, footer.
constexpr std::uint64_t kFixedCost = 64 * base::kKiB;
constexpr std::uint64_t kFixedKeyCost = 256;  // What surrounds an added key's text.

/// Copies frames out of segments that were held against their signed sums, one after
/// the other.
class FrameCopier {
 public:
  FrameCopier(const VolumeSource& source, const NeededFrames& needed)
      : needed_(needed), checks_(source.store, source.trust) {}

  base::Status begin() {
    for (const Volume& volume : needed_.volumes) RETURN_IF_ERROR(checks_.add(volume));
    return base::Done{};
  }

  /// Valid until the next call.
  base::Result<base::ByteView> get(const FramePlace& place) {
    const std::string& name = needed_.volumes[place.volume].name;
    CheckedSegment* const segment = checks_.find(name, place.offset);
    if (segment == nullptr) return not_there(name, place);
    if (segment != current_) {
      current_ = nullptr;
      ASSIGN_OR_RETURN(content_, checks_.read(*segment, buffer_));
      current_ = segment;
    }
    const std::uint64_t at = place.offset - segment->segment.content_begin();
    if (place.size > content_.size() - at) return not_there(name, place);
    return content_.subspan(at, place.size);
  }

  static base::Error not_there(const std::string& volume, const FramePlace& place) {
    return base::Error(base::ErrorCode::kCorrupt,
                       "the frame that an index promises is not there")
        .at("offset", std::to_string(place.offset))
        .at("volume", volume)
        .next("see what is damaged with `sealift verify --all`");
  }

 private:
  const NeededFrames& needed_;
  SegmentChecks checks_;
  CheckedSegment* current_ = nullptr;
  base::Bytes buffer_;
  base::ByteView content_;
};

class PortableCopy {
 public:
  PortableCopy(const PortableSource& source, const PortableRequest& request,
               const keyvault::SigningKey& signer, base::Filesystem& filesystem)
      : source_(source), request_(request), signer_(signer), filesystem_(filesystem) {}

  base::Status prepare(const std::stop_token& stop);
  base::Status write(const std::function<void(std::uint64_t, std::uint64_t)>& told,
                     const std::stop_token& stop);
  std::vector<PortableFile> files() && { return std::move(files_); }

  /// After a failure: `error`, and what of the files could not be removed.
  base::Error undo(base::Error error);

 private:
  base::Result<VolumeRoom> room() const;
  fs::path path_of(std::size_t number) const;
  base::Status check_names() const;
  std::size_t added() const {
    return request_.added == nullptr ? 0 : request_.added->recipients().size();
  }
  PortableHeader header_of(const VolumePlan& plan) const;
  base::Result<PortableHeader> make_carrier_header(const VolumePlan& plan);
  base::Result<PortableHeader> make_last_header(const VolumePlan& plan) const;
  base::Status add_recipients(PortableHeader& header) const;
  base::Status write_volume(std::size_t number, FrameCopier& copier,
                            const std::function<void(std::uint64_t)>& told,
                            const std::stop_token& stop);
  LastMembers last_members() const;

  const PortableSource& source_;
  const PortableRequest& request_;
  const keyvault::SigningKey& signer_;
  base::Filesystem& filesystem_;
  NeededFrames needed_;
  std::vector<VolumePlan> plans_;
  ArchiveId carrier_;
  ArchiveKeys carrier_keys_;
  std::vector<Envelope> carrier_envelopes_;
  std::vector<AddedKey> added_keys_;
  FrameCounter carrier_counter_;
  std::vector<PortableFile> files_;
};

std::uint64_t tail_size(const SnapshotPart& part) {
  std::uint64_t size = part.manifest_frame.size() + kMaxRecordSize;
  for (const auto& [member, text] : part.protection_keys) size += text.size();
  return size;
}

std::uint64_t size_of(const std::vector<AddedKey>& keys) {
  std::uint64_t size = 0;
  // Quotation marks in it are escaped in the header.
  for (const AddedKey& key : keys) size += 2 * key.text.size() + kFixedKeyCost;
  return size;
}

base::Result<VolumeRoom> PortableCopy::room() const {
  const std::uint64_t whole = request_.volume_size.value_or(kMaxVolumeFileSize);
  if (whole < kMinPortableSize || whole > kMaxVolumeFileSize) {
    return base::Error(base::ErrorCode::kRefused, "a volume cannot have that size")
        .at("size", base::ByteCount(whole).text())
        .next("choose a --volume-size from 16 MiB to 1 TiB");
  }
  const std::uint64_t header =
      header_cost_of(source_.last_volume, added()) + size_of(added_keys_);
  const std::uint64_t fixed =
      kFixedCost + header + tail_size(*source_.last_volume.snapshot);
  VolumeRoom room;
  room.bytes = whole > fixed ? whole - fixed : 0;
  room.header = kMaxHeaderSize - kFixedCost - header;
  room.frames = std::size_t{kMaxIndexEntriesInFrame} * kMaxIndexFrames;
  // The volume's own come besides.
  room.keys = kMaxKeys - source_.last_volume.keys.size();
  room.envelopes = kMaxEnvelopes - std::max(envelopes_of(source_.last_volume, added()),
                                            request_.recipients.size() + added());
  room.added = added();
  return room;
}

fs::path PortableCopy::path_of(std::size_t number) const {
  if (plans_.size() == 1) return request_.out;
  fs::path path = request_.out;
  path.replace_filename(path.stem().string() + "-" +
                        volume_digits(static_cast<std::uint32_t>(number + 1)) +
                        path.extension().string());
  return path;
}

base::Error is_there(const fs::path& path) {
  return base::Error(base::ErrorCode::kRefused,
                     "a file is there already, and nothing is overwritten")
      .at("file", path.string())
      .next("choose another name for --out");
}

base::Status PortableCopy::check_names() const {
  for (std::size_t number = 0; number < plans_.size(); ++number) {
    std::error_code ignored;
    if (fs::exists(fs::symlink_status(path_of(number), ignored))) {
      return is_there(path_of(number));
    }
  }
  return base::Done{};
}

base::Status PortableCopy::prepare(const std::stop_token& stop) {
  if (request_.added != nullptr) {
    ASSIGN_OR_RETURN(added_keys_, request_.added->wrap_protection_keys(source_.reader));
  }
  ASSIGN_OR_RETURN(const VolumeRoom each, room());
  ASSIGN_OR_RETURN(needed_, find_needed(source_.volumes, source_.reader, stop));
  ASSIGN_OR_RETURN(plans_, plan_volumes(needed_, each));
  RETURN_IF_ERROR(check_names());
  if (plans_.size() == 1) return base::Done{};
  ASSIGN_OR_RETURN(carrier_, ArchiveWriter::draw_id());
  ASSIGN_OR_RETURN(const keyvault::Secret content, keyvault::Secret::random(kKeySize));
  ASSIGN_OR_RETURN(carrier_keys_, derive_archive_keys(content, carrier_));
  auto recipients = request_.recipients;
  if (request_.added != nullptr) {
    std::ranges::copy(request_.added->recipients(), std::back_inserter(recipients));
  }
  for (const keyvault::Recipient& recipient : recipients) {
    ASSIGN_OR_RETURN(Envelope envelope, seal_envelope(content, recipient));
    carrier_envelopes_.push_back(std::move(envelope));
  }
  return base::Done{};
}

// What every header names: the keys of the frames, and what opens them.
PortableHeader PortableCopy::header_of(const VolumePlan& plan) const {
  PortableHeader header;
  header.text.repository = source_.volumes.repository;
  header.text.created = request_.created;
  header.text.signer = signer_.public_key().id();
  for (const std::uint32_t source : plan.sources) header.add(needed_.volumes[source]);
  return header;
}

base::Status PortableCopy::add_recipients(PortableHeader& header) const {
  if (request_.added == nullptr) return base::Done{};
  return request_.added->add_envelopes(header.text);
}

base::Result<PortableHeader> PortableCopy::make_carrier_header(const VolumePlan& plan) {
  PortableHeader header = header_of(plan);
  RETURN_IF_ERROR(add_recipients(header));
  header.text.archive = carrier_;
  header.text.content_key = carrier_keys_.content_id;
  ASSIGN_OR_RETURN(
      base::Bytes wrapped,
      keyvault::wrap_key(source_.keys.metadata_wrapping_key, carrier_keys_.metadata));
  Volume own;
  own.envelopes = carrier_envelopes_;
  own.keys = {{carrier_keys_.metadata_id, true, carrier_, carrier_keys_.content_id,
               header.text.signer}};
  own.metadata_envelopes.emplace_back(carrier_keys_.metadata_id, std::move(wrapped));
  header.add(own);
  return header;
}

base::Result<PortableHeader> PortableCopy::make_last_header(
    const VolumePlan& plan) const {
  PortableHeader header = header_of(plan);
  header.text.archive = source_.last_volume.archive;
  header.text.number = source_.last_volume.number;
  header.text.content_key = source_.last_volume.content_key;
  header.add(source_.last_volume);
  RETURN_IF_ERROR(add_recipients(header));
  header.text.added_keys = added_keys_;
  return header;
}

LastMembers PortableCopy::last_members() const {
  const SnapshotPart& part = *source_.last_volume.snapshot;
  LastMembers last;
  last.manifest_frame = part.manifest_frame;
  for (const auto& [member, text] : part.protection_keys) {
    last.protection_keys.push_back(text);
  }
  last.snapshot = part.text;
  last.signature = part.signature;
  return last;
}

base::Status PortableCopy::write_volume(std::size_t number, FrameCopier& copier,
                                        const std::function<void(std::uint64_t)>& told,
                                        const std::stop_token& stop) {
  const VolumePlan& plan = plans_[number];
  const bool is_last = number + 1 == plans_.size();
  ASSIGN_OR_RETURN(PortableHeader header,
                   is_last ? make_last_header(plan) : make_carrier_header(plan));
  if (!is_last) header.text.number = static_cast<std::uint32_t>(number + 1);
  ASSIGN_OR_RETURN(
      std::unique_ptr<IndexSealer> sealer,
      is_last ? IndexSealer::of_finished(source_.last_volume, source_.keys)
              : IndexSealer::of_new(carrier_keys_, carrier_counter_, source_.keys));
  const fs::path path = path_of(number);
  ASSIGN_OR_RETURN(PortableVolume volume,
                   PortableVolume::begin(filesystem_, path, header));
  for (std::size_t at = plan.begin; at < plan.end; ++at) {
    if (stop.stop_requested()) {
      return base::Error(base::ErrorCode::kInterrupted, "the export was stopped");
    }
    const FramePlace& place = needed_.places[at];
    ASSIGN_OR_RETURN(const base::ByteView frame, copier.get(place));
    const auto head = decode_frame_header(frame);
    if (!head || head->frame_size() != place.size ||
        id_head_of(head->id) != place.id_head) {
      return FrameCopier::not_there(needed_.volumes[place.volume].name, place);
    }
    RETURN_IF_ERROR(volume.append(head.value(), frame));
    if (told) told(place.size);
  }
  const std::optional<LastMembers> last =
      is_last ? std::optional(last_members()) : std::nullopt;
  const auto size = volume.finish(*sealer, last, signer_);
  if (!size && size.error().code() == base::ErrorCode::kBusy) return is_there(path);
  if (!size) return size.error();
  files_.push_back({path, size.value()});
  return base::Done{};
}

base::Status PortableCopy::write(
    const std::function<void(std::uint64_t, std::uint64_t)>& told,
    const std::stop_token& stop) {
  FrameCopier copier(source_.volumes, needed_);
  RETURN_IF_ERROR(copier.begin());
  std::uint64_t done = 0;
  const auto tell = [&](std::uint64_t bytes) {
    done += bytes;
    if (told) told(done, needed_.bytes);
  };
  for (std::size_t number = 0; number < plans_.size(); ++number) {
    RETURN_IF_ERROR(write_volume(number, copier, tell, stop));
  }
  return base::Done{};
}

base::Error PortableCopy::undo(base::Error error) {
  for (const PortableFile& file : files_) {
    if (!filesystem_.remove(file.path)) {
      error.next("remove what is left: " + file.path.string());
    }
  }
  return error;
}

}  // namespace

base::Result<std::vector<PortableFile>> write_portable(
    const PortableSource& source, const PortableRequest& request,
    const keyvault::SigningKey& signer, base::Filesystem& filesystem,
    const std::function<void(std::uint64_t done, std::uint64_t all)>& told,
    const std::stop_token& stop) {
  PortableCopy copy(source, request, signer, filesystem);
  RETURN_IF_ERROR(copy.prepare(stop));
  auto written = copy.write(told, stop);
  if (!written) return copy.undo(std::move(written).error());
  return std::move(copy).files();
}

}  // namespace sealift::archive
