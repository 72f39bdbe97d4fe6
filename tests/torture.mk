# SPDX-License-Identifier: Apache-2.0
# make torture N=1000 [SEED=n]   kills and faults of the disk under load; last line: N kills, M losses
N ?= 100
$(B)/tests/faulty.so: tests/torture/faulty.c
	@mkdir -p $(@D); $(CC) -std=c2x -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -fPIC -shared -o $@ $< -ldl
torture: $(B)/souk $(B)/tests/faulty.so
	@SOUK=$(abspath $(B))/souk SOUK_FAULTY=$(abspath $(B))/tests/faulty.so python3 tests/e2e/torture.py $(N) $(SEED)
.PHONY: torture
