#!/usr/bin/env bash
# Shows the licence of ASVspoof 2017 Version 2.0, then fetches, verifies and unpacks the corpus.
# Needs bash and Python 3.11 or newer, nothing else.
set -euo pipefail
unset CDPATH # with it, cd prints the folder

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
home=https://datashare.ed.ac.uk
folder=$root/data/asvspoof2017/corpus
agreed=false
keep=()

usage() {
    cat <<EOF
Usage: utils/download_asvspoof2017.sh [--yes] [--keep-archives] [--base-url URL] [DIR]

Fetches ASVspoof 2017 Version 2.0 (1.4 GB) into DIR, by default data/asvspoof2017/corpus in the repository. Started
again, it goes on where it was stopped and leaves alone what is complete. An archive that you fetched yourself is taken
if it lies in DIR under its own name, such as ASVspoof2017_V2_train.zip.

  --yes            agree to the licence without being asked
  --keep-archives  leave the zip files in DIR once they are unpacked
  --base-url URL   a mirror with the same addresses as $home: https, or http on this machine
  --help           this text

PYTHON=FILE in the environment names the Python to use.
EOF
}

fail() {
    echo "download_asvspoof2017.sh: error: $1" >&2
    exit 2
}

directories=()
while (($#)); do
    case $1 in
        --help | -h) usage && exit ;;
        --yes) agreed=true ;;
        --keep-archives) keep=(--keep-archives) ;;
        --base-url=*) home=${1#*=} ;;
        --base-url) (($# > 1)) || fail "--base-url needs an address" && home=$2 && shift ;;
        -*) fail "unknown option $1; --help lists them" ;;
        *) directories+=("$1") ;;
    esac
    shift
done
((${#directories[@]} <= 1)) || fail "one folder is enough, not: ${directories[*]}"
if ((${#directories[@]})); then
    [[ ${directories[0]} ]] || fail "the folder has no name"
    folder=${directories[0]}
fi

python=${PYTHON:-}
if [[ ! $python ]]; then
    python=$root/.venv/bin/python
    [[ -x $python ]] || python=python3
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
    fail "$python is not a Python 3.11 or newer; name one with PYTHON=FILE"

cat <<EOF
ASVspoof 2017 Version 2.0 is not part of this repository. It is published by the University of Edinburgh under
  Creative Commons Attribution-NonCommercial 4.0 (https://creativecommons.org/licenses/by-nc/4.0/):
  you may use it for non-commercial purposes only, and must credit its makers when you share it or what you make of it:
  T. Kinnunen, M. Sahidullah, H. Delgado, M. Todisco, N. Evans, J. Yamagishi, K. A. Lee: The 2nd Automatic Speaker
  Verification Spoofing and Countermeasures Challenge (ASVspoof 2017) Database, Version 2. https://doi.org/10.7488/ds/2332
It will be fetched from $home into $folder.
EOF
if ! $agreed; then
    [[ -t 0 ]] || fail "nobody is there to agree to the licence; read it and add --yes"
    read -r -p "Do you agree to the licence? Type yes: " answer || answer=
    [[ $answer == [yY][eE][sS] ]] || fail "the licence was not agreed to; nothing was fetched"
fi

PYTHONPATH=$root/src exec "$python" "$root/utils/fetch_archives.py" --base-url "$home" "${keep[@]+"${keep[@]}"}" -- "$folder"
