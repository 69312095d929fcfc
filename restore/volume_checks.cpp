#include "restore/volume_checks.h"

#include <algorithm>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "base/byte_count.h"
#include "restore/workers.h"

namespace sealift::restore {

namespace {

// The volumes still to be checked, and what came of the others.
class Checking {
 public:
  Checking(const archive::Repository& repository, const std::vector<std::string>& names,
           const std::function<void(const std::string& words)>& told,
           std::stop_token stop)
      : repository_(repository),
        names_(names),
        told_(told),
        on_stop_(std::move(stop), [this] { stop_source_.request_stop(); }) {}

  void work() {
    while (const std::optional<std::string> name = take()) {
      base::Result<archive::Volume> volume = open_believed(repository_, *name);
      if (!volume) return fail(std::move(volume).error());
      base::Status checked =
          archive::check_every_byte(repository_.store(), volume.value(),
                                    repository_.trust(), stop_source_.get_token());
      if (!checked) return fail(std::move(checked).error());
      const std::scoped_lock lock(mutex_);
      ++done_.volumes;
      done_.bytes += volume.value().size;
    }
  }

  base::Result<CheckedVolumes> result() {
    const std::scoped_lock lock(mutex_);
    if (failure_) return std::move(*failure_);
    if (done_.volumes != names_.size()) {
      return base::Error(base::ErrorCode::kInterrupted, "stopped while checking");
    }
    return done_;
  }

 private:
  std::optional<std::string> take() {
    const std::scoped_lock lock(mutex_);
    if (next_ == names_.size() || failure_ || stop_source_.stop_requested()) return {};
    const std::string& name = names_[next_++];
    if (told_) {
      told_("checking every byte of volume " + std::to_string(next_) + " of " +
            std::to_string(names_.size()));
    }
    return name;
  }

  // Only the first failure counts: it stops the others, whose words would be that they
  // were stopped.
  void fail(base::Error error) {
    const std::scoped_lock lock(mutex_);
    if (!failure_) failure_ = std::move(error);
    stop_source_.request_stop();
  }

  const archive::Repository& repository_;
  const std::vector<std::string>& names_;
  const std::function<void(const std::string& words)>& told_;
  std::stop_source stop_source_;
  std::stop_callback<std::function<void()>> on_stop_;
  std::mutex mutex_;
  std::size_t next_ = 0;  // Guarded by mutex_, as all below.
  CheckedVolumes done_;
  std::optional<base::Error> failure_;
};

}  // namespace

base::Result<archive::Volume> open_believed(const archive::Repository& repository,
                                            const std::string& name) {
  base::Result<archive::ObjectInfo> info = repository.store().examine(name);
  if (!info) {
    if (info.error().code() != base::ErrorCode::kNotFound) {
      return std::move(info).error();
    }
    return base::Error(base::ErrorCode::kCorrupt, "a volume is missing")
        .at("volume", name)
        .at("repository", repository.store().place())
        .next(
            "put the volume back from a copy of the repository, or choose another "
            "snapshot");
  }
  return archive::open_volume(repository.store(), info.value(), repository.id(),
                              repository.trust());
}

base::Result<CheckedVolumes> check_volumes(
    const archive::Repository& repository, const std::vector<std::string>& names,
    const std::function<void(const std::string& words)>& told, std::stop_token stop) {
  Checking checking(repository, names, told, std::move(stop));
  {
    std::vector<std::jthread> threads;
    const std::size_t jobs = std::min<std::size_t>(worker_count(), names.size());
    for (std::size_t i = 1; i < jobs; ++i) {
      threads.emplace_back([&checking] { checking.work(); });
    }
    checking.work();
  }
  return checking.result();
}

}  // namespace sealift::restore
