# Every command of the repository. `make demo` sets up what it needs by itself.
#   make setup PYTHON=python3.13    another interpreter than the newest that is found
#   make call TO=+33184801001 FROM=+33145678901 [TALK=5]
python = .venv/bin/python
TO ?=
FROM ?= +33145678901
TALK ?= 5
TESTS ?= tests
JOBS ?= 2

.PHONY: help setup demo run call test faults bench soak clean

help:
	@echo "make setup   .venv and a private Asterisk with SIP phones; a second time it only looks"
	@echo "make demo    one call answered, one missed and turned into a callback, for real"
	@echo "make run     Asterisk, phones and router, until Ctrl-C"
	@echo "make call    TO=+33184801001 places a call while \`make run\` serves"
	@echo "make test    all tests"
	@echo "make faults  each fault that it must survive, and the table of what held"
	@echo "make bench   the benchmark, beside native Asterisk and other ways"
	@echo "make soak    10,000 calls with sound and reports: what is lost, and what grows"
	@echo "make clean   removes what these made in the checkout"

setup:
	@sandbox/bootstrap.sh
	@$(python) -m sandbox.fetch

demo: setup
	@$(python) -m sandbox.demo

run: setup
	@$(python) -m sandbox.serve

call:
	@test -n "$(TO)" || { echo "which number? type: make call TO=+33184801001" >&2; exit 1; }
	@test -x $(python) || { echo "nothing is set up; type: make run" >&2; exit 1; }
	@$(python) -m sandbox.place_call "$(TO)" "$(FROM)" "$(TALK)"

test: setup
	$(python) -m ruff check .
	$(python) -m ruff format --check .
	$(python) -m mypy
	$(python) -m coverage run --include='router/*' -m pytest -n $(JOBS) --dist loadfile --no-loadscope-reorder \
		--durations=15 $(TESTS)

faults: setup
	$(python) -m pytest --every-fault tests/faults

bench: setup
	@$(python) -m bench

soak: setup
	@$(python) -m bench.soak

clean:
	rm -rf .sandbox .venv build dist .coverage .mypy_cache .ruff_cache .pytest_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
	find . -name '*.egg-info' -maxdepth 1 -prune -exec rm -rf {} +
