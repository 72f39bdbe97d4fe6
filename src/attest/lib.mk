# SPDX-License-Identifier: Apache-2.0
# The verifier alone: libsouk-attest.a, libsouk-attest.so, and the command souk-attest, which starts
# faster than the whole souk because it loads fewer libraries.
ATTEST_OBJ := $(call o,$(filter src/base/% src/crypto/% src/encoding/% src/attest/%,$(SRC)))
ATTEST_LIBS = $(shell pkg-config --libs libcrypto libsecp256k1 nettle libcbor)
$(B)/libsouk-attest.a: $(ATTEST_OBJ)
	@rm -f $@; ar rcsD $@ $^
$(B)/libsouk-attest.so: $(ATTEST_OBJ) src/attest/lib.map
	$(Q)$(CC) $(filter-out -pie,$(LDFLAGS_ALL)) -shared -Wl,-soname,libsouk-attest.so.1 \
	    -Wl,--version-script=src/attest/lib.map $(ATTEST_OBJ) $(ATTEST_LIBS) -o $@
$(B)/souk-attest: $(call o,tools/souk-attest.c src/cmd/attest.c src/cmd/attest_files.c) $(B)/libsouk.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(ATTEST_LIBS) $(shell pkg-config --libs jansson) -o $@
attest-lib: $(B)/libsouk-attest.a $(B)/libsouk-attest.so $(B)/souk-attest
ifeq ($(MODE),release)
all: attest-lib
endif
.PHONY: attest-lib
