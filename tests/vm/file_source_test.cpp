// A file as an archive keeps it.
#include "vm/file_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <map>
#include <mutex>

#include "base/byte_count.h"
#include "base/file_descriptor.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::vm {

namespace {

using base::kKiB;
using base::kMiB;

class FileScene {
 public:
  FileScene() {
    const base::FileDescriptor file(
        ::open(path().c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    REQUIRE(::ftruncate(file.get(), 4 * kMiB + 100) == 0);
    const base::Bytes data(kMiB, std::byte{0x55});
    REQUIRE(::pwrite(file.get(), data.data(), kMiB, 0) == kMiB);
    REQUIRE(::pwrite(file.get(), data.data(), 100, 4 * kMiB) == 100);
  }

  std::filesystem::path path() const { return scratch_.path() / "file"; }

  base::Status read(std::optional<std::vector<ByteRange>> counting,
                    std::uint32_t piece) {
    pieces.clear();
    const auto source = open_file_source("a", path(), stamp_, std::move(counting));
    CHECK(source->size() == 4 * kMiB + 100);
    std::mutex mutex;
    return source->read_allocated(
        piece, 3,
        [&](std::uint64_t offset, base::ByteView bytes) -> base::Status {
          const std::scoped_lock lock(mutex);
          pieces[offset].assign(bytes.begin(), bytes.end());
          return base::Done{};
        },
        nullptr, {});
  }

  void take_stamp() { stamp_ = stamp_of(path()).value(); }

  std::map<std::uint64_t, base::Bytes> pieces;

 private:
  support::ScratchFolder scratch_;
  FileStamp stamp_;
};

std::size_t count(const base::Bytes& bytes) {
  return static_cast<std::size_t>(std::ranges::count(bytes, std::byte{0x55}));
}

}  // namespace

TEST_CASE("a file is read where it has data", "[vm]") {
  FileScene scene;
  scene.take_stamp();
  REQUIRE(scene.read(std::nullopt, 256 * kKiB));
  CHECK(scene.pieces.size() == 5);
  CHECK(scene.pieces[4 * kMiB].size() == 100);
  CHECK(count(scene.pieces[4 * kMiB]) == 100);
}

TEST_CASE("of a file only what counts is read, and the rest are zeros", "[vm]") {
  FileScene scene;
  scene.take_stamp();
  REQUIRE(scene.read(std::vector<ByteRange>{{64 * kKiB, 128 * kKiB}}, 256 * kKiB));
  REQUIRE(scene.pieces.size() == 1);
  const base::Bytes& piece = scene.pieces[0];
  CHECK(count(piece) == 128 * kKiB);
  CHECK(piece[64 * kKiB - 1] == std::byte{0});
  CHECK(piece[64 * kKiB] == std::byte{0x55});
  CHECK(piece[192 * kKiB - 1] == std::byte{0x55});
  CHECK(piece[192 * kKiB] == std::byte{0});
  REQUIRE(scene.read(std::vector<ByteRange>{{0, 4096}, {8192, 4096}, {512 * kKiB, 10}},
                     kMiB));
  CHECK(count(scene.pieces[0]) == 2 * 4096 + 10);
  REQUIRE(scene.read(std::vector<ByteRange>{}, kMiB));
  CHECK(scene.pieces.empty());
}

TEST_CASE("a file that is not the one that was looked at is not read", "[vm]") {
  FileScene scene;
  scene.take_stamp();
  REQUIRE(::truncate(scene.path().c_str(), 100) == 0);
  const base::Status changed = scene.read(std::nullopt, kMiB);
  REQUIRE_FALSE(changed);
  CHECK(changed.error().code() == base::ErrorCode::kBusy);
  CHECK(changed.error().places().front().name == scene.path().string());
  std::filesystem::remove(scene.path());
  CHECK(scene.read(std::nullopt, kMiB).error().code() == base::ErrorCode::kBusy);
  std::filesystem::create_symlink("/etc/passwd", scene.path());
  CHECK(scene.read(std::nullopt, kMiB).error().code() == base::ErrorCode::kRefused);
  CHECK(stamp_of(scene.path()).error().code() == base::ErrorCode::kRefused);
}

}  // namespace sealift::vm
