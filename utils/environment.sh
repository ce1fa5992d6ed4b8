# Sourced by run.sh: sets `python`, the interpreter of everything else. Needs `fail`.
# shellcheck shell=bash
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
