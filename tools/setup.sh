#!/bin/sh
# Make a virtual environment hold exactly what a lock file names, and this project in place.
# Usage: setup.sh VENV LOCK          PYTHON=/path/to/python overrides the search.
set -eu
venv=$1
lock=$2

find_python() {
    for candidate in ${PYTHON:-python3.11 python3.12 python3.13 python3.14 python3 python}; do
        if "$candidate" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$candidate"
            return
        fi
    done
    echo "Python 3.11 or newer with its venv module was not found (looked for: ${PYTHON:-python3.11 to python3.14, python3, python})." >&2
    echo "Install it (on Debian: apt install python3 python3-venv), or name it: make setup PYTHON=/path/to/python3.12" >&2
    exit 1
}

if ! "$venv/bin/python" -c 'import pip' >/dev/null 2>&1; then
    python=$(find_python)
    echo "Creating $venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
fi

# --no-deps: the lock is complete, and pip refuses extras (gql[requests]) that the lock resolved into plain names.
# --no-compile: pip compiles on one core; all of them do below.
echo "Installing $lock (about a minute the first time)"
"$venv/bin/python" -m pip install -qq --disable-pip-version-check --require-hashes --no-deps --no-compile -r "$lock"
if ! said=$("$venv/bin/python" -m pip install --disable-pip-version-check --no-deps --no-build-isolation --no-index -e . 2>&1); then
    echo "$said" >&2
    exit 1
fi

# Dagster starts a process per run: byte code makes each of them start three times as fast.
unset PYTHONDONTWRITEBYTECODE
"$venv/bin/python" -m compileall -q -j 0 "$venv/lib" roster_etl >/dev/null 2>&1 || true
