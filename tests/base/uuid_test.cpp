#include "base/uuid.h"

#include "tests/support/catch.h"

namespace sealift::base {

TEST_CASE("a UUID reads in either case and writes lower case", "[base]") {
  const std::string text = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";
  CHECK(Uuid::parse(text)->text() == text);
  CHECK(Uuid::parse("7FB16FE7-00A0-476F-92B3-CCB98FD9525A")->text() == text);
  CHECK(Uuid::parse("7FB16fe7-00a0-476F-92b3-ccb98fd9525A")->text() == text);
  CHECK(Uuid::is_uuid(text));
  CHECK(Uuid().text() == "00000000-0000-0000-0000-000000000000");
}

TEST_CASE("text that is no UUID is refused, and quoted", "[base]") {
  const std::string text = GENERATE(
      as<std::string>(), "", "7fb16fe7", "7fb16fe700a0476f92b3ccb98fd9525a",
      "{7fb16fe7-00a0-476f-92b3-ccb98fd9525a}", "7fb16fe7-00a0-476f-92b3-ccb98fd9525",
      "7fb16fe7-00a0-476f-92b3-ccb98fd9525a0", "7fb16fe-700a0-476f-92b3-ccb98fd9525a",
      "7fb16fe7-00a0-476f-92b3-ccb98fd9525g", "7fb16fe7-00a0-476f-92b3ccb98fd9525aa-",
      "7fb16fe7-00a0-476f-92b3_ccb98fd9525a", " 7fb16fe7-00a0-476f-92b3-ccb98fd9525a",
      "------------------------------------");
  CAPTURE(text);
  const auto refused = Uuid::parse(text);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code() == ErrorCode::kUsage);
  CHECK(refused.error().places().front() == Error::Place{"text", text});
  CHECK_FALSE(Uuid::is_uuid(text));
}

}  // namespace sealift::base
