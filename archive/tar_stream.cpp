#include "archive/tar_stream.h"

#include <archive.h>
#include <archive_entry.h>

#include <optional>
#include <string>

#include "base/handle.h"

namespace sealift::archive {

namespace {

using TarWriter = base::Handle<::archive, archive_write_free>;
using TarEntry = base::Handle<::archive_entry, archive_entry_free>;

class LibarchiveStream final : public TarStream {
 public:
  explicit LibarchiveStream(PendingObject& object)
      : object_(&object), writer_(archive_write_new()), entry_(archive_entry_new()) {}

  base::Status open() {
    if (!writer_ || !entry_) return failed("cannot set up libarchive");
    // Bytes per block 0: what is written is handed on as it is, without blocking.
    const bool is_ready =
        archive_write_set_format_pax_restricted(writer_.get()) == ARCHIVE_OK &&
        archive_write_set_bytes_per_block(writer_.get(), 0) == ARCHIVE_OK &&
        archive_write_set_bytes_in_last_block(writer_.get(), 1) == ARCHIVE_OK &&
        archive_write_open2(writer_.get(), this, nullptr, take_bytes, nullptr,
                            nullptr) == ARCHIVE_OK;
    if (!is_ready) return failed("cannot begin a volume");
    return base::Done{};
  }

  base::Status add(std::string_view name, base::ByteView content) override {
    archive_entry_clear(entry_.get());
    archive_entry_set_pathname(entry_.get(), std::string(name).c_str());
    archive_entry_set_size(entry_.get(), static_cast<la_int64_t>(content.size()));
    archive_entry_set_filetype(entry_.get(), AE_IFREG);
    archive_entry_set_perm(entry_.get(), 0644);
    archive_entry_set_uid(entry_.get(), 0);
    archive_entry_set_gid(entry_.get(), 0);
    archive_entry_set_mtime(entry_.get(), 0, 0);
    if (archive_write_header(writer_.get(), entry_.get()) != ARCHIVE_OK) {
      return failed("cannot write a member of a volume");
    }
    const la_ssize_t written =
        archive_write_data(writer_.get(), content.data(), content.size());
    const bool is_whole = written >= 0 &&
                          static_cast<std::size_t>(written) == content.size() &&
                          archive_write_finish_entry(writer_.get()) == ARCHIVE_OK;
    if (!is_whole || failure_) return failed("cannot write a member of a volume");
    return base::Done{};
  }

  base::Status end() override {
    if (archive_write_close(writer_.get()) != ARCHIVE_OK || failure_) {
      return failed("cannot end a volume");
    }
    return base::Done{};
  }

 private:
  // Takes the bytes even after a failure: libarchive 3.6 leaks the state of a stream
  // whose writer has failed. add() and end() look at failure_ instead.
  static la_ssize_t take_bytes(::archive*, void* self, const void* bytes,
                               std::size_t size) {
    auto* stream = static_cast<LibarchiveStream*>(self);
    if (!stream->failure_) {
      const base::ByteView view(static_cast<const std::byte*>(bytes), size);
      auto appended = stream->object_->append(view);
      if (!appended) stream->failure_ = std::move(appended).error();
    }
    return static_cast<la_ssize_t>(size);
  }

  base::Error failed(std::string what) {
    if (failure_) return *failure_;
    const char* words = writer_ ? archive_error_string(writer_.get()) : nullptr;
    return base::Error(base::ErrorCode::kIo, std::move(what))
        .because(words == nullptr ? "libarchive gives no reason" : words);
  }

  PendingObject* object_;
  std::optional<base::Error> failure_;
  TarWriter writer_;
  TarEntry entry_;
};

}  // namespace

base::Result<std::unique_ptr<TarStream>> TarStream::begin(PendingObject& object) {
  auto stream = std::make_unique<LibarchiveStream>(object);
  RETURN_IF_ERROR(stream->open());
  return std::unique_ptr<TarStream>(std::move(stream));
}

}  // namespace sealift::archive
