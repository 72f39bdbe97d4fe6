# SPDX-License-Identifier: Apache-2.0
# make bench-attest [ARGS=--json]
bench-attest: $(B)/bench/attest $(B)/souk
	@SOUK=$(B)/souk $< $(ARGS) ../shared/vectors/attestation
.PHONY: bench-attest
