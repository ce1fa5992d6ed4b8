#!/usr/bin/env bash
# Attentive Filtering Networks, from recordings to results, in numbered stages.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'HELP'
usage: ./run.sh [options] [FIRST [LAST]]     run stages FIRST to LAST (one stage, or by default all)
       ./run.sh score FILE...                your own recordings: genuine or replayed? (score --help)
       ./run.sh export                       trained networks as ONNX files (export --help)
       ./run.sh test [PYTEST ARGUMENTS]      run the tests

stages
  -2  corpus to data directories      data/<corpus>/{train,dev,eval}
  -1  features                        data/<corpus>/<subset>/<feature>
   0  model training                  exp/<corpus>/<system>/seed<k>
   1  visualising attention           exp/<corpus>/<system>/attention
   2  model forward passing: scores   exp/<corpus>/<system>/scores
   3  EER, DET curves, results table  exp/<corpus>/{RESULTS.md,report.html}

options
  --corpus NAME        conf/corpora/NAME.yaml, or a path to a YAML           (simulated)
  --system NAME        conf/systems/NAME.yaml, or a path to a YAML; all, or
                       all-neural: every such row, one after the other       (afn)
  --seeds LIST         1, 1-8 or 1,3,5: one training each                    (1)
  --set NAME=VALUE     override a value of the system's YAML (train.epochs=5),
                       or of the corpus' (corpus.root=DIR); repeatable
  --utterances "A B"   ids whose attention stage 1 draws (four of each class)
  --nj N               parallel jobs of stages -2 and -1                     (all cores)
  --jobs N             seeds trained at once on one GPU                      (as fit)
  --force              redo what stands
  --allow-pipes        stage -2 may run the programs of `id program ... |` lines
                       in a wav.scp of your own: only for lists you trust
  --data DIR           folder of data directories                            (data)
  --exp DIR            folder of experiments                                 (exp)
  --help               this text

Packages are installed into .venv on first use; an active virtual environment or PYTHON=... is used as it is.
HELP
}

fail() { echo "run.sh: error: $*" >&2; exit 2; }

corpus=simulated system=afn seeds=1 utterances="" first="" last="" command="" given=$#
shared=() nj=() jobs=() pipes=() rest=()
while (($#)); do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --force) shared+=(--force) ;;
    --allow-pipes) pipes=(--allow-pipes) ;;
    --corpus | --system | --seeds | --set | --utterances | --nj | --jobs | --data | --exp)
      (($# > 1)) || fail "$1 needs a value; see ./run.sh --help"
      case $1 in
        --corpus) corpus=$2 ;;
        --system) system=$2 ;;
        --seeds) seeds=$2 ;;
        --utterances) utterances=$2 ;;
        --nj) nj=(--nj "$2") ;;
        --jobs) jobs=(--jobs "$2") ;;
        *) shared+=("$1" "$2") ;;
      esac
      shift ;;
    score | export | test)
      (($# == given)) || fail "$1 comes before its options: ./run.sh $1 ..."
      command=$1; shift; rest=("$@"); break ;;
    -[12] | [0-3])
      [[ -z $last ]] || fail "three stage numbers; give one, or the first and the last"
      if [[ -z $first ]]; then first=$1; else last=$1; fi ;;
    *) fail "unknown argument '$1'; see ./run.sh --help" ;;
  esac
  shift
done
last=${last:-${first:-3}} first=${first:--2}
((first <= last)) || fail "stage $first comes after stage $last; give the first one first"

# Packages: the user's own Python, or .venv, made from requirements.txt and again when that changes.
if [[ -n ${PYTHON:-} ]]; then
  python=$PYTHON
elif [[ -n ${VIRTUAL_ENV:-} ]]; then
  python=$VIRTUAL_ENV/bin/python
else
  python=.venv/bin/python
  if ! cmp -s requirements.txt .venv/requirements.txt; then
    system_python=$(command -v python3 || true)
    [[ -n $system_python ]] || fail "no python3 found; install Python 3.11 or newer, or set PYTHON"
    "$system_python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
      fail "$("$system_python" --version) is too old; install Python 3.11 or newer, or set PYTHON"
    echo "run.sh: installing the packages of requirements.txt into .venv (once)"
    "$system_python" -m venv .venv || fail "python3 -m venv failed; install Python's venv module, or set PYTHON"
    "$python" -m pip install --quiet --disable-pip-version-check -r requirements.txt ||
      fail "the packages of requirements.txt could not be installed; mend what pip says above and try again"
    cp requirements.txt .venv/requirements.txt
  fi
fi
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null ||
  fail "$python is no Python 3.11 or newer; set PYTHON to one"

case $command in
  test) exec "$python" -m pytest ${rest[@]+"${rest[@]}"} ;;
  score | export) # file names start where the user stands
    [[ $python != */* || $python == /* ]] || python=$PWD/$python
    script=$PWD/src/${command/score/score_wav}.py
    cd "$OLDPWD"
    exec "$python" "$script" ${rest[@]+"${rest[@]}"} ;;
esac

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

# The + forms keep empty lists from being unbound variables in bash before 4.4.
row() { # SYSTEM: stages -1 to 2 of one row of the table
  local of=(--system "$1" --seeds "$seeds") drawn
  read -ra drawn <<<"${utterances:+--utterances $utterances}"
  stage -1 extract.py "${of[@]}" ${nj[@]+"${nj[@]}"} &&
    stage 0 train.py "${of[@]}" ${jobs[@]+"${jobs[@]}"} &&
    stage 1 attention.py "${of[@]}" ${drawn[@]+"${drawn[@]}"} &&
    stage 2 score.py "${of[@]}"
}

rows=$("$python" src/rows.py "$system")
failed=()
stage -2 prepare.py ${nj[@]+"${nj[@]}"} ${pipes[@]+"${pipes[@]}"}
while IFS= read -r name <&3; do
  code=0
  row "$name" || code=$?
  ((code == 0)) && continue
  # Alone, a row that fails ends the run. Among several, the others go on.
  [[ $rows != "$name" && $code != 130 && $code != 143 ]] || exit "$code"
  failed+=("$name")
done 3<<<"$rows"
stage 3 evaluate.py
if ((${#failed[@]})); then
  echo "run.sh: error: these rows failed, see above: ${failed[*]}" >&2
  exit 1
fi
