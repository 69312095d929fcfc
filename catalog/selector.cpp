// `SNAPSHOT` as people write it: an id, a unique prefix, VM, VM@latest, VM@TIME.
#include <algorithm>
#include <map>

#include "base/uuid.h"
#include "catalog/snapshot_rows.h"
#include "catalog/state.h"

namespace sealift::catalog {

namespace {

using base::Error;
using base::ErrorCode;

// Fewer digits are more likely a mistyped name than an id.
constexpr std::size_t kShortestPrefix = 4;
constexpr std::size_t kCandidatesShown = 10;

bool is_of_digits(const std::string& text) {
  return text.find_first_not_of("0123456789abcdef") == std::string::npos;
}

bool is_prefix(const std::string& text) {
  return text.size() >= kShortestPrefix &&
         text.size() <= 2 * archive::ArchiveId::kSize && is_of_digits(text);
}

std::string words_of(const Snapshot& snapshot) {
  return snapshot.id.hex() + " (" +
         (snapshot.is_opened ? snapshot.vm_name : std::string("unread")) + ", " +
         snapshot.created.text() + ")";
}

Error not_found(const std::string& selector) {
  Error error(ErrorCode::kNotFound,
              "the repository holds no such VM, and no snapshot of that id");
  error.at("snapshot", selector);
  if (selector.size() < kShortestPrefix && is_of_digits(selector)) {
    error.next("if it is the start of an id, give at least " +
               std::to_string(kShortestPrefix) + " digits");
  }
  return std::move(error).next("list what it holds with `sealift list`");
}

// A name that two VMs have.
base::Status check_one_vm(const std::string& vm,
                          const std::vector<Snapshot>& snapshots) {
  std::map<std::string, std::string> latest;  // By UUID: when it was last taken.
  for (const Snapshot& snapshot : snapshots) {
    latest.emplace(snapshot.vm_uuid, snapshot.created.text());
  }
  if (latest.size() <= 1) return base::Done{};
  Error error(ErrorCode::kUsage, "two or more VMs have this name");
  error.at("vm", vm);
  for (const auto& [uuid, created] : latest) {
    error.next(std::string("for the VM last taken ")
                   .append(created)
                   .append(" say `")
                   .append(uuid)
                   .append("`"));
  }
  return error;
}

// The last moment that is meant: of a day without a time, its last second.
base::Result<base::Timestamp> last_moment(const std::string& when) {
  constexpr std::string_view kDay = "2026-11-21";
  const bool is_day = when.size() == kDay.size();
  return base::Timestamp::parse_typed(is_day ? when + " 23:59:59" : when);
}

base::Result<Catalog::Found> newest_complete(const std::string& vm,
                                             std::vector<Snapshot> snapshots) {
  Catalog::Found found;
  for (Snapshot& snapshot : snapshots) {
    if (snapshot.verdict == "complete") {
      found.snapshot = std::move(snapshot);
      return found;
    }
    found.passed_over.push_back(std::move(snapshot));
  }
  Error error(ErrorCode::kNotFound, "no snapshot of the VM is complete");
  error.at("vm", vm);
  if (found.passed_over.empty()) {
    return std::move(error).next("see when snapshots were taken with `sealift list`");
  }
  error.at("snapshots passed over", std::to_string(found.passed_over.size()));
  return std::move(error).next("name one of them by its id: `" +
                               found.passed_over.front().id.hex() + "`");
}

base::Result<Catalog::Found> find_by_id(const Database& database,
                                        const std::string& selector) {
  if (!is_prefix(selector)) return not_found(selector);
  ASSIGN_OR_RETURN(std::vector<Snapshot> found,
                   snapshots_with_prefix(database, selector));
  if (found.empty()) return not_found(selector);
  if (found.size() == 1) return Catalog::Found{std::move(found.front()), {}};
  Error error(ErrorCode::kUsage, "several snapshots have an id that begins like this");
  error.at("snapshot", selector);
  for (std::size_t i = 0; i < std::min(found.size(), kCandidatesShown); ++i) {
    error.next("say more of the id: " + words_of(found[i]));
  }
  return error;
}

}  // namespace

base::Result<Catalog::Found> Catalog::find(const std::string& selector) const {
  const std::size_t at = selector.rfind('@');
  const std::string vm = selector.substr(0, at);
  const std::string when = at == std::string::npos ? "latest" : selector.substr(at + 1);
  if (vm.empty()) {
    return Error(ErrorCode::kUsage, "no VM or snapshot is named")
        .at("snapshot", selector)
        .next("say an id, VM, VM@latest or VM@TIME");
  }
  ASSIGN_OR_RETURN(std::vector<Snapshot> snapshots, list(vm));
  if (snapshots.empty()) {
    if (at == std::string::npos) return find_by_id(state_->database, selector);
    return not_found(selector);
  }
  // A whole id is nobody's name; a VM called "feed" is not asked for by a prefix.
  RETURN_IF_ERROR(check_one_vm(vm, snapshots));
  if (when != "latest") {
    auto time = last_moment(when);
    if (!time) {
      return std::move(time)
          .error()
          .at("snapshot", selector)
          .next(
              "after the last @ say latest, or a time like 2026-11-21 18:00 or "
              "2026-11-21T18:00:00Z");
    }
    std::erase_if(snapshots, [&](const Snapshot& snapshot) {
      return snapshot.created > time.value();
    });
    if (snapshots.empty()) {
      return Error(ErrorCode::kNotFound, "no snapshot of the VM is as old as that")
          .at("vm", vm)
          .at("time", time.value().text())
          .next("see when snapshots were taken with `sealift list " + vm + "`");
    }
  }
  return newest_complete(vm, std::move(snapshots));
}

}  // namespace sealift::catalog
