# Everything sets up what it needs by itself and repeats cheaply. Nothing needs root or docker.
SHELL := /bin/bash
VENV := .venv
PY := $(VENV)/bin/python
SEEDS ?= 5000
ONCE ?=
LIBRARIES ?=

# Where an environment forbids it, every process of the tests would compile the whole app anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo serve test screenshots lint bench scale sim package clean

demo: setup
	$(PY) -m tests.e2e.demo $(if $(ONCE),--once)

serve: setup
	$(PY) -m tests.e2e.serve $(if $(EMULATORS),--emulators $(EMULATORS)) $(if $(VTENEXT_URL),--vtenext $(VTENEXT_URL)) $(if $(SIGN_IN),--sign-in)

test: setup
	bash scripts/setup_chromium.sh
	$(PY) -m pytest -n 2 --dist worksteal tests

screenshots: setup
	bash scripts/setup_chromium.sh
	SCREENSHOTS=docs/screenshots $(PY) -m pytest tests/browser/test_looks.py

lint: setup
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(PY) -m scripts.infra
	$(VENV)/bin/shellcheck scripts/*.sh infra/scripts/*.sh infra/entra/*.sh

# checkov brings a parser of its own and a hundred packages: not among ours.
.PHONY: policy
policy: setup
	$(VENV)/bin/uv tool run --python $(PY) checkov@3.3.30 --config-file infra/checkov.yaml

bench: setup .local/bench/.ready
	$(PY) -m tests.bench.run $(if $(FULL),--full) $(if $(ONLY),--only $(ONLY))

scale: setup
	$(PY) -m scripts.scale

sim: setup
	$(PY) -m tests.sim.run --seeds $(SEEDS)
	EVERYTHING=1 $(PY) -m pytest -n 2 --dist worksteal tests/sim tests/whole  # what `make test` samples

package: setup
	$(PY) scripts/package.py $(if $(LIBRARIES),--libraries)

setup: $(VENV)/.ready node_modules/.ready

$(VENV)/.ready: requirements.txt constraints.txt requirements-dev.txt requirements-before-313.txt requirements-host.txt scripts/setup_python.sh
	bash scripts/setup_python.sh $(VENV)
	touch $@

node_modules/.ready: package.json package-lock.json $(VENV)/.ready
	bash scripts/setup_azurite.sh $(VENV)
	touch $@

.local/bench/.ready: requirements-bench.txt scripts/setup_bench.sh $(VENV)/.ready
	bash scripts/setup_bench.sh $(VENV) .local/bench
	touch $@

clean:
	rm -rf $(VENV) node_modules .pytest_cache .mypy_cache .ruff_cache .hypothesis .local dist
