#include "vm/nbd_reader.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "base/byte_count.h"

namespace sealift::vm {

namespace {

// QEMU, docs/interop/nbd.txt.
constexpr const char* kBitmapContext = "qemu:dirty-bitmap:";
constexpr std::uint32_t kIsDirty = 1;
// Lengths of NBD requests have 32 bits.
constexpr std::uint64_t kQuestionLimit = 2 * base::kGiB;

base::Error nbd_error(std::string what) {
  const char* words = nbd_get_error();
  return base::Error(base::ErrorCode::kIo, std::move(what))
      .because(words == nullptr ? "" : words);
}

// A server that answers, and says no, has a disk that cannot be read.
base::Error answered_error(nbd_handle* handle, std::string what) {
  base::Error error = nbd_error(what);
  if (nbd_aio_is_ready(handle) != 1) return error;
  return base::Error(base::ErrorCode::kRefused, std::move(what)).because(error.cause());
}

// What a question is about, and what was answered.
struct Question {
  const std::string& context;
  bool is_about_changes;
  std::vector<Extent> answer;
};

// Called by libnbd; `entries` are pairs of a length and its flags.
int note_extents(void* user_data, const char* context, std::uint64_t /*offset*/,
                 std::uint32_t* entries, std::size_t count, int* /*error*/) {
  auto& question = *static_cast<Question*>(user_data);
  if (question.context != context) return 0;
  for (std::size_t i = 0; i + 1 < count; i += 2) {
    const std::uint32_t flags = entries[i + 1];
    const bool is_hole = question.is_about_changes ? (flags & kIsDirty) == 0
                                                   : (flags & LIBNBD_STATE_ZERO) != 0;
    question.answer.push_back({entries[i], is_hole});
  }
  return 0;
}

// Called by libnbd, which fills the buffer by itself.
int note_chunk(void* /*user_data*/, const void* /*chunk*/, std::size_t /*count*/,
               std::uint64_t /*offset*/, unsigned /*status*/, int* /*error*/) {
  return 0;
}

}  // namespace

base::Result<base::FileDescriptor> make_socket() {
  base::FileDescriptor socket(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (!socket) return base::system_error(errno, "cannot make a socket");
  return socket;
}

base::Status connect_to_socket(const base::FileDescriptor& socket,
                               const std::string& path) {
  // A folder's descriptor makes the longest path short enough for an address.
  const std::filesystem::path place(path);
  const base::FileDescriptor folder(
      ::open(place.parent_path().c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder) {
    return base::system_error(errno, "cannot open the folder of a socket")
        .at("socket", path);
  }
  const std::string name =
      "/proc/self/fd/" + std::to_string(folder.get()) + "/" + place.filename().string();
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (name.size() >= sizeof address.sun_path) {
    return base::system_error(ENAMETOOLONG, "cannot connect to a socket")
        .at("socket", path);
  }
  std::memcpy(address.sun_path, name.c_str(), name.size() + 1);
  if (::connect(socket.get(), reinterpret_cast<const sockaddr*>(&address),
                sizeof address) != 0) {
    return base::system_error(errno, "cannot connect to a socket").at("socket", path);
  }
  return base::Done{};
}

base::Result<std::unique_ptr<NbdReader>> NbdReader::open(base::FileDescriptor socket,
                                                         const std::string& export_name,
                                                         const std::string& bitmap) {
  std::unique_ptr<NbdReader> reader(new NbdReader);
  reader->handle_.reset(nbd_create());
  nbd_handle* handle = reader->handle_.get();
  if (handle == nullptr) return nbd_error("cannot make an NBD client");
  if (!bitmap.empty()) reader->context_ = kBitmapContext + bitmap;
  const char* context = reader->context_.c_str();
  if (nbd_set_export_name(handle, export_name.c_str()) != 0 ||
      nbd_add_meta_context(handle, context) != 0 ||
      nbd_set_pread_initialize(handle, false) != 0 ||
      nbd_connect_socket(handle, socket.release()) != 0) {
    return nbd_error("cannot reach the disk over NBD");
  }
  const std::int64_t size = nbd_get_size(handle);
  if (size < 0) return nbd_error("cannot learn the disk's size over NBD");
  reader->size_ = static_cast<std::uint64_t>(size);
  reader->has_whole_answers_ = nbd_can_df(handle) == 1;
  reader->has_context_ = nbd_can_meta_context(handle, context) == 1;
  reader->is_about_changes_ = !bitmap.empty();
  if (reader->is_about_changes_ && !reader->has_context_) {
    return base::Error(base::ErrorCode::kIo,
                       "the NBD server does not say what changed on the disk");
  }
  return reader;
}

base::Result<std::vector<Extent>> NbdReader::extents(std::uint64_t offset,
                                                     std::uint64_t size) {
  if (is_about_changes_) {
    return base::Error(base::ErrorCode::kDefect, "a bitmap does not say what is there");
  }
  const std::uint64_t asked = std::min(size, kQuestionLimit);
  if (!has_context_) return std::vector<Extent>{{asked, false}};
  return ask(offset, asked);
}

base::Result<std::vector<Extent>> NbdReader::changes(std::uint64_t offset,
                                                     std::uint64_t size) {
  if (!is_about_changes_) {
    return base::Error(base::ErrorCode::kDefect, "no bitmap says what changed");
  }
  return ask(offset, std::min(size, kQuestionLimit));
}

base::Result<std::vector<Extent>> NbdReader::ask(std::uint64_t offset,
                                                 std::uint64_t size) {
  Question question{context_, is_about_changes_, {}};
  const nbd_extent_callback callback{note_extents, &question, nullptr};
  if (nbd_block_status(handle_.get(), size, offset, callback, 0) != 0) {
    return answered_error(handle_.get(), "cannot list what the disk holds")
        .at("offset", std::to_string(offset));
  }
  if (question.answer.empty()) {
    return base::Error(base::ErrorCode::kIo,
                       "the NBD server does not say what it holds")
        .at("offset", std::to_string(offset));
  }
  return std::move(question.answer);
}

// QEMU 7.2 hangs up, rather than answer with an error, when a read fails that it may
// answer in fragments: a bad place on the disk would look like a QEMU that died.
int NbdReader::pread(std::uint64_t offset, std::span<std::byte> bytes) {
  if (!has_whole_answers_) {
    return nbd_pread(handle_.get(), bytes.data(), bytes.size(), offset, 0);
  }
  const nbd_chunk_callback callback{note_chunk, nullptr, nullptr};
  return nbd_pread_structured(handle_.get(), bytes.data(), bytes.size(), offset,
                              callback, LIBNBD_CMD_FLAG_DF);
}

base::Status NbdReader::read(std::uint64_t offset, std::span<std::byte> bytes) {
  if (pread(offset, bytes) != 0) {
    return answered_error(handle_.get(), "cannot read the disk")
        .at("offset", std::to_string(offset));
  }
  return base::Done{};
}

}  // namespace sealift::vm
