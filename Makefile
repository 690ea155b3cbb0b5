# MiniGPT: `make help` says what there is. Needs Python 3.11 or newer, make and git; nothing else is installed outside .venv.

SHELL := /bin/sh
.SHELLFLAGS := -eu -c
.DEFAULT_GOAL := help
# One thing after the other, also under `make -j`: the targets share .venv and _build.
.NOTPARALLEL:

PY := .venv/bin/python
PORT := 8000
COHORT := 0
STEPS := 22000
export OMP_NUM_THREADS := 1

.PHONY: help
help: ## this list
	@echo 'usage: make TARGET  (PYTHON=python3.12 chooses the interpreter of a new .venv)'
	@echo
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/\1|\2/p' $(MAKEFILE_LIST) | while IFS='|' read -r target what; do \
		printf '  %-12s %s\n' "$$target" "$$what"; done

.PHONY: book
book: env-book ## render the site into _build/html (first call: a minute or two; then seconds)
	@sh tools/book.sh

.PHONY: serve
serve: book ## render the site and serve it to this machine's browser, until Ctrl-C (PORT=8000)
	@$(PY) -m http.server --bind 127.0.0.1 --directory _build/html $(PORT)

.PHONY: lab
lab: env-course ## open JupyterLab with the whole course (first call: some minutes; then seconds)
	@$(PY) -m jupyter lab

.PHONY: test
test: env-course ## every check: style, unit tests, stored outputs, the book, its links (STAGES="lint unit" for some; about twenty minutes on two cores)
	@$(PY) tools/check.py $(STAGES)

.PHONY: test-site
test-site: env-course ## every page in a browser, without network (needs Chromium; some minutes)
	@sh tools/book.sh
	@$(PY) -m pytest tests/site --site _build/html

.PHONY: online
online: env-course ## fetch the released GPT-2 and compare with it, logit by logit (half a gigabyte; MINIGPT_GPT2=folder to fetch nothing)
	@$(PY) -m pytest -m online -rs tests/interop

.PHONY: notebooks
notebooks: env-course ## execute the chapters, store their outputs and what depends on them (N=02 for one; about a minute each)
	@$(PY) tools/notebooks.py $(N)
	@$(PY) tools/publish.py --write
	@$(PY) tools/student.py --write

.PHONY: base-model
base-model: env-course ## train the base model of the chapters again, and measure it (hours; a run that was stopped goes on)
	@if [ -f _build/base-model/run.json ]; then $(PY) -m minigpt train --out _build/base-model --resume; \
	else $(PY) -m minigpt train --data village --preset small --context 320 --steps $(STEPS) \
		--warmup 100 --precision bfloat16 --out _build/base-model; fi
	@$(PY) tools/base_model.py _build/base-model

.PHONY: student
student: env-course ## write the student edition of each chapter (seconds)
	@$(PY) tools/student.py --write

.PHONY: assignments
assignments: env-course ## write source, release and zip of each chapter's exercises (PRIVATE=folder COURSE=folder COHORT=7; a minute)
	@$(PY) tools/assignments.py --cohort $(COHORT) $(if $(PRIVATE),--private '$(PRIVATE)') $(if $(COURSE),--course '$(COURSE)') $(if $(FORCE),--force)

.PHONY: bench
bench: env-bench ## measure the package beside its peers and store the tables (ten minutes or more, on a quiet machine)
	@for benchmark in benchmarks/*.py; do echo "== $$benchmark"; $(PY) "$$benchmark" || exit 1; done

.PHONY: gpu
gpu: $(if $(PYTHON),,env-course) ## test and measure the kernels on this machine's GPU (PYTHON=python3 for one that has torch; PARTS="tests matmul")
	@$(or $(PYTHON),$(PY)) tools/gpu.py $(PARTS)

.PHONY: publish
publish: env-book ## write the repository's address into every place that shows it (REPOSITORY=https://host/owner/name, or none)
	@if [ -z '$(REPOSITORY)' ]; then \
		echo 'usage: make publish REPOSITORY=https://host/owner/name   (REPOSITORY=none takes it back)' >&2; exit 2; fi
	@$(PY) tools/publish.py --repository '$(REPOSITORY:none=)'

.PHONY: lock
lock: ## write constraints.txt anew after a change of the requirements (some minutes)
	@sh tools/setup.sh lock

.PHONY: clean
clean: ## remove what was built and cached; .venv stays
	rm -rf _build build dist minigpt.egg-info .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -not -path './.venv*' -prune -exec rm -rf {} +

.PHONY: env-book env-course env-bench
env-book env-course env-bench: env-%:
	@sh tools/setup.sh $*
