#!/usr/bin/env bash
# A virtual environment with the pinned packages. Python 3.13 is what is deployed: taken from PATH or pyenv, else fetched by uv;
# where none can be had, 3.11 or 3.12 does.
set -euo pipefail
venv=$1

usable() { "$1" -c 'import sys, venv, ensurepip; sys.exit(not sys.version_info[:2] in [(3, 11), (3, 12), (3, 13)])' 2>/dev/null; }

find_python() {
    local candidate
    for candidate in python3.13 "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.13*/bin/python3; do
        candidate=$(command -v "$candidate" 2>/dev/null) && usable "$candidate" && { echo "$candidate"; return; }
    done
    return 1
}

python=$(find_python) || python=""
if [ -z "$python" ]; then
    base=$(command -v python3 || command -v python)
    "$base" -m venv "$venv.uv" && "$venv.uv/bin/pip" install -q uv
    if "$venv.uv/bin/uv" python install -q 3.13 2>/dev/null; then
        python=$("$venv.uv/bin/uv" python find 3.13)
    elif usable "$base"; then
        python=$base
    else
        echo "Python 3.11, 3.12 or 3.13 is needed; none was found and none could be fetched." >&2
        exit 1
    fi
    rm -rf "$venv.uv"
fi

"$python" -m venv --clear "$venv"
"$venv/bin/pip" install -q --disable-pip-version-check uv
if "$venv/bin/python" -c 'import sys; sys.exit(sys.version_info < (3, 13))'; then
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" -r requirements-dev.txt -r requirements-host.txt
else  # the engine declares >= 3.13 but runs on 3.11 as it is
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" -r requirements-dev.txt --override requirements-before-313.txt
    "$venv/bin/pip" install -q --disable-pip-version-check --ignore-requires-python --no-deps -r requirements-host.txt
fi
