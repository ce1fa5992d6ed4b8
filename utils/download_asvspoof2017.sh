#!/usr/bin/env bash
# Shows the licence of ASVspoof 2017 Version 2.0, then downloads, checks and unpacks the corpus.
set -euo pipefail
unset CDPATH # with it, cd prints the folder
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=utils/fetch.sh
source "$root/utils/fetch.sh"

home=https://datashare.ed.ac.uk # https://datashare.ed.ac.uk/handle/10283/3055
# Folder, its bitstream there, and its protocol. The protocols come first: they list what the others must contain.
archives=(
  "protocol_V2 dbf267c4-517e-4193-9cdf-c8eadc82ec78"
  "ASVspoof2017_V2_train 4c7e2262-fe78-497e-839f-0ceabbbf2d1e ASVspoof2017_V2_train.trn.txt"
  "ASVspoof2017_V2_dev 4daef0d3-f9e8-49e4-9ffc-a7362842a8f2 ASVspoof2017_V2_dev.trl.txt"
  "ASVspoof2017_V2_eval 77c52086-76ed-4517-a72a-cc94e54a2c0a ASVspoof2017_V2_eval.trl.txt"
)

usage() {
  cat <<HELP
usage: utils/download_asvspoof2017.sh [--yes] [--base-url URL] [DIR]

Downloads ASVspoof 2017 Version 2.0 (1.4 GB) into DIR (data/asvspoof2017/corpus in the repository). An interrupted
download resumes. Archives that are in DIR already, such as ASVspoof2017_V2_train.zip, are used.

  --yes            agree to the licence without being asked
  --base-url URL   a mirror with the same addresses as $home
  --help           this text
HELP
}

licence() {
  cat <<LICENCE
ASVspoof 2017 Version 2.0 is not part of this repository. The University of Edinburgh publishes it under
  Creative Commons Attribution-NonCommercial 4.0 (https://creativecommons.org/licenses/by-nc/4.0/):
  use it for non-commercial purposes only, and credit its authors when you share it or what you make of it:
  T. Kinnunen, M. Sahidullah, H. Delgado, M. Todisco, N. Evans, J. Yamagishi, K. A. Lee: The 2nd Automatic Speaker
  Verification Spoofing and Countermeasures Challenge (ASVspoof 2017) Database, Version 2. https://doi.org/10.7488/ds/2332
It will be downloaded from $home into $folder.
LICENCE
}

begin "$root/data/asvspoof2017/corpus" "$@"

complete() { # NAME PROTOCOL: fail unless the folder has every recording of the protocol
  [[ -n $2 ]] || return 0
  local missing
  missing=$(comm -23 <(tr -d '\r' <"$folder/protocol_V2/$2" | cut -d' ' -f1 | sort) <(find "$folder/$1" -name '*.wav' \
    -exec basename {} \; | sort) | grep . || true)
  [[ -z $missing ]] || fail "$folder/$1: $(wc -l <<<"$missing") recordings are missing, ${missing%%$'\n'*} first." \
    "Move that folder away and run this again."
}

for archive in "${archives[@]}"; do
  read -r name bitstream protocol <<<"$archive"
  zip=$folder/$name.zip
  if [[ ! -d $folder/$name ]]; then
    for last in false true; do
      ours=false
      if [[ ! -e $zip ]]; then
        echo "$name.zip: downloading"
        fetch "$zip" "$home/bitstreams/$bitstream/download" "$home/server/api/core/bitstreams/$bitstream/content"
        ours=true
      fi
      unpack "$zip" "$folder/$name" && break
      ! $last || fail "$zip: damaged twice. Delete it and try again later."
      echo "$zip: damaged; downloading it again"
      rm -- "$zip"
    done
    ! $ours || rm -- "$zip"
  fi
  complete "$name" "$protocol"
done
(cd -- "$folder/protocol_V2" && sha256sum --check --quiet) <<'SUMS' || echo "warning: these are not the published protocols"
6a84217c6f65146283ab81e39588b4c6e111cc08e193521dda4e99e0137651c8  ASVspoof2017_V2_train.trn.txt
7ef3740cb4377b5d0f621da1f9c3679569cfa575a9056b711c6bf34e982c15d8  ASVspoof2017_V2_dev.trl.txt
fbb281ba8195ce6272b6a3aaaeb6c41086349e808a3ad88e1dcfad2575db5557  ASVspoof2017_V2_eval.trl.txt
SUMS
echo "$folder: complete. Prepare it: ./run.sh --corpus asvspoof2017 --set corpus.root=$(printf %q "$folder") -2"
