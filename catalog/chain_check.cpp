#include "catalog/chain_check.h"

#include <algorithm>
#include <tuple>

#include "archive/rule.h"
#include "catalog/losses.h"

namespace sealift::catalog {

namespace {

using archive::broken;

void sort_links(std::vector<ChainLink>& links) {
  std::ranges::sort(links, [](const ChainLink& a, const ChainLink& b) {
    return std::tie(a.sequence, a.digest) < std::tie(b.sequence, b.digest);
  });
  // A snapshot that a keeper moved lies in two volumes for a while, verbatim.
  const auto is_same = [](const ChainLink& a, const ChainLink& b) {
    return a.sequence == b.sequence && a.digest == b.digest && a.previous == b.previous;
  };
  links.erase(std::unique(links.begin(), links.end(), is_same), links.end());
}

base::Error at_link(base::Error error, const archive::SignerId& signer,
                    std::uint64_t sequence) {
  return std::move(error)
      .at("sequence", std::to_string(sequence))
      .at("signer", signer.hex());
}

base::Error gap(const archive::SignerId& signer, std::uint64_t sequence,
                const ChainLink& after) {
  return at_link(broken("R15",
                        "a record of this signer is missing: something that it "
                        "wrote was taken away")
                     .at("next one found", after.what),
                 signer, sequence)
      .next(
          "bring the missing record or archive back from a copy of the repository; "
          "nothing is removed meanwhile")
      .next(kRestoreTheRest);
}

base::Error fork(const archive::SignerId& signer, const ChainLink& one,
                 const ChainLink& other) {
  return at_link(broken("R16", "two texts of this signer have the same number")
                     .at("one", one.what)
                     .at("other", other.what),
                 signer, one.sequence)
      .next(
          "find out whether that host was put back from an older copy, or its signing "
          "key is used elsewhere too");
}

base::Error stranger(const archive::SignerId& signer, const ChainLink& link) {
  return at_link(broken("R15",
                        "the record does not follow the one before it: that one "
                        "was replaced")
                     .at("record", link.what),
                 signer, link.sequence)
      .next("compare with a copy of the repository");
}

}  // namespace

base::Result<keyvault::ChainHead> check_chain(const archive::SignerId& signer,
                                              std::vector<ChainLink> links) {
  sort_links(links);
  keyvault::ChainHead head;
  const ChainLink* before = nullptr;
  for (const ChainLink& link : links) {
    if (before != nullptr && link.sequence == before->sequence) {
      return fork(signer, *before, link);
    }
    if (link.sequence != head.sequence + 1) {
      return gap(signer, head.sequence + 1, link);
    }
    if (link.previous != head.digest) return stranger(signer, link);
    head = {link.sequence, link.digest};
    before = &link;
  }
  return head;
}

keyvault::ChainHead unbroken_head(std::vector<ChainLink> links) {
  sort_links(links);
  keyvault::ChainHead head;
  for (const ChainLink& link : links) {
    if (link.sequence != head.sequence + 1 || link.previous != head.digest) break;
    head = {link.sequence, link.digest};
  }
  return head;
}

base::Status check_head(const archive::SignerId& signer,
                        const keyvault::ChainHead& remembered,
                        const std::vector<ChainLink>& links,
                        const std::string& memory) {
  if (remembered.sequence == 0) return base::Done{};
  const auto found =
      std::ranges::find(links, remembered.sequence, &ChainLink::sequence);
  if (found == links.end()) {
    return at_link(broken("R17",
                          "the repository lacks the newest record of this signer "
                          "that " +
                              memory + " remembers"),
                   signer, remembered.sequence)
        .next(
            "find out whether the repository was put back from an older copy, and "
            "bring what is missing back")
        .next(kRestoreTheRest);
  }
  if (found->digest == remembered.digest) return base::Done{};
  return at_link(
             broken("R17", "the repository shows another record than the one that " +
                               memory + " remembers")
                 .at("record", found->what),
             signer, remembered.sequence)
      .next(
          "find out whether the repository was put back from an older copy, or this "
          "signer's key is used elsewhere too");
}

}  // namespace sealift::catalog
