#include "cli/recovery_sheet.h"

#include <sstream>

#include "base/error.h"
#include "cli/shell_word.h"

namespace sealift::cli {

namespace {

constexpr const char* kHead = R"(<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>Sealift recovery sheet</title>
<style>
  @page { size: A4; margin: 16mm 18mm; }
  body { font: 10.5pt/1.4 sans-serif; color: #000; max-width: 174mm;
         margin: 8mm auto; }
  @media print { body { margin: 0; } }
  h1 { font-size: 19pt; margin: 0; }
  h2 { font-size: 11.5pt; margin: 5mm 0 1.5mm; border-bottom: 0.3mm solid #000; }
  p { margin: 1mm 0; }
  code, pre { font-family: monospace; font-size: 9.5pt; }
  pre { margin: 1mm 0; padding: 1.5mm 3mm; border: 0.2mm solid #999;
        white-space: pre-wrap; overflow-wrap: anywhere; }
  pre { font-size: 8.8pt; }
  .id code { font-size: 15pt; }
  .id { letter-spacing: 0.3mm; line-height: 1.6;
        font-weight: bold; text-align: center; }
  table { border-collapse: collapse; width: 100%; }
  td, th { text-align: left; vertical-align: top; padding: 0.8mm 3mm 0.8mm 0; }
  .fill td { border-bottom: 0.2mm solid #000; height: 7.5mm; }
  li { margin: 0.8mm 0; }
  ol { margin: 1mm 0; padding-left: 6mm; }
  .fine { font-size: 9pt; color: #333; }
</style>
)";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : base::printable(text)) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

// The same for text of several lines.
std::string escaped_lines(const std::string& text) {
  std::istringstream lines(text);
  std::string out;
  for (std::string line; std::getline(lines, line);) out += escaped(line) + "\n";
  return out;
}

// Groups of four digits: what can be read aloud and ticked off.
std::string grouped_digits(std::string_view digits, std::size_t groups_a_line,
                           std::string_view line_end) {
  constexpr std::size_t kGroup = 4;
  std::string out;
  for (std::size_t at = 0; at < digits.size(); at += kGroup) {
    const bool starts_line = at % (groups_a_line * kGroup) == 0;
    if (at > 0) out += starts_line ? line_end : " ";
    out += digits.substr(at, kGroup);
  }
  return out;
}

std::string opens(const SheetFacts& facts, std::size_t at) {
  if (at >= facts.recipients.size()) return ",<br>opens Azure Local's keys only";
  return facts.key_recipients.empty() ? "" : ",<br>opens every archive";
}

std::string recipients_table(const SheetFacts& facts) {
  std::string rows;
  std::vector<keyvault::Recipient> all = facts.recipients;
  all.insert(all.end(), facts.key_recipients.begin(), facts.key_recipients.end());
  for (std::size_t at = 0; at < all.size(); ++at) {
    const keyvault::Recipient& recipient = all[at];
    rows += "<tr><td>" + std::to_string(at + 1) + "</td><td><code>" +
            grouped_digits(recipient.id().hex(), 8, "<br>") + "</code></td><td>" +
            std::to_string(recipient.bits()) + "&nbsp;bits" + opens(facts, at) +
            "</td><td>________________________</td></tr>\n";
  }
  return "<table>\n<tr><th></th><th>id of the key</th><th></th><th>where the key "
         "is kept</th></tr>\n" +
         rows +
         "</table>\n<p>Their passphrases, if they have any, are kept: "
         "____________________________________________</p>\n";
}

std::string commands(const SheetFacts& facts) {
  return "export SEALIFT_REPO=" + shell_word(facts.place) +
         "\nexport SEALIFT_REPO_ID=" + facts.id.hex() +
         "\n\nsealift list --identity KEY.pem\n"
         "sealift verify VM --identity KEY.pem\n"
         "sealift restore VM --identity KEY.pem --dry-run\n"
         "sealift restore VM --identity KEY.pem --start\n" +
         (facts.key_recipients.empty()
              ? ""
              : "\n# a VM of Azure Local: its files, and a runbook for the target\n"
                "sealift restore VM --identity KEY.pem --key-identity KEY-OF-KEYS.pem "
                "\\\n"
                "    --to-directory DIR --wrap-to WRAPPING-KEY.pem "
                "--wrapping-key-name NAME\n");
}

}  // namespace

std::string recovery_sheet(const SheetFacts& facts) {
  const std::string id = facts.id.hex();
  return kHead +
         std::string("<h1>Sealift recovery sheet</h1>\n<p>For the backups of ") +
         "<b>" + escaped(facts.cluster) + "</b>. Made on " +
         facts.made.text().substr(0, 10) + ", on the host " + escaped(facts.host) +
         ", by Sealift " SEALIFT_VERSION
         ". Nothing on this sheet is secret; it is needed to be sure.</p>\n"
         "<h2>Where the backups are</h2>\n<p>In a folder; the host above calls it "
         "<code>" +
         escaped(facts.place) +
         "</code></p>\n<p>On the storage (server and share, or label of the disk): "
         "______________________________________</p>\n"
         "<h2>The repository id</h2>\n<p class=\"id\"><code>" +
         grouped_digits(id, 8, "<br>") +
         "</code></p>\n<p class=\"fine\">Whoever shows you another id shows you other "
         "backups. Compare every digit.</p>\n"
         "<h2>The recovery keys: each opens " +
         (facts.key_recipients.empty() ? "everything, alone</h2>\n"
                                       : "alone what is said beside it</h2>\n") +
         recipients_table(facts) +
         "<h2>To bring a VM back</h2>\n<ol>\n"
         "<li>On a Debian 12 host with libvirt and Sealift, as root, mount the storage "
         "read-only at <code>" +
         escaped(facts.place) +
         "</code> (or name the other place in the first line below).</li>\n"
         "<li>Put a recovery key into a file, <code>KEY.pem</code>. Is it the right "
         "one? "
         "<code>sealift keyvault inspect KEY.pem</code></li>\n"
         "<li>Type these lines, with the VM's name in place of <code>VM</code>:</li>\n"
         "</ol>\n<pre>" +
         escaped_lines(commands(facts)) +
         "</pre>\n<p class=\"fine\">Exit status 3 means: these are not the backups of "
         "this "
         "sheet, or they are damaged. 12: another key, or a wrong passphrase. Without "
         "libvirt, <code>sealift restore VM --identity KEY.pem --to-directory "
         "DIR</code> "
         "gives the disks and everything else as files. Without Sealift, "
         "<code>format/emergency-restore.py</code> in the repository does the same "
         "with Debian's python3, python3-cryptography and python3-zstandard; its "
         "<code>--help</code> says how. It wants the signer's public key, too: "
         "<code>founder</code> in repository.json, or what <code>sealift keyvault "
         "export-signer</code> gave.</p>\n"
         "<h2>Checked</h2>\n<table class=\"fill\">\n<tr><th>date</th><th>what was "
         "tried</th><th>name and signature</th></tr>\n"
         "<tr><td></td><td></td><td></td></tr>\n<tr><td></td><td></td><td></td></tr>\n"
         "</table>\n</html>\n";
}

}  // namespace sealift::cli
