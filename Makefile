# Every target sets up what it needs, once; later calls install nothing.
#   make ladder [DATASET=ml-1m | DATASET=path/to/mine.csv]    PYTHON=python3.12 picks the Python
#   make ladder DATASET=mine.csv OPTIONS="--delimiter ';' --user who"    (rslib ladder --help)
#   make portable [MODES="nehalem noise-1"]
.DEFAULT_GOAL := help
.PHONY: help ladder check test portable lab outputs clean

PYTHON ?=
DATASET ?=
OPTIONS =
JOBS ?= 2
MODES ?=
RUN := .venv/bin/python -m

help:
	@echo "make ladder   run every notebook and write reports/ladder (DATASET=name or file,"
	@echo "              OPTIONS=\"--delimiter ';' --user who\" says how the file is read)"
	@echo "make check    ruff and the tests that are quick; for all day"
	@echo "make test     ruff, pytest, and every notebook against its committed outputs"
	@echo "make portable the notebooks under other instruction sets, threads and roundings (MODES=...)"
	@echo "make lab      open the notebooks in JupyterLab"
	@echo "make outputs  run the notebooks and keep their new outputs, to commit"
	@echo "make clean    remove the environments and everything that was computed"

ladder: .venv/.ready-notebooks
	@$(RUN) rslib ladder $(if $(DATASET),--dataset "$(DATASET)") --jobs $(JOBS) $(OPTIONS)

# One thread a worker: small fits by two threads each wait for the other worker's. make test has all.
check: .venv/.ready-test
	@$(RUN) ruff check .
	@NUMBA_NUM_THREADS=1 $(RUN) pytest tests -m "not slow" -q -n $(JOBS)

test: .venv/.ready-test
	@$(RUN) ruff check .
	@$(RUN) pytest -n $(JOBS) --dist loadfile --durations=25

portable: .venv/.ready-test
	@.venv/bin/python tests/portable.py --jobs $(JOBS) $(MODES)

# JupyterLab refuses root, whom a container mostly runs as, unless told; and has no browser there.
lab: .venv-lab/.ready-lab
	@echo "JupyterLab says its address, http://localhost:8888/lab?token=..., below; Ctrl-C ends it."
	@.venv-lab/bin/jupyter lab notebooks $$([ "$$(id -u)" != 0 ] || echo --allow-root --no-browser)

outputs: .venv/.ready-notebooks
	@for notebook in notebooks/[0-9]*.ipynb; do \
	  $(RUN) rslib run "$$notebook" --in-place || exit 1; done

clean:
	rm -rf .venv .venv-lab data/.cache reports/runs reports/ladder reports/sweeps reports/executed

# .venv/.ready-EXTRA: the environment holds the package and that extra. JupyterLab has an
# environment of its own, because its dependencies make every start of papermill slow.
.venv/.ready-% .venv-lab/.ready-%: pyproject.toml constraints.txt
	@set -e; venv=$(@D); extra=$*; usable='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'; \
	if ! $$venv/bin/python -c "$$(command -v uv >/dev/null || echo 'import pip')" 2>/dev/null; then \
	  for python in "$(PYTHON)" python3 python3.13 python3.12 python3.11 python; do \
	    [ -n "$$python" ] && "$$python" -c "$$usable" 2>/dev/null && break; python=; done; \
	  if [ -z "$$python" ]; then \
	    echo "No usable Python: install Python 3.11, 3.12 or 3.13 (or pass PYTHON=/path/to/it)." >&2; exit 2; fi; \
	  echo "Setting up $$venv with $$("$$python" --version)"; \
	  if command -v uv >/dev/null; then uv venv --clear --python "$$(command -v "$$python")" $$venv; \
	  else "$$python" -m venv --clear $$venv >/dev/null || \
	    { echo "Python has no working venv module: install it (Debian: python3-venv) or uv." >&2; exit 2; }; fi; \
	fi; \
	target=".[$$extra]"; \
	echo "Installing rslib[$$extra] and what it needs in $$venv; the first time this takes minutes"; \
	if command -v uv >/dev/null; then \
	  uv pip install --python $$venv/bin/python -c constraints.txt -e "$$target"; \
	else $$venv/bin/python -m pip install --disable-pip-version-check \
	  -c constraints.txt -e "$$target"; fi; \
	echo "$$venv is ready"; touch $@
