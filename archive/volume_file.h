// One volume being written, member by member. docs/format/volume.md.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "archive/footer.h"
#include "archive/sums.h"
#include "archive/tar_stream.h"
#include "archive/volume.h"

namespace sealift::archive {

/// Seals the plaintext of an index frame.
using SealIndex = std::function<base::Result<base::Bytes>(base::ByteView plain)>;

/// What the last volume of an archive holds besides frames.
struct LastMembers {
  base::Bytes manifest_frame;
  std::vector<std::string> protection_keys;
  std::string snapshot;
  keyvault::Signature signature{};
};

/// Nothing is visible before finish(). One thread at a time.
class VolumeFile {
 public:
  /// name  For messages. errors  kIo and what the store says.
  static base::Result<VolumeFile> begin(std::unique_ptr<PendingObject> object,
                                        std::string name, std::string_view header_text);

  /// Where the content of the first segment lies, after a header.json of that size.
  static std::uint64_t first_segment_at(std::size_t header_size);

  base::Status add_segment(base::ByteView frames);

  /// Index, sums, signature, footer; then the volume is whole, durable and visible.
  /// return  its size.
  base::Result<std::uint64_t> finish(std::span<const IndexEntry> entries,
                                     const SealIndex& seal,
                                     const std::optional<LastMembers>& last,
                                     const keyvault::SigningKey& signer);

 private:
  VolumeFile(std::string name, std::unique_ptr<PendingObject> object,
             std::unique_ptr<TarStream> stream)
      : name_(std::move(name)),
        object_(std::move(object)),
        stream_(std::move(stream)) {}

  base::Status add(std::string name, base::ByteView content);
  base::Status add_unlisted(std::string_view name, base::ByteView content);
  base::Status add_last(const LastMembers& last, Footer& footer);

  std::string name_;
  std::unique_ptr<PendingObject> object_;
  std::unique_ptr<TarStream> stream_;  ///< Dies before the object it writes to.
  std::vector<MemberSum> sums_;
  std::uint64_t size_ = 0;
  std::uint32_t header_size_ = 0;
  std::uint32_t segments_ = 0;
};

}  // namespace sealift::archive
