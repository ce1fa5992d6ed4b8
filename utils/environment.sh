# Sourced by run.sh: sets `python`, the interpreter of everything else. Needs `fail`, `from_here` and `command`.
# It is the user's own, or that of .venv, which is made from requirements.txt and updated when that file changes.
# shellcheck shell=bash disable=SC2154

requirements=(requirements.txt)
[[ $command != test ]] || requirements+=(requirements-test.txt)

lacking() { # print the packages of requirements that $python lacks, or fail if it is older than 3.11
  "$python" -c '
import sys
if sys.version_info < (3, 11):
    sys.exit(1)
import importlib.metadata, os, re
missing = []
for line in [line for path in filter(os.path.isfile, sys.argv[1:]) for line in open(path, encoding="utf-8")]:
    name = re.match(r"([\w.-]+)==", line)
    try:
        name and importlib.metadata.version(name[1])
    except importlib.metadata.PackageNotFoundError:
        missing.append(name[1])
print(", ".join(missing))' "${requirements[@]}" 2>/dev/null
}

python="" leave=""
if [[ -n ${PYTHON:-} ]]; then
  python=$PYTHON leave="unset PYTHON"
  [[ $python != */* ]] || python=$(from_here "$python")
elif [[ -n ${VIRTUAL_ENV:-} && ! $VIRTUAL_ENV -ef .venv ]]; then
  python=$VIRTUAL_ENV/bin/python3 leave="deactivate the environment"
elif [[ -n ${CONDA_PREFIX:-} && -x $CONDA_PREFIX/bin/python3 ]]; then
  python=$CONDA_PREFIX/bin/python3 leave="deactivate the environment"
  # Many users have the base environment active without choosing it.
  [[ ${CONDA_DEFAULT_ENV:-} != base ]] || [[ $(lacking || echo old) == "" ]] || python=""
fi

if [[ -n $python ]]; then
  missing=$(lacking) || fail "$python is not Python 3.11 or newer. Set PYTHON to one that is, or $leave."
  [[ -z $missing ]] || # the last of requirements includes the others
    fail "$python lacks $missing. Run '$python -m pip install -r $PWD/${requirements[*]: -1}', or $leave."
else
  python=$PWD/.venv/bin/python new=()
  if [[ -e .venv ]] && ! "$python" -c "" 2>/dev/null; then # its Python was removed, as an upgrade of the system does
    [[ -f .venv/requirements.txt ]] || fail "$PWD/.venv has no working Python. Delete that folder and try again."
    rm .venv/requirements.txt
    new=(--clear)
  fi
  for file in "${requirements[@]}"; do
    if ! cmp -s "$file" ".venv/$file"; then
      base=$(command -v python3) || fail "no python3 found. Install Python 3.11 or newer, or set PYTHON."
      "$base" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
        fail "$("$base" --version) is too old. Install Python 3.11 or newer, or set PYTHON."
      echo "run.sh: installing the packages of $file into .venv (once)" >&2
      "$base" -m venv ${new[@]+"${new[@]}"} .venv ||
        fail "python3 -m venv failed. Install Python's venv module, or set PYTHON."
      # The package itself, so that notebooks and scripts that are run by hand can import it.
      "$python" -m pip install --quiet --disable-pip-version-check -r "$file" --editable . ||
        fail "the packages of $file could not be installed. Fix what pip reports above and try again."
      cp "$file" .venv/
    fi
  done
fi
