#include "archive/volume_tail.h"

#include "archive/limits.h"
#include "archive/rule.h"
#include "keyvault/digest.h"

namespace sealift::archive {

namespace {

base::Result<base::Bytes> read_range(const ObjectReader& store, const std::string& name,
                                     std::uint64_t offset, std::uint64_t size) {
  base::Bytes bytes(size);
  RETURN_IF_ERROR(store.read(name, offset, bytes));
  return bytes;
}

base::Result<Footer> read_footer(const ObjectReader& store, const ObjectInfo& object) {
  if (object.size % kTarBlock != 0 || object.size < kMinVolumeFileSize ||
      object.size > kMaxVolumeFileSize) {
    return broken("V1", "the volume has a length that cannot be")
        .at("member", "footer");
  }
  ASSIGN_OR_RETURN(
      const base::Bytes end,
      read_range(store, object.name, object.size - kFooterReach, kFooterReach));
  const base::ByteView view(end);
  ASSIGN_OR_RETURN(Footer footer,
                   decode_footer(view.subspan(kTarBlock, kFooterSize), object.size));
  RETURN_IF_ERROR(
      check_tar_member(view.first(kTarBlock + kFooterSize), "footer", kFooterSize));
  if (!base::is_all_zero(view.last(kTarEndSize))) {
    return broken("V6", "the volume does not end as it must")
        .at("member", "end of the volume");
  }
  return footer;
}

base::Result<SignerId> check_signature(const VolumeTail& tail, const Trust& trust) {
  auto signer =
      trust.verify(tail.content("SHA256SUMS"), tail.content("SHA256SUMS.sig"));
  if (signer) return signer.value()->key.id();
  base::Error error = broken("V5", "no trusted signer signed the sums of the volume")
                          .at("member", "SHA256SUMS");
  for (const std::string& step : signer.error().next_steps()) error.next(step);
  return error;
}

base::Status check_sum(const MemberSum& sum, base::ByteView content) {
  if (keyvault::sha256(content) != sum.digest) {
    return broken("V8", "a member is not what was signed").at("member", sum.name);
  }
  return base::Done{};
}

// After the signature: the blocks around the members, and what the members hold.
base::Status check_members(VolumeTail& tail) {
  std::vector<TailMember> members = tail_members(tail.footer);
  const base::ByteView bytes(tail.bytes);
  for (const TailMember& member : members) {
    RETURN_IF_ERROR(check_tar_member(bytes.subspan(member.offset - tail.footer.tail,
                                                   kTarBlock + tar_padded(member.size)),
                                     member.name, member.size));
  }
  members.resize(members.size() - 2);  // The sums list what comes before them.
  std::vector<std::string> names;
  names.reserve(members.size());
  for (const TailMember& member : members) names.push_back(member.name);
  ASSIGN_OR_RETURN(tail.sums, parse_sums(tail.content("SHA256SUMS"), names));
  for (std::size_t i = 0; i < members.size(); ++i) {
    const MemberSum& sum = tail.sums[tail.sums.size() - members.size() + i];
    RETURN_IF_ERROR(check_sum(sum, tail.content(sum.name)));
  }
  return base::Done{};
}

base::Status check_expected(const VolumeHeader& header, const std::string& name,
                            const RepositoryId& repository) {
  const auto expected = parse_volume_name(name);
  if (header.repository != repository) {
    return broken("V10", "the volume belongs to another repository")
        .at("repository", header.repository.hex());
  }
  if (!expected || header.archive != expected->archive ||
      header.number != expected->number) {
    return broken("V10", "the volume is not the one that its name says")
        .at("really", volume_name(header.archive, header.number));
  }
  return base::Done{};
}

}  // namespace

base::ByteView VolumeTail::content(std::string_view name) const {
  for (const TailMember& member : tail_members(footer)) {
    if (member.name != name) continue;
    return base::ByteView(bytes).subspan(member.offset - footer.tail + kTarBlock,
                                         member.size);
  }
  return {};
}

base::Result<VolumeTail> read_volume_tail(const ObjectReader& store,
                                          const ObjectInfo& object,
                                          const Trust& trust) {
  VolumeTail tail;
  ASSIGN_OR_RETURN(tail.footer, read_footer(store, object));
  ASSIGN_OR_RETURN(tail.bytes,
                   read_range(store, object.name, tail.footer.tail,
                              object.size - kFooterReach - tail.footer.tail));
  ASSIGN_OR_RETURN(tail.signer, check_signature(tail, trust));
  RETURN_IF_ERROR(check_members(tail));
  return tail;
}

namespace {

base::Result<VolumeHeader> signed_header(const ObjectReader& store,
                                         const std::string& name,
                                         const VolumeTail& tail) {
  const std::uint64_t size = tail.footer.header_size;
  ASSIGN_OR_RETURN(const base::Bytes block,
                   read_range(store, name, 0, kTarBlock + tar_padded(size)));
  RETURN_IF_ERROR(check_tar_member(block, "header.json", size));
  const base::ByteView content = base::ByteView(block).subspan(kTarBlock, size);
  RETURN_IF_ERROR(check_sum(tail.sums.front(), content));
  return parse_volume_header(content);
}

base::Status check_signer(const VolumeHeader& header, const VolumeTail& tail,
                          const Trust& trust) {
  if (header.signer != tail.signer) {
    return broken("V11", "the volume names another signer than the one who signed it")
        .at("signer", header.signer.hex());
  }
  if (auto known = trust.find(header.signer, header.created); !known) {
    return untrusted("V11", "the volume's signer was not trusted when it was written",
                     known.error());
  }
  return base::Done{};
}

base::Error of_header(base::Error error) {
  bool has_member = false;
  for (const auto& place : error.places()) {
    has_member = has_member || place.kind == "member";
  }
  if (!has_member) error.at("member", "header.json");
  return error;
}

}  // namespace

base::Result<VolumeHeader> read_unnamed_header(const ObjectReader& store,
                                               const std::string& name,
                                               const VolumeTail& tail,
                                               const Trust& trust) {
  auto header = signed_header(store, name, tail);
  if (!header) return of_header(std::move(header).error());
  auto checked = check_signer(header.value(), tail, trust);
  if (!checked) return of_header(std::move(checked).error());
  return header;
}

base::Result<VolumeHeader> read_volume_header(const ObjectReader& store,
                                              const std::string& name,
                                              const VolumeTail& tail,
                                              const RepositoryId& repository,
                                              const Trust& trust) {
  auto header = signed_header(store, name, tail);
  if (!header) return of_header(std::move(header).error());
  auto checked = check_expected(header.value(), name, repository);
  if (checked) checked = check_signer(header.value(), tail, trust);
  if (!checked) return of_header(std::move(checked).error());
  return header;
}

}  // namespace sealift::archive
