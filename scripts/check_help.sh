#!/usr/bin/env bash
# check_help.sh BINARY: the manners of every command on the terminal. --help goes to standard output, ends with status 0,
# fits 80 columns and closes with an example of that very command; an option that does not exist is named on standard
# error, nothing goes to standard output, and the status is 2.
set -euo pipefail
binary=$1
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# Nothing may reach the repository or keys of whoever runs this.
unset SEALIFT_REPO SEALIFT_REPO_ID SEALIFT_KEYVAULT SEALIFT_CATALOG SEALIFT_CONNECT SEALIFT_PASSPHRASE_FILE
export LC_ALL=C.UTF-8
failures=0

complain() {
  echo "sealift $*"
  failures=$((failures + 1))
}

# run WORDS...: sets status; standard output and error are in $work/out and $work/err.
run() {
  status=0
  "$binary" "$@" > "$work/out" 2> "$work/err" < /dev/null || status=$?
}

# check_help WORDS EXAMPLE: `sealift WORDS --help`, whose example must hold EXAMPLE.
check_help() {
  local words example=$2 line
  read -ra words <<< "$1"
  run "${words[@]}" --help
  if [ $status != 0 ]; then complain "$1 --help: status $status"; fi
  if [ -s "$work/err" ]; then complain "$1 --help: writes to standard error"; fi
  while IFS= read -r line; do complain "$1 --help: over 80 columns: $line"; done < <(awk 'length($0) > 80' "$work/out")
  if grep -q $'\t' "$work/out"; then complain "$1 --help: a tab"; fi
  # From the last heading on there is nothing but the example.
  line=$(awk '/^[^ ]/ {heading = $0; text = ""} /^ / {text = text $0 "\n"} END {if (heading ~ /^Examples?:?$/) printf "%s", text}' \
    "$work/out")
  if ! grep -qE "sealift $example( |$)" <<< "$line"; then complain "$1 --help: does not end with an example of it"; fi
}

# check_refusal WORDS...: wrong words end with status 2 and one error on standard error.
check_refusal() {
  run "$@"
  if [ $status != 2 ]; then complain "$*: status $status, not 2"; fi
  if [ -s "$work/out" ]; then complain "$*: writes to standard output"; fi
  if ! head -n 1 "$work/err" | grep -q '^error: '; then complain "$*: no error on standard error"; fi
}

check_help '' '[a-z]+'
mapfile -t commands < <(
  run --help
  sed -nE 's/^  ([a-z][a-z-]*( [a-z][a-z-]*)?)  .*/\1/p' "$work/out")
if [ ${#commands[@]} -lt 5 ]; then complain "--help: names only ${#commands[@]} commands"; fi
for command in "${commands[@]}"; do
  check_help "$command" "$command"
  read -ra words <<< "$command"
  check_refusal "${words[@]}" --no-such-option
  if ! grep -q -e '--no-such-option' "$work/err"; then complain "$command --no-such-option: the message does not name it"; fi
done
while IFS= read -r family; do
  check_help "$family" "$family [a-z-]+"
  check_refusal "$family"
  check_refusal "$family" no-such-command
done < <(printf '%s\n' "${commands[@]}" | awk 'NF == 2 {print $1}' | sort -u)
check_refusal no-such-command
check_refusal --no-such-option
run --version
if [ $status != 0 ] || ! grep -qE '^sealift [0-9]+\.[0-9]+' "$work/out"; then complain '--version: no version'; fi

if [ $failures != 0 ]; then
  echo "$failures failures"
  exit 1
fi
echo "${#commands[@]} commands mind their manners"
