# The same short commands everywhere; CI and the pre-commit hook call these.
#   make demo      set everything up and run `edgestill build` on the bundled recipe
#   make test      set everything up and run the tests
#   make check     lint, types, import contracts, modules without a test, generated pages
#   make coverage  the same tests, with the share of lines and branches that they run
#   make diagram   draw the imports in docs/architecture.md again
#   make man       write the manual page docs/edgestill.1, which the wheel installs
#   make promises  run the tests that hold a promise, and write docs/promises.md
#   make mutants   change the code in one place at a time and see what tests notice; hours
#   make docs      build the site of docs/ into build/site; fails at a link that leads nowhere
#   make look      draw what users see into artifacts/look: reports, the terminal, the docs; needs chromium
#   make notebooks run the notebooks of docs/notebooks, and keep what they print; minutes
#   make test-runtimes  run four students in every runtime, and write docs/runtimes.md; minutes
#   make wheel     build the wheel, and use it outside the repository
#   make bench     measure what docs/results.md claims, into artifacts/bench/
# PIP_ARGS is passed to pip, e.g. to choose an index with a CPU build of torch.

PYTHON ?= python3
PIP_ARGS ?=
COVERAGE ?=
COVERAGE_FLOOR ?= 90
TESTS ?= -m "not slow"
# A file's tests stay in one process: what they share is made once.
WORKERS ?= -n auto --dist loadfile
BIN := .venv/bin
INSTALL := $(BIN)/python -m pip install --quiet --disable-pip-version-check $(PIP_ARGS) -c constraints.txt

.PHONY: look demo test test-slow test-runtimes check coverage diagram man promises mutants notebooks docs wheel bench clean
.DELETE_ON_ERROR:

demo: .venv/edgestill
	$(BIN)/edgestill build

# The floor lies one point below the figure in docs/architecture.md. Python 3.11 has no fast tracer:
# with COVERAGE=1 the tests take a third longer, which is why it is not the default.
test: .venv/edgestill-dev
	$(BIN)/python -m pytest $(WORKERS) $(TESTS) $(if $(COVERAGE),--cov --cov-report=term --cov-fail-under=$(COVERAGE_FLOOR))

test-slow: .venv/edgestill-dev
	$(BIN)/python -m pytest $(WORKERS) -m slow

notebooks: .venv/edgestill-dev
	$(BIN)/python tests/tools/notebooks.py run

# Other runtimes lie in toolchains (`edgestill toolchains setup NAME`), data sets in ../shared/data.
test-runtimes: .venv/edgestill-dev
	$(BIN)/python tests/tools/runtimes.py run
	$(BIN)/python tests/tools/runtimes.py report

check: .venv/edgestill-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	MYPYPATH=.venv/typed $(BIN)/mypy -p edgestill.pipeline -p edgestill.exporters -p edgestill.devices -p edgestill.toolchains
	$(BIN)/lint-imports --no-cache
	$(BIN)/python tests/tools/untested_modules.py
	$(BIN)/python tests/tools/diagram.py --check
	$(BIN)/python tests/tools/man_page.py --check
	$(BIN)/python tests/tools/promises.py --check
	$(BIN)/python tests/tools/mutants.py report --check
	$(BIN)/python tests/tools/runtimes.py report --check

coverage:
	$(MAKE) test COVERAGE=1

diagram: .venv/edgestill-dev
	$(BIN)/python tests/tools/diagram.py

man: .venv/edgestill-dev
	$(BIN)/python tests/tools/man_page.py

promises: .venv/edgestill-dev
	$(BIN)/python tests/tools/promises.py

mutants: .venv/edgestill-dev
	$(INSTALL) mutmut
	$(BIN)/python tests/tools/mutants.py run
	$(BIN)/python tests/tools/mutants.py report

docs: .venv/edgestill-dev
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

look: docs
	$(BIN)/python tests/tools/look.py artifacts/look

wheel: .venv/pip
	PYTHON=$(BIN)/python PIP_ARGS="$(PIP_ARGS)" bash tests/tools/smoke_wheel.sh

bench: .venv/edgestill-dev
	$(BIN)/python tests/bench

clean:
	rm -rf .venv artifacts/store artifacts/runs artifacts/bench artifacts/runtimes build *.egg-info .coverage .coverage.* .mypy_cache .ruff_cache

.venv/pip:
	$(PYTHON) -c 'import sys; sys.exit(None if sys.version_info >= (3, 11) else "edgestill needs Python 3.11 or newer; say which with make PYTHON=python3.12")'
	$(PYTHON) -m venv .venv
	touch $@

# torch comes first: the pinned version takes a CPU build where the index has one.
.venv/edgestill: .venv/pip pyproject.toml constraints.txt
	$(INSTALL) torch
	$(INSTALL) -e '.[train]'
	touch $@

.venv/edgestill-dev: .venv/edgestill
	$(INSTALL) -e '.[dev]'
	mkdir -p .venv/typed && ln -sfn ../.. .venv/typed/edgestill
	touch $@
