# make book   render the book            make test   run every check
# make serve  show it on localhost       make lock   renew requirements*.txt from pyproject.toml
# make peers  install ports by others    make audit  hold all locks against what is known to be vulnerable
# make times  time ports and engines     make fuzz   look for trouble that no test knows, MINUTES=10 of each kind
# make pdf    print one for each port    make epub   the book for e-readers
# make wasm   compile what runs in a page
#
# Each target sets up what it needs in .venv, once: the stamps in .venv remember what has been done.

PYTHON ?= python3
PORT ?= 8000
VENV := .venv
BIN := $(VENV)/bin
UV := $(BIN)/uv pip install --quiet --compile-bytecode --python $(BIN)/python
LOCK := $(BIN)/uv pip compile --quiet --upgrade --universal --python-version 3.11 --generate-hashes --no-header --no-annotate
HTML := _build/html
CARGO := cargo
MANIFEST := --manifest-path rust_ports/Cargo.toml
# All at once, with the feature that the extension is built with: then they share what it has compiled.
CRATES := --workspace --features encoders-python/extension-module
RUST_SOURCES := $(shell find rust_ports \( -name target -o -name fuzz -o -name wasm \) -prune -o \( -name '*.rs' -o -name 'Cargo.*' \) -print)
# Two processes, for two cores and 5 GB of memory, whatever the machine has. In the order of their names: files of few
# tests would come last otherwise, and some of those tests are long.
IN_PAIRS := -p tests.in_pairs -n 2 --dist loadfile --no-loadscope-reorder
NOTEBOOKS := $(wildcard chapters/*.ipynb book/*.ipynb)

export TOKENIZERS_PARALLELISM := true
export HF_HUB_OFFLINE ?= 1
# PyTorch's threads sleep while they wait: spinning, those of two processes on two cores take the time of those that work.
export OMP_WAIT_POLICY ?= passive

.PHONY: book serve pdf epub test lint rust-test python-test notebook-test book-test setup lock peers strangers times wasm audit clean
.PHONY: fuzz fuzz-python fuzz-configurations fuzz-rust
.DEFAULT_GOAL := book

book: $(HTML)/.built
	@echo "The book is rendered: open $(HTML)/index.html, or run make serve"

serve: book
	@echo "The book is at http://localhost:$(PORT)/ (stop with Ctrl-C)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(HTML) $(PORT)

pdf: $(HTML)/.built
	$(BIN)/python book/paper.py

# Sphinx puts it beside the pages; what it was packed from stays there.
epub: $(VENV)/.package
	@rm -rf _build/epub
	$(BIN)/jupyter-book build . --quiet -W -n --keep-going --builder custom --custom-builder epub
	@echo "The book is in _build/epub/encoders-three-ways.epub"

test: lint rust-test python-test notebook-test book-test
	@echo "Everything passed."

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(CARGO) fmt $(MANIFEST) --all --check
	$(CARGO) clippy $(MANIFEST) --release --all-targets --quiet $(CRATES) -- -D warnings

rust-test: setup
	$(CARGO) test $(MANIFEST) --release --quiet $(CRATES)
	RUSTDOCFLAGS="-D warnings" $(CARGO) doc $(MANIFEST) --release --no-deps --quiet $(CRATES)

# The tests of what runs in a page take what this machine can compile, too.
python-test: setup $(VENV)/wasm/.tried
	$(BIN)/python -m pytest -q $(IN_PAIRS) -m "not book" tests

notebook-test: setup
	$(BIN)/python -m pytest -q $(IN_PAIRS) -p tests.forked_kernels --nbval --nbval-cell-timeout=300 \
	  --nbval-sanitize-with tests/book/nbval_sanitize.cfg $(NOTEBOOKS)

book-test: $(HTML)/.built axe
	$(BIN)/python -m pytest -q -n 2 --dist loadfile -m book tests

# What npm gives to the tests of the book. Where there is no npm, or nothing to be had from it, they say so and go on without.
.PHONY: axe
AXE := $(VENV)/axe
axe: | $(VENV)/.dependencies
	@cmp -s tests/book/package-lock.json $(AXE)/package-lock.json && test -d $(AXE)/node_modules/axe-core || \
	  { command -v npm >/dev/null && mkdir -p $(AXE) && cp tests/book/package.json tests/book/package-lock.json $(AXE) && \
	    npm ci --prefix $(AXE) --ignore-scripts --no-audit --no-fund --silent; } || \
	  echo "axe-core could not be installed: whether pages keep readers out is not checked"

# What fuzzing finds becomes a file in tests/found/ (or in rust_ports/fuzz/artifacts/).
MINUTES ?= 10
CONFIGURATIONS ?= 10000
FUZZ_TARGETS := header config tokenizer inputs
FUZZ := rust_ports/fuzz
# As cargo-fuzz builds without a sanitizer, which stable Rust can do.
COVERAGE := --cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
  -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
  -Cllvm-args=-sanitizer-coverage-trace-compares -Ccodegen-units=1

fuzz:
	@$(MAKE) --keep-going fuzz-python fuzz-rust fuzz-configurations

fuzz-python: setup
	$(BIN)/python -m tests.fuzz --minutes $(MINUTES)

fuzz-configurations: setup
	CONFIGURATIONS=$(CONFIGURATIONS) $(BIN)/python -m pytest -q tests/parity/test_configurations.py

fuzz-rust: setup
	$(BIN)/python -m tests.fuzz.corpus $(FUZZ)/corpus
	mkdir -p $(FUZZ)/artifacts
	set -e; for target in $(FUZZ_TARGETS); do cd $(CURDIR)/$(FUZZ); RUSTFLAGS="$(COVERAGE)" \
	  $(CARGO) run --quiet --release --target $$(rustc -vV | sed -n 's/^host: //p') --bin $$target -- \
	  corpus/$$target -max_total_time=$$(($(MINUTES) * 15)) -artifact_prefix=artifacts/ \
	  -timeout=20 -rss_limit_mb=3000 -print_final_stats=1; done

$(HTML)/.built: $(VENV)/.package $(VENV)/wasm/.tried _config.yml _toc.yml CITATION.cff $(NOTEBOOKS) $(shell find book -type f)
	@rm -rf _build
	$(BIN)/jupyter-book build . --quiet -W -n --keep-going
	@touch $@

# What runs in a page is compiled where a toolchain for it is, and else taken as rust_ports/wasm keeps it.
WASM := $(CURDIR)/rust_ports/wasm
$(VENV)/wasm/.tried: $(VENV)/.dependencies $(RUST_SOURCES) $(wildcard $(WASM)/build $(WASM)/Cargo.* $(WASM)/src/*.rs)
	@mkdir -p $(@D)
	@$(WASM)/build $(CURDIR)/$(@D)/target $(CURDIR)/$(@D)/encoders.wasm.gz || test $$? = 3
	@touch $@

wasm: $(VENV)/.dependencies
	@mkdir -p $(VENV)/wasm
	$(WASM)/build $(CURDIR)/$(VENV)/wasm/target $(WASM)/encoders.wasm.gz

setup: $(VENV)/.package

$(VENV)/.package: $(VENV)/.dependencies pyproject.toml $(RUST_SOURCES)
	@echo "Compiling the Rust ports and installing the package (three or four minutes the first time) ..."
	@$(UV) --no-deps --no-build-isolation --editable .
	@touch $@

$(VENV)/.dependencies: requirements.txt | prerequisites
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@test -x $(BIN)/uv || sed -n '/^uv==/,/[^\\]$$/p' requirements.txt | \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement /dev/stdin
	@echo "Installing what requirements.txt pins ..."
	@$(UV) --require-hashes --requirement requirements.txt
	@touch $@

.PHONY: prerequisites
prerequisites:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
	  { echo "Python 3.11 or later is needed as $(PYTHON). Install it, or name another: make PYTHON=python3.12"; exit 1; }
	@test -x $(BIN)/python || $(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
	  { echo "Python's venv module is missing. On Debian and Ubuntu: apt-get install python3-venv"; exit 1; }
	@command -v cc >/dev/null || \
	  { echo "A C compiler is needed (cc). On Debian and Ubuntu: apt-get install build-essential; on macOS: xcode-select --install"; exit 1; }
	@command -v $(CARGO) >/dev/null || \
	  { echo "A Rust toolchain is needed (cargo, 1.89 or later). Install it with rustup: see rust-lang.org/tools/install"; exit 1; }

# What book and tests need is one lock. Every other is one of its own, with the same versions of what both hold.
lock:
	@test -x $(BIN)/uv || $(MAKE) setup
	$(LOCK) pyproject.toml --extra book --extra engines --extra test --extra scale --extra build --output-file requirements.txt
	for group in audit peers; do \
	  $(LOCK) --group $$group --constraint requirements.txt --output-file requirements-$$group.txt || exit 1; done

# Those by others that the bench times beside ours as programs: where it looks for them.
STRANGERS := book/strangers
PEERS := $(VENV)/peers/bin

peers: $(PEERS)/embed-with-mlx-embeddings $(PEERS)/embed-with-candle-transformers
	@echo "Ports by others are installed: the bench times them, and $(PEERS)/python has mlx-embeddings"

$(PEERS)/embed-with-mlx-embeddings: $(VENV)/peers/.dependencies $(STRANGERS)/mlx_embed.py
	@printf '#!/bin/sh\nexec "%s" "%s" "$$@"\n' '$(CURDIR)/$(PEERS)/python' '$(CURDIR)/$(STRANGERS)/mlx_embed.py' > $@
	@chmod +x $@

$(PEERS)/embed-with-candle-transformers: $(VENV)/peers/.dependencies $(wildcard $(STRANGERS)/candle_transformers/*.toml $(STRANGERS)/candle_transformers/src/*.rs $(STRANGERS)/candle_transformers/src/bin/*.rs)
	@echo "Compiling a port by others (three minutes the first time) ..."
	@$(CARGO) build --manifest-path $(STRANGERS)/candle_transformers/Cargo.toml --target-dir $(VENV)/strangers --release --locked --quiet
	@cp $(VENV)/strangers/release/$(@F) $@

audit: $(VENV)/audit/.dependencies
	@.ci/audit

# Environments beside the one that book and tests run in, which they leave as it is.
$(VENV)/%/.dependencies: requirements-%.txt | $(VENV)/.dependencies
	@test -x $(@D)/bin/python || $(BIN)/uv venv --quiet --python $(BIN)/python $(@D)
	@echo "Installing what $< pins ..."
	@$(BIN)/uv pip install --quiet --require-hashes --python $(@D)/bin/python --requirement $<
	@touch $@

# Two ports by others, each pinned in a lock of its own, held against the oracle: book/check_a_port.ipynb shows what was found.
strangers: setup peers
	$(BIN)/python $(STRANGERS)/check.py $(PEERS)/python $(VENV)/strangers/release/candle-modernbert

# What the status page says about time, on this machine, which should have nothing else to do meanwhile.
times: setup peers
	$(BIN)/python book/times.py

clean:
	rm -rf _build .pytest_cache .ruff_cache .hypothesis
