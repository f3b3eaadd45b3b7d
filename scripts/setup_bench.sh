#!/usr/bin/env bash
# An environment for what the benches measure against, on the same Python as ours.
set -euo pipefail
venv=$1 target=$2
"$venv/bin/uv" venv -q --allow-existing --python "$venv/bin/python" "$target"
"$venv/bin/uv" pip install -q --python "$target/bin/python" -r requirements-bench.txt
