#include "cli/backup_estimate.h"

#include <numeric>

#include "base/byte_count.h"
#include "cli/table.h"

namespace sealift::cli {

namespace {

using Bytes = std::uint64_t backup::DiskEstimate::*;

std::uint64_t total_of(const backup::VmEstimate& estimate, Bytes bytes) {
  return std::accumulate(estimate.disks.begin(), estimate.disks.end(), std::uint64_t{0},
                         [bytes](std::uint64_t sum, const backup::DiskEstimate& disk) {
                           return sum + disk.*bytes;
                         });
}

std::string text_of(std::uint64_t bytes) { return base::ByteCount(bytes).text(); }

std::string words_of(const backup::DiskEstimate& disk) {
  if (disk.is_changes) {
    return disk.reason + ": " + text_of(disk.bytes) + " noted; with a sample of " +
           text_of(disk.sample) + " of what did not";
  }
  return "all: " + disk.reason + "; its image takes " + text_of(disk.bytes);
}

void print_text(std::ostream& output, const backup::VmEstimate& estimate) {
  output << base::printable(estimate.vm) << ": at most "
         << text_of(total_of(estimate, &backup::DiskEstimate::at_most)) << " to read\n";
  Table table({{""}, {"", Align::kRight}, {""}});
  for (const backup::DiskEstimate& disk : estimate.disks) {
    table.add({disk.target, text_of(disk.at_most), words_of(disk)});
  }
  table.print(output, "  ");
}

base::Json to_json(const backup::VmEstimate& estimate) {
  base::Json disks = base::Json::array();
  for (const backup::DiskEstimate& disk : estimate.disks) {
    disks.push_back({{"target", disk.target},
                     {"bytes", disk.bytes},
                     {"at_most_bytes", disk.at_most},
                     {"sample_bytes", disk.sample},
                     {"read", disk.is_changes ? "changed" : "all"},
                     {"reason", disk.reason}});
  }
  return {{"vm", estimate.vm},
          {"bytes", total_of(estimate, &backup::DiskEstimate::bytes)},
          {"at_most_bytes", total_of(estimate, &backup::DiskEstimate::at_most)},
          {"sample_bytes", total_of(estimate, &backup::DiskEstimate::sample)},
          {"disks", disks}};
}

}  // namespace

base::Result<ExitStatus> answer_estimates(
    const Session& session, const std::vector<backup::VmEstimate>& estimates) {
  bool has_failed = false;
  for (const backup::VmEstimate& estimate : estimates) {
    if (estimate.error) {
      if (estimates.size() == 1) return *estimate.error;
      session.report(*estimate.error);
      has_failed = true;
      continue;
    }
    if (session.wants_json()) {
      session.output() << to_json(estimate).dump(-1, ' ', false,
                                                 base::Json::error_handler_t::replace)
                       << "\n";
    } else {
      print_text(session.output(), estimate);
    }
  }
  return has_failed ? ExitStatus::kNotEverything : ExitStatus::kDone;
}

}  // namespace sealift::cli
