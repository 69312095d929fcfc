#include "vm/read_pieces.h"

#include <linux/ioprio.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <mutex>

#include "base/byte_count.h"
#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

constexpr std::uint32_t kPiece = 64 * 1024;

struct Hole {
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

// A disk in memory whose byte at n is n / 4096, with holes. Answers for extents may be
// cut short, as QEMU's are.
class MemoryReader final : public DiskReader {
 public:
  explicit MemoryReader(std::vector<Hole> holes) : holes_(std::move(holes)) {}

  base::Result<std::vector<Extent>> extents(std::uint64_t offset,
                                            std::uint64_t size) override {
    std::vector<Extent> found;
    const std::uint64_t end = offset + size;
    while (offset < end && found.size() < 2) {
      std::uint64_t next = end;
      bool is_hole = false;
      for (const Hole& hole : holes_) {
        if (hole.begin <= offset && offset < hole.end) {
          is_hole = true;
          next = std::min(next, hole.end);
        } else if (hole.begin > offset) {
          next = std::min(next, hole.begin);
        }
      }
      found.push_back({next - offset, is_hole});
      offset = next;
    }
    return found;
  }

  base::Status read(std::uint64_t offset, std::span<std::byte> bytes) override {
    if (offset <= fails_at && fails_at < offset + bytes.size()) {
      return base::Error(base::ErrorCode::kIo, "the disk is broken")
          .at("offset", std::to_string(offset));
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
      bytes[i] = static_cast<std::byte>((offset + i) / 4096);
    }
    return base::Done{};
  }

  std::uint64_t fails_at = ~std::uint64_t{0};

 private:
  std::vector<Hole> holes_;
};

// Notes what its thread is to the processors and to the disks while it reads.
class WatchfulReader final : public DiskReader {
 public:
  base::Result<std::vector<Extent>> extents(std::uint64_t /*offset*/,
                                            std::uint64_t size) override {
    return std::vector<Extent>{{size, false}};
  }
  base::Status read(std::uint64_t /*offset*/, std::span<std::byte> /*bytes*/) override {
    nice = ::getpriority(PRIO_PROCESS, 0);
    disk_class = IOPRIO_PRIO_CLASS(::syscall(SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0));
    return base::Done{};
  }

  int nice = 0;
  long disk_class = IOPRIO_CLASS_NONE;
};

struct Reading {
  std::mutex mutex;
  std::map<std::uint64_t, std::uint64_t> pieces;  // Offset to size.
  std::vector<std::uint64_t> progress;
  bool is_content_right = true;
  bool came_late = false;  // A piece below what progress had promised.

  base::Status read(std::vector<MemoryReader>& readers, std::uint64_t size,
                    std::uint32_t piece, const std::stop_token& stop = {}) {
    std::vector<DiskReader*> all;
    for (MemoryReader& reader : readers) all.push_back(&reader);
    const PieceSink sink = [this](std::uint64_t offset,
                                  base::ByteView bytes) -> base::Status {
      const std::scoped_lock lock(mutex);
      is_content_right =
          is_content_right && pieces.emplace(offset, bytes.size()).second;
      for (std::size_t i = 0; i < bytes.size(); i += 4096) {
        is_content_right =
            is_content_right && bytes[i] == static_cast<std::byte>((offset + i) / 4096);
      }
      came_late = came_late || (!progress.empty() && offset < progress.back());
      return base::Done{};
    };
    const Progress advance = [this](std::uint64_t offset) -> base::Status {
      const std::scoped_lock lock(mutex);
      progress.push_back(offset);
      return base::Done{};
    };
    return read_pieces(all, size, piece, sink, advance, stop);
  }
};

}  // namespace

TEST_CASE("every piece that holds data comes once, and no hole does", "[vm]") {
  const std::uint64_t size = 40 * base::kMiB + 12345;
  // Whole pieces, part of a piece, two in one piece, one over an extent's end, the
  // tail.
  const std::vector<Hole> holes = {{0, 3 * kPiece},
                                   {10 * kPiece + 100, 10 * kPiece + 200},
                                   {20 * kPiece + 1, 22 * kPiece - 1},
                                   {30 * kPiece, 300 * kPiece},
                                   {500 * kPiece + 5, 500 * kPiece + 6},
                                   {500 * kPiece + 7, 500 * kPiece + 8},
                                   {size - 100 * kPiece, size}};
  for (const std::uint32_t piece : {kPiece, 4 * kPiece, 64 * kPiece}) {
    for (const std::size_t threads : {1U, 4U}) {
      CAPTURE(piece, threads);
      std::vector<MemoryReader> readers(threads, MemoryReader(holes));
      Reading reading;
      REQUIRE(reading.read(readers, size, piece));

      CHECK(reading.is_content_right);
      CHECK_FALSE(reading.came_late);
      CHECK(std::ranges::is_sorted(reading.progress));
      CHECK(reading.progress.back() == size);
      for (std::uint64_t offset = 0; offset < size; offset += piece) {
        const std::uint64_t end = std::min<std::uint64_t>(size, offset + piece);
        const bool is_hole = std::ranges::any_of(holes, [&](const Hole& hole) {
          return hole.begin <= offset && end <= hole.end;
        });
        const auto found = reading.pieces.find(offset);
        CAPTURE(offset);
        REQUIRE((found == reading.pieces.end()) == is_hole);
        if (!is_hole) REQUIRE(found->second == end - offset);
      }
    }
  }
}

TEST_CASE("an empty disk and one that is all hole give nothing", "[vm]") {
  Reading reading;
  std::vector<MemoryReader> readers(2,
                                    MemoryReader(std::vector<Hole>{{0, 5 * kPiece}}));
  CHECK(reading.read(readers, 5 * kPiece, kPiece));
  CHECK(reading.pieces.empty());
  CHECK(reading.progress.back() == 5 * kPiece);
  CHECK(reading.read(readers, 0, kPiece));
}

TEST_CASE("whoever reads gives way to the host's other work", "[vm]") {
  WatchfulReader reader;
  int nice_of_sink = 0;
  const PieceSink sink = [&](std::uint64_t, base::ByteView) -> base::Status {
    nice_of_sink = ::getpriority(PRIO_PROCESS, 0);
    return base::Done{};
  };
  REQUIRE(read_pieces({&reader}, 10 * kPiece, kPiece, sink, nullptr, {}));
  CHECK(reader.nice >= 10);
  CHECK(reader.disk_class == IOPRIO_CLASS_IDLE);
  // The pieces are compressed, sealed and stored there.
  CHECK(nice_of_sink >= 10);
}

TEST_CASE("a reader that fails ends the reading with its error", "[vm]") {
  std::vector<MemoryReader> readers(3, MemoryReader(std::vector<Hole>{}));
  for (MemoryReader& reader : readers) reader.fails_at = 500 * kPiece;
  Reading reading;
  const auto status = reading.read(readers, 1000 * kPiece, kPiece);
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kIo);
  // Progress never passes what was not read.
  if (!reading.progress.empty()) CHECK(reading.progress.back() <= 500 * kPiece);
}

TEST_CASE("a stop ends the reading", "[vm]") {
  std::stop_source stop;
  stop.request_stop();
  std::vector<MemoryReader> readers(2, MemoryReader(std::vector<Hole>{}));
  Reading reading;
  const auto status = reading.read(readers, 1000 * kPiece, kPiece, stop.get_token());
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kInterrupted);
}

TEST_CASE("what the sink returns ends the reading", "[vm]") {
  std::vector<MemoryReader> readers(2, MemoryReader(std::vector<Hole>{}));
  const PieceSink full = [](std::uint64_t, base::ByteView) -> base::Status {
    return base::Error(base::ErrorCode::kBusy, "full");
  };
  const auto status =
      read_pieces({&readers[0], &readers[1]}, 100 * kPiece, kPiece, full, nullptr, {});
  REQUIRE_FALSE(status);
  CHECK(status.error().code() == base::ErrorCode::kBusy);
}

}  // namespace sealift::vm
