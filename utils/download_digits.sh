#!/usr/bin/env bash
# Shows the licence of the spoken digits, live and played back, then downloads and checks the recordings.
set -euo pipefail
unset CDPATH # with it, cd prints the folder
root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
# shellcheck source=utils/fetch.sh
source "$root/utils/fetch.sh"

home=https://github.com/ensismoebius/voiceSpoofingDetectionWavelet
pairs=410 # 41 speakers, ten digits; each is there live and played back

usage() {
  cat <<HELP
usage: utils/download_digits.sh [--yes] [--base-url URL] [DIR]

Downloads the spoken digits into DIR (data/digits/corpus in the repository): 820 recordings, real replays.
An archive that is in DIR already, digits.tar.gz, is used.

  --yes            agree to the licence without being asked
  --base-url URL   a mirror of $home
  --help           this text
HELP
}

licence() {
  cat <<LICENCE
The spoken digits are not part of this repository. São Paulo State University (UNESP) publishes them with the program of
  a dissertation under the GNU General Public License, version 3, free for non-commercial use:
  $home
They will be downloaded into $folder.
LICENCE
}

begin "$root/data/digits/corpus" "$@"

samples=$folder/soundSamples
if [[ ! -d $samples ]]; then
  archive=$folder/digits.tar.gz ours=false
  if [[ ! -e $archive ]]; then
    echo "digits.tar.gz: downloading the whole repository"
    fetch "$archive" "$home/archive/HEAD.tar.gz"
    ours=true
  fi
  temporary=$folder/.unpacking
  rm -rf -- "$temporary"
  mkdir -p -- "$temporary"
  tar -xzf "$archive" -C "$temporary" --strip-components=1 || fail "$archive: damaged. Delete it and run this again."
  [[ -d $temporary/soundSamples/separated ]] || fail "$archive: has no soundSamples/separated. Delete it."
  mkdir -p -- "$temporary/kept"
  mv -- "$temporary/soundSamples/separated" "$temporary/kept/"
  mv -- "$temporary/kept" "$samples"
  rm -rf -- "$temporary"
  ! $ours || rm -- "$archive"
fi
list() { (cd -- "$samples/separated/$1" 2>/dev/null && find . -name 'Voz*.wav' | sort); }
found=$(comm -12 <(list live) <(list playback) | wc -l)
((found == pairs)) || fail "$samples: $found of $pairs recordings are there in both classes. Delete that folder."
echo "$folder: complete. Prepare it: ./run.sh --corpus digits --set corpus.root=$(printf %q "$folder") -2"
