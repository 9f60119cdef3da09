# Needs Python 3.11 or later and make; everything else is installed into $(VENV).
#
#   make demo PYTHON=python3.12          another Python than python3
#   make demo TORCH_INDEX=<address>      an index with CPU-only builds of PyTorch: on Linux the usual one is a
#                                        CUDA build, which also works without a GPU but takes 5 GB of disk
#   make test ARGS="-m 'not slow'"       arguments for pytest

PYTHON ?= python3
VENV ?= .venv
PEERS ?= .venv-peers
TORCH_INDEX ?=
ARGS ?=
GALLERY ?= autokd-home
# What was measured in the spaces of its time is measured in them again.
FROZEN = benchmarks/frozen/digits.yaml
# Written down before any was looked at.
CIFAR_PAIRS = 4,9 9,4 1,4 4,1 2,7 8,3

# A pip configured by the user keeps its indexes, proxies and certificates, but not its own constraints, which
# could contradict ours, nor installs outside of $(VENV). pip takes the path relative to this folder, whose name
# may thus hold spaces.
#
# Python compiles what it imports; pip would compile all 26,000 files, which takes longer than to unpack them.
INSTALL = PIP_CONSTRAINT=constraints.txt PIP_BUILD_CONSTRAINT=constraints.txt PIP_USER=0 \
	$(VENV)/bin/python -m pip --disable-pip-version-check install --no-compile
unexport PYTHONPATH PYTHONHOME

# Stamps: an environment that is up to date costs nothing.
RUNTIME = $(VENV)/.autokd-runtime
DEV = $(VENV)/.autokd-dev

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help demo serve-demo test newest oldest torture fuzz bench cifar peers gallery docs check format constraints dist clean

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-12s %s\n", $$1, $$2 }' Makefile

demo: $(RUNTIME) ## Tune participant 9 of the built-in federation with teacher 4, and the other way round
	$(VENV)/bin/autokd tune --study digits --pair 4,9
	@echo 'To type autokd commands yourself: . $(VENV)/bin/activate'

serve-demo: $(RUNTIME) ## Serve the built-in federation over HTTP, with a new token, until Ctrl-C
	@$(VENV)/bin/autokd token revoke demo > /dev/null 2>&1 || true
	@echo "the service: http://127.0.0.1:8321   docs/service.md has what to ask it, with this token:"
	@echo "export TOKEN=$$($(VENV)/bin/autokd token create --name demo --scope admin --expires 1d 2> /dev/null)"
	$(VENV)/bin/autokd serve

test: $(DEV) ## Run every test, in two processes (tests/conftest.py says how they are divided)
	$(VENV)/bin/python -m pytest --numprocesses 2 $(ARGS)

# Dependencies as a user gets them who installs without constraints.txt: in an environment of its own, since pip
# would else keep what is there. Then the tests that take no workers and no minutes.
FAST = -m 'not slow and not ray and not gpu' -p no:cacheprovider $(ARGS)

newest: ## Run the fast tests with the newest releases that pyproject.toml admits
	$(PYTHON) -m venv --clear $(VENV)-newest
	PIP_CONSTRAINT= PIP_USER=0 $(VENV)-newest/bin/python -m pip --disable-pip-version-check install \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --upgrade --editable '.[dev]'
	$(VENV)-newest/bin/python -m pytest $(FAST)

oldest: $(DEV) ## Run the fast tests with the oldest releases that pyproject.toml admits
	$(VENV)/bin/python -m tests.oldest > constraints-oldest.txt
	$(PYTHON) -m venv --clear $(VENV)-oldest
	PIP_CONSTRAINT=constraints-oldest.txt PIP_USER=0 $(VENV)-oldest/bin/python -m pip \
		--disable-pip-version-check install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) --editable '.[dev]'
	$(VENV)-oldest/bin/python -m pytest $(FAST)

torture: $(DEV) ## Kill batches, servers, drivers, workers, a node and PostgreSQL; cut every statement in turn
	$(VENV)/bin/python -m tests.torture $(ARGS)
	$(VENV)/bin/python -m tests.torture.service
	$(VENV)/bin/python -m tests.torture.servers
	$(VENV)/bin/python -m tests.torture.terminations
	$(VENV)/bin/python -m tests.torture.cuts

fuzz: $(DEV) ## Read 10,000 odd inputs, and send 2,000 requests to the service
	$(VENV)/bin/python -m tests.fuzz $(ARGS)
	$(VENV)/bin/python -m tests.fuzz.conformance

peers: $(PEERS)/.peers ## Install the tuners that autokd is measured against into $(PEERS)

bench: $(DEV) $(PEERS)/.peers ## Every figure of docs/results.md again (some five hours on 2 cores)
	$(VENV)/bin/python benchmarks/federations.py
	$(VENV)/bin/python -m benchmarks.training_budget
	$(VENV)/bin/python benchmarks/ten_pairs.py
	$(VENV)/bin/python benchmarks/batch.py
	$(VENV)/bin/python benchmarks/batch.py --all --sample 300
	$(VENV)/bin/python -m benchmarks.driver --long
	$(VENV)/bin/python -m benchmarks.hundred
	$(VENV)/bin/python -m benchmarks.engine --out benchmarks/results/engine.json
	$(VENV)/bin/python -m benchmarks.memory --out benchmarks/results/memory.json
	$(VENV)/bin/python -m benchmarks.simulation --scenarios newcomer batch --policies autokd random TPE
	$(VENV)/bin/python -m benchmarks.simulation --scenarios meetings --policies autokd random TPE --seeds 4 \
		--out benchmarks/results/meetings.json
	$(VENV)/bin/python -m benchmarks.simulation.stages
	$(VENV)/bin/python -m benchmarks.simulation.ceiling
	$(VENV)/bin/python -m benchmarks.simulation.choices stopping --seeds 4 --trials 3 4 8 10 \
		--out benchmarks/results/choices.json
	$(VENV)/bin/python -m benchmarks.simulation.choices order --trials 3 4 8 10 \
		--out benchmarks/results/choices.json
	$(VENV)/bin/python -m benchmarks.simulation.fit --seeds 4
	$(VENV)/bin/python -m benchmarks.simulation.budgets --out benchmarks/results/budget_tables.json
	$(VENV)/bin/python -m benchmarks.simulation.regret
	$(VENV)/bin/python -m benchmarks.simulation.compare --peers $(PEERS)/bin/python \
		--out benchmarks/results/peers.json
	$(VENV)/bin/python -m benchmarks.simulation.confirmed --again
	$(VENV)/bin/python -m benchmarks.simulation.differences
	$(VENV)/bin/python -m benchmarks.simulation.curves
	$(VENV)/bin/python -m benchmarks.agreement
	$(VENV)/bin/python -m benchmarks.null
	$(VENV)/bin/python -m benchmarks.swept
	$(VENV)/bin/python -m benchmarks.verdicts null coverage
	$(VENV)/bin/python -m benchmarks.verdicts power --pairs 2000
	$(VENV)/bin/python -m benchmarks.looks
	$(VENV)/bin/python -m benchmarks.beside
	$(VENV)/bin/python -m benchmarks.budgets
	$(VENV)/bin/python -m benchmarks.private
	$(VENV)/bin/python -m benchmarks.rivals
	$(VENV)/bin/python -m benchmarks.judged --only digits digits_mixed
	$(VENV)/bin/python -m benchmarks.poster_scale
	$(VENV)/bin/python -m benchmarks.page
	$(VENV)/bin/autokd tune --study $(FROZEN) --all --home $(GALLERY)
	$(VENV)/bin/autokd observations --study $(FROZEN) --home $(GALLERY)
	$(VENV)/bin/python -m benchmarks.reads --home $(GALLERY)
	$(VENV)/bin/python -m benchmarks.load
	$(VENV)/bin/python -m benchmarks.decisions --home $(GALLERY) --study $(FROZEN)
	$(VENV)/bin/autokd tune --study $(FROZEN) --all --space benchmarks/frozen/private.yaml \
		--home $(GALLERY)
	$(VENV)/bin/python -m tests.torture

cifar: $(DEV) ## Every figure again that needs CIFAR-10 in benchmarks/data (some five hours on 2 cores)
	$(VENV)/bin/python benchmarks/ten_pairs.py --study benchmarks/cifar10_six.yaml \
		--output benchmarks/results/cifar10_six.json $(foreach pair,$(CIFAR_PAIRS),--pair $(pair))
	$(VENV)/bin/python -m benchmarks.private --study benchmarks/cifar10_six.yaml --pairs $(CIFAR_PAIRS) \
		--temperatures 1 4 --alphas 0.5 1
	$(VENV)/bin/python -m benchmarks.judged --only cifar10_six
	$(VENV)/bin/autokd tune --study benchmarks/cifar10_resnet18_pair.yaml --pair 0,1 --position student \
		--precision bfloat16

gallery: $(DEV) ## Make the pictures of docs/ again, from a batch of all pairs in $(GALLERY) (ten minutes on 2 cores)
	$(VENV)/bin/autokd tune --all --home $(GALLERY)
	$(VENV)/bin/python -m benchmarks.gallery --home $(GALLERY)

# Strict: a link that leads nowhere fails. A test builds the same (tests/documentation).
docs: $(DEV) ## Build the documentation as a site in site/
	NO_MKDOCS_2_WARNING=1 $(VENV)/bin/python -m mkdocs build --strict

check: $(DEV) ## Lint, check formatting, types and layers
	$(VENV)/bin/ruff check .
	$(VENV)/bin/ruff format --check .
	$(VENV)/bin/mypy
	$(VENV)/bin/lint-imports

format: $(DEV) ## Format, and mend what ruff can mend
	$(VENV)/bin/ruff format .
	$(VENV)/bin/ruff check --fix .

# torch comes first, so that TORCH_INDEX serves nothing but torch and torchvision with what they need.
$(RUNTIME): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.version_info >= (3, 11) or sys.exit("autokd needs Python 3.11 or later, \
	but $(PYTHON) is %d.%d; name another one: make demo PYTHON=python3.12" % sys.version_info[:2])'
	$(PYTHON) -m venv $(VENV)
	$(INSTALL) $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch torchvision
	$(INSTALL) --editable '.[service,client]'
	@touch $@

# All of it pinned, and nothing beyond: xgboost would bring a CUDA library that it does without on a CPU. NePS and
# Ax need different releases of the same libraries, so NePS lies in a folder that benchmarks/peers/priorband.py finds.
$(PEERS)/.peers: benchmarks/peers/requirements.txt benchmarks/peers/neps.txt
	$(PYTHON) -m venv $(PEERS)
	PIP_USER=0 PIP_CONSTRAINT=benchmarks/peers/requirements.txt $(PEERS)/bin/python -m pip \
		--disable-pip-version-check install $(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) torch
	PIP_USER=0 $(PEERS)/bin/python -m pip --disable-pip-version-check install --no-deps \
		--requirement benchmarks/peers/requirements.txt
	PIP_USER=0 $(PEERS)/bin/python -m pip --disable-pip-version-check install --no-deps --upgrade \
		--target $(PEERS)/neps --requirement benchmarks/peers/neps.txt
	@touch $@

$(DEV): $(RUNTIME)
	$(INSTALL) --editable '.[dev]'
	@touch $@

dist: $(DEV) ## Make a wheel, and put the versions that it goes with beside it
	$(VENV)/bin/python -m build --no-isolation --outdir dist .
	cp constraints.txt dist

constraints: ## Renew constraints.txt: the newest releases that pyproject.toml admits
	$(PYTHON) -m venv --clear $(VENV)-renewed
	$(VENV)-renewed/bin/python -m pip install --editable '.[dev,cluster]'
	grep '^#' constraints.txt > constraints.new
	$(VENV)-renewed/bin/python -m pip freeze --all --exclude-editable \
		| grep -Ev '^(pip|cuda-.*|nvidia-.*|triton)==' >> constraints.new
	mv constraints.new constraints.txt
	rm -rf $(VENV)-renewed

clean: ## Remove the environment and caches; what was tuned stays
	rm -rf $(VENV) $(VENV)-newest $(VENV)-oldest site constraints-oldest.txt $(PEERS) build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
