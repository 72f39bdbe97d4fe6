# SPDX-License-Identifier: Apache-2.0
# make diff [N=2000] [SEED=n] [RULES=6.2|6.1] [REFERENCE=FILE]   souk against the reference contracts
N     ?= 2000
RULES ?= 6.2
tests/diff/node_modules/.package-lock.json: tests/diff/package-lock.json
	@cd tests/diff && npm ci --silent --ignore-scripts --no-audit --no-fund && touch node_modules/.package-lock.json
diff: $(B)/souk tests/diff/node_modules/.package-lock.json
	@node tests/diff/diff.mjs --souk $(CURDIR)/$(B)/souk --rules $(RULES) --calls $(N) --coverage \
	    $(if $(SEED),--seed $(SEED)) $(if $(REFERENCE),--reference $(REFERENCE))
.PHONY: diff
