# Sourced by the download scripts: `fail`, `begin`, `fetch` and `unpack`. Needs `usage`, `licence` and home, the address;
# curl, and python3 to unpack zip files.
# shellcheck shell=bash disable=SC2034

fail() { echo "${0##*/}: error: $*" >&2; exit 2; }

begin() { # FOLDER ARGUMENTS...: set folder (by default FOLDER) and home, show the licence, and end unless the user agrees
  local agreed=false answer="" default=$1
  folder=""
  while shift && (($#)); do
    case $1 in
      --help | -h) usage; exit ;;
      --yes) agreed=true ;;
      --base-url) (($# > 1)) || fail "--base-url needs an address. See --help."; home=$2; shift ;;
      --base-url=*) home=${1#*=} ;;
      -*) fail "unknown option: $1. See --help." ;;
      "") fail "an empty folder name. Is a variable unset?" ;;
      *) [[ -z $folder ]] || fail "two folders: $folder and $1. Give one."; folder=$1 ;;
    esac
  done
  folder=${folder:-$default}
  licence
  ! $agreed || return 0
  [[ -t 0 ]] || fail "nobody is here to agree to the licence. Read it and add --yes."
  read -r -p "Do you agree to the licence? Type yes: " answer || true
  [[ $answer == [yY][eE][sS] ]] || fail "the licence was not agreed to; nothing was downloaded. Type yes to agree."
}

fetch() { # FILE URL...: download FILE from the first URL that has it, or continue FILE.part
  local file=$1 part=$1.part url attempt code answer protocols="=https"
  command -v curl >/dev/null || fail "curl is not installed. Install it, or download $file by hand."
  mkdir -p -- "$(dirname -- "$file")" || fail "$(dirname -- "$file"): cannot be written. Choose another folder."
  shift
  for url; do
    [[ $url =~ ^https:// ]] || protocols="=http,https" # only this machine may be asked without encryption
    [[ $url =~ ^(https://[^/]|http://(localhost|127\.0\.0\.1)[:/]) ]] || fail "$url: not an https address. Correct it."
    for attempt in 1 2 3 4 5 6; do
      code=0
      answer=$(curl --fail --location --continue-at - --proto "$protocols" --proto-redir "$protocols" \
        --noproxy localhost,127.0.0.1 --connect-timeout 60 --speed-limit 1 --speed-time 60 --no-progress-meter \
        --write-out '%{http_code} %{content_type}' --output "$part" --url "$url") || code=$?
      case $code in
        0) if [[ $answer != *text/html* ]]; then mv -- "$part" "$file" && return; fi # else a page for browsers
           rm -f -- "$part"
           break ;;
        1 | 60) fail "$url: not a trusted address (see above). Try again later." ;;
        22) [[ $answer =~ ^(408|429|5..) ]] || break ;; # worth another attempt, or not there
        23) fail "$part: cannot be written. Free some space or choose another folder, and run this again: it resumes." ;;
        33 | 36) rm -f -- "$part" ;; # the server cannot continue
      esac
      ((attempt == 6)) || sleep "$((${FETCH_PAUSE-1} << attempt))"
    done
  done
  fail "$url: $file cannot be downloaded (see above). Run this again later: it resumes."
}

unpack() { # ZIP FOLDER: FOLDER appears when it is complete; fails if the archive is damaged
  local archive=$1 folder=$2 temporary
  temporary=$(dirname -- "$2")/.$(basename -- "$2").tmp
  rm -rf -- "$temporary"
  mkdir -p -- "$temporary"
  # Python's zipfile checks sums, writes below the folder only, and makes no links.
  "${PYTHON:-python3}" -m zipfile -e "$archive" "$temporary" 2>/dev/null || return 1
  if [[ -d $temporary/$(basename -- "$folder") ]]; then # the archive holds the folder itself
    mv -- "$temporary/$(basename -- "$folder")" "$folder"
    rm -rf -- "$temporary"
  else
    mv -- "$temporary" "$folder"
  fi
}
