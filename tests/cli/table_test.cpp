#include "cli/table.h"

#include <sstream>

#include "cli/shell_word.h"
#include "tests/support/catch.h"

namespace sealift::cli {

TEST_CASE("columns line up by characters, not bytes", "[cli]") {
  Table table({{"VM"}, {"SIZE", Align::kRight}, {"VERDICT"}});
  table.add({"caf\xc3\xa9", "1.5 GiB", "complete"});
  table.add({"web-01", "512 B", ""});
  std::ostringstream printed;
  table.print(printed, "");
  CHECK(printed.str() ==
        "VM         SIZE  VERDICT\n"
        "caf\xc3\xa9    1.5 GiB  complete\n"
        "web-01    512 B\n");
}

TEST_CASE("a cell cannot move the cursor", "[cli]") {
  Table table({{""}});
  table.add({"a\x1b[2Jb\nc"});
  std::ostringstream printed;
  table.print(printed, "  ");
  CHECK(printed.str() == "  a\\x1b[2Jb\\x0ac\n");
}

TEST_CASE("text is cut between characters", "[cli]") {
  CHECK(cut("caf\xc3\xa9s", 4) == "caf\xc3\xa9");
  CHECK(cut("abc", 5) == "abc");
}

TEST_CASE("a word for a shell is quoted when it must be", "[cli]") {
  CHECK(shell_word("/mnt/backup") == "/mnt/backup");
  CHECK(shell_word("") == "''");
  CHECK(shell_word("a b") == "'a b'");
  CHECK(shell_word("it's") == "'it'\\''s'");
  CHECK(shell_word("$(rm)") == "'$(rm)'");
}

}  // namespace sealift::cli
