#!/usr/bin/env bash
# The bed and its guest, without Sealift: what the other tests believe of them is so. Files and secret are moved from A
# to B by hand; the guest unseals. The vTPM state is left out; the guest says that it cannot.
# shellcheck source=tests/integration/assert.sh
. "$(dirname "$(readlink -f "$0")")/assert.sh"

not_ok "A does not see B's files" in_cluster A test -e "$BED/B/lib"
not_ok "B does not see A's files" in_cluster B test -e "$BED/A/lib"
not_ok 'B does not see the world outside' in_cluster B test -e "$BED/outside/xml"
echo word > "$BED/outside/word"
bed_mount B "$BED/outside/word" /mnt/word ro
is 'B sees what it is given' word "$(in_cluster B cat /mnt/word)"
not_ok 'and cannot write to it' in_cluster B tee /mnt/word
bed_unmount_all B

bed_guest A control --interface ''
bed_boot A control
like 'the guest boots with secure boot and a vTPM' 'TL BOOT 1 secureboot=1 tpm=tpm0' "$(bed_console_lines A control)"
sealed=$(bed_wait_console A control 'TL SEAL-CREATED' | awk '{print $3}')
bed_wait_console A control 'TL TICK 4 ' > /dev/null
bed_watch_pauses A control "$WORK/events"
vsh A suspend "$(bed_uuid control)" > /dev/null
sleep 0.4
vsh A resume "$(bed_uuid control)" > /dev/null
bed_wait_console A control 'TL TICK' 30 "$(bed_mark A control)" > /dev/null
kill "$BED_WATCH"
pauses=$(bed_pauses "$WORK/events")
at_least 'a pause of 0.4 s is measured' 400 "$pauses"
at_most 'and is not measured as twice that' 800 "$pauses"
vsh A destroy "$(bed_uuid control)" > /dev/null
last=$(bed_console_lines A control | awk '/TL TICK/ {tick = $3} END {print tick}')

# By hand: what a restore does.
state=swtpm/$(bed_uuid control)
for file in images/control-boot.qcow2 images/control-data.qcow2 "$state/tpm2/tpm2-00.permall" qemu/nvram/control_VARS.fd; do
  mkdir -p "$BED/B/lib/$(dirname "$file")"
  cp "$BED/A/lib/$file" "$BED/B/lib/$file"
done
bed_secret B control "$(bed_secret_value control)"
bed_define B "$(bed_guest_xml control)"
bed_wipe A
is 'A is empty after a wipe' '' "$(bed_leftovers A)"

bed_boot B control
like 'moved by hand, the guest unseals the same secret on B' "TL UNSEAL-OK $sealed" "$(bed_console_lines B control)"
found=$(bed_wait_console B control 'TL TICKS-FOUND' | awk '{print $3}')
at_least 'and finds every tick that A saw' "$last" "$found"

vsh B destroy "$(bed_uuid control)" > /dev/null
rm -r "${BED:?}/B/lib/$state"
from=$(bed_mark B control)
bed_boot B control 240
like 'without its vTPM state it says that it cannot' 'TL UNSEAL-FAIL' "$(bed_console_lines B control "$from")"
finish
