#include "vm/guard_channel.h"

#include "tests/support/catch.h"

namespace sealift::vm {

namespace {

constexpr auto kSoon = std::chrono::milliseconds(1000);
using Arrival = GuardChannel::Arrival;

}  // namespace

TEST_CASE("what a capture said before it died still arrives, sockets too", "[vm]") {
  GuardChannel::Pair pair = GuardChannel::make_pair().value();
  GuardChannel guard(std::move(pair.of_guard));
  GuardChannel::Pair passed = GuardChannel::make_pair().value();
  CaptureTraces traces;
  traces.is_paused = true;
  traces.mark = "/d/sealift-1.paused";
  traces.is_frozen = true;
  traces.frozen_mark = "/d/sealift-1.frozen";
  traces.socket = "/d/Ünï çödé";
  traces.scratch_files = {"/d/a", "/d/b"};
  traces.checkpoint = "sealift-x-1";
  traces.overlays = {{"vda", "/i/a.sealift-1", "/i/a"}};
  {
    GuardChannel capture(std::move(pair.ours));
    REQUIRE(capture.send({{"hold", to_json(traces)}}));
    REQUIRE(capture.send({{"drain", true}}, passed.ours.get()));
  }
  passed.ours = base::FileDescriptor();

  GuardChannel::Message message;
  REQUIRE(guard.receive(message, kSoon) == Arrival::kMessage);
  const CaptureTraces held = traces_from_json(message.json["hold"]).value();
  CHECK(held.is_paused);
  CHECK(held.mark == traces.mark);
  CHECK(held.is_frozen);
  CHECK(held.frozen_mark == traces.frozen_mark);
  CHECK(held.socket == traces.socket);
  CHECK(held.scratch_files == traces.scratch_files);
  CHECK(held.checkpoint == traces.checkpoint);
  REQUIRE(held.overlays.size() == 1);
  CHECK(held.overlays[0].target == "vda");
  CHECK(held.overlays[0].path == "/i/a.sealift-1");
  CHECK(held.overlays[0].base == "/i/a");

  REQUIRE(guard.receive(message, kSoon) == Arrival::kMessage);
  REQUIRE(message.passed);
  GuardChannel through(std::move(message.passed));
  REQUIRE(through.send({{"still", "open"}}));
  GuardChannel other(std::move(passed.of_guard));
  CHECK(other.receive(message, kSoon) == Arrival::kMessage);

  CHECK(guard.receive(message, kSoon) == Arrival::kEnd);
}

TEST_CASE("words arrive from one that died without reading ours", "[vm]") {
  GuardChannel::Pair pair = GuardChannel::make_pair().value();
  GuardChannel guard(std::move(pair.of_guard));
  {
    GuardChannel capture(std::move(pair.ours));
    REQUIRE(guard.send({{"failures", 0}}));
    REQUIRE(capture.send({{"drain", true}}));
  }
  GuardChannel::Message message;
  CHECK(guard.receive(message, kSoon) == Arrival::kMessage);
  CHECK(guard.receive(message, kSoon) == Arrival::kEnd);
}

TEST_CASE("a channel with nobody at the other end says so", "[vm]") {
  GuardChannel::Pair pair = GuardChannel::make_pair().value();
  GuardChannel capture(std::move(pair.ours));
  GuardChannel::Message message;
  CHECK(capture.receive(message, std::chrono::milliseconds(0)) == Arrival::kNothing);
  pair.of_guard = base::FileDescriptor();
  CHECK_FALSE(capture.send({{"undo", true}}));
}

}  // namespace sealift::vm
