#include "archive/portable_volume.h"

#include <algorithm>

#include "archive/frame_index.h"
#include "archive/limits.h"
#include "archive/metadata_frame.h"
#include "archive/rule.h"

namespace sealift::archive {

namespace {

constexpr mode_t kFileMode = 0644;  // All that is secret in it is sealed.
constexpr std::uint64_t kUpperHalf = std::uint64_t{1} << 63U;

/// A file where the operator wants it.
class PendingPortable final : public PendingObject {
 public:
  explicit PendingPortable(std::unique_ptr<base::NewFile> file)
      : file_(std::move(file)) {}
  base::Status append(base::ByteView bytes) override { return file_->append(bytes); }
  base::Status publish() override { return file_->publish(); }

 private:
  std::unique_ptr<base::NewFile> file_;
};

base::Result<std::uint64_t> draw_counter() {
  std::array<std::byte, sizeof(std::uint64_t)> bytes{};
  RETURN_IF_ERROR(keyvault::fill_random(bytes));
  // Half of the upper half, so that those that follow stay in it.
  return kUpperHalf | base::read_be64(bytes, 0) >> 2U;
}

template <typename List, typename Item, typename Same>
void add_if_new(List& list, const Item& item, Same is_same) {
  if (std::ranges::none_of(list, is_same)) list.push_back(item);
}

}  // namespace

void PortableHeader::add(const Volume& volume) {
  for (const FrameKey& key : volume.keys) {
    add_if_new(text.keys, key, [&](const FrameKey& one) { return one.id == key.id; });
  }
  for (const Envelope& envelope : volume.envelopes) {
    add_if_new(text.envelopes, envelope, [&](const Envelope& one) {
      return one.key == envelope.key && one.recipient == envelope.recipient;
    });
  }
  for (const auto& wrapped : volume.metadata_envelopes) {
    add_if_new(text.metadata_envelopes, wrapped,
               [&](const auto& one) { return one.first == wrapped.first; });
  }
}

base::Result<std::unique_ptr<IndexSealer>> IndexSealer::of_new(
    const ArchiveKeys& keys, FrameCounter& counter, const RepositoryKeys& ids) {
  std::unique_ptr<IndexSealer> made(new IndexSealer());
  ASSIGN_OR_RETURN(FrameSealer sealer,
                   FrameSealer::create({keys, ids.id_key, counter, 1, nullptr}));
  made->sealer_ = std::make_unique<FrameSealer>(std::move(sealer));
  return made;
}

base::Result<std::unique_ptr<IndexSealer>> IndexSealer::of_finished(
    const Volume& volume, const RepositoryKeys& keys) {
  std::unique_ptr<IndexSealer> made(new IndexSealer());
  ArchiveKeys& own = made->own_keys_;
  ASSIGN_OR_RETURN(own.metadata, metadata_key_of(volume, keys));
  ASSIGN_OR_RETURN(own.metadata_id, keyvault::key_id_of(own.metadata));
  ASSIGN_OR_RETURN(own.data, keyvault::Secret::random(kKeySize));
  ASSIGN_OR_RETURN(own.private_id, keyvault::Secret::random(kKeySize));
  ASSIGN_OR_RETURN(const std::uint64_t first, draw_counter());
  made->own_counter_ = std::make_unique<FrameCounter>(first);
  ASSIGN_OR_RETURN(
      FrameSealer sealer,
      FrameSealer::create({own, keys.id_key, *made->own_counter_, 1, nullptr}));
  made->sealer_ = std::make_unique<FrameSealer>(std::move(sealer));
  return made;
}

base::Result<base::Bytes> IndexSealer::seal(base::ByteView plain) {
  return sealer_->seal_alone(FrameKind::kIndex, plain);
}

PortableVolume::PortableVolume(VolumeFile file, const VolumeHeader& header,
                               std::size_t header_size)
    : file_(std::move(file)),
      segment_begin_(VolumeFile::first_segment_at(header_size)) {
  for (std::uint32_t at = 0; at < header.keys.size(); ++at) {
    positions_.emplace(header.keys[at].id, at);
  }
}

base::Result<PortableVolume> PortableVolume::begin(base::Filesystem& filesystem,
                                                   const std::filesystem::path& path,
                                                   const PortableHeader& header) {
  ASSIGN_OR_RETURN(std::unique_ptr<base::NewFile> file,
                   filesystem.create(path, kFileMode));
  const std::string text = to_json_text(header.text);
  ASSIGN_OR_RETURN(VolumeFile volume,
                   VolumeFile::begin(std::make_unique<PendingPortable>(std::move(file)),
                                     path.string(), text));
  return PortableVolume(std::move(volume), header.text, text.size());
}

base::Status PortableVolume::append(const FrameHeader& header, base::ByteView frame) {
  const auto position = positions_.find(header.key);
  if (position == positions_.end()) {
    return broken("F10", "the volume does not name the key of a frame")
        .at("key", header.key.hex());
  }
  if (segment_.size() + frame.size() > kMaxSegmentSize) {
    RETURN_IF_ERROR(write_segment());
  }
  entries_.push_back(
      entry_of(header, position->second, segment_begin_ + segment_.size()));
  segment_.insert(segment_.end(), frame.begin(), frame.end());
  return base::Done{};
}

base::Status PortableVolume::write_segment() {
  if (segment_.empty()) return base::Done{};
  RETURN_IF_ERROR(file_.add_segment(segment_));
  segment_begin_ += tar_padded(segment_.size()) + kTarBlock;
  segment_.clear();
  return base::Done{};
}

base::Result<std::uint64_t> PortableVolume::finish(
    IndexSealer& sealer, const std::optional<LastMembers>& last,
    const keyvault::SigningKey& signer) {
  RETURN_IF_ERROR(write_segment());
  return file_.finish(
      entries_, [&sealer](base::ByteView plain) { return sealer.seal(plain); }, last,
      signer);
}

}  // namespace sealift::archive
