# SPDX-License-Identifier: Apache-2.0
# make attest-vectors   runs the verifier over the samples in ../shared, every case of every kind
VECTORS ?= ../shared/vectors/attestation
$(B)/tests/attest-vectors: $(B)/tests/attest_vectors.o $(B)/libsouk.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
attest-vectors: $(B)/tests/attest-vectors
	@if [ -d $(VECTORS) ]; then $< $(VECTORS); else \
	    echo "SKIP attest-vectors: no samples in $(VECTORS)"; fi
.PHONY: attest-vectors
