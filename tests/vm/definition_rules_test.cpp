#include "vm/definition_rules.h"

#include <fstream>
#include <iterator>
#include <set>
#include <string>

#include "tests/support/catch.h"
#include "vm/definition_value.h"

namespace sealift::vm {

namespace {

std::string treatment_word(Treatment treatment) {
  switch (treatment) {
    case Treatment::kOnce:
      return "once";
    case Treatment::kMany:
      return "any number";
    case Treatment::kReplaced:
      return "written anew";
    case Treatment::kDropped:
      return "left out";
  }
  return "";
}

// One line of the page's table.
std::string line_of(const ElementRule& rule) {
  std::string line = "- `" + (rule.path.empty() ? "domain" : std::string(rule.path)) +
                     "` " + treatment_word(rule.treatment);
  if (!rule.text.empty()) line += ", text `" + std::string(rule.text) + "`";
  for (const AttributeRule& attribute : rule.attributes) {
    line +=
        ", `" + std::string(attribute.name) + "=" + std::string(attribute.form) + "`";
  }
  return line + "\n";
}

std::string page() {
  std::ifstream file(SEALIFT_SOURCE_DIR "/docs/restore-definition.md");
  return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

}  // namespace

TEST_CASE("the page shows the list that the program uses", "[vm][definition]") {
  std::string lines;
  for (const ElementRule& rule : definition_rules()) lines += line_of(rule);
  const std::string text = page();
  CHECK(text.find(lines) != std::string::npos);
}

TEST_CASE("a path stands in the list once, below one that stands there too",
          "[vm][definition]") {
  std::set<std::string> seen;
  for (const ElementRule& rule : definition_rules()) {
    const std::string path(rule.path);
    CAPTURE(path);
    CHECK(seen.insert(path).second);
    if (path.find('/') == std::string::npos || path.starts_with("devices/*/")) continue;
    CHECK(seen.contains(path.substr(0, path.rfind('/'))));
  }
}

TEST_CASE("values fit their forms and nothing more", "[vm][definition]") {
  struct Case {
    std::string value;
    std::string form;
    bool fits;
  };
  const Case tried = GENERATE(values<Case>({
      {"yes", "yes|no", true},
      {"", "yes|no", false},
      {"yes|no", "yes|no", false},
      {"0x1f", "<number>", true},
      {"0x", "<number>", false},
      {"-1", "<number>", false},
      {"-1", "<signed number>", true},
      {"pc-q35-7.2", "<word>", true},
      {"a..b", "<word>", false},
      {"a/b", "<word>", false},
      {"", "<word>", false},
      {"a\nb", "<text>", false},
      {"a\nb", "<lines>", true},
      {"a\x1b[2J", "<lines>", false},
      {"52:54:00:12:34:5G", "<mac>", false},
      {"52:54:00:12:34:56", "<mac>", true},
      {"Europe/Rome", "<time zone>", true},
      {"/etc/passwd", "<time zone>", false},
      {"../x", "<time zone>", false},
      {"/usr/share/edk2/x64/OVMF_CODE.fd", "<firmware>", true},
      {"/usr/share/edk2-ovmf/OVMF_CODE.fd", "<firmware>", true},
      {"/usr/share/OVMF/./x", "<firmware>", false},
      {"/var/log/libvirt/", "<log file>", false},
      {"/var/log/libvirt//x", "<log file>", false},
      {"/var/log/libvirt/qemu/x.log", "<log file>", true},
      {"/dev/random", "<random device>", true},
      {"/dev/random2", "<random device>", false},
      {"/usr/share/OVMF/../x", "<firmware>", false},
      {"/var/log/libvirt/../x", "<log file>", false},
      {"/run/libvirt/qemu/channel/web/x", "<channel socket>", true},
      {"/run/libvirt/qemu/channel/../x", "<channel socket>", false},
      {"0xfg", "<number>", false},
      {"", "<number>", false},
      {"-", "<signed number>", false},
      {"", "<VM name>", false},
      {"  ", "<VM name>", false},
      {" a ", "<VM name>", true},
      {"", "<time zone>", false},
      {"1.4", "<usb port>", true},
      {"1..4", "<usb port>", false},
      {"1.a", "<usb port>", false},
      {"", "<text>", true},
      {"anything", "<unknown form>", false},
  }));
  CAPTURE(tried.value, tried.form);
  CHECK(value_fits(tried.value, tried.form, {}) == tried.fits);
}

TEST_CASE("values have a longest length", "[vm][definition]") {
  struct Limit {
    std::string form;
    std::string before;
    std::size_t most;
  };
  const Limit tried = GENERATE(values<Limit>({
      {"<number>", "", 20},
      {"<number>", "0x", 20},
      {"<word>", "", 128},
      {"<time zone>", "", 128},
      {"<VM name>", "", 255},
      {"<text>", "", 4096},
      {"<lines>", "", 4096},
      {"<firmware>", "/usr/share/OVMF/", 1024 - 16},
  }));
  CAPTURE(tried.form);
  CHECK(value_fits(tried.before + std::string(tried.most, '1'), tried.form, {}));
  CHECK_FALSE(
      value_fits(tried.before + std::string(tried.most + 1, '1'), tried.form, {}));
}

TEST_CASE("file names from a manifest are safe or not used", "[vm][definition]") {
  for (const char* name : {"web.qcow2", "Büro 1.img", "a-b_c.d", "日本.raw"}) {
    CAPTURE(name);
    CHECK(is_safe_file_name(name));
  }
  for (const std::string name : {"", ".", "..", ".hidden", "-rf", "a/b", "a\\b", "a\nb",
                                 "a:b", "$(x)", " a", "a ", "\xff", "a,b"}) {
    CAPTURE(name);
    CHECK_FALSE(is_safe_file_name(name));
  }
  CHECK_FALSE(is_safe_file_name(std::string(201, 'a')));
}

}  // namespace sealift::vm
