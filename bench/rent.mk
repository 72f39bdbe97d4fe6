# SPDX-License-Identifier: Apache-2.0
bench-rent: all apps $(B)/bench/sandbox
	@python3 bench/rent.py $(ARGS)
.PHONY: bench-rent
