// Volumes that break a rule although a trusted signer signed them.
#pragma once

#include "archive/footer.h"
#include "archive/sums.h"
#include "archive/tar_form.h"
#include "archive/volume_header.h"
#include "archive/volume_tail.h"
#include "keyvault/digest.h"
#include "tests/archive/archive_fixture.h"
#include "tests/support/catch.h"

namespace sealift::archive {

/// A good volume in parts that a test changes; forge() signs whatever they then are.
class Forge : public ArchiveFixture {
 public:
  Forge() {
    snapshot = must(write(default_content()));
    name = volume_name(snapshot.id, 1);
    const auto tail = must(read_volume_tail(store, must(store.examine(name)), trust));
    header = must(read_volume_header(store, name, tail, repository, trust));
    const base::Bytes& whole = store.objects.at(name);
    footer = tail.footer;
    const std::uint64_t segment_at = kTarBlock + tar_padded(footer.header_size);
    const auto size =
        must(claimed_tar_size(base::ByteView(whole).subspan(segment_at, kTarBlock)));
    segment.assign(
        whole.begin() + static_cast<std::ptrdiff_t>(segment_at + kTarBlock),
        whole.begin() + static_cast<std::ptrdiff_t>(segment_at + kTarBlock + size));
    header_text = to_json_text(header);
    for (const TailMember& member : tail_members(footer)) {
      const base::ByteView content = tail.content(member.name);
      if (member.name.starts_with("SHA256SUMS")) continue;
      members.emplace_back(member.name, base::Bytes(content.begin(), content.end()));
    }
    record = must(parse_record(content_of("snapshot")));
  }

  base::Bytes& content_of(std::string_view member) {
    for (auto& [found, content] : members) {
      if (found == member) return content;
    }
    throw std::out_of_range("no such member");
  }

  /// Signs `record` as the snapshot text.
  void sign_snapshot(const keyvault::SigningKey& signer = keys().signer) {
    const std::string text = to_text(record);
    const auto signature = must(signer.sign(base::as_bytes(text)));
    content_of("snapshot")
        .assign(base::as_bytes(text).begin(), base::as_bytes(text).end());
    content_of("snapshot.sig").assign(signature.begin(), signature.end());
  }

  /// Puts the volume together, signed, and opens it. return  the rule that refuses it.
  std::string forge() {
    std::vector<MemberSum> sums;
    base::Bytes volume;
    const auto add = [&](const std::string& member, base::ByteView content) {
      const TarHeader block = tar_header(member, content.size());
      volume.insert(volume.end(), block.begin(), block.end());
      volume.insert(volume.end(), content.begin(), content.end());
      volume.resize(tar_padded(volume.size()));
      sums.push_back({member, keyvault::sha256(content)});
    };
    add("header.json", base::as_bytes(header_text));
    add(segment_name(first_segment), segment);
    for (const auto& [member, content] : extra) add(member, content);
    footer.tail = volume.size() + tail_shift;
    footer.header_size = static_cast<std::uint32_t>(header_text.size());
    for (const auto& [member, content] : members) add(member, content);
    std::string text = to_sums_text(sums);
    if (change_sums) change_sums(text);
    const auto signature = must(keys().signer.sign(base::as_bytes(text)));
    add("SHA256SUMS", base::as_bytes(text));
    add("SHA256SUMS.sig", signature);
    footer.sums_size = static_cast<std::uint32_t>(text.size());
    footer.manifest_size = static_cast<std::uint32_t>(content_of("manifest").size());
    footer.snapshot_size = static_cast<std::uint32_t>(content_of("snapshot").size());
    footer.length = volume.size() + kFooterReach;
    if (change_footer) change_footer(footer);
    EncodedFooter encoded = encode(footer);
    if (change_bytes) {
      change_bytes(encoded);
      const auto digest = keyvault::sha256(base::ByteView(encoded).first(480));
      std::ranges::copy(digest.bytes(), encoded.begin() + 480);
    }
    add("footer", encoded);
    volume.resize(volume.size() + kTarEndSize);
    store.objects[name] = volume;

    auto opened = open(name);
    if (opened) {
      auto checked = check_every_byte(store, opened.value(), trust);
      if (checked) return "";
      last_error = checked.error();
    } else {
      last_error = opened.error();
    }
    CHECK(place_of(*last_error, "volume") == name);
    return last_error->places().front().name;
  }

  CommittedSnapshot snapshot;
  std::string name;
  VolumeHeader header;
  std::string header_text;
  base::Bytes segment;
  std::vector<std::pair<std::string, base::Bytes>> extra;
  std::vector<std::pair<std::string, base::Bytes>> members;  ///< index to snapshot.sig
  Record record;
  Footer footer;
  std::uint32_t first_segment = 1;
  std::uint64_t tail_shift = 0;
  std::function<void(std::string&)> change_sums;
  std::function<void(Footer&)> change_footer;
  std::function<void(EncodedFooter&)> change_bytes;
  std::optional<base::Error> last_error;
};

}  // namespace sealift::archive
