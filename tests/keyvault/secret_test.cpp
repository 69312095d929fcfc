#include "keyvault/secret.h"

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <set>
#include <sstream>
#include <string>
#include <type_traits>
#include <vector>

#include "tests/keyvault/vectors.h"
#include "tests/support/catch.h"

namespace sealift::keyvault {
namespace {

template <typename T>
concept Comparable = requires(const T& a, const T& b) {
  a == b;
};
template <typename T>
concept Streamable = requires(std::ostream& out, const T& a) {
  out << a;
};

static_assert(!std::is_copy_constructible_v<Secret>);
static_assert(!std::is_copy_assignable_v<Secret>);
static_assert(std::is_nothrow_move_constructible_v<Secret>);
static_assert(std::is_nothrow_move_assignable_v<Secret>);
static_assert(!Comparable<Secret>);
static_assert(!Streamable<Secret>);
static_assert(!std::is_convertible_v<Secret, std::string_view>);

// What the pages that were unmapped last held (see __wrap_munmap below).
struct Unmapped {
  std::size_t count = 0;
  bool was_all_zero = true;
};
Unmapped unmapped;

// The flags of the mapping that holds `address`, as the kernel has them.
std::set<std::string> flags_at(const void* address) {
  const auto wanted = reinterpret_cast<std::uintptr_t>(address);
  std::ifstream maps("/proc/self/smaps");
  std::string line;
  bool is_there = false;
  while (std::getline(maps, line)) {
    std::uintptr_t begin = 0;
    std::uintptr_t end = 0;
    char dash = 0;
    std::istringstream range(line);
    if (range >> std::hex >> begin >> dash >> end && dash == '-') {
      is_there = begin <= wanted && wanted < end;
    }
    if (is_there && line.starts_with("VmFlags:")) {
      std::istringstream words(line.substr(8));
      return {std::istream_iterator<std::string>(words), {}};
    }
  }
  return {};
}

// Runs `check` in a child; its exit status is the answer.
int in_child(const std::function<int()>& check) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(check());
  int status = 0;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

}  // namespace

// The linker sends every munmap() of the program here (see CMakeLists.txt).
// NOLINTBEGIN(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)
extern "C" int __real_munmap(void* address, std::size_t size);
extern "C" int __wrap_munmap(void* address, std::size_t size) {
  const std::span pages(static_cast<const std::byte*>(address), size);
  ++unmapped.count;
  unmapped.was_all_zero = unmapped.was_all_zero && base::is_all_zero(pages);
  return __real_munmap(address, size);
}
// NOLINTEND(bugprone-reserved-identifier,cert-dcl37-c,cert-dcl51-cpp)

TEST_CASE("a secret's pages stay out of core dumps and of forked children",
          "[keyvault][secret]") {
  const Secret secret = Secret::random(32).value();
  const std::set<std::string> flags = flags_at(secret.view().data());
  CHECK(flags.contains("dd"));  // MADV_DONTDUMP
  CHECK(flags.contains("wf"));  // MADV_WIPEONFORK
}

TEST_CASE("a secret's pages are locked out of swap", "[keyvault][secret]") {
  // A low RLIMIT_MEMLOCK refuses; a sanitizer's mlock() does nothing and says yes.
  const std::size_t size = 4096;
  void* page =
      ::mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  REQUIRE(page != MAP_FAILED);
  const bool can_lock = ::mlock(page, size) == 0 && flags_at(page).contains("lo");
  REQUIRE(::munmap(page, size) == 0);
  if (!can_lock) {
    WARN("memory cannot be locked here: locking was not tested");
    return;
  }
  const Secret secret = Secret::random(32).value();
  CHECK(flags_at(secret.view().data()).contains("lo"));
}

TEST_CASE("a secret is made even where no memory may be locked", "[keyvault][secret]") {
  CHECK(in_child([] {
          const rlimit none{0, 0};
          if (::setrlimit(RLIMIT_MEMLOCK, &none) != 0) return 1;
          const auto secret = Secret::random(32);
          return secret && !base::is_all_zero(secret->view()) ? 0 : 2;
        }) == 0);
}

TEST_CASE("a forked child sees zeros where a secret was", "[keyvault][secret]") {
  const Secret secret = Secret::random(4096).value();
  CHECK_FALSE(base::is_all_zero(secret.view()));
  CHECK(in_child([&secret] { return base::is_all_zero(secret.view()) ? 0 : 1; }) == 0);
}

TEST_CASE("secrets do not share a page with each other", "[keyvault][secret]") {
  const Secret a = Secret::random(16).value();
  const Secret b = Secret::random(16).value();
  const auto page_of = [](const Secret& secret) {
    return reinterpret_cast<std::uintptr_t>(secret.view().data()) /
           static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  };
  CHECK(page_of(a) != page_of(b));
}

TEST_CASE("a secret is wiped before its pages are given back", "[keyvault][secret]") {
  unmapped = {};
  {
    const Secret secret = Secret::random(5000).value();
    CHECK_FALSE(base::is_all_zero(secret.view()));
  }
  CHECK(unmapped.count == 1);
  CHECK(unmapped.was_all_zero);
}

TEST_CASE("a secret that is assigned over is wiped at once", "[keyvault][secret]") {
  Secret secret = Secret::random(32).value();
  Secret other = Secret::random(32).value();
  const base::Bytes kept = vectors::copy(other.view());
  unmapped = {};
  secret = std::move(other);
  CHECK(unmapped.count == 1);
  CHECK(unmapped.was_all_zero);
  CHECK(vectors::copy(secret.view()) == kept);
}

TEST_CASE("a moved secret keeps its bytes and leaves none behind",
          "[keyvault][secret]") {
  Secret secret = Secret::random(32).value();
  const base::Bytes kept = vectors::copy(secret.view());
  const std::byte* place = secret.view().data();
  const Secret moved = std::move(secret);
  CHECK(vectors::copy(moved.view()) == kept);
  CHECK(moved.view().data() == place);
  CHECK(secret.size() == 0);  // NOLINT(bugprone-use-after-move): what is promised
}

TEST_CASE("shrinking a secret wipes what is forgotten", "[keyvault][secret]") {
  Secret secret = Secret::copy_of(base::Bytes(100, std::byte{0xaa})).value();
  const std::byte* bytes = secret.view().data();
  secret.shrink(40);
  CHECK(secret.size() == 40);
  CHECK(vectors::copy(secret.view()) == base::Bytes(40, std::byte{0xaa}));
  // The pages are still there, and still the secret's own.
  CHECK(base::is_all_zero({bytes + 40, 60}));
}

TEST_CASE("a new secret is zero, an empty one is none", "[keyvault][secret]") {
  CHECK(base::is_all_zero(Secret::allocate(10000)->view()));
  CHECK(Secret::allocate(0)->size() == 0);
  CHECK(Secret::copy_of({})->size() == 0);
  CHECK(Secret().size() == 0);
}

TEST_CASE("two random secrets differ", "[keyvault][secret]") {
  const Secret a = Secret::random(32).value();
  const Secret b = Secret::random(32).value();
  CHECK_FALSE(is_same(a.view(), b.view()));
  CHECK_FALSE(base::is_all_zero(a.view()));
}

TEST_CASE("wiped bytes are zero", "[keyvault][secret]") {
  base::Bytes bytes(100, std::byte{7});
  wipe(bytes);
  CHECK(base::is_all_zero(bytes));
  wipe({});
}

TEST_CASE("is_same compares sizes and every byte", "[keyvault][secret]") {
  const base::Bytes a(64, std::byte{1});
  base::Bytes b = a;
  CHECK(is_same(a, b));
  CHECK(is_same({}, {}));
  CHECK_FALSE(is_same(a, base::ByteView(b).first(63)));
  for (std::size_t i = 0; i < b.size(); ++i) {
    b[i] ^= std::byte{0x80};
    CHECK_FALSE(is_same(a, b));
    b[i] ^= std::byte{0x80};
  }
}

}  // namespace sealift::keyvault
