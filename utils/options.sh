# Sourced by run.sh: reads its arguments, "$@". Needs `usage`, `fail` and `here`, the user's folder.
# Sets corpus, system, seeds, first, last, tuning, force, exp; command and its arguments, rest; and the lists of options
# for the stages: shared (all), nj (-2, -1, 2, 3), cluster (-1, 0, 2), drawn (1), pipes (-2), audited (3).
# shellcheck shell=bash disable=SC2034,SC2154

from_here() { # PATH: absolute; a relative one starts in the user's folder
  case $1 in
    /*) printf '%s\n' "$1" ;;
    \~/*) printf '%s\n' ~/"${1#??}" ;; # bash leaves it in --exp=~/exp
    *) printf '%s\n' "$here/$1" ;;
  esac
}

yaml() { # OPTION VALUE FOLDER: a name in conf/FOLDER as it is, a path to a YAML file absolute
  local path lower
  case $2 in
    *.yaml)
      path=$(from_here "$2")
      [[ -f $path ]] || fail "$1 $2: no such file: $path. Give a path to a YAML file, or a name in conf/$3."
      printf '%s\n' "$path"
      return ;;
    *.yml | */*) fail "$1 $2: not a YAML file's name. Give a path that ends in .yaml, or a name in conf/$3." ;;
    *[,\ ]*) fail "$1 $2: not one name. For several systems use all, all-neural, all-classical or a fusion's name." ;;
  esac
  lower=$(tr '[:upper:]' '[:lower:]' <<<"$2")
  [[ $2 == "$lower" || -f conf/$3/$2.yaml || ! -f conf/$3/$lower.yaml ]] ||
    fail "$1 $2: not found. Did you mean $lower?"
  printf '%s\n' "$2"
}

corpus=simulated system=afn seeds=1 first="" last="" command="" tuning=false force=false exp=$PWD/exp given=$#
others="" shared=() nj=() cluster=() drawn=() pipes=() audited=() rest=()
while (($#)); do
  argument=$1
  shift
  case $argument in
    --help | -h) usage; exit 0 ;;
    --force) force=true; shared+=(--force) ;;
    --debug) shared+=(--debug) ;;
    --tune) tuning=true ;;
    --allow-pipes) pipes=(--allow-pipes) ;;
    --audit) audited=(--audit) ;;
    --*)
      option=${argument%%=*}
      case $option in
        --corpus | --eval-corpus | --system | --seeds | --set | --utterances | --nj | --cluster | --data | --exp) ;;
        --jobs | --nproc | --shard) fail "$option no longer exists. Use --cluster ADDRESS to spread work over machines." ;;
        *) fail "unknown option: $argument. See ./run.sh --help." ;;
      esac
      if [[ $argument == *=* ]]; then
        value=${argument#*=}
      else
        (($#)) && [[ $1 != --* ]] || fail "$option needs a value. See ./run.sh --help."
        value=$1
        shift
      fi
      [[ $value == *[![:space:]]* ]] || fail "$option has an empty value. Give one, or leave the option out."
      case $option in
        --corpus) corpus=$(yaml "$option" "$value" corpora) ;;
        --eval-corpus)
          IFS=, read -r -a names <<<"$value"
          for name in "${names[@]}"; do others+=,$(yaml "$option" "$name" corpora); done ;;
        --system) system=$(yaml "$option" "$value" systems) ;;
        --seeds) seeds=$value ;;
        --utterances) read -r -d '' -a drawn <<<"--utterances $value" || true ;; # on several lines, too
        --nj) nj=(--nj "$value") ;;
        --cluster) cluster=(--cluster "$value") ;;
        --data) shared+=(--data "$(from_here "$value")") ;;
        --exp) exp=$(from_here "$value"); shared+=(--exp "$exp") ;;
        --set) shared+=(--set "$value") ;;
      esac ;;
    score | export | bench | test)
      (($# + 1 == given)) || fail "$argument comes before its options. Write ./run.sh $argument ..."
      command=$argument rest=("$@")
      break ;;
    -[12] | [0-3] | −[12] | –[12]) # a minus sign or a dash, as copied from a page, is taken for a hyphen
      [[ -z $last ]] || fail "three stage numbers. Give one, or the first and the last."
      argument=${argument/−/-} argument=${argument/–/-}
      if [[ -z $first ]]; then first=$argument; else last=$argument; fi ;;
    [0-9]* | [-+−–][0-9]*)
      fail "unknown stage: $argument. Stages are -2, -1, 0, 1, 2 and 3; a range is two numbers: ./run.sh 0 3" ;;
    −* | –* | —*) fail "unknown argument: $argument. It begins with a dash that is no hyphen; type it again." ;;
    *) fail "unknown argument: '$argument'. See ./run.sh --help." ;;
  esac
done

[[ -z $others ]] || shared+=(--eval-corpus "${others#,}")

case $command in
  score | export)
    for argument in ${rest[@]+"${rest[@]}"}; do
      [[ -n $argument ]] || fail "$command: an empty file name or value. Is a variable unset?"
    done ;;
esac
if $tuning; then
  last=${last:-${first:-0}}
  ((last == 0 || last == -2)) || fail "--tune runs stages -2 and 0, not stage $last. Leave the stage numbers out."
fi
last=${last:-${first:-3}} first=${first:--2}
((first <= last)) || fail "stage $first comes after stage $last. Give the lower number first."
