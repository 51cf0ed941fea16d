# Everything a person or a CI machine does with this project. `make help` lists it.
# Assumes Python 3.11 or newer, a POSIX shell and make; the rest comes from the lock files.

.POSIX:
SHELL = /bin/sh
VENV = .venv
PY = $(VENV)/bin/python
PYTHON =
ARGS =
# More than there are cores: half of the time the tests wait for daemons, browsers, servers and quiet periods.
JOBS = 4
SIZES = 10000 100000
DISTRICTS = 1000
UPLOADING = 200
NIGHTS = 20
SEED = 0

# Some images switch byte code off; importing Dagster and Great Expectations then takes three times as long.
unexport PYTHONDONTWRITEBYTECODE
unexport PYTHONPATH

.PHONY: help setup setup-runtime demo ui check lint types contracts static generated generate docs test tests cover faults soak cluster format bench bench-check bench-record bench-many bench-growth pictures lock dbt dg licences audit clean

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-10s %s\n", $$1, $$2 }' Makefile

setup: $(VENV)/.dev ## create .venv with everything that `make check` needs

setup-runtime: $(VENV)/.runtime

$(VENV)/.runtime: requirements.lock pyproject.toml tools/setup.sh
	@PYTHON='$(PYTHON)' sh tools/setup.sh '$(VENV)' requirements.lock
	@touch $@

$(VENV)/.dev: $(VENV)/.runtime requirements-dev.lock
	@PYTHON='$(PYTHON)' sh tools/setup.sh '$(VENV)' requirements-dev.lock
	@touch $@

demo: $(VENV)/.runtime ## a sample district a format over a real SFTP server into a roster with history (ARGS=--ui stays and opens the UI)
	@$(PY) -m roster_etl.cli demo $(ARGS)

ui: $(VENV)/.runtime ## the Dagster UI and its daemon on this project's home, on http://127.0.0.1:3000
	@$(PY) tools/require_free_port.py $(ARGS)
	@$(VENV)/bin/dagster dev $(ARGS)

check: $(VENV)/.dev ## what CI runs: lint, types, import contracts, generated files, documentation site, tests
	@$(PY) tools/run_together.py '$(MAKE) -k static' '$(MAKE) tests'

static: lint types contracts generated docs

lint: $(VENV)/.dev ## ruff (rules and formatting), spelling, wording of documents, and no credentials in files
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/typos
	$(PY) tools/find_secrets.py
	$(PY) tools/check_wording.py

types: $(VENV)/.dev ## mypy, strict
	$(VENV)/bin/mypy

contracts: $(VENV)/.dev ## which room may import which (import-linter)
	$(VENV)/bin/lint-imports

generated: $(VENV)/.dev ## generated files are what the specs say
	$(PY) -m roster_etl.cli generate --check

generate: $(VENV)/.dev ## write suites, docs tables and snapshots again from the specs
	$(PY) -m roster_etl.cli generate

docs: $(VENV)/.dev ## build the documentation site in build/site: broken links and pages outside the navigation fail
	@$(PY) tools/build_docs.py

PARALLEL = -n $(JOBS) --dist loadfile --no-loadscope-reorder --durations=20

tests: $(VENV)/.dev
	$(PY) -m pytest $(PARALLEL) $(ARGS)

cover: $(VENV)/.dev ## all tests with coverage, before a release: tracing every call takes as long again as most tests do
	$(PY) -m pytest $(PARALLEL) --cov --cov-report=term:skip-covered $(ARGS)

test: $(VENV)/.dev ## tests in one process: make test ARGS='tests/engine -k ragged'
	$(PY) -m pytest $(ARGS)

faults: $(VENV)/.dev ## kill processes at every fault point, on both databases, and under a real daemon; all cases of sampled tests (ARGS='-k purge' takes a part)
	FAULTS=1 $(PY) -m pytest tests -m 'faults or sampled' -s $(ARGS)

soak: $(VENV)/.dev ## nights on end of uploads, kills, purges and backups, on both databases, a line each: make soak NIGHTS=30 SEED=7
	SOAK_NIGHTS=$(NIGHTS) SOAK_SEED=$(SEED) $(PY) -m pytest tests/faults/test_soak.py -m faults -s $(ARGS)

format: $(VENV)/.dev ## rewrite the code in the house's format, with the safe fixes
	$(VENV)/bin/ruff check --fix .
	$(VENV)/bin/ruff format .

cluster: $(VENV)/.dev ## workers of a cluster that die, come back, and share nothing but database, bucket and broker: minutes
	LONG_TESTS=1 $(PY) -m pytest tests/end_to_end/test_cluster.py $(ARGS)

bench: $(VENV)/.dev ## time the Clever import beside the reference pipeline: make bench SIZES=10000
	$(PY) -m benchmarks.run --sizes $(SIZES) $(ARGS)

bench-check: $(VENV)/.dev ## fail if the import of 10,000 students has become more than 15 % worse, beside the reference, than benchmarks/recorded.json says
	$(PY) -m benchmarks.run --sizes 10000 --nights 3 --check benchmarks/recorded.json $(ARGS)

bench-record: $(VENV)/.dev ## record what `make bench-check` compares with
	$(PY) -m benchmarks.run --sizes 10000 --nights 3 --record benchmarks/recorded.json $(ARGS)

bench-many: $(VENV)/.dev ## a night of many districts: make bench-many DISTRICTS=1000 UPLOADING=200 ARGS='--sftp 1000 --imports 20'
	$(PY) -m benchmarks.many --districts $(DISTRICTS) --uploading $(UPLOADING) $(ARGS)

bench-growth: $(VENV)/.dev ## an import after 200 nights, and beside 1,000 districts, against one without: make bench-growth ARGS='--nights 50 --databases sqlite'
	$(PY) -m benchmarks.growth $(ARGS)

lock: ## resolve both lock files again (needs uv)
	uv pip compile pyproject.toml --group build $(LOCKED) -o requirements.lock
	uv pip compile pyproject.toml --extra s3 --extra celery --extra k8s --extra openlineage -c requirements.lock $(LOCKED) -o requirements-cluster.lock
	uv pip compile pyproject.toml --all-extras --group build --group dev -c requirements.lock -c requirements-cluster.lock $(LOCKED) -o requirements-dev.lock
	uv pip compile deploy/dbt/requirements.in $(LOCKED) -o deploy/dbt/requirements.lock
	uv pip compile deploy/dg/requirements.in $(LOCKED) -o deploy/dg/requirements.lock

LOCKED = --universal --python-version 3.11 --generate-hashes --no-emit-index-url --no-annotate --quiet --custom-compile-command 'make lock' $(UPGRADE)

dbt: $(VENV)/.dev ## build and test the dbt package on DuckDB and PostgreSQL, in an environment of its own
	$(PY) -m venv .venv-dbt
	.venv-dbt/bin/python -m pip install -qq --disable-pip-version-check --require-hashes --no-deps -r deploy/dbt/requirements.lock
	$(PY) -m pytest tests/projections/test_dbt_package.py $(ARGS)

dg: $(VENV)/.dev ## check this project and declared feeds with Dagster's `dg`, in an environment of its own
	@PYTHON='$(PYTHON)' sh tools/setup.sh .venv-dg deploy/dg/requirements.lock
	$(PY) -m pytest tests/orchestration/test_dg.py $(ARGS)

licences: $(VENV)/.dev ## write docs/licences.md and the bill of materials from the installed packages
	$(PY) tools/licences.py
	$(PY) tools/sbom.py

audit: ## look the locked packages up among known vulnerabilities (needs uv, and an index that publishes them)
	uv tool run pip-audit --requirement requirements.lock --require-hashes --disable-pip --strict

pictures: $(VENV)/.dev ## make docs/pictures anew from a demo, in a headless Chromium (ARGS='--home DIR' takes one that ran)
	$(PY) tools/pictures.py $(ARGS)

clean: ## remove what was built; the home and its data stay
	rm -rf $(VENV) build *.egg-info .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis .coverage .coverage.*
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
