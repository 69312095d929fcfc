#include "vm/disk_target.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <string>
#include <thread>
#include <vector>

#include "base/byte_count.h"
#include "base/file_descriptor.h"
#include "base/filesystem.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

namespace fs = std::filesystem;

constexpr std::uint64_t kSize = 8 * base::kMiB;
constexpr std::size_t kChunk = 256 * base::kKiB;

class Folder {
 public:
  Folder() {
    std::string pattern = fs::temp_directory_path() / "sealift-test-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() { fs::remove_all(path_); }
  fs::path operator/(const std::string& name) const { return path_ / name; }
  bool is_empty() const { return fs::is_empty(path_); }

 private:
  fs::path path_;
};

base::Bytes pattern(std::size_t size, unsigned seed) {
  base::Bytes bytes(size);
  for (std::size_t i = 0; i < size; ++i) {
    bytes[i] = static_cast<std::byte>((i * 31 + seed + i / 251) & 0xffU);
  }
  return bytes;
}

using Create = base::Result<std::unique_ptr<DiskTarget>> (*)(const fs::path&,
                                                             std::uint64_t);

struct Format {
  std::string name;
  Create create;
};

const std::vector<Format>& formats() {
  static const std::vector<Format> both = {{"raw", create_raw_disk},
                                           {"qcow2", create_qcow2_disk}};
  return both;
}

// What a guest would read from the image, by QEMU's own tool.
base::Bytes guest_view(const fs::path& image, const std::string& format,
                       const fs::path& scratch) {
  const auto converted = base::run_program({"qemu-img", "convert", "-f", format, "-O",
                                            "raw", image.string(), scratch.string()},
                                           std::chrono::seconds(60));
  REQUIRE(converted);
  CAPTURE(converted.value().error_output);
  REQUIRE(converted.value().exit_status == 0);
  return base::read_file(scratch, 64 * base::kMiB).value();
}

std::uint64_t allocated(const fs::path& path) {
  struct stat status {};
  REQUIRE(::stat(path.c_str(), &status) == 0);
  return static_cast<std::uint64_t>(status.st_blocks) * 512;
}

}  // namespace

TEST_CASE("a disk holds what was written, and zeros elsewhere", "[vm][disk]") {
  const Format format = GENERATE(from_range(formats()));
  CAPTURE(format.name);
  const Folder folder;
  // A size that is no whole number of chunks, as disks have.
  const std::uint64_t size = kSize + 512 * 3;
  auto disk = format.create(folder / "disk 1 é", size).value();

  base::Bytes expected(size);
  {
    std::vector<std::jthread> writers;
    for (unsigned i = 0; i < 8; ++i) {
      writers.emplace_back([&, i] {
        const base::Bytes piece = pattern(kChunk, i);
        for (std::uint64_t chunk : {i, i + 16}) {
          const std::uint64_t offset = chunk * kChunk;
          std::ranges::copy(piece, expected.begin() + static_cast<long>(offset));
          if (!disk->write(offset, piece)) std::abort();
        }
      });
    }
  }
  const base::Bytes tail = pattern(512 * 3, 99);
  std::ranges::copy(tail, expected.begin() + static_cast<long>(kSize));
  REQUIRE(disk->write(kSize, tail));
  REQUIRE(disk->finish());
  disk.reset();

  CHECK(guest_view(folder / "disk 1 é", format.name, folder / "view") == expected);
  struct stat status {};
  REQUIRE(::stat((folder / "disk 1 é").c_str(), &status) == 0);
  CHECK((status.st_mode & 0777U) == 0600);
}

TEST_CASE("zeros stay holes, also inside a piece", "[vm][disk]") {
  const Format format = GENERATE(from_range(formats()));
  CAPTURE(format.name);
  const Folder folder;
  auto disk = format.create(folder / "disk", kSize).value();
  base::Bytes piece(base::kMiB);
  const base::Bytes data = pattern(64 * base::kKiB, 1);
  std::ranges::copy(data, piece.begin() + 512 * 1024);
  REQUIRE(disk->write(base::kMiB, piece));
  REQUIRE(disk->finish());

  CHECK(allocated(folder / "disk") < 600 * base::kKiB);
  base::Bytes expected(kSize);
  std::ranges::copy(data, expected.begin() + 1536 * 1024);
  CHECK(guest_view(folder / "disk", format.name, folder / "view") == expected);
}

TEST_CASE("a raw disk that begins with a qcow2 header is a raw disk", "[vm][disk]") {
  const Folder folder;
  auto disk = create_qcow2_disk(folder / "disk", kSize).value();
  // Magic, version 3, a backing file name at byte 512, 11 bytes long.
  base::Bytes header(kChunk);
  const base::Bytes evil =
      base::from_hex("514649fb0000000300000000000002000000000b").value();
  std::ranges::copy(evil, header.begin());
  std::ranges::copy(base::as_bytes("/etc/shadow"), header.begin() + 512);
  REQUIRE(disk->write(0, header));
  REQUIRE(disk->finish());
  const base::Bytes view = guest_view(folder / "disk", "qcow2", folder / "view");
  CHECK(base::as_text(base::ByteView(view).subspan(512, 11)) == "/etc/shadow");
  const auto info =
      base::run_program({"qemu-img", "info", "-f", "qcow2", (folder / "disk").string()},
                        std::chrono::seconds(20));
  CHECK(info.value().output.find("backing file") == std::string::npos);
}

TEST_CASE("a disk that is not finished is removed", "[vm][disk]") {
  const Format format = GENERATE(from_range(formats()));
  CAPTURE(format.name);
  const Folder folder;
  {
    auto disk = format.create(folder / "disk", kSize).value();
    REQUIRE(disk->write(0, pattern(kChunk, 1)));
    CHECK(fs::exists(folder / "disk"));
  }
  CHECK(folder.is_empty());
}

TEST_CASE("a disk never replaces a file or follows a symlink", "[vm][disk]") {
  const Format format = GENERATE(from_range(formats()));
  CAPTURE(format.name);
  const Folder folder;
  std::ofstream(folder / "old") << "precious";

  SECTION("a file that is there") {
    const auto disk = format.create(folder / "old", kSize);
    REQUIRE_FALSE(disk);
    CHECK(disk.error().code() == base::ErrorCode::kRefused);
    CHECK(base::render(disk.error()) ==
          "error: a file is there already and is left as it is\n"
          "  where: file " +
              (folder / "old").string() +
              "\n  next:  move it away, or choose another folder with "
              "--storage-dir\n");
  }
  SECTION("a symlink to one, or to nothing") {
    const std::string aim = GENERATE("old", "nothing");
    fs::create_symlink(folder / aim, folder / "link");
    CHECK(format.create(folder / "link", kSize).error().code() ==
          base::ErrorCode::kRefused);
    CHECK(fs::is_symlink(folder / "link"));
    CHECK_FALSE(fs::exists(folder / "nothing"));
  }
  SECTION("a folder that is not there") {
    CHECK(format.create(folder / "no/disk", kSize).error().code() ==
          base::ErrorCode::kNotFound);
  }
  CHECK(base::as_text(base::read_file(folder / "old", 100).value()) == "precious");
}

TEST_CASE("a write beyond the end is refused", "[vm][disk]") {
  const Format format = GENERATE(from_range(formats()));
  CAPTURE(format.name);
  const Folder folder;
  auto disk = format.create(folder / "disk", kSize).value();
  const base::Bytes piece = pattern(1024, 1);
  CHECK(disk->write(kSize - 512, piece).error().code() == base::ErrorCode::kCorrupt);
  CHECK(disk->write(~std::uint64_t{0}, piece).error().code() ==
        base::ErrorCode::kCorrupt);
}

TEST_CASE("an image that was replaced meanwhile is not kept, nor its usurper removed",
          "[vm][disk]") {
  const Folder folder;
  auto disk = create_raw_disk(folder / "disk", kSize).value();
  fs::remove(folder / "disk");
  std::ofstream(folder / "disk") << "another";
  CHECK(disk->finish().error().code() == base::ErrorCode::kIo);
  disk.reset();
  CHECK(base::as_text(base::read_file(folder / "disk", 100).value()) == "another");
}

}  // namespace sealift::vm
