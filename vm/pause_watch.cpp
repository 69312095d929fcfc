#include "vm/pause_watch.h"

#include <libvirt/libvirt-qemu.h>

#include <condition_variable>
#include <mutex>
#include <string_view>

namespace sealift::vm {

namespace {

using std::chrono::microseconds;

struct Times {
  std::mutex mutex;
  std::condition_variable has_changed;
  std::optional<microseconds> stopped;
  std::optional<microseconds> resumed;
};

// libvirt may deliver an event while the callback is being taken away: it holds its own
// share of what it writes to.
using Share = std::shared_ptr<Times>;

void note_event(virConnectPtr /*connection*/, virDomainPtr /*domain*/,
                const char* event, long long seconds, unsigned int micros,
                const char* /*details*/, void* opaque) {
  const std::string_view name(event);
  if (name != "STOP" && name != "RESUME") return;
  Times& times = **static_cast<Share*>(opaque);
  const microseconds now = std::chrono::seconds(seconds) + microseconds(micros);
  {
    const std::scoped_lock lock(times.mutex);
    if (name == "STOP") {
      times.stopped = now;
      times.resumed.reset();
    } else if (times.stopped && !times.resumed) {
      times.resumed = now;
    }
  }
  times.has_changed.notify_all();
}

void drop_share(void* opaque) { delete static_cast<Share*>(opaque); }

class QemuPauseWatch final : public PauseWatch {
 public:
  QemuPauseWatch(virConnectPtr connection, int callback, Share times)
      : connection_(connection), callback_(callback), times_(std::move(times)) {}
  QemuPauseWatch(const QemuPauseWatch&) = delete;
  QemuPauseWatch& operator=(const QemuPauseWatch&) = delete;
  ~QemuPauseWatch() override {
    virConnectDomainQemuMonitorEventDeregister(connection_, callback_);
  }

  std::optional<microseconds> wait_for_pause(std::chrono::milliseconds limit) override {
    std::unique_lock lock(times_->mutex);
    const bool came = times_->has_changed.wait_for(
        lock, limit, [this] { return times_->resumed.has_value(); });
    if (!came) return std::nullopt;
    return *times_->resumed - *times_->stopped;
  }

 private:
  virConnectPtr connection_;
  int callback_;
  Share times_;
};

}  // namespace

base::Result<std::unique_ptr<PauseWatch>> PauseWatch::start(
    const Connection& connection, const Domain& domain) {
  auto times = std::make_shared<Times>();
  auto share = std::make_unique<Share>(times);
  const int callback = virConnectDomainQemuMonitorEventRegister(
      connection.get(), domain.get(), nullptr, note_event, share.get(), drop_share, 0);
  if (callback < 0) {
    return take_libvirt_error(base::ErrorCode::kHypervisor,
                              "libvirt does not tell when the VM stands still");
  }
  static_cast<void>(share.release());
  return std::unique_ptr<PauseWatch>(
      std::make_unique<QemuPauseWatch>(connection.get(), callback, std::move(times)));
}

}  // namespace sealift::vm
