#include "archive/sealing_stages.h"

#include <algorithm>
#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <thread>

#include "archive/archive_keys.h"
#include "archive/frame_sealer.h"
#include "base/byte_count.h"

namespace sealift::archive {

namespace {

using Clock = std::chrono::steady_clock;

constexpr const char* kOpening = "opened again, and its id";

/// What one thread does with one chunk.
using Work = std::function<base::Status(base::ByteView chunk)>;
using MakeWork = std::function<base::Result<Work>()>;

// Next numbers of a fixed sequence (Knuth's MMIX generator).
class Numbers {
 public:
  std::uint64_t next() {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;
    return state_ >> 24U;
  }

 private:
  std::uint64_t state_ = 2026;
};

/// Threads that run one stage for a while.
class Measurement {
 public:
  Measurement(base::ByteView sample, std::size_t chunk_size,
              std::chrono::milliseconds each, const std::stop_token& stop)
      : sample_(sample), chunk_size_(chunk_size), each_(each), stop_(stop) {}

  base::Result<double> rate(const MakeWork& make, unsigned jobs) {
    bytes_ = 0;
    const auto begin = Clock::now();
    {
      std::vector<std::jthread> threads;
      for (unsigned i = 0; i < jobs; ++i) {
        threads.emplace_back([this, &make, i, jobs] {
          auto done = run(make, sample_.size() / jobs * i);
          const std::lock_guard guard(guard_);
          if (!done && !failure_) failure_ = std::move(done).error();
        });
      }
    }
    if (failure_) return *failure_;
    const std::chrono::duration<double> spent = Clock::now() - begin;
    return static_cast<double>(bytes_) / spent.count();
  }

 private:
  base::Status run(const MakeWork& make, std::size_t at) {
    ASSIGN_OR_RETURN(const Work work, make());
    at = at / chunk_size_ * chunk_size_;
    for (const auto end = Clock::now() + each_; Clock::now() < end;) {
      if (stop_.stop_requested()) {
        return base::Error(base::ErrorCode::kInterrupted, "the benchmark was stopped");
      }
      if (at + chunk_size_ > sample_.size()) at = 0;
      RETURN_IF_ERROR(work(sample_.subspan(at, chunk_size_)));
      at += chunk_size_;
      bytes_ += chunk_size_;
    }
    return base::Done{};
  }

  const base::ByteView sample_;
  const std::size_t chunk_size_;
  const std::chrono::milliseconds each_;
  const std::stop_token& stop_;
  std::atomic<std::uint64_t> bytes_ = 0;
  std::mutex guard_;
  std::optional<base::Error> failure_;
};

/// Keys that exist for as long as the measurement, and frames that go nowhere.
class Stages {
 public:
  static base::Result<std::unique_ptr<Stages>> make(const RepositorySettings& settings,
                                                    base::ByteView sample) {
    ArchiveId::Array drawn{};
    ASSIGN_OR_RETURN(const keyvault::Secret content,
                     keyvault::Secret::random(kKeySize));
    ASSIGN_OR_RETURN(ArchiveKeys keys, derive_archive_keys(content, ArchiveId(drawn)));
    ASSIGN_OR_RETURN(keyvault::Secret id_key, keyvault::Secret::random(kKeySize));
    std::unique_ptr<Stages> stages(
        new Stages(settings, std::move(keys), std::move(id_key)));
    RETURN_IF_ERROR(stages->prepare(sample.first(settings.chunk_size)));
    return stages;
  }

  base::Result<double> stored_share(base::ByteView sample) const {
    ASSIGN_OR_RETURN(FrameSealer sealer, FrameSealer::create(parts_));
    std::uint64_t stored = 0;
    std::uint64_t plain = 0;
    for (std::size_t at = 0; at + settings_.chunk_size <= sample.size();
         at += settings_.chunk_size) {
      const auto chunk = sample.subspan(at, settings_.chunk_size);
      ASSIGN_OR_RETURN(const base::ByteView frame, seal(sealer, chunk));
      stored += frame.size();
      plain += chunk.size();
    }
    return static_cast<double>(stored) / static_cast<double>(plain);
  }

  base::Result<Work> zero_check() const {
    const auto zeros = std::make_shared<base::Bytes>(settings_.chunk_size);
    return Work([zeros](base::ByteView) -> base::Status {
      if (base::is_all_zero(*zeros)) return base::Done{};
      return base::Error(base::ErrorCode::kDefect, "zeros are not zero");
    });
  }

  base::Result<Work> id() const {
    return with_sealer([](FrameSealer& sealer, base::ByteView chunk) -> base::Status {
      static_cast<void>(sealer.id_of(FrameKind::kData, IdScope::kShared, chunk));
      return base::Done{};
    });
  }

  base::Result<Work> compression() const {
    ASSIGN_OR_RETURN(Compressor made, Compressor::create(settings_.zstd_level));
    const auto compressor = std::make_shared<Compressor>(std::move(made));
    const auto packed =
        std::make_shared<base::Bytes>(Compressor::packed_bound(settings_.chunk_size));
    return Work([compressor, packed](base::ByteView chunk) -> base::Status {
      RETURN_IF_ERROR(compressor->pack(chunk, *packed));
      return base::Done{};
    });
  }

  // Of what compression leaves, so that the rate is one of plaintext.
  base::Result<Work> encryption() const {
    ASSIGN_OR_RETURN(FrameCipher made, FrameCipher::create(keys_.data));
    const auto cipher = std::make_shared<FrameCipher>(std::move(made));
    const auto sealed = std::make_shared<base::Bytes>(frame_.size() - kFrameHeaderSize);
    return Work([this, cipher, sealed](base::ByteView chunk) -> base::Status {
      const std::size_t size = sealed->size() - kFrameTagSize;
      return cipher->cipher.seal(nonce_of(counter_.take()), {}, chunk.first(size),
                                 *sealed);
    });
  }

  base::Result<Work> opening() const {
    struct State {
      FrameCipher cipher;
      keyvault::HmacSha256 ids;
      FrameOpener opener;
    };
    ASSIGN_OR_RETURN(FrameCipher cipher, FrameCipher::create(keys_.data));
    ASSIGN_OR_RETURN(keyvault::HmacSha256 ids, keyvault::HmacSha256::create(id_key_));
    ASSIGN_OR_RETURN(FrameOpener opener, FrameOpener::create());
    const auto state = std::make_shared<State>(
        State{std::move(cipher), std::move(ids), std::move(opener)});
    return Work([this, state](base::ByteView) -> base::Status {
      ASSIGN_OR_RETURN(const FrameHeader header, decode_frame_header(frame_));
      RETURN_IF_ERROR(state->opener.open(frame_, header, state->cipher, state->ids));
      return base::Done{};
    });
  }

  base::Result<Work> sums() const {
    return Work([this](base::ByteView) -> base::Status {
      static_cast<void>(keyvault::sha256(frame_));
      return base::Done{};
    });
  }

  base::Result<Work> sealing() const {
    return with_sealer([](FrameSealer& sealer, base::ByteView chunk) -> base::Status {
      ASSIGN_OR_RETURN(const base::ByteView frame, seal(sealer, chunk));
      static_cast<void>(keyvault::sha256(frame));
      return base::Done{};
    });
  }

 private:
  Stages(const RepositorySettings& settings, ArchiveKeys keys, keyvault::Secret id_key)
      : settings_(settings), keys_(std::move(keys)), id_key_(std::move(id_key)) {}

  static base::Result<base::ByteView> seal(FrameSealer& sealer, base::ByteView chunk) {
    return sealer.seal(FrameKind::kData, IdScope::kShared,
                       sealer.id_of(FrameKind::kData, IdScope::kShared, chunk), chunk);
  }

  base::Status prepare(base::ByteView chunk) {
    ASSIGN_OR_RETURN(FrameSealer sealer, FrameSealer::create(parts_));
    ASSIGN_OR_RETURN(const base::ByteView frame, seal(sealer, chunk));
    frame_.assign(frame.begin(), frame.end());
    return base::Done{};
  }

  template <typename Action>
  base::Result<Work> with_sealer(Action action) const {
    ASSIGN_OR_RETURN(FrameSealer made, FrameSealer::create(parts_));
    const auto sealer = std::make_shared<FrameSealer>(std::move(made));
    return Work(
        [sealer, action](base::ByteView chunk) { return action(*sealer, chunk); });
  }

  RepositorySettings settings_;
  ArchiveKeys keys_;
  keyvault::Secret id_key_;
  mutable FrameCounter counter_;
  SealerParts parts_{keys_, id_key_, counter_, settings_.zstd_level, nullptr};
  base::Bytes frame_;  ///< Of the sample's first chunk.
};

}  // namespace

base::Bytes sample_of_a_disk(std::size_t size) {
  constexpr std::size_t kPiece = 16 * base::kKiB;
  base::Bytes sample;
  sample.reserve(size + kPiece);
  Numbers numbers;
  const auto add = [&sample](std::string_view text) {
    const base::ByteView bytes = base::as_bytes(text);
    sample.insert(sample.end(), bytes.begin(), bytes.end());
  };
  for (std::size_t piece = 0; sample.size() < size; ++piece) {
    const std::size_t end = sample.size() + kPiece;
    while (sample.size() < end) {
      const std::uint64_t number = numbers.next();
      switch (piece % 4) {
        case 0:  // Words of a few thousand.
        case 1:
          add("word" + std::to_string(number % 3000) +
              (number % 11 == 0 ? ".\n" : " "));
          break;
        case 2:  // Records of a table, mostly alike.
          add("\x01" + std::to_string(sample.size() / 64) + std::string(40, '\0') +
              std::to_string(number % 100));
          break;
        default:  // What is compressed already.
          for (unsigned shift = 0; shift < 32; shift += 8) {
            sample.push_back(static_cast<std::byte>(number >> shift & 0xffU));
          }
      }
    }
  }
  sample.resize(size);
  return sample;
}

base::Bytes noise(std::size_t size) {
  base::Bytes bytes(size);
  Numbers numbers;
  for (std::byte& byte : bytes) byte = static_cast<std::byte>(numbers.next() & 0xffU);
  return bytes;
}

base::Result<SealingRates> measure_sealing(base::ByteView sample,
                                           const RepositorySettings& settings,
                                           unsigned jobs,
                                           std::chrono::milliseconds each,
                                           const std::stop_token& stop) {
  ASSIGN_OR_RETURN(const std::unique_ptr<Stages> stages,
                   Stages::make(settings, sample));
  SealingRates rates;
  ASSIGN_OR_RETURN(rates.stored_share, stages->stored_share(sample));
  Measurement measurement(sample, settings.chunk_size, each, stop);
  const auto measure = [&](std::string name,
                           const MakeWork& make) -> base::Result<StageRate> {
    StageRate rate{std::move(name), 0, 0};
    ASSIGN_OR_RETURN(rate.one, measurement.rate(make, 1));
    ASSIGN_OR_RETURN(rate.all, measurement.rate(make, jobs));
    return rate;
  };
  const std::vector<std::pair<const char*, MakeWork>> all{
      {kZeroCheck, [&] { return stages->zero_check(); }},
      {"id (HMAC-SHA-256)", [&] { return stages->id(); }},
      {"compression", [&] { return stages->compression(); }},
      {"encryption (AES-256-GCM)", [&] { return stages->encryption(); }},
      {kOpening, [&] { return stages->opening(); }},
      {"sums (SHA-256)", [&] { return stages->sums(); }}};
  for (const auto& [name, make] : all) {
    ASSIGN_OR_RETURN(StageRate rate, measure(name, make));
    rates.stages.push_back(std::move(rate));
  }
  ASSIGN_OR_RETURN(rates.sealing,
                   measure("all of a backup", [&] { return stages->sealing(); }));
  // A restore does what a backup does when it opens a frame again.
  rates.opening = *std::ranges::find(rates.stages, kOpening, &StageRate::name);
  rates.opening.name = "all of a restore";
  return rates;
}

}  // namespace sealift::archive
