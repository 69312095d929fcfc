#include "archive/volume_file.h"

#include <algorithm>

#include "archive/frame_index.h"
#include "archive/limits.h"
#include "archive/manifest_text.h"
#include "keyvault/digest.h"

namespace sealift::archive {

namespace {

base::Result<base::Bytes> seal_entries(std::span<const IndexEntry> entries,
                                       const SealIndex& seal) {
  base::Bytes frames;
  do {
    const std::size_t count =
        std::min<std::size_t>(entries.size(), kMaxIndexEntriesInFrame);
    const base::Bytes plain = encode_index_entries(entries.first(count));
    ASSIGN_OR_RETURN(const base::Bytes frame, seal(plain));
    frames.insert(frames.end(), frame.begin(), frame.end());
    entries = entries.subspan(count);
  } while (!entries.empty());
  return frames;
}

// A file of a folder has the volume's name at its end.
base::Error in_volume(base::Error error, const std::string& name) {
  const bool is_said = std::ranges::any_of(error.places(), [&name](const auto& place) {
    return place.name.ends_with(name);
  });
  if (!is_said) error.at("volume", name);
  return error;
}

std::uint32_t small(std::size_t size) { return static_cast<std::uint32_t>(size); }

}  // namespace

std::uint64_t VolumeFile::first_segment_at(std::size_t header_size) {
  return kTarBlock + tar_padded(header_size) + kTarBlock;
}

base::Result<VolumeFile> VolumeFile::begin(std::unique_ptr<PendingObject> object,
                                           std::string name,
                                           std::string_view header_text) {
  ASSIGN_OR_RETURN(std::unique_ptr<TarStream> stream, TarStream::begin(*object));
  VolumeFile file(std::move(name), std::move(object), std::move(stream));
  RETURN_IF_ERROR(file.add("header.json", base::as_bytes(header_text)));
  file.header_size_ = small(header_text.size());
  return file;
}

base::Status VolumeFile::add(std::string name, base::ByteView content) {
  RETURN_IF_ERROR(add_unlisted(name, content));
  sums_.push_back({std::move(name), keyvault::sha256(content)});
  return base::Done{};
}

base::Status VolumeFile::add_unlisted(std::string_view name, base::ByteView content) {
  size_ += kTarBlock + tar_padded(content.size());
  auto added = stream_->add(name, content);
  if (!added) return in_volume(std::move(added).error(), name_);
  return added;
}

base::Status VolumeFile::add_segment(base::ByteView frames) {
  return add(segment_name(++segments_), frames);
}

base::Status VolumeFile::add_last(const LastMembers& last, Footer& footer) {
  footer.manifest_size = small(last.manifest_frame.size());
  RETURN_IF_ERROR(add("manifest", last.manifest_frame));
  for (std::size_t i = 0; i < last.protection_keys.size(); ++i) {
    const base::ByteView text = base::as_bytes(last.protection_keys[i]);
    footer.key_sizes.push_back(small(text.size()));
    RETURN_IF_ERROR(add(protection_key_member(i), text));
  }
  footer.snapshot_size = small(last.snapshot.size());
  RETURN_IF_ERROR(add("snapshot", base::as_bytes(last.snapshot)));
  return add("snapshot.sig", last.signature);
}

base::Result<std::uint64_t> VolumeFile::finish(std::span<const IndexEntry> entries,
                                               const SealIndex& seal,
                                               const std::optional<LastMembers>& last,
                                               const keyvault::SigningKey& signer) {
  Footer footer;
  footer.tail = size_;
  footer.header_size = header_size_;
  ASSIGN_OR_RETURN(const base::Bytes index, seal_entries(entries, seal));
  footer.index_size = small(index.size());
  RETURN_IF_ERROR(add("index", index));
  if (last) RETURN_IF_ERROR(add_last(*last, footer));

  const std::string sums = to_sums_text(sums_);
  ASSIGN_OR_RETURN(const keyvault::Signature signature,
                   signer.sign(base::as_bytes(sums)));
  footer.sums_size = small(sums.size());
  RETURN_IF_ERROR(add_unlisted("SHA256SUMS", base::as_bytes(sums)));
  RETURN_IF_ERROR(add_unlisted("SHA256SUMS.sig", signature));
  footer.length = size_ + kFooterReach;
  RETURN_IF_ERROR(add_unlisted("footer", encode(footer)));

  auto ended = stream_->end();
  if (ended) ended = object_->publish();
  if (!ended) return in_volume(std::move(ended).error(), name_);
  return footer.length;
}

}  // namespace sealift::archive
