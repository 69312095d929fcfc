#include "catalog/counted_keys.h"

namespace sealift::catalog {

base::Result<std::unordered_set<std::int64_t>> find_counted_keys(
    const Database& database, const archive::Trust& trust,
    const std::optional<archive::SignerId>& own,
    const std::set<archive::ArchiveId>& attested) {
  std::unordered_set<std::int64_t> counted;
  ASSIGN_OR_RETURN(Query query,
                   database.prepare("SELECT k.row, k.archive, k.signer, v.archive, "
                                    "v.signer FROM frame_key k "
                                    "JOIN volume v ON v.row = k.volume"));
  for (;;) {
    ASSIGN_OR_RETURN(const bool has_row, query.next());
    if (!has_row) return counted;
    const auto key_archive = query.id<archive::ArchiveId>(1);
    const auto key_signer = query.id<archive::SignerId>(2);
    const auto volume_archive = query.id<archive::ArchiveId>(3);
    const auto volume_signer = query.id<archive::SignerId>(4);
    const archive::KnownSigner* writer = trust.lookup(volume_signer);
    // A volume's word on whose key it is counts only from who may be believed on it:
    // else a hostile host would claim that its garbage is ours.
    const bool is_by_keeper =
        writer != nullptr && writer->role == archive::Role::kKeeper;
    const bool is_own =
        own && key_signer == *own && (volume_signer == *own || is_by_keeper);
    const bool is_attested = attested.contains(volume_archive) ||
                             (is_by_keeper && attested.contains(key_archive));
    if (is_own || is_attested) counted.insert(query.integer(0));
  }
}

}  // namespace sealift::catalog
