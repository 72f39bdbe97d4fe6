# SPDX-License-Identifier: Apache-2.0
bench-poco: $(B)/bench/poco
	@$< $(ARGS)
.PHONY: bench-poco
