// sealift benchmark: what this host can do.  Manual: docs/man/sealift-benchmark.1
#include <chrono>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <limits>
#include <sstream>
#include <thread>

#include "backup/benchmark.h"
#include "backup/disk_pipeline.h"
#include "base/byte_count.h"
#include "cli/commands.h"
#include "cli/open.h"
#include "cli/progress.h"
#include "cli/table.h"

namespace sealift::cli {

namespace {

constexpr std::size_t kSampleSize = 32 * base::kMiB;
constexpr auto kEach = std::chrono::milliseconds(400);

void no_options(boost::program_options::options_description& /*described*/) {}

std::string mib(double bytes) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(0) << bytes / static_cast<double>(base::kMiB);
  return text.str();
}

std::string percent(double share) {
  std::ostringstream text;
  text << std::fixed << std::setprecision(0) << 100 * share << " %";
  return text.str();
}

// "4 h 20 min", "35 min".
std::string time_for_tib(double rate) {
  const double tib = static_cast<double>(base::kGiB) * 1024;
  const std::int64_t minutes = std::llround(tib / rate / 60);
  if (minutes < 60) return std::to_string(minutes) + " min";
  return std::to_string(minutes / 60) + " h " + std::to_string(minutes % 60) + " min";
}

// As Linux tells them; "sha_ni" and "aes" on x86, "sha2" and "aes" on ARM.
bool has_instructions(const std::string& one, const std::string& other) {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;) {
      if (word == one || word == other) return true;
    }
    return false;
  }
  return false;
}

struct Host {
  unsigned processors = std::max(1U, std::thread::hardware_concurrency());
  bool has_sha = has_instructions("sha_ni", "sha2");
  bool has_aes = has_instructions("aes", "aes");
};

void print_stages(std::ostream& output, const backup::Benchmark& found) {
  Table table({{"stage"},
               {"one thread", Align::kRight},
               {"all", Align::kRight},
               {"of a backup", Align::kRight}});
  const std::vector<unsigned> percents = backup::percents_of_a_backup(found.sealing);
  for (std::size_t i = 0; i < percents.size(); ++i) {
    const archive::StageRate& stage = found.sealing.stages[i];
    table.add({stage.name, mib(stage.one), mib(stage.all),
               stage.name == archive::kZeroCheck ? "holes only"
                                                 : std::to_string(percents[i]) + " %"});
  }
  for (const archive::StageRate* whole :
       {&found.sealing.sealing, &found.sealing.opening}) {
    table.add({whole->name, mib(whole->one), mib(whole->all), ""});
  }
  table.print(output, "  ");
}

void print_limit(std::ostream& output, const char* what, const backup::Limit& limit) {
  output << what << limit.stage;
  if (!limit.above_all.empty()) output << ", above all " << limit.above_all << ",";
  output << " is the limit of what was measured: about " << mib(limit.rate)
         << " MiB/s, " << time_for_tib(limit.rate) << " for 1 TiB of data\n";
}

void print_storage(std::ostream& output, const backup::StorageRates& storage) {
  output << "repository  ";
  if (storage.write) output << "writes " << mib(*storage.write) << " MiB/s, ";
  if (storage.read) {
    output << "reads " << mib(*storage.read) << " MiB/s (perhaps from memory)\n";
  } else {
    output << "holds nothing yet to read\n";
  }
}

void print(const Session& session, const Host& host, const backup::Benchmark& found) {
  std::ostream& output = session.output();
  output << "processors  " << host.processors
         << "; SHA instructions: " << (host.has_sha ? "yes" : "no")
         << ", AES: " << (host.has_aes ? "yes" : "no")
         << "\n\nMiB of a disk a second\n";
  print_stages(output, found);
  output << "  what is stored: " << percent(found.sealing.stored_share)
         << " of this made-up data\n\n";
  if (found.storage) print_storage(output, *found.storage);
  print_limit(output, "backup      ", backup::limit_of_backup(found));
  print_limit(output, "restore     ", backup::limit_of_restore(found));
  output << "disks       not measured: one that is slower is the limit itself, of a "
            "backup that\n            reads it, of a restore that writes to it\n";
  if (!host.has_sha) {
    session.say(
        "without SHA instructions a backup takes nearly twice the processor time");
  }
  if (!found.storage) {
    session.say("storage was not measured: name a repository with --repo");
  }
}

base::Json to_json(const archive::StageRate& rate) {
  return {{"name", rate.name},
          {"one_thread_bytes_per_second", std::uint64_t(rate.one)},
          {"all_bytes_per_second", std::uint64_t(rate.all)}};
}

base::Json to_json(const backup::Limit& limit) {
  base::Json json{{"limit", limit.stage},
                  {"bytes_per_second", std::uint64_t(limit.rate)}};
  if (!limit.above_all.empty()) json["above_all"] = limit.above_all;
  return json;
}

base::Json to_json(const backup::StorageRates& storage) {
  base::Json json = base::Json::object();
  if (storage.write) {
    json["write_bytes_per_second"] = std::uint64_t(*storage.write);
  }
  if (storage.write_failure)
    json["write_failure"] = base::one_line(*storage.write_failure);
  if (storage.read) json["read_bytes_per_second"] = std::uint64_t(*storage.read);
  return json;
}

base::Json to_json(const Host& host, const backup::Benchmark& found) {
  base::Json stages = base::Json::array();
  for (const archive::StageRate& stage : found.sealing.stages) {
    stages.push_back(to_json(stage));
  }
  return {{"processors", host.processors},
          {"sha_instructions", host.has_sha},
          {"aes_instructions", host.has_aes},
          {"stages", std::move(stages)},
          {"sealing", to_json(found.sealing.sealing)},
          {"opening", to_json(found.sealing.opening)},
          {"stored_share", found.sealing.stored_share},
          {"storage", found.storage ? to_json(*found.storage) : base::Json()},
          {"disks", nullptr},  // Not measured.
          {"backup", to_json(backup::limit_of_backup(found))},
          {"restore", to_json(backup::limit_of_restore(found))}};
}

// Where it is not known, the storage says itself when it is full.
std::uint64_t free_room_in(const Session& session) {
  std::error_code failure;
  const auto space = std::filesystem::space(*session.chosen().repository, failure);
  return failure ? std::numeric_limits<std::uint64_t>::max() : space.available;
}

base::Result<ExitStatus> run(const Session& session, const Values& /*values*/) {
  const Host host;
  std::optional<keyvault::KeyVault> vault;
  std::optional<archive::Repository> repository;
  if (session.chosen().repository) {
    ASSIGN_OR_RETURN(vault, open_vault_if_any(session));
    ASSIGN_OR_RETURN(repository, open_repository(session, vault ? &*vault : nullptr));
  }
  const archive::RepositorySettings settings =
      repository ? repository->document().settings : archive::RepositorySettings();
  const std::stop_token stop = session.surroundings().stop;
  Progress progress(session);
  progress.show("measuring");
  backup::Benchmark found;
  ASSIGN_OR_RETURN(found.sealing, archive::measure_sealing(
                                      archive::sample_of_a_disk(kSampleSize), settings,
                                      backup::default_jobs(), kEach, stop));
  if (repository) {
    progress.show("measuring the repository's storage");
    ASSIGN_OR_RETURN(
        found.storage,
        backup::measure_storage(repository->store(), free_room_in(session), stop));
  }
  progress.clear();
  if (found.storage && found.storage->write_failure) {
    session.warn("writing to the repository was not measured: " +
                 base::one_line(*found.storage->write_failure));
  }
  if (session.wants_json()) {
    session.answer(to_json(host, found));
  } else {
    print(session, host, found);
  }
  return ExitStatus::kDone;
}

}  // namespace

const Command kBenchmark{
    .words = "benchmark",
    .group = Group::kKeep,
    .summary = "what this host can do, and what will be the limit",
    .synopsis = "[--repo DIR]",
    .details =
        "Runs each stage of a backup for a moment on made-up data, with one thread\n"
        "and with all. If a repository is named, writes to its storage, at most 256\n"
        "MiB and a hundredth of its free room, and reads from it. Nothing is left\n"
        "there. The last lines say which of this a backup and a restore wait for; the\n"
        "disks themselves are not measured, and may be slower.\n",
    .examples = "  sealift benchmark --repo /mnt/backup\n",
    .arguments = {},
    .add_options = no_options,
    .run = run,
};

}  // namespace sealift::cli
