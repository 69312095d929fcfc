#include "keyvault/secret_file.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"
#include "tests/support/scratch_folder.h"

namespace sealift::keyvault {
namespace {

using base::ErrorCode;

struct Scratch {
  support::ScratchFolder folder;

  std::string write(std::string_view text, mode_t mode = 0600) const {
    std::string path = (folder.path() / "file").string();
    std::ofstream(path, std::ios::binary) << text;
    ::chmod(path.c_str(), mode);
    return path;
  }
};

std::string passphrase_in(std::string_view text) {
  const Scratch scratch;
  const auto passphrase = read_passphrase_file(scratch.write(text));
  return passphrase ? std::string(base::as_text(passphrase->view()))
                    : "refused: " + passphrase.error().what();
}

ErrorCode refusal_of(const std::string& path, SecretFilePlace place) {
  const auto content = read_secret_file(path, 100, place);
  REQUIRE_FALSE(content);
  return content.error().code();
}

}  // namespace

TEST_CASE("every byte of a secret file counts", "[keyvault]") {
  const Scratch scratch;
  const std::string text("key\0with NUL and newline\r\n\n", 27);
  const Secret content =
      read_secret_file(scratch.write(text), 100, SecretFilePlace::kPrivate).value();
  CHECK(base::as_text(content.view()) == text);
}

TEST_CASE("a secret file of exactly the limit is read, one byte more is refused",
          "[keyvault]") {
  const Scratch scratch;
  CHECK(read_secret_file(scratch.write(std::string(100, 'x')), 100,
                         SecretFilePlace::kAnywhere)
            ->size() == 100);
  CHECK(refusal_of(scratch.write(std::string(101, 'x')), SecretFilePlace::kAnywhere) ==
        ErrorCode::kRefused);
}

TEST_CASE("a secret file that is not there is not found", "[keyvault]") {
  CHECK(refusal_of("/nonexistent/file", SecretFilePlace::kAnywhere) ==
        ErrorCode::kNotFound);
  CHECK(refusal_of("/nonexistent/file", SecretFilePlace::kPrivate) ==
        ErrorCode::kNotFound);
}

TEST_CASE("a private secret file that others can read is refused", "[keyvault]") {
  const Scratch scratch;
  const mode_t mode = GENERATE(0640U, 0620U, 0604U, 0602U, 0610U, 0601U);
  CHECK(refusal_of(scratch.write("key", mode), SecretFilePlace::kPrivate) ==
        ErrorCode::kRefused);
}

TEST_CASE("a private secret file behind a symlink is refused", "[keyvault]") {
  const Scratch scratch;
  const std::string path = scratch.write("key");
  const std::string link = path + "-link";
  REQUIRE(::symlink(path.c_str(), link.c_str()) == 0);
  CHECK(refusal_of(link, SecretFilePlace::kPrivate) == ErrorCode::kRefused);
  CHECK(read_secret_file(link, 100, SecretFilePlace::kAnywhere)->size() == 3);
  CHECK(read_secret_file(link, 100, SecretFilePlace::kRegular)->size() == 3);
}

TEST_CASE("a secret file that is a pipe is refused, not waited for", "[keyvault]") {
  const Scratch scratch;
  const std::string path = (scratch.folder.path() / "pipe").string();
  REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
  CHECK(refusal_of(path, SecretFilePlace::kPrivate) == ErrorCode::kRefused);
  CHECK(refusal_of(path, SecretFilePlace::kRegular) == ErrorCode::kRefused);
}

TEST_CASE("a passphrase may come through a pipe", "[keyvault]") {
  std::array<int, 2> ends{};
  REQUIRE(::pipe(ends.data()) == 0);
  REQUIRE(::write(ends[1], "word\n", 5) == 5);
  ::close(ends[1]);
  const auto passphrase = read_passphrase_file("/dev/fd/" + std::to_string(ends[0]));
  ::close(ends[0]);
  REQUIRE(passphrase);
  CHECK(base::as_text(passphrase->view()) == "word");
}

TEST_CASE("a folder is no secret file", "[keyvault]") {
  const Scratch scratch;
  CHECK(refusal_of(scratch.folder.path().string(), SecretFilePlace::kPrivate) ==
        ErrorCode::kRefused);
  CHECK(refusal_of(scratch.folder.path().string(), SecretFilePlace::kAnywhere) ==
        ErrorCode::kIo);
}

TEST_CASE("a passphrase is the first line without its line end", "[keyvault]") {
  CHECK(passphrase_in("correct horse") == "correct horse");
  CHECK(passphrase_in("correct horse\n") == "correct horse");
  CHECK(passphrase_in("correct horse\r\n") == "correct horse");
  CHECK(passphrase_in("correct horse\nbattery\n") == "correct horse");
  CHECK(passphrase_in(" with spaces \n") == " with spaces ");
  CHECK(passphrase_in("carriage\rreturn\n") == "carriage\rreturn");
}

TEST_CASE("a passphrase file with an empty first line is refused", "[keyvault]") {
  const std::string refusal = "refused: the first line of the passphrase file is empty";
  CHECK(passphrase_in("") == refusal);
  CHECK(passphrase_in("\n") == refusal);
  CHECK(passphrase_in("\r\n") == refusal);
  CHECK(passphrase_in("\ncorrect horse\n") == refusal);
}

}  // namespace sealift::keyvault
