# SPDX-License-Identifier: Apache-2.0
# The application that misbehaves: static and without sanitizers, as it runs alone in its image.
$(B)/hostile/app: tests/hostile/hostile.c
	@mkdir -p $(@D); $(CC) -std=c2x -O1 -Wall -Wextra -Werror -Wno-return-type -static -o $@ $<
$(B)/unit/test_runtime.ok $(B)/unit/test_enclave.ok: $(B)/hostile/app
