# SPDX-License-Identifier: Apache-2.0
# make bench-attest [ARGS=--json]   µs a verification; beside the rivals when they are built
# make rivals-intel                 builds dcap-qvl (Rust) from its registry
bench-attest: $(B)/bench/attest $(B)/souk
	@SOUK=$(B)/souk RIVAL_INTEL=$(wildcard build/rivals/release/rival-intel) \
	    $< $(ARGS) ../shared/vectors/attestation
rivals-intel:
	@CARGO_TARGET_DIR=$(CURDIR)/build/rivals cargo build --quiet --release --locked \
	    --manifest-path bench/rivals/intel/Cargo.toml
.PHONY: bench-attest rivals-intel
