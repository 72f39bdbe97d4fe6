# SPDX-License-Identifier: Apache-2.0
# make bench-settle [ARGS="--json --runs 3"]   settled tasks per second, beside anvil and the limit
tests/diff/node_modules: tests/diff/package-lock.json
	@cd tests/diff && npm ci --ignore-scripts --no-audit --no-fund && touch node_modules
bench-settle: $(B)/souk $(B)/bench/recover tests/diff/node_modules
	@node bench/settle/settle.mjs --souk $(B)/souk --recover $(B)/bench/recover $(ARGS)
.PHONY: bench-settle
