# Herald. `make` alone says what there is.
export CARGO_TARGET_DIR := $(CURDIR)/target
# A toolchain that rustup has just installed is not on everyone's PATH yet.
export PATH := $(PATH):$(HOME)/.cargo/bin

.DEFAULT_GOAL := help
.PHONY: help demo test oracle fmt lint docs openapi bench clean

help: ## say what there is
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## the main job, end to end, as a story; KEEP=1 leaves the server running, DATA=file.csv.gz imports a large file
	@scripts/bootstrap
	cargo build --release --locked
	target/release/herald demo $(if $(KEEP),--keep) $(if $(DATA),--data '$(DATA)')

test: ## everything that must hold: format, lints, docs, all tests
	@scripts/bootstrap
	@scripts/test

oracle: ## the oracle alone, 10,000 random sequences (most of an hour); N=500 plays so many, SEED=2217 says which ones
	@scripts/bootstrap
	HERALD_ORACLE_SEQUENCES=$(or $(N),10000) $(if $(SEED),HERALD_SEED=$(SEED)) \
		cargo test --locked --test it -- --nocapture oracle::property

fmt: ## format the code
	cargo fmt

lint: ## clippy, as CI runs it
	cargo clippy --locked --all-targets -- -D warnings

docs: ## the code's own documentation, into target/doc
	RUSTDOCFLAGS="-D warnings" cargo doc --locked --no-deps --lib

openapi: ## write openapi/herald.json anew from the code
	cargo run --locked --quiet -- openapi > target/openapi.json
	mv target/openapi.json openapi/herald.json

bench: ## rates and latencies on this machine
	@scripts/bootstrap
	cargo bench --locked

clean: ## remove everything that was built
	cargo clean
