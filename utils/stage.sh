# Sourced by run.sh: `stage`, which runs a script of src/ and ends with it. Reads first, last, python, corpus and shared.
# shellcheck shell=bash disable=SC2154

# A stage runs in the background and is waited for, so that a signal to this script alone ends it too.
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

stage() { # NUMBER SCRIPT ARGUMENTS...: run the stage if it was asked for
  local number=$1 script=$2
  shift 2
  ((first <= number && number <= last)) || return 0
  echo "== stage $number: $script --corpus $corpus $*"
  local code=0 child
  "$python" "src/$script" --corpus "$corpus" "$@" ${shared[@]+"${shared[@]}"} &
  child=$!
  wait "$child" || code=$?
  while kill -0 "$child" 2>/dev/null; do # a signal cut the waiting short
    wait "$child" || code=$?
  done
  if [[ -n $interrupted ]]; then
    echo "run.sh: interrupted in stage $number ($script); the same command goes on from here" >&2
    exit "$interrupted"
  fi
  if ((code)); then
    echo "run.sh: stage $number ($script) failed with exit code $code" >&2
  fi
  return "$code"
}
