#!/usr/bin/env bash
# Attentive Filtering Networks, from recordings to results, in numbered stages.
[ -n "${BASH_VERSION:-}" ] || { echo "run.sh: error: this shell is not bash. Run it as: bash run.sh" >&2; exit 2; }
[[ ${BASH_SOURCE[0]} == "$0" ]] || { echo "run.sh: error: it cannot be sourced. Run it as: ./run.sh" >&2; return 2; }
set -euo pipefail
{ : 3>&2; } || exec 2>/dev/null # a stream that the caller has closed is discarded
{ : 3>&1; } 2>/dev/null || exec >/dev/null

usage() {
  cat <<'HELP'
usage: ./run.sh                              all stages of lfcc_gmm (a minute) and afn on a simulated corpus
       ./run.sh [options] [FIRST [LAST]]     run stages FIRST to LAST (one stage, or by default all)
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
  --corpus NAME        conf/corpora/NAME.yaml, or a path to a YAML file      (simulated)
  --eval-corpus NAMES  other corpora, with commas: stages -2, 2 and 3 test the trained
                       systems on them as well; see exp/<corpus>/on_<other>
  --system NAME        conf/systems/NAME.yaml, or a path to a YAML file; or several
                       systems, one after the other: all, all-neural,
                       all-classical, or the members of conf/fusion/NAME.yaml (afn)
  --seeds LIST         1, 1-8 or 1,3,5: one training each                    (1)
  --set NAME=VALUE     override a value of the system's YAML (train.epochs=5),
                       or of the corpus' (corpus.root=DIR); repeatable
  --audit              stage 3 also tests every system on eval without silence at the
                       ends and at one level
  --utterances "A B"   utterances of which stage 1 draws heatmaps (four of each class)
  --nj N               parallel jobs of stages -2, -1, --eval-corpus, --audit (all cores)
  --cluster ADDRESS    run stages -1, 0 and 2 on a Dask cluster: tcp://node7:8786
  --tune               stages -2 and 0 only: search the grids of
                       conf/tuning/NAME.yaml on dev
  --force              redo finished work, once: if the run is interrupted, the same
                       command continues it
  --allow-pipes        stage -2 may run the programs of `id program ... |` lines
                       in a wav.scp of your own: only for lists you trust
  --data DIR           folder of data directories                            (data)
  --exp DIR            folder of experiments                                 (exp)
  --debug              show the traceback of an error
  --help               this text

Relative paths start in the current folder. Packages are installed into .venv on first use; an active virtual or conda
environment, or PYTHON=FILE, is used as it is.
HELP
}

fail() { echo "run.sh: error: $*" >&2; exit 2; }

# Work in the repository: links to this script are followed, CDPATH is not.
unset CDPATH
here=$PWD self=${BASH_SOURCE[0]}
while [[ -L $self ]]; do
  link=$(readlink "$self")
  if [[ $link == /* ]]; then self=$link; else self=$(dirname -- "$self")/$link; fi
done
cd -- "$(dirname -- "$self")"
repository=$PWD

# shellcheck source=utils/options.sh
source utils/options.sh # reads the arguments
# shellcheck source=utils/environment.sh
source utils/environment.sh # sets python
# shellcheck source=utils/stage.sh
source utils/stage.sh # defines stage
export PYTHONPATH=$repository/src${PYTHONPATH:+:$PYTHONPATH}

case $command in
  bench)
    cd -- "$here" # where relative paths start
    PYTHONPATH=$repository/bench:$PYTHONPATH exec "$python" "$repository/bench/run.py" ${rest[@]+"${rest[@]}"} ;;
  test)
    if [[ " ${rest[*]-}" != *" tests/"* ]]; then # many: two processes of one thread each, which do not wait actively
      rest=(--numprocesses 2 --dist loadfile --no-loadscope-reorder ${rest[@]+"${rest[@]}"})
      export OMP_NUM_THREADS=1 OMP_WAIT_POLICY=passive
    fi
    exec "$python" -m pytest "${rest[@]}" ;;
  score | export)
    cd -- "$here"
    # Python files in the user's folder, such as random.py, are not modules of the program.
    PYTHONSAFEPATH=1 exec "$python" -m "afn.experiment.${command/score/score_recordings}" ${rest[@]+"${rest[@]}"} ;;
esac

rows=$("$python" src/afn/experiment/rows.py "$system") # the systems, one per line
((given)) || rows=lfcc_gmm$'\n'$rows                     # something to read while the network trains
if $force; then start_forcing; fi
# The + forms keep empty lists from being unbound variables in bash before 4.4.
stage -2 prepare.py ${nj[@]+"${nj[@]}"} ${pipes[@]+"${pipes[@]}"}
failed=()
while IFS= read -r name <&3; do
  row=(--system "$name" --seeds "$seeds") code=0
  if $tuning; then
    stage 0 afn.experiment.tune "${row[@]}" ${nj[@]+"${nj[@]}"} ${cluster[@]+"${cluster[@]}"} || code=$?
  else # a job of stage -1 takes one core, its algebra included
    OPENBLAS_NUM_THREADS=1 stage -1 extract.py "${row[@]}" ${nj[@]+"${nj[@]}"} ${cluster[@]+"${cluster[@]}"} &&
      stage 0 train.py "${row[@]}" ${cluster[@]+"${cluster[@]}"} &&
      stage 1 attention.py "${row[@]}" ${drawn[@]+"${drawn[@]}"} &&
      stage 2 score.py "${row[@]}" ${nj[@]+"${nj[@]}"} ${cluster[@]+"${cluster[@]}"} || code=$?
  fi
  if ((!given && !code)) && [[ $name != "$system" ]]; then
    stage 3 evaluate.py
    echo "run.sh: exp/simulated/report.html has first results, of mixtures; those of the network follow"
  fi
  ((code)) || continue
  # A single system that fails ends the run. Among several, the others go on.
  [[ $given != 0 && $rows != "$name" && $code != 130 && $code != 143 ]] || exit "$code"
  failed+=("$name")
done 3<<<"$rows"
stage 3 evaluate.py ${audited[@]+"${audited[@]}"} ${nj[@]+"${nj[@]}"}
((!${#failed[@]})) || { echo "run.sh: error: these systems failed, see above: ${failed[*]}" >&2; exit 1; }
if $force; then finish_forcing; fi
