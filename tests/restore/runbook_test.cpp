#include "restore/runbook.h"

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "tests/support/catch.h"

namespace sealift::restore {

namespace {

constexpr const char* kVmId = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";

RunbookKey own_key() {
  return {
      "protection-keys/20261123180000/AES/"
      "7fb16fe7-00a0-476f-92b3-ccb98fd9525a_256.json",
      kVmId, "AES", 256, "protection-key.2.json"};
}

RunbookKey root_key() {
  return {"protection-keys/20261123180000/RSA/AzureStackTvmAKRootKey_4096.json",
          "AzureStackTvmAKRootKey", "RSA", 4096, "protection-key.4.json"};
}

RunbookFacts plain() {
  RunbookFacts facts;
  facts.vm_name = "web-01";
  facts.vm_id = kVmId;
  facts.snapshot = "2a7f91c0d55e4b6f8a1203c4e5f60718";
  facts.repository = "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
  facts.created = base::Timestamp::parse_stored("2026-11-23T18:00:00Z").value();
  facts.exported = base::Timestamp::parse_stored("2026-11-23T17:12:09Z").value();
  facts.recovery_key_id =
      "c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00c0ffee00";
  facts.source_cluster = "berlin";
  facts.source_host = "berlin-n2";
  facts.host_build = "10.0.26100.4652";
  facts.configuration = "Virtual Machines/7FB16FE7-00A0-476F-92B3-CCB98FD9525A.vmcx";
  facts.disks.drives = {"Virtual Hard Disks/web-01.vhdx",
                        "Virtual Hard Disks/data.vhdx"};
  facts.guest_state = GuestStateProtection::kGspKey;
  facts.bios_id = "2b701019-2816-4a85-9692-3981f1af4423";
  facts.keys = {own_key()};
  facts.wrapping_key_name = "sealift-hamburg";
  facts.wrapping_key_id =
      "5f1b9c0e7d3a4426b8c1d2e3f40516273849a5b6c7d8e9f00112233445566778";
  facts.target_cluster = "hamburg";
  return facts;
}

RunbookFacts with_root_key() {
  RunbookFacts facts = plain();
  facts.keys.push_back(root_key());
  return facts;
}

RunbookFacts with_wrapping_key_left() {
  RunbookFacts facts = with_root_key();
  facts.left_wrapping_keys = {"WrappingKey"};
  facts.target_cluster = "";
  facts.has_saved_memory = true;
  return facts;
}

RunbookFacts with_empty_guest_state() {
  RunbookFacts facts = plain();
  facts.guest_state = GuestStateProtection::kEmpty;
  return facts;
}

RunbookFacts by_id() {
  RunbookFacts facts = with_empty_guest_state();
  facts.guest_state = GuestStateProtection::kGspById;
  facts.keys = {};
  return facts;
}

RunbookFacts same_cluster() {
  RunbookFacts facts = with_root_key();
  facts.target_cluster = facts.source_cluster;
  facts.wrapping_key_name = "sealift-berlin";
  return facts;
}

struct Golden {
  std::string file;
  RunbookFacts facts;
};

std::vector<Golden> goldens() {
  return {{"plain.md", plain()},
          {"root-key.md", with_root_key()},
          {"wrapping-key-left.md", with_wrapping_key_left()},
          {"empty-vmgs.md", with_empty_guest_state()},
          {"gsp-by-id.md", by_id()},
          {"same-cluster.md", same_cluster()}};
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

// `text` on one line, with single blanks: what a sentence says wherever it was wrapped.
std::string unwrapped(const std::string& text) {
  std::istringstream in(text);
  std::string out;
  for (std::string word; in >> word;) {
    if (word != ">") out += (out.empty() ? "" : " ") + word;
  }
  return out;
}

// Where the step begins whose title has these words; npos: there is none.
std::size_t step_at(const std::string& page, const std::string& words) {
  std::size_t at = 0;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("## Step ") && has(line, words)) return at;
    at += line.size() + 1;
  }
  return std::string::npos;
}

// The lines that make the form of a page: headings, fences, tables, items.
std::vector<std::string> form_of(const std::string& page) {
  std::vector<std::string> form;
  bool is_code = false;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```")) {
      is_code = !is_code;
      form.push_back(line);
    } else if (is_code) {
      form.emplace_back("code");
    } else if (line.starts_with("## ")) {
      form.push_back(line);
    } else if (line.starts_with("|")) {
      form.push_back("table of " + std::to_string(std::ranges::count(line, '|')));
    } else if (line.starts_with("#") || line.starts_with("- ") || line.empty()) {
      form.push_back(line.substr(0, 2));
    }
  }
  return form;
}

// Whether PowerShell sees every single-quoted text of this line end on it.
bool quotes_close(std::string line) {
  for (const std::string curly : {"\u2018", "\u2019", "\u201a", "\u201b"}) {
    for (std::size_t at = 0; (at = line.find(curly, at)) != std::string::npos;) {
      line.replace(at, curly.size(), "'");
    }
  }
  return std::ranges::count(line, '\'') % 2 == 0;
}

std::string powershell_of(const std::string& page) {
  std::string found;
  bool is_inside = false;
  for (const std::string& line : lines_of(page)) {
    if (line.starts_with("```")) {
      is_inside = line == "```powershell";
    } else if (is_inside) {
      found += line + "\n";
    }
  }
  return found;
}

RunbookFacts with_guest_state(GuestStateProtection guest_state) {
  RunbookFacts facts = with_root_key();
  facts.guest_state = guest_state;
  return facts;
}

constexpr GuestStateProtection kEveryState[] = {
    GuestStateProtection::kAbsent,  GuestStateProtection::kEmpty,
    GuestStateProtection::kNone,    GuestStateProtection::kGspKey,
    GuestStateProtection::kGspById, GuestStateProtection::kUnknown,
};

// Every page that differs by a rule, not by a name only.
std::vector<std::string> every_page() {
  std::vector<std::string> pages;
  for (const GuestStateProtection guest_state : kEveryState) {
    for (const char* target : {"hamburg", "berlin", ""}) {
      for (const bool is_named : {true, false}) {
        for (const bool has_keys : {true, false}) {
          RunbookFacts facts = with_guest_state(guest_state);
          facts.target_cluster = target;
          if (!is_named) facts.wrapping_key_name = "";
          if (!has_keys) facts.keys = {};
          pages.push_back(write_runbook(facts));
        }
      }
    }
  }
  return pages;
}

}  // namespace

TEST_CASE("the six runbooks are what they were", "[restore][runbook]") {
  const std::string folder = SEALIFT_SOURCE_DIR "/tests/restore/runbooks/";
  const bool writes = std::getenv("SEALIFT_WRITE_GOLDEN") != nullptr;
  for (const Golden& golden : goldens()) {
    const std::string page = write_runbook(golden.facts);
    if (writes) std::ofstream(folder + golden.file, std::ios::binary) << page;
    std::ifstream in(folder + golden.file, std::ios::binary);
    const std::string kept{std::istreambuf_iterator<char>(in), {}};
    INFO("to write tests/restore/runbooks/"
         << golden.file
         << " anew: SEALIFT_WRITE_GOLDEN=1 "
            "restore_test '[runbook]'; then read the "
            "difference");
    CHECK(page == kept);
  }
}

TEST_CASE("the six runbooks differ", "[restore][runbook]") {
  std::set<std::string> pages;
  for (const Golden& golden : goldens()) pages.insert(write_runbook(golden.facts));
  CHECK(pages.size() == 6);
}

TEST_CASE("a runbook is short enough to be followed", "[restore][runbook]") {
  for (const Golden& golden : goldens()) {
    INFO(golden.file);
    const std::size_t lines = lines_of(write_runbook(golden.facts)).size();
    CHECK(lines >= 120);
    CHECK(lines <= 370);
  }
}

TEST_CASE("each step has a command, and what one should see", "[restore][runbook]") {
  for (const std::string& page : every_page()) {
    std::string step;
    const auto check = [&step] {
      if (step.empty()) return;
      INFO(step);
      CHECK(has(step, "\n```powershell\n"));
      CHECK(has(unwrapped(step), "ou see "));
    };
    for (const std::string& line : lines_of(page)) {
      if (line.starts_with("## ")) {
        check();
        step = line.starts_with("## Step ") ? line + "\n" : "";
      } else if (!step.empty()) {
        step += line + "\n";
      }
    }
    // A step that is spoken of is there.
    const std::string text = unwrapped(page);
    for (std::size_t at = 0; (at = text.find(" step ", at)) != std::string::npos;) {
      at += std::string(" step ").size();
      const auto digits = text.find_first_not_of("0123456789", at) - at;
      INFO(text.substr(at - 40, 60));
      if (digits == 0) continue;
      CHECK(has(page, "\n## Step " + text.substr(at, digits) + ": "));
    }
  }
}

TEST_CASE("the key is imported before the VM is, and long before it starts",
          "[restore][runbook]") {
  for (const GuestStateProtection guest_state :
       {GuestStateProtection::kGspKey, GuestStateProtection::kUnknown}) {
    const std::string page = write_runbook(with_guest_state(guest_state));
    const std::size_t wrapping = step_at(page, "wrapping key is on the target");
    const std::size_t root = step_at(page, "AzureStackTvmAKRootKey");
    const std::size_t import = step_at(page, "Import the VM's key");
    const std::size_t compare = step_at(page, "Compare the key vault");
    const std::size_t copy = step_at(page, "Import the VM, under");
    const std::size_t start = step_at(page, "Start the VM");
    const std::size_t remove = step_at(page, "Remove the wrapping key");
    CHECK(page.find("## Step 1: The wrapping key") == wrapping);
    CHECK(wrapping < root);
    CHECK(root < import);
    CHECK(import < compare);
    CHECK(compare < copy);
    CHECK(copy < start);
    CHECK(start < remove);
    REQUIRE(remove != std::string::npos);
    CHECK(page.find("-type AES") > import);
    CHECK(page.find("Start-VM") > start);
    CHECK(page.find("Import-VM ") > copy);
    CHECK(has(page.substr(remove),
              "Remove-MocKey -name $wrap -group $group -keyvaultName $vault"));
    CHECK(has(page, "**Do not start the VM before its key is in the key vault**"));
  }
}

TEST_CASE("a VM without a key to import is told why, and imports none",
          "[restore][runbook]") {
  for (const GuestStateProtection guest_state :
       {GuestStateProtection::kAbsent, GuestStateProtection::kEmpty,
        GuestStateProtection::kNone, GuestStateProtection::kGspById}) {
    for (const char* target : {"hamburg", "berlin", ""}) {
      RunbookFacts facts = with_guest_state(guest_state);
      facts.target_cluster = target;
      const std::string page = write_runbook(facts);
      CHECK_FALSE(has(page, "Import-MocKey"));
      CHECK_FALSE(has(page, "Import-TVMKeys"));
      CHECK_FALSE(has(page, "New-MocKey"));
      CHECK(has(page, "not imported"));
      const bool says_none = has(page, "**No key is imported for this VM.**");
      CHECK(says_none == (guest_state != GuestStateProtection::kGspById));
    }
  }
}

TEST_CASE("a key is imported where the VM's guest state or a checkpoint's needs it",
          "[restore][runbook]") {
  for (const GuestStateProtection guest_state : kEveryState) {
    for (const bool checkpoint : {false, true}) {
      RunbookFacts facts = with_guest_state(guest_state);
      facts.checkpoint_needs_key = checkpoint;
      const std::string page = write_runbook(facts);
      CHECK(needs_key(facts) == (vm::needs_key(guest_state) || checkpoint));
      CHECK(has(page, "Import-MocKey -name $keyName") == needs_key(facts));
      CHECK(has(page, "**Do not start the VM before its key is") == needs_key(facts));
    }
  }
}

TEST_CASE("a key that only a checkpoint needs is said to be that one's",
          "[restore][runbook]") {
  RunbookFacts facts = with_empty_guest_state();
  facts.checkpoint_needs_key = true;
  const std::string page = unwrapped(write_runbook(facts));
  CHECK(has(page, "**A checkpoint of this VM needs its key.**"));
  CHECK(has(page, "never started; the key opens that of a checkpoint |"));
  CHECK(has(page, "that the key opens the guest state of a checkpoint"));
  CHECK_FALSE(has(page, "No key is imported"));
  CHECK_FALSE(has(page, "A start without it fails"));
  CHECK_FALSE(has(page, "wrong key, no key, or no agent"));
  facts.keys = {};
  CHECK(has(unwrapped(write_runbook(facts)),
            "Without it that checkpoint does not open. Look in"));
  facts = by_id();
  facts.checkpoint_needs_key = true;
  const std::string bound = unwrapped(write_runbook(facts));
  CHECK(bound.find("will not open on another cluster") <
        bound.find("**A checkpoint of this VM needs its key.**"));
}

TEST_CASE("GspById is said in the first lines, with what is lost and what is left",
          "[restore][runbook]") {
  const std::vector<std::string> lines = lines_of(write_runbook(by_id()));
  std::string first;
  for (std::size_t i = 0; i < 15; ++i) first += lines.at(i) + "\n";
  first = unwrapped(first);
  CHECK(has(first, "will not open on another cluster, whatever key is imported"));
  CHECK(has(first, "is lost"));
  CHECK(has(first, "BitLocker recovery keys"));
  CHECK(has(first, "the same host"));
  CHECK(has(first, "`berlin-n2`"));
  const std::string page = write_runbook(by_id());
  CHECK(page.find("## Step 1: Is the old host there?") < page.find("Import-VM "));
  CHECK(step_at(page, "Start the VM") < step_at(page, "a new VM around the disks"));
  CHECK(has(powershell_of(page), "Resume-BitLocker"));
  CHECK(has(page, "**45 days**"));
}

TEST_CASE("a new VM gets the disks of the drives, with what they hang on",
          "[restore][runbook]") {
  RunbookFacts facts = by_id();
  facts.disks = {{"Virtual Hard Disks/b.avhdx", "data/a.vhdx"},
                 {"Virtual Hard Disks/b-0.avhdx", "base/b.vhdx"}};
  const std::string page = write_runbook(facts);
  CHECK(has(page,
            "$disks = @(\n"
            "  ('Virtual Hard Disks\\b.avhdx'),\n"
            "  ('data\\a.vhdx'))\n"
            "$parents = @(\n"
            "  ('Virtual Hard Disks\\b-0.avhdx'),\n"
            "  ('base\\b.vhdx'))\n"));
  CHECK(
      has(page, "\n$disks | ForEach-Object { Test-VHD -Path (Join-Path $new $_) }\n"));
  CHECK(has(unwrapped(page), "it lies beside them and is attached nowhere"));
  CHECK(has(page,
            "| `Virtual Hard Disks/b.avhdx`, `data/a.vhdx`; they hang on "
            "`Virtual Hard Disks/b-0.avhdx`, `base/b.vhdx` |"));
  // Parents are copied, and nothing that attaches knows of them.
  CHECK_FALSE(has(page.substr(page.find("New-VM -Name")), "$parents |"));
}

TEST_CASE("no runbook gives the VM a new id", "[restore][runbook]") {
  for (const std::string& page : every_page()) {
    CHECK_FALSE(has(powershell_of(page), "GenerateNewId"));
    const std::string text = unwrapped(page);
    const std::string option = "-GenerateNewId";
    const std::string sentence = "**Never use `-GenerateNewId`**";
    REQUIRE(has(text, sentence));
    CHECK(text.find(option) == text.find(sentence) + sentence.find(option));
    CHECK(text.rfind(option) == text.find(option));
  }
}

TEST_CASE("InvalidVersion is not simply ignored, and a removed key leaves a copy",
          "[restore][runbook]") {
  const std::string page = unwrapped(write_runbook(plain()));
  CHECK(has(page, "`InvalidVersion`**: a key of this name is already there"));
  CHECK(has(page, "Ignore it only if this same key was imported before"));
  CHECK(has(page, "the system made that key at a start that came too early"));
  for (const std::string& any : every_page()) {
    const std::string commands = powershell_of(any);
    for (const std::string name : {"$keyName", "AzureStackTvmAKRootKey"}) {
      const std::size_t removal = commands.find("Remove-MocKey -name " + name);
      if (removal == std::string::npos) continue;
      CHECK(commands.find("Export-MocKey -name " + name) < removal);
    }
  }
}

TEST_CASE("a key is removed only after this very export of it", "[restore][runbook]") {
  const std::string commands = powershell_of(write_runbook(with_root_key()));
  for (const std::string name : {"$keyName", "AzureStackTvmAKRootKey"}) {
    const std::size_t removal = commands.find("  Remove-MocKey -name " + name);
    REQUIRE(removal != std::string::npos);
    const std::size_t begin = commands.rfind("& {\n", removal);
    REQUIRE(begin != std::string::npos);
    const std::string before = commands.substr(begin, removal - begin);
    CHECK_FALSE(has(before, "\n}\n"));
    const std::size_t refusal =
        before.find("if (Test-Path -LiteralPath $copy) { throw ");
    const std::size_t exported = before.find("Export-MocKey -name " + name);
    REQUIRE(exported != std::string::npos);
    CHECK(refusal < exported);
    const std::string line =
        before.substr(exported, before.find('\n', exported) - exported);
    CHECK(line.ends_with("-ErrorAction Stop"));
    CHECK(has(before.substr(exported), "(Get-Item -LiteralPath $copy"));
  }
  const std::string page = unwrapped(write_runbook(with_root_key()));
  CHECK(has(page,
            "`$escrow` is the public half of the recovery key with the id "
            "`c0ffee00"));
  CHECK(has(page, "Copy it to `C:\\Temp` before you go on"));
}

TEST_CASE("a new wrapping key gets a new name, and the command has all that it needs",
          "[restore][runbook]") {
  RunbookFacts facts = plain();
  const std::string page = write_runbook(facts);
  CHECK(has(page, "$wrap = 'NEW-NAME'\nNew-MocKey -name $wrap "));
  CHECK(has(page, "under another name, `NEW-NAME` here"));
  CHECK(has(page,
            "sealift restore '2a7f91c0' --repo REPOSITORY --repo-id "
            "'00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff' \\\n"
            "    --identity ARCHIVE-KEY.pem --key-identity MOC-KEY.pem \\\n"
            "    --to-directory NEW-FOLDER --wrap-to sealift-wrap.pem \\\n"
            "    --wrapping-key-name NEW-NAME --target-cluster 'hamburg'\n"));
  CHECK(has(unwrapped(page), "`MOC-KEY.pem` the one with the id `c0ffee00"));
  facts.target_cluster = "";
  CHECK(has(write_runbook(facts), "--target-cluster TARGET-CLUSTER\n"));
}

TEST_CASE("what came out of a portable archive is restored again from its files",
          "[restore][runbook]") {
  RunbookFacts facts = plain();
  facts.archives = Archives::kAsNeeded;
  const std::string page = write_runbook(facts);
  CHECK(has(page,
            "sealift restore '2a7f91c0' --archive FILE.tar --signer SIGNER.pub.pem \\\n"
            "    --identity ARCHIVE-KEY.pem --key-identity MOC-KEY.pem \\\n"
            "    --to-directory NEW-FOLDER --wrap-to sealift-wrap.pem \\\n"));
  CHECK(has(unwrapped(page), "`FILE.tar` stands for all files of the archive"));
  CHECK_FALSE(has(page, "REPOSITORY"));
}

TEST_CASE("the key file that was opened is the one to compare with",
          "[restore][runbook]") {
  RunbookFacts facts = same_cluster();
  const std::string page = write_runbook(facts);
  CHECK(has(page,
            "sealift keyvault reveal 'protection-key.2.json' --identity MOC-KEY.pem "));
  CHECK_FALSE(has(page, "reveal protection-key.json"));
  facts.keys = {};
  CHECK_FALSE(has(write_runbook(facts), "keyvault reveal"));
}

TEST_CASE("keys are known by their names in any case", "[restore][runbook]") {
  RunbookFacts facts = with_root_key();
  for (RunbookKey& key : facts.keys) {
    std::ranges::transform(key.name, key.name.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
  }
  const std::string page = write_runbook(facts);
  CHECK_FALSE(has(page, "**Stop: the protection key"));
  CHECK(has(page, "attestation; decided in"));
}

TEST_CASE("the snapshot's time is that of list, and the export has its own",
          "[restore][runbook]") {
  RunbookFacts facts = plain();
  const std::string page = write_runbook(facts);
  CHECK(has(page,
            "| `2a7f91c0d55e4b6f8a1203c4e5f60718`, 2026-11-23T18:00:00Z |\n"
            "| exported | 2026-11-23T17:12:09Z |"));
  CHECK(has(unwrapped(page), "this guest state is of 2026-11-23T17:12:09Z"));
  facts.exported = std::nullopt;
  const std::string by_hand = write_runbook(facts);
  CHECK(has(by_hand, "| exported | not recorded |"));
  CHECK(has(unwrapped(by_hand),
            "is of the moment of the export, before 2026-11-23T18:00:00Z"));
}

TEST_CASE("the copy on the host is held against the sums", "[restore][runbook]") {
  for (const std::string& page : every_page()) {
    const std::string commands = powershell_of(page);
    CHECK(has(commands,
              "Get-Content -Raw -Encoding UTF8 -LiteralPath (Join-Path "
              "$folder 'sealift-restore.json')"));
    CHECK(has(commands, "-Algorithm SHA256).Hash -ne $_.sha256"));
    CHECK_FALSE(has(commands, "Test-Path -LiteralPath $vmcx"));
  }
}

TEST_CASE("a page says where the scripts are, and that other key files are of no use",
          "[restore][runbook]") {
  const std::string page = unwrapped(write_runbook(plain()));
  CHECK(has(page, "lie in `/usr/share/sealift/azure-local`"));
  CHECK(has(page, "**no cluster can import those**, this one or another"));
}

TEST_CASE("all of Microsoft's advice on the root key is printed, with its dates",
          "[restore][runbook]") {
  for (const RunbookFacts& facts : {plain(), with_root_key(), same_cluster()}) {
    const std::string page = unwrapped(write_runbook(facts));
    CHECK(has(page, "**07/10/2025**"));
    CHECK(has(page, "**07/21 and 07/23/2025**"));
    CHECK(has(page, "**TvmBackupUtils.psm1**"));
  }
  CHECK(has(write_runbook(with_root_key()), "**You choose**"));
  CHECK(has(write_runbook(with_root_key()),
            "Import-MocKey -name AzureStackTvmAKRootKey"));
  CHECK_FALSE(
      has(write_runbook(plain()), "Import-MocKey -name AzureStackTvmAKRootKey"));
}

TEST_CASE("the cluster that it came from is another case, and unsaid is both",
          "[restore][runbook]") {
  RunbookFacts facts = plain();
  const std::string not_here = "cannot be managed from the Azure control plane";
  const std::string window = "**45 days**";
  const std::string not_over = "**Do not import over it.**";
  const std::string other = unwrapped(write_runbook(facts));
  CHECK(has(other, not_here));
  CHECK_FALSE(has(other, window));
  CHECK_FALSE(has(other, not_over));
  facts.target_cluster = "berlin";
  const std::string same = unwrapped(write_runbook(facts));
  CHECK_FALSE(has(same, not_here));
  CHECK(has(same, window));
  CHECK(has(same, not_over));
  CHECK(has(same, "**the decision is yours.**"));
  facts.target_cluster = "";
  const std::string both = unwrapped(write_runbook(facts));
  CHECK(has(both, not_here));
  CHECK(has(both, window));
  CHECK(has(both, not_over));
}

TEST_CASE("a wrapping key whose name was not said is asked for", "[restore][runbook]") {
  RunbookFacts facts = plain();
  facts.wrapping_key_name = "";
  const std::string page = write_runbook(facts);
  CHECK(has(page, "$wrap    = ''  # type the name of the wrapping key\n"));
  CHECK(has(page, "| wrapped to | a key whose name was not given, `5f1b9c0e"));
  // The script has no other way to know it.
  CHECK_FALSE(has(page, "Import-SealiftVM.ps1 -Path"));
  CHECK(has(unwrapped(page), "Not with this folder: `Import-SealiftVM.ps1`"));
  CHECK(has(unwrapped(page), "`--wrapping-key-name`, as step 1 shows"));
  // What needs no key needs no name.
  facts.guest_state = GuestStateProtection::kNone;
  const std::string without = write_runbook(facts);
  CHECK(has(without, "Import-SealiftVM.ps1 -Path $folder"));
  CHECK(has(without, "Remove-MocKey -name 'NAME'"));
  CHECK(has(without, "- [ ] `Get-MocKey` does not show the wrapping key\n"));
}

TEST_CASE("a wrapping key that was left behind is named", "[restore][runbook]") {
  const std::string page = unwrapped(write_runbook(with_wrapping_key_left()));
  CHECK(has(page, "**Left behind in the source's key vault: `WrappingKey`.**"));
  CHECK(has(page, "`Get-MocKey` does not show `WrappingKey`"));
}

TEST_CASE("a snapshot without the VM's key says so before anything else",
          "[restore][runbook]") {
  RunbookFacts facts = plain();
  facts.keys.front().name = "11111111-1111-1111-1111-111111111111";
  const std::string page = write_runbook(facts);
  CHECK(page.find("**Stop: the protection key of this VM is not in this snapshot.**") <
        200);
  CHECK(has(page, "**There is none in this snapshot.**"));
  CHECK(has(page, "  '7fb16fe7-00a0-476f-92b3-ccb98fd9525a AES 256'\n"));
  CHECK_FALSE(has(page, "11111111-1111-1111-1111-111111111111_256"));
  CHECK(has(page, "not this VM's; left alone"));
}

TEST_CASE("the pitfalls of this VM stand in its runbook, others do not",
          "[restore][runbook]") {
  RunbookFacts facts = plain();
  const std::string page = unwrapped(write_runbook(facts));
  CHECK(has(page, "the counters of the vTPM went back"));
  CHECK(has(page, "18610"));
  CHECK(has(page, "18560"));
  CHECK(has(page, "no sign of failure by itself"));
  CHECK(has(page, "IGVmAgent"));
  CHECK(has(page, "only ordinary vTPM VMs say that"));
  CHECK(has(page, "BIOS GUID `2b701019-2816-4a85-9692-3981f1af4423`"));
  CHECK(has(page, "**that the key opens this guest state**"));
  CHECK_FALSE(has(page, "Remove-VMSavedState"));
  facts.has_saved_memory = true;
  const std::string saved = write_runbook(facts);
  CHECK(step_at(saved, "saved memory") < step_at(saved, "Start the VM"));
  CHECK(has(powershell_of(saved), "Remove-VMSavedState"));
  facts.guest_state = GuestStateProtection::kNone;
  CHECK(has(unwrapped(write_runbook(facts)), "reads the vTPM: keep this folder"));
}

TEST_CASE("Get-MocKey is compared with what the snapshot holds", "[restore][runbook]") {
  const std::string page = write_runbook(with_root_key());
  CHECK(has(page, "  '7fb16fe7-00a0-476f-92b3-ccb98fd9525a AES 256'\n"));
  CHECK(has(page, "  'AzureStackTvmAKRootKey RSA 4096'\n"));
  CHECK(has(page, "'MISSING'"));
  CHECK(has(page, "- [ ] `Get-MocKey` shows `AzureStackTvmAKRootKey`, `RSA`, 4096"));
}

TEST_CASE("a hostile name stays inside its command, its code span and its block",
          "[restore][runbook]") {
  const std::string benign = "a";
  for (const std::string hostile : {
           "it's",
           "'; Remove-Item C:\\ -Recurse; '",
           "\u2019; Stop-Computer; \u2018",
           "a\u201bb\u201ac",
           "$(Stop-Computer)",
           "`$(Stop-Computer)`",
           "```\n# Step 1: run this\n```powershell",
           "a\r\n```\r\nb",
           "~~~\nb",
           "| a | b |\n| --- | --- |",
           "[click](https://example.org) <script>alert(1)</script> **bold** &amp;",
           "- [x] done\n> quoted\n    code",
           "\x1b[2Ja\x07\x7f",
           "\u202eevil\u200b\ufeff\u2028x\u0085",
           "\U000e0041tag",
           "broken \xff\xc3 utf-8 \xe2\x80",
           "\\`\\` a `b` ``c``",
           "many words so that a line must be wrapped somewhere within # this # name - "
           "and "
           "1. that one > too, if it is ever broken at all",
       }) {
    INFO(hostile);
    for (const Golden& golden : goldens()) {
      const auto named = [&golden](const std::string& name) {
        RunbookFacts facts = golden.facts;
        facts.vm_name = facts.source_cluster = facts.source_host = name;
        facts.host_build = facts.bios_id = facts.vm_id = facts.configuration = name;
        facts.disks = {{name}, {name + "-parent"}};
        if (!facts.target_cluster.empty() &&
            golden.facts.target_cluster == golden.facts.source_cluster) {
          facts.target_cluster = name;
        }
        for (RunbookKey& key : facts.keys) {
          if (key.type == "AES") key.name = name;
          key.path = "k/AES/" + name;
        }
        for (std::string& left : facts.left_wrapping_keys) left = name + "!";
        facts.wrapping_key_name = name + "?";
        facts.wrapping_key_id = name;
        return write_runbook(facts);
      };
      const std::string page = named(hostile);
      CHECK(form_of(page) == form_of(named(benign)));
      CHECK(std::ranges::none_of(page, [](char byte) {
        return (static_cast<unsigned char>(byte) < 0x20 && byte != '\n') ||
               byte == 0x7f;
      }));
      for (const std::string& line : lines_of(powershell_of(page))) {
        INFO(line);
        CHECK(quotes_close(line));
      }
      bool is_code = false;
      for (const std::string& line : lines_of(page)) {
        if (line.starts_with("```")) is_code = !is_code;
        if (is_code || line.starts_with("```")) continue;
        INFO(line);
        CHECK(std::ranges::count(line, '`') % 2 == 0);
      }
      CHECK_FALSE(has(page, "\u202e"));
      CHECK_FALSE(has(page, "\u2028"));
    }
  }
}

TEST_CASE("a name is quoted for PowerShell as PowerShell reads it",
          "[restore][runbook]") {
  struct Case {
    std::string name;
    std::string quoted;
  };
  for (const Case& tried : std::vector<Case>{
           {"web-01", "'web-01'"},
           {"Büro 1", "'Büro 1'"},
           {"it's", "'it''s'"},
           {"it\u2019s", "'it\u2019\u2019s'"},
           {"$a`b\"", "'$a`b\"'"},
           {"a\nb", "'a' + [char]0x000a + 'b'"},
           {"\u202ea", "'' + [char]0x202e + 'a'"},
           {"a\u0085", "'a' + [char]0x0085 + ''"},
           {"\xff", "'' + [char]0xfffd + ''"},
           {"\U000e0041", "'' + [char]::ConvertFromUtf32(0xe0041) + ''"},
       }) {
    RunbookFacts facts = by_id();
    facts.vm_name = tried.name;
    CHECK(has(write_runbook(facts), "$vmName  = " + tried.quoted + "\n"));
  }
}

TEST_CASE("of an export that was made by hand nothing says where", "[runbook]") {
  RunbookFacts facts;
  facts.vm_name = "web-01";
  facts.vm_id = "7fb16fe7-00a0-476f-92b3-ccb98fd9525a";
  facts.guest_state = GuestStateProtection::kGspById;
  facts.wrapping_key_id = "ab";
  facts.target_cluster = "hq";
  std::string page = write_runbook(facts);
  for (std::size_t at = 0; (at = page.find("\n> ", at)) != std::string::npos;) {
    page.replace(at, 3, " ");  // Lines are wrapped.
  }
  CHECK(page.find("not recorded: the export was made by hand") != std::string::npos);
  CHECK(page.find("bound to a seed of the host that it ran on") != std::string::npos);
  CHECK(page.find("| to | `hq`; whether it came from there is not recorded: this page "
                  "has both cases |") != std::string::npos);
  // Which cluster it came from is not known, so both ways are there.
  facts.guest_state = GuestStateProtection::kGspKey;
  facts.keys = {
      {"protection-keys/x/AES/y.json", facts.vm_id, "AES", 256, "protection-key.json"}};
  CHECK(write_runbook(facts).find("On the cluster that it came from") !=
        std::string::npos);
  facts.source_cluster = "HQ";
  CHECK(write_runbook(facts).find("On another cluster") == std::string::npos);
}

}  // namespace sealift::restore
