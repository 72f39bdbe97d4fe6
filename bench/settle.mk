# SPDX-License-Identifier: Apache-2.0
# make bench-settle [ARGS="--json --runs 3"]   settled tasks per second, beside anvil and the limit
tests/diff/node_modules: tests/diff/package-lock.json
	@cd tests/diff && npm ci --ignore-scripts --no-audit --no-fund && touch node_modules
bench-settle: $(B)/souk $(B)/bench/recover tests/diff/node_modules
	@node bench/settle/settle.mjs --souk $(B)/souk --recover $(B)/bench/recover $(ARGS)
.PHONY: bench-settle
# make profile-settle [ONLY=bag]   where the node's time goes: a table, from perf (Debian: linux-perf)
ONLY ?= single
profile-settle: $(B)/souk $(B)/bench/recover tests/diff/node_modules
	@mkdir -p $(B)/profile
	@node bench/settle/settle.mjs --souk $(B)/souk --recover $(B)/bench/recover --tasks 500 --only $(ONLY) --perf $(B)/profile/$(ONLY).data
	@echo "time of the node, $(ONLY): by function"
	@perf report -i $(B)/profile/$(ONLY).data --no-children -g none --percent-limit 0.7 --sort symbol --stdio 2>/dev/null | grep -v '^#' | grep .
	@echo "by what was called from where (children included)"
	@perf report -i $(B)/profile/$(ONLY).data --children -g none --percent-limit 2 --sort symbol --stdio 2>/dev/null | grep -v '^#' | grep .
.PHONY: profile-settle
