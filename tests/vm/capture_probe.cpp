// capture_probe URI VM FOLDER [SECONDS]: captures a VM on a real daemon into a folder,
// as the integration tests and people looking for a fault want it: `vda.raw`, ..., and
// the small files. With SECONDS it waits that long between the instant and reading.
// Guest secrets end up in FOLDER in clear: for test guests only.
#include <fcntl.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <thread>

#include "base/file_descriptor.h"
#include "vm/capture.h"

namespace {

using namespace sealift;

constexpr std::uint32_t kPieceSize = 256 * 1024;
constexpr unsigned kJobs = 3;

base::Status write_disk(vm::DiskSource& disk, const std::filesystem::path& folder) {
  const std::filesystem::path path = folder / (disk.target() + ".raw");
  const base::FileDescriptor file(
      ::open(path.c_str(), O_CREAT | O_TRUNC | O_WRONLY, 0600));
  if (!file || ::ftruncate(file.get(), static_cast<off_t>(disk.size())) != 0) {
    return base::system_error(errno, "cannot write").at("file", path.string());
  }
  std::atomic<std::uint64_t> read_bytes = 0;
  const vm::PieceSink sink = [&](std::uint64_t offset,
                                 base::ByteView bytes) -> base::Status {
    read_bytes += bytes.size();
    if (::pwrite(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset)) !=
        static_cast<ssize_t>(bytes.size())) {
      return base::system_error(errno, "cannot write").at("file", path.string());
    }
    return base::Done{};
  };
  std::uint64_t reached = 0;
  const vm::Progress progress = [&](std::uint64_t offset) -> base::Status {
    reached = offset;
    return base::Done{};
  };
  RETURN_IF_ERROR(disk.read_allocated(kPieceSize, kJobs, sink, progress, {}));
  std::cout << "disk " << disk.target() << " size " << disk.size() << " read "
            << read_bytes << " reached " << reached << std::endl;
  return base::Done{};
}

base::Status write_files(const vm::Capture& capture,
                         const std::filesystem::path& folder) {
  for (const vm::CapturedFile& file : capture.files()) {
    std::ofstream out(folder / file.name, std::ios::binary);
    out << base::as_text(file.content);
    std::cout << "file " << file.kind << " " << file.name << " " << file.content.size()
              << std::endl;
  }
  for (const auto& file : capture.large_files()) {
    std::ofstream out(folder / file->name(), std::ios::binary);
    base::Bytes piece(kPieceSize);
    for (std::uint64_t offset = 0; offset < file->size(); offset += piece.size()) {
      const auto bytes = std::span(piece).first(
          std::min<std::uint64_t>(kPieceSize, file->size() - offset));
      RETURN_IF_ERROR(file->read(offset, bytes));
      out << base::as_text(bytes);
    }
    std::cout << "large file " << file->kind() << " " << file->name() << " "
              << file->size() << std::endl;
  }
  return base::Done{};
}

base::Status run(const std::vector<std::string>& words) {
  ASSIGN_OR_RETURN(const vm::Connection connection, vm::connect(words[0]));
  ASSIGN_OR_RETURN(const vm::Domain domain, vm::find_domain(connection, words[1]));
  vm::CaptureOptions options;
  options.checkpoint_prefix = "sealift-probe-";
  options.checkpoint = "sealift-probe-1";
  if (const char* folder = std::getenv("PROBE_SCRATCH"))
    options.scratch_directory = folder;
  ASSIGN_OR_RETURN(const auto cleaned,
                   vm::clean_up_after_earlier_run(connection, domain, options));
  for (const std::string& sentence : cleaned)
    std::cout << "cleaned: " << sentence << std::endl;
  ASSIGN_OR_RETURN(const vm::VmDescription description,
                   vm::describe(connection, domain));
  const bool is_live = description.state == vm::RunState::kRunning ||
                       description.state == vm::RunState::kPaused;
  auto capture = is_live
                     ? vm::capture_running(connection, domain, description, options)
                     : vm::capture_stopped(connection, domain, description, options);
  if (!capture) return std::move(capture).error();
  std::cout << "pause " << (*capture.value()).pause().count() << " ms" << std::endl;
  for (const auto& [name, value] : capture.value()->facts()) {
    std::cout << "fact " << name << ": " << value << std::endl;
  }
  RETURN_IF_ERROR(write_files(*capture.value(), words[2]));
  if (words.size() > 3)
    std::this_thread::sleep_for(std::chrono::seconds(std::stoi(words[3])));
  for (const auto& disk : capture.value()->disks()) {
    RETURN_IF_ERROR(write_disk(*disk, words[2]));
  }
  const auto begin = std::chrono::steady_clock::now();
  RETURN_IF_ERROR(capture.value()->finish());
  std::cout << "finished in "
            << std::chrono::duration_cast<std::chrono::milliseconds>(
                   std::chrono::steady_clock::now() - begin)
                   .count()
            << " ms" << std::endl;
  return base::Done{};
}

}  // namespace

int main(int count, char** values) {
  const std::vector<std::string> words(values + 1, values + count);
  if (const auto status = vm::run_as_capture_guard(words)) return *status;
  if (words.size() < 3) return 2;
  if (const auto status = run(words); !status) {
    std::cerr << base::render(status.error());
    return static_cast<int>(status.error().code());
  }
  return 0;
}
