// catalog_scale VOLUMES CHUNKS NIGHT: a repository of that many volumes of 4 GiB, read
// into a catalog.
//
// The volumes are real but for their frames, which are holes in the file: headers,
// sealed indexes, sums and signatures are what the archive writer would have written
// for CHUNKS new chunks in each of VOLUMES volumes. They lie in a folder of $TMPDIR
// (about 50 bytes a chunk) and are removed at the end. Prints a line of JSON for:
// making the catalog from nothing (the work of `catalog rebuild`), a refresh with
// nothing new, NIGHT more volumes (one night), and lookups of chunks that are known and
// that are not, with the files in the page cache and (as root) after it was emptied.
#include <sys/resource.h>

#include <chrono>
#include <cstdio>
#include <fstream>
#include <iostream>
#include <random>

#include "archive/archive_keys.h"
#include "archive/archive_session.h"
#include "archive/footer.h"
#include "archive/frame_index.h"
#include "archive/limits.h"
#include "archive/sums.h"
#include "archive/volume_tail.h"
#include "tests/catalog/catalog_fixture.h"

namespace {

using namespace sealift;
using support::must;
using Clock = std::chrono::steady_clock;

constexpr std::uint64_t kVolumeSize = std::uint64_t{4} << 30U;
constexpr std::size_t kVolumesInArchive = 64;
constexpr std::uint32_t kChunkSize = 256 * 1024;

double seconds_since(Clock::time_point begin) {
  return std::chrono::duration<double>(Clock::now() - begin).count();
}

long peak_mib() {
  rusage used{};
  ::getrusage(RUSAGE_SELF, &used);
  return used.ru_maxrss / 1024;
}

archive::ChunkId random_id(std::mt19937_64& random) {
  archive::ChunkId::Array bytes{};
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    base::write_be64(bytes, i, random());
  }
  return archive::ChunkId(bytes);
}

// The volumes of one archive after another, each with the same number of new chunks.
class Volumes {
 public:
  Volumes(support::CatalogScene& scene, std::size_t chunks)
      : scene_(scene), opened_(scene.open()), keys_(scene.keys()), chunks_(chunks) {}

  void add(std::mt19937_64& random) {
    if (number_ % kVolumesInArchive == 0) begin_archive();
    write_volume(number_ % kVolumesInArchive + 1, random);
    ++number_;
  }

 private:
  void begin_archive() {
    const auto content_key = must(keyvault::Secret::random(archive::kKeySize));
    const archive::ArchiveId id = must(archive::ArchiveWriter::draw_id());
    archive_keys_ = must(derive_archive_keys(content_key, id));
    // A small archive, written as always, shows what header.json says of these keys.
    const auto catalog = scene_.memory();
    const auto writer =
        must(archive::begin_archive({opened_.store(),
                                     opened_.id(),
                                     opened_.document().settings,
                                     scene_.anna.key(),
                                     *catalog,
                                     support::at(100),
                                     {},
                                     id,
                                     nullptr},
                                    opened_.document().recipients, keys_, content_key));
    must(writer->add_file("config", "domain.xml", base::as_bytes("<domain/>"), {}));
    must(writer->commit(support::manifest_of({}), {}, {1, {}}));
    const std::string name = archive::volume_name(id, 1);
    const auto object = must(opened_.store().examine(name));
    const auto tail = must(read_volume_tail(opened_.store(), object, opened_.trust()));
    header_ = must(
        read_volume_header(opened_.store(), name, tail, opened_.id(), opened_.trust()));
    std::filesystem::remove(scene_.path_of(name));
  }

  void write_volume(std::size_t number, std::mt19937_64& random) {
    header_.number = static_cast<std::uint32_t>(number);
    const std::string header = to_json_text(header_);
    const std::string name = archive::volume_name(header_.archive, header_.number);
    std::ofstream file(scene_.path_of(name), std::ios::binary);
    std::uint64_t at = 0;
    std::vector<archive::MemberSum> sums;
    const auto add = [&](const std::string& member, base::ByteView content) {
      const auto block = archive::tar_header(member, content.size());
      file.seekp(static_cast<std::streamoff>(at));
      file.write(reinterpret_cast<const char*>(block.data()), block.size());
      file.write(reinterpret_cast<const char*>(content.data()),
                 static_cast<std::streamsize>(content.size()));
      at += archive::kTarBlock + archive::tar_padded(content.size());
      sums.push_back({member, keyvault::sha256(content)});
    };
    add("header.json", base::as_bytes(header));
    const std::vector<archive::IndexEntry> entries = make_entries(at, random);
    for (std::uint32_t segment = 1; at < kVolumeSize; ++segment) {
      at += archive::kTarBlock + archive::kMaxSegmentSize;
      sums.push_back({archive::segment_name(segment), {}});
    }
    archive::Footer footer;
    footer.tail = at;
    footer.header_size = static_cast<std::uint32_t>(header.size());
    const base::Bytes index = seal(entries);
    footer.index_size = static_cast<std::uint32_t>(index.size());
    add("index", index);
    const std::string text = archive::to_sums_text(sums);
    const auto signature = must(scene_.anna.key().sign(base::as_bytes(text)));
    footer.sums_size = static_cast<std::uint32_t>(text.size());
    add("SHA256SUMS", base::as_bytes(text));
    add("SHA256SUMS.sig", signature);
    footer.length = at + archive::kFooterReach;
    add("footer", encode(footer));
    file.close();
    std::filesystem::resize_file(scene_.path_of(name), footer.length);
    if (!file) throw std::runtime_error("cannot write " + name);
  }

  std::vector<archive::IndexEntry> make_entries(std::uint64_t at,
                                                std::mt19937_64& random) const {
    std::vector<archive::IndexEntry> entries(chunks_);
    const std::uint64_t each = kVolumeSize / chunks_;
    for (std::size_t i = 0; i < chunks_; ++i) {
      entries[i].id = random_id(random);
      entries[i].offset = at + archive::kTarBlock + i * each;
      entries[i].stored_size =
          static_cast<std::uint32_t>(std::min<std::uint64_t>(each, kChunkSize + 64));
      entries[i].plain_size = kChunkSize;
    }
    return entries;
  }

  base::Bytes seal(std::span<const archive::IndexEntry> entries) {
    archive::FrameCounter counter;
    auto sealer = must(archive::FrameSealer::create(
        {archive_keys_, keys_.id_key, counter, 1, nullptr}));
    base::Bytes frames;
    while (!entries.empty()) {
      const auto count =
          std::min<std::size_t>(entries.size(), archive::kMaxIndexEntriesInFrame);
      const base::Bytes plain = archive::encode_index_entries(entries.first(count));
      const auto id =
          sealer.id_of(archive::FrameKind::kIndex, archive::IdScope::kShared, plain);
      const base::ByteView frame = must(sealer.seal(
          archive::FrameKind::kIndex, archive::IdScope::kShared, id, plain));
      frames.insert(frames.end(), frame.begin(), frame.end());
      entries = entries.subspan(count);
    }
    return frames;
  }

  support::CatalogScene& scene_;
  archive::Repository opened_;
  archive::RepositoryKeys keys_;
  std::size_t chunks_;
  std::size_t number_ = 0;
  archive::ArchiveKeys archive_keys_;
  archive::VolumeHeader header_;
};

void empty_page_cache() {
  ::sync();
  std::ofstream("/proc/sys/vm/drop_caches") << 3;
}

void say(const char* what, double seconds, std::uint64_t count) {
  std::printf(
      "{\"what\": \"%s\", \"seconds\": %.2f, \"count\": %llu, "
      "\"a_second\": %.0f, \"peak_mib\": %ld}\n",
      what, seconds, static_cast<unsigned long long>(count),
      static_cast<double>(count) / seconds, peak_mib());
  std::fflush(stdout);
}

void look_up(const char* what, const catalog::Catalog& catalog,
             const std::vector<archive::ChunkId>& ids, bool is_known) {
  const auto begin = Clock::now();
  for (const archive::ChunkId& id : ids) {
    if (catalog.contains(id).value() != is_known) {
      throw std::runtime_error("a lookup is wrong");
    }
  }
  say(what, seconds_since(begin), ids.size());
}

void measure(std::size_t volumes, std::size_t chunks, std::size_t night) {
  support::CatalogScene scene;
  Volumes made(scene, chunks);
  std::mt19937_64 random(1);
  auto begin = Clock::now();
  for (std::size_t i = 0; i < volumes; ++i) made.add(random);
  say("volumes made", seconds_since(begin), volumes);

  const support::ScratchFolder scratch;
  const auto path = scratch.path() / "catalog.db";
  auto catalog = must(catalog::Catalog::open(path, scene.repository.made.id()));
  const auto refresh = [&] {
    must(scene.refresh(*catalog, catalog::Unbelieved::kStop, scene.anna.id()));
  };
  begin = Clock::now();
  refresh();
  say("rebuild: chunks", seconds_since(begin), volumes * chunks);
  const auto bytes = std::filesystem::file_size(path);
  std::printf("{\"what\": \"catalog\", \"bytes\": %llu, \"a_chunk\": %.1f}\n",
              static_cast<unsigned long long>(bytes),
              static_cast<double>(bytes) / static_cast<double>(volumes * chunks));
  begin = Clock::now();
  refresh();
  say("refresh, nothing new: volumes", seconds_since(begin), volumes);
  if (night > 0) {
    for (std::size_t i = 0; i < night; ++i) made.add(random);
    empty_page_cache();
    begin = Clock::now();
    refresh();
    say("refresh of a night: chunks", seconds_since(begin), night * chunks);
  }

  // Every so many of the ids, in the order in which they were made, which is none.
  const std::size_t wanted = 200'000;
  const std::size_t step = std::max<std::size_t>(1, volumes * chunks / wanted);
  std::vector<archive::ChunkId> known;
  std::vector<archive::ChunkId> unknown;
  std::mt19937_64 again(1);
  for (std::size_t i = 0; i < volumes * chunks; ++i) {
    const archive::ChunkId id = random_id(again);
    if (i % step == 0) known.push_back(id);
  }
  for (std::size_t i = 0; i < known.size(); ++i) unknown.push_back(random_id(random));
  look_up("known chunks, first time", *catalog, known, true);
  look_up("known chunks, again", *catalog, known, true);
  look_up("unknown chunks", *catalog, unknown, false);
  known.resize(std::min<std::size_t>(known.size(), 20'000));
  unknown.resize(known.size());
  empty_page_cache();
  catalog = must(catalog::Catalog::open(path, scene.repository.made.id()));
  refresh();
  empty_page_cache();
  look_up("known chunks, cold", *catalog, known, true);
  empty_page_cache();
  look_up("unknown chunks, cold", *catalog, unknown, false);
}

}  // namespace

int main(int count, char** words) {
  if (count != 4) {
    std::cerr << "usage: catalog_scale VOLUMES CHUNKS NIGHT\n";
    return 2;
  }
  try {
    measure(std::stoul(words[1]), std::stoul(words[2]), std::stoul(words[3]));
  } catch (const std::exception& failure) {
    std::cerr << failure.what() << '\n';
    return 1;
  }
  return 0;
}
