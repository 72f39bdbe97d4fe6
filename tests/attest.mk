# SPDX-License-Identifier: Apache-2.0
# make attest-vectors   runs the verifier over the samples in ../shared, every case of every kind
VECTORS ?= ../shared/vectors/attestation
$(B)/tests/attest-vectors: $(B)/tests/attest_vectors.o $(B)/libsouk.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
attest-vectors: $(B)/tests/attest-vectors
	@if [ -d $(VECTORS) ]; then $< $(VECTORS); else \
	    echo "SKIP attest-vectors: no samples in $(VECTORS)"; fi
# make attest-diff      the same samples and N mutations of each beside dcap-qvl (make rivals-intel)
attest-diff: $(B)/souk
	@if [ -d $(VECTORS) ] && [ -x build/rivals/release/rival-intel ]; then \
	    python3 tests/attest_diff.py $(B)/souk build/rivals/release/rival-intel $(VECTORS) $(N); else \
	    echo "SKIP attest-diff: needs $(VECTORS) and make rivals-intel"; fi
.PHONY: attest-vectors attest-diff
