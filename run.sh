#!/usr/bin/env bash
# Attentive Filtering Networks, from recordings to results, in numbered stages.
set -euo pipefail
cd "$(dirname "$0")"

usage() {
  cat <<'HELP'
usage: ./run.sh [options] [FIRST [LAST]]     run stages FIRST to LAST (one stage, or by default all)
       ./run.sh score FILE...                your own recordings: genuine or replayed? (score --help)
       ./run.sh export                       trained networks as ONNX files (export --help)
       ./run.sh bench                        measure speed against reference programs
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
  --system NAME        conf/systems/NAME.yaml, or a path to a YAML; or several
                       rows, one after the other: all, all-neural,
                       all-classical, or the members of conf/fusion/NAME.yaml (afn)
  --seeds LIST         1, 1-8 or 1,3,5: one training each                    (1)
  --set NAME=VALUE     override a value of the system's YAML (train.epochs=5),
                       or of the corpus' (corpus.root=DIR); repeatable
  --utterances "A B"   ids whose attention stage 1 draws (four of each class)
  --nj N               parallel jobs of stages -2 and -1                     (all cores)
  --jobs N             seeds trained at once on one GPU                      (as fit)
  --nproc N            processes that train a network together, each a share
                       of every batch; on a machine of GPUs one for each     (1)
  --shard I/N          stages -1 and 2 do the I-th of N parts of every list;
                       whichever of them ends last puts the parts together
  --tune               stages -2 and 0 only: walk the grids of
                       conf/tuning/NAME.yaml on dev
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

corpus=simulated system=afn seeds=1 utterances="" first="" last="" command="" tuning=false given=$#
shared=() nj=() jobs=() shard=() pipes=() rest=()
while (($#)); do
  case $1 in
    --help | -h) usage; exit 0 ;;
    --force) shared+=(--force) ;;
    --tune) tuning=true ;;
    --allow-pipes) pipes=(--allow-pipes) ;;
    --corpus | --system | --seeds | --set | --utterances | --nj | --jobs | --nproc | --shard | --data | --exp)
      (($# > 1)) || fail "$1 needs a value; see ./run.sh --help"
      case $1 in
        --corpus) corpus=$2 ;;
        --system) system=$2 ;;
        --seeds) seeds=$2 ;;
        --utterances) utterances=$2 ;;
        --nj) nj=(--nj "$2") ;;
        --jobs | --nproc) jobs+=("$1" "$2") ;;
        --shard) shard=(--shard "$2") ;;
        *) shared+=("$1" "$2") ;;
      esac
      shift ;;
    score | export | bench | test)
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

# shellcheck source=utils/environment.sh
source utils/environment.sh # sets python
export PYTHONPATH=$PWD/src${PYTHONPATH:+:$PYTHONPATH}

# Why glibc's cache is off and it asks for huge pages: src/afn/common/allocator.py.
export GLIBC_TUNABLES=${GLIBC_TUNABLES:+$GLIBC_TUNABLES:}glibc.malloc.tcache_count=0:glibc.malloc.hugetlb=1

case $command in
  bench) exec "$python" bench/run.py ${rest[@]+"${rest[@]}"} ;;
  test)
    if ((!${#rest[@]})); then # all of them: two processes, of a thread each, that do not keep a core busy with waiting
      rest=(--numprocesses 2 --dist loadfile --no-loadscope-reorder)
      export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
    fi
    exec "$python" -m pytest "${rest[@]}" ;;
  score | export) # file names start where the user stands
    [[ $python != */* || $python == /* ]] || python=$PWD/$python
    cd "$OLDPWD"
    exec "$python" -m "afn.experiment.${command/score/score_recordings}" ${rest[@]+"${rest[@]}"} ;;
esac

# shellcheck source=utils/stage.sh
source utils/stage.sh

# The + forms keep empty lists from being unbound variables in bash before 4.4.
# A job of stage -1 is one core's, its algebra included.
row() { # SYSTEM: stages -1 to 2 of one row of the table
  local of=(--system "$1" --seeds "$seeds") drawn
  if $tuning; then
    stage 0 tune.py "${of[@]}" ${nj[@]+"${nj[@]}"}
    return
  fi
  read -ra drawn <<<"${utterances:+--utterances $utterances}"
  OPENBLAS_NUM_THREADS=1 stage -1 extract.py "${of[@]}" ${nj[@]+"${nj[@]}"} ${shard[@]+"${shard[@]}"} &&
    stage 0 train.py "${of[@]}" ${jobs[@]+"${jobs[@]}"} &&
    stage 1 attention.py "${of[@]}" ${drawn[@]+"${drawn[@]}"} &&
    stage 2 score.py "${of[@]}" ${shard[@]+"${shard[@]}"}
}

rows=$("$python" -m afn.experiment.rows "$system")
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
$tuning || stage 3 evaluate.py
if ((${#failed[@]})); then
  echo "run.sh: error: these rows failed, see above: ${failed[*]}" >&2
  exit 1
fi
