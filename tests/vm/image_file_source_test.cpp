#include "vm/image_file_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <fstream>
#include <map>
#include <mutex>

#include "base/byte_count.h"
#include "base/file_descriptor.h"
#include "base/subprocess.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"
#include "vm/image_info.h"

namespace sealift::vm {

namespace {

constexpr std::uint32_t kPiece = 64 * 1024;

void run(const std::vector<std::string>& arguments) {
  const auto program = base::run_program(arguments, std::chrono::seconds(30));
  REQUIRE(program);
  INFO(program->error_output);
  REQUIRE(program->exit_status == 0);
}

// A raw image that is a hole but for `text` at `offset`.
void write_raw(const std::filesystem::path& path, std::uint64_t size,
               std::uint64_t offset, std::string_view text) {
  const base::FileDescriptor file(
      ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600));
  REQUIRE(::ftruncate(file.get(), static_cast<off_t>(size)) == 0);
  REQUIRE(::pwrite(file.get(), text.data(), text.size(), static_cast<off_t>(offset)) ==
          static_cast<ssize_t>(text.size()));
}

struct Content {
  std::string bytes;
  std::size_t pieces = 0;
};

Content read_all(DiskSource& source) {
  Content content;
  std::mutex mutex;
  content.bytes.assign(source.size(), '\0');
  const PieceSink sink = [&](std::uint64_t offset,
                             base::ByteView bytes) -> base::Status {
    const std::scoped_lock lock(mutex);
    content.bytes.replace(offset, bytes.size(), base::as_text(bytes));
    ++content.pieces;
    return base::Done{};
  };
  const auto status = source.read_allocated(kPiece, 3, sink, nullptr, {});
  if (!status) FAIL(base::render(status.error()));
  return content;
}

Disk disk_of(const std::filesystem::path& path, const std::string& format) {
  Disk disk;
  disk.target = "vda";
  disk.type = "file";
  disk.path = path;
  disk.format = format;
  disk.size = read_image_info(path, format).value().size;
  return disk;
}

}  // namespace

TEST_CASE("a raw image gives its data and not its holes", "[vm]") {
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "a, b.raw";
  write_raw(path, 8 * base::kMiB, 3 * base::kMiB + 10, "hello");

  const auto source = open_image_files(disk_of(path, "raw"));
  const Content content = read_all(*source);

  CHECK(content.bytes.size() == 8 * base::kMiB);
  CHECK(content.bytes.substr(3 * base::kMiB + 10, 5) == "hello");
  CHECK(content.pieces == 1);
}

TEST_CASE("a raw image that begins like a qcow2 one is read as raw", "[vm]") {
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "disk.raw";
  run({"qemu-img", "create", "-q", "-f", "qcow2", path.string(), "1G"});

  const auto source = open_image_files(disk_of(path, "raw"));

  CHECK(source->size() < base::kGiB);
  CHECK(read_all(*source).bytes.starts_with("QFI\xfb"));
}

TEST_CASE("a qcow2 image is read through its backing file, while others may write",
          "[vm]") {
  const support::ScratchFolder scratch;
  const auto bottom = scratch.path() / "bottom, x.raw";
  const auto top = scratch.path() / "töp.qcow2";
  write_raw(bottom, 4 * base::kMiB, base::kMiB, "below");
  run({"qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", bottom.string(),
       top.string(), "6M"});
  run({"qemu-io", "-f", "qcow2", "-c", "write -P 0x41 2M 64k", top.string()});
  Disk disk = disk_of(top, "qcow2");
  disk.backing.push_back({bottom, "raw"});
  CHECK(read_image_info(top, "qcow2")->backing == bottom);
  CHECK(read_image_info(top, "qcow2")->backing_format == "raw");

  const auto source = open_image_files(disk);
  const Content content = read_all(*source);

  CHECK(content.bytes.size() == 6 * base::kMiB);
  CHECK(content.bytes.substr(base::kMiB, 5) == "below");
  CHECK(content.bytes.substr(2 * base::kMiB, 65536) == std::string(65536, 'A'));
  CHECK(content.pieces == 2);
  // No lock is held: the VM can be started.
  run({"qemu-io", "-f", "qcow2", "-c", "write 0 64k", top.string()});
}

TEST_CASE("the pieces that changed are read, or those that are picked", "[vm]") {
  const support::ScratchFolder folder;
  const auto path = folder.path() / "noted.qcow2";
  constexpr std::uint64_t kSize = std::uint64_t{100} * kPiece + 4096;
  run({"qemu-img", "create", "-q", "-f", "qcow2", path, std::to_string(kSize)});
  run({"qemu-io", "-f", "qcow2", "-c", "write -q -P 0x41 0 1M", path});
  run({"qemu-img", "bitmap", "--add", "-f", "qcow2", path, "notes"});
  run({"qemu-io", "-f", "qcow2", "-c", "write -q -P 0x42 192k 4k", path});
  run({"qemu-io", "-f", "qcow2", "-c", "write -q -z 6M 64k", path});
  const auto source = open_image_files(disk_of(path, "qcow2"), "notes");
  TrackedDisk* disk = source->changes();
  REQUIRE(disk != nullptr);
  std::mutex mutex;
  std::map<std::uint64_t, std::string> pieces;
  const PieceSink sink = [&](std::uint64_t offset,
                             base::ByteView bytes) -> base::Status {
    const std::scoped_lock lock(mutex);
    pieces[offset / kPiece] = base::as_text(bytes);
    return base::Done{};
  };

  CHECK_FALSE(disk->is_unchanged(std::uint64_t{3} * kPiece, kPiece).value());
  CHECK(disk->is_unchanged(std::uint64_t{4} * kPiece, kPiece).value());
  CHECK_FALSE(disk->is_unchanged(std::uint64_t{96} * kPiece, kPiece).value());
  CHECK(disk->is_unchanged(std::uint64_t{100} * kPiece, 4096).value());
  CHECK(disk->is_unchanged(0, kPiece).value());
  REQUIRE(disk->read_changed(kPiece, 3, sink, nullptr, {}));
  REQUIRE(pieces.size() == 2);
  CHECK(pieces.at(3) == std::string(4096, '\x42') + std::string(kPiece - 4096, '\x41'));
  CHECK(pieces.at(96) == std::string(kPiece, '\0'));

  pieces.clear();
  REQUIRE(disk->read_picked({0, 3, 4, 90, 100}, kPiece, 3, sink, {}));
  REQUIRE(pieces.size() == 5);
  CHECK(pieces.at(0) == std::string(kPiece, '\x41'));
  CHECK(pieces.at(3).starts_with("\x42"));
  CHECK(pieces.at(4) == std::string(kPiece, '\x41'));
  CHECK(pieces.at(90) == std::string(kPiece, '\0'));
  CHECK(pieces.at(100) == std::string(4096, '\0'));

  pieces.clear();
  REQUIRE(disk->read_picked({}, kPiece, 3, sink, {}));
  CHECK(pieces.empty());
}

TEST_CASE("an image that cannot be read names itself", "[vm]") {
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "no.qcow2";
  std::ofstream(path) << std::string(65536, 'x');
  Disk disk;
  disk.target = "vdb";
  disk.path = path;
  disk.format = "qcow2";
  disk.size = base::kMiB;
  const auto source = open_image_files(disk);
  const auto sink = [](std::uint64_t, base::ByteView) -> base::Status {
    return base::Done{};
  };
  const auto status = source->read_allocated(kPiece, 1, sink, nullptr, {});
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kIo);
  CHECK(status.error().cause().find("not in qcow2 format") != std::string::npos);
  CHECK(status.error().places().back().name == "vdb");

  CHECK(read_image_info(path, "qcow2").error().code() == base::ErrorCode::kIo);
  CHECK(read_image_info("/nonexistent/x", "raw").error().code() ==
        base::ErrorCode::kIo);
}

TEST_CASE("an image encrypted by QEMU is refused", "[vm]") {
  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "luks.qcow2";
  // It times its key derivation, and gives up now and then on a busy machine.
  bool is_made = false;
  for (int attempt = 0; attempt < 20 && !is_made; ++attempt) {
    const auto program = base::run_program(
        {"qemu-img", "create", "-q", "--object", "secret,id=s,data=x", "-f", "qcow2",
         "-o", "encrypt.format=luks,encrypt.iter-time=10,encrypt.key-secret=s",
         path.string(), "1M"},
        std::chrono::seconds(60));
    is_made = program && program->exit_status == 0;
  }
  REQUIRE(is_made);
  CHECK(read_image_info(path, "qcow2").error().code() == base::ErrorCode::kRefused);
}

}  // namespace sealift::vm
