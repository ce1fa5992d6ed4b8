# Sourced by run.sh: `stage` runs a script of src/ or a module. `start_forcing` and `finish_forcing` make --force
# resumable.
# Reads corpus, system, seeds, first, last, tuning, exp, python and the lists shared and drawn.
# shellcheck shell=bash disable=SC2154

# A stage runs in the background and is waited for, so that a signal to this script alone ends the stage, too.
interrupted=""
end() { # EXIT CODE
  interrupted=$1
  local running
  running=$(jobs -p)
  [[ -n $running ]] || exit "$interrupted"
  kill -TERM "$running" 2>/dev/null || true
}
trap 'end 129' HUP
trap 'end 130' INT
trap 'end 143' TERM

stage() { # NUMBER SCRIPT-OR-MODULE ARGUMENTS...: run the stage if it was asked for
  local number=$1 script=$2
  shift 2
  ((first <= number && number <= last)) || return 0
  echo "== stage $number: $script --corpus $corpus $*"
  local code=0 child program=("src/$script")
  [[ $script == *.py ]] || program=(-m "$script")
  "$python" "${program[@]}" --corpus "$corpus" "$@" ${shared[@]+"${shared[@]}"} &
  child=$!
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do # a signal interrupted the waiting
    wait "$child" || code=$?
  done
  if [[ -n $interrupted ]]; then
    echo "run.sh: interrupted in stage $number ($script); the same command goes on from here" >&2
    exit "$interrupted"
  fi
  if ((code && code != 141)); then # 141: the reader of the output has seen enough, as in ./run.sh 3 | head
    echo "run.sh: stage $number ($script) failed with exit code $code" >&2
  fi
  return "$code"
}

# --force redoes what was finished before its run began. The time of a marker file is that beginning. The marker remains
# until the run succeeds, so that the same command after an interruption continues instead of redoing everything.
# Options that change no result (--nj, --cluster) may differ.
unset AFN_FORCED
start_forcing() {
  local key marker
  key=$(printf '%s\n' "$corpus" "$system" "$seeds" "$first" "$last" "$tuning" "${drawn[*]-}" "${shared[@]}" | cksum)
  marker=$exp/.forced/${key// /-}
  if [[ -e $marker ]]; then
    echo "run.sh: continuing the forced run that was interrupted; to redo everything, delete $marker" >&2
  else
    { mkdir -p "$exp/.forced" && : >"$marker"; } 2>/dev/null ||
      fail "$exp: cannot be written. Choose another folder with --exp, or change its permissions."
  fi
  export AFN_FORCED=$marker
}

finish_forcing() {
  rm -f "$AFN_FORCED"
  rmdir "$exp/.forced" 2>/dev/null || true # another forced run may be at work
}
