// every_byte REPOSITORY ID VM KEYVAULT KEY.pem VOLUME FOLDER [EVERY FIRST]: turns one
// bit of each byte of a volume (with EVERY: of every so many from FIRST on, so that
// several processes share the work) and lets `verify` look at it, as a host of the
// repository that knows the volume; now and then, and with the volume cut at every
// member's beginning, content and end, the whole commands `verify` and `restore
// --to-directory` of a fresh host. In one process, because there are tens of thousands.
// All must end with 3 and name volume and member, and nothing may be restored. FOLDER
// is new, for what these hosts keep. The volume is as before when this ends.
#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "archive/folder_store.h"
#include "catalog/catalog.h"
#include "cli/program.h"
#include "restore/verify.h"

namespace {

using namespace sealift;
namespace fs = std::filesystem;

constexpr std::size_t kBlock = 512;
constexpr std::size_t kEnd = 2 * kBlock;

struct Place {
  std::string member;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// As tar reads it: name and octal size in a header, content, padding.
std::vector<Place> places_of(const std::string& volume) {
  std::vector<Place> places;
  std::size_t at = 0;
  while (at + kEnd < volume.size()) {
    const std::string name(volume.c_str() + at);
    const std::size_t size = std::stoul(volume.substr(at + 124, 11), nullptr, 8);
    const std::size_t end = at + kBlock + (size + kBlock - 1) / kBlock * kBlock;
    places.push_back({name, at, end});
    at = end;
  }
  places.push_back({"end of the volume", at, volume.size()});
  return places;
}

struct Outcome {
  int status = 0;
  std::string error;
};

template <typename T>
T must(base::Result<T> result) {
  if (!result) throw std::runtime_error(base::render(result.error()));
  return std::move(result).value();
}

// A host of the repository whose catalog knows what is there.
class KnowingHost {
 public:
  KnowingHost(const std::string& repository, const std::string& vault)
      : vault_(must(keyvault::KeyVault::open(vault))),
        repository_(must(archive::Repository::open(
            must(archive::open_folder(repository, base::real_filesystem())),
            {.id = {}, .vault = &vault_, .confirm = {}}))),
        keys_(must(repository_.keys(vault_))),
        catalog_(must(catalog::Catalog::open_in_memory(repository_.id()))) {
    must(catalog_->refresh(repository_, &keys_, {}, {}, catalog::Unbelieved::kStop));
  }

  Outcome verify(const std::string& vm) const {
    const auto snapshot = must(catalog_->find(vm)).snapshot;
    const auto report = restore::verify_snapshot(
        {repository_.source(), &keys_, *catalog_}, snapshot, nullptr, {});
    if (report) return {};
    return {static_cast<int>(report.error().code()), base::render(report.error())};
  }

 private:
  keyvault::KeyVault vault_;
  archive::Repository repository_;
  archive::RepositoryKeys keys_;
  std::unique_ptr<catalog::Catalog> catalog_;
};

class Trial {
 public:
  explicit Trial(const std::vector<std::string>& words)
      : repository_(words[0]),
        id_(words[1]),
        vm_(words[2]),
        vault_(words[3]),
        key_(words[4]),
        volume_(words[5]),
        folder_(words[6]),
        whole_(contents(volume_)),
        places_(places_of(whole_)),
        knowing_(repository_, vault_) {}

  std::size_t size() const { return whole_.size(); }
  const std::vector<Place>& places() const { return places_; }
  bool has_failed() const { return failures_ > 0; }

  void expect_whole() {
    judge("untouched", knowing_.verify(vm_), 0, "");
    judge("untouched", verify(), 0, "");
    judge("untouched", restore(), 0, "");
    fs::remove_all(folder_ / "restored");
  }

  void flip(std::size_t at, bool with_commands) {
    const char turned = static_cast<char>(whole_[at] ^ (1 << (at % 8)));
    put(at, turned);
    const auto place =
        std::ranges::find_if(places_, [&](const Place& one) { return at < one.end; });
    const std::string what = "byte " + std::to_string(at);
    const std::string named = "member " + place->member;
    judge(what, knowing_.verify(vm_), 3, named);
    if (with_commands) {
      judge(what, verify(), 3, named);
      judge_restore(what, named);
    }
    put(at, whole_[at]);
  }

  void cut(std::size_t size) {
    fs::resize_file(volume_, size);
    const std::string what = "cut to " + std::to_string(size);
    judge(what, verify(), 3, "rule R20");  // It was longer, which is said first.
    judge_restore(what, "member ");
    std::ofstream(volume_, std::ios::binary | std::ios::trunc) << whole_;
  }

 private:
  static std::string contents(const fs::path& path) {
    std::ifstream file(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  void put(std::size_t at, char byte) {
    std::fstream file(volume_, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(static_cast<std::streamoff>(at));
    file.put(byte);
  }

  Outcome run(const std::vector<std::string>& words) const {
    std::ostringstream output;
    std::ostringstream error;
    const base::SystemClock clock;
    const int status = cli::run(
        words,
        {.output = output,
         .error = error,
         .variable = [](const std::string&) { return std::optional<std::string>(); },
         .terminal = nullptr,
         .screen = cli::Screen::kNone,
         .clock = clock,
         .host = "every-byte",
         .stop = {}});
    return {status, error.str()};
  }
  Outcome verify() const {
    return run({"verify", vm_, "--repo", repository_, "--keyvault", vault_, "--catalog",
                (folder_ / "catalog.db").string()});
  }
  Outcome restore() const {
    for (const char* ending : {"", "-wal", "-shm"}) {
      fs::remove(folder_ / (std::string("fresh.db") + ending));
    }
    return run({"restore", vm_, "--repo", repository_, "--repo-id", id_, "--keyvault",
                (folder_ / "none").string(), "--catalog",
                (folder_ / "fresh.db").string(), "--identity", key_, "--to-directory",
                (folder_ / "restored").string()});
  }

  void judge_restore(const std::string& what, const std::string& named) {
    judge(what + ", restore", restore(), 3, named);
    if (!fs::exists(folder_ / "restored")) return;
    fail(what, "something was restored", "");
    fs::remove_all(folder_ / "restored");
  }

  void judge(const std::string& what, const Outcome& outcome, int status,
             std::string named) {
    if (outcome.status != status) {
      return fail(what, "status " + std::to_string(outcome.status), outcome.error);
    }
    if (status == 0) return;
    if (outcome.error.find(volume_.filename().string()) == std::string::npos) {
      return fail(what, "the volume is not named", outcome.error);
    }
    // Sums and signature cannot tell which of the two changed.
    if (named == "member SHA256SUMS.sig") named = "member SHA256SUMS";
    if (outcome.error.find(named) == std::string::npos) {
      fail(what, "this is not named: " + named, outcome.error);
    }
  }

  void fail(const std::string& what, const std::string& why, const std::string& said) {
    constexpr unsigned kShown = 10;
    if (++failures_ <= kShown) std::cout << what << ": " << why << "\n" << said;
  }

  std::string repository_;
  std::string id_;
  std::string vm_;
  std::string vault_;
  std::string key_;
  fs::path volume_;
  fs::path folder_;
  std::string whole_;
  std::vector<Place> places_;
  KnowingHost knowing_;
  unsigned failures_ = 0;
};

}  // namespace

int main(int count, char** words) {
  constexpr std::size_t kCommands = 20;
  const std::vector<std::string> arguments(words + 1, words + count);
  if (arguments.size() != 7 && arguments.size() != 9) {
    std::cerr << "every_byte REPOSITORY ID VM KEYVAULT KEY.pem VOLUME FOLDER "
                 "[EVERY FIRST]\n";
    return 2;
  }
  Trial trial(arguments);
  trial.expect_whole();
  const bool is_part = arguments.size() == 9;
  const std::size_t every = is_part ? std::stoul(arguments[7]) : 1;
  const std::size_t first = is_part ? std::stoul(arguments[8]) : 0;
  const std::size_t between = trial.size() / every / kCommands + 1;
  std::size_t tried = 0;
  for (std::size_t at = first; at < trial.size(); at += every) {
    trial.flip(at, tried++ % between == 0);
  }
  // One of those who share the work is enough.
  for (const Place& place : first == 0 ? trial.places() : std::vector<Place>()) {
    for (const std::size_t size : {place.begin, place.begin + kBlock, place.end}) {
      if (size < trial.size()) trial.cut(size);
    }
  }
  trial.expect_whole();
  std::cout << tried << " of " << trial.size() << " bytes, "
            << trial.places().size() - 1 << " members\n";
  return trial.has_failed() ? 1 : 0;
}
