# SPDX-License-Identifier: Apache-2.0
# Three broken builds of the market's rules (POCO_BROKEN in chain/poco/poco_int.h): the property
# tests must fail on each, which proves that they bite. `make poco-broken`; part of `make unit`.
POCO_SRC := $(wildcard src/chain/poco/*.c)
define POCO_BROKEN_RULE
$(B)/broken$(1)/%.o: %.c Makefile
	@mkdir -p $$(@D)
	$(Q)$(CCACHE) $(CC) $$(CFLAGS_ALL) -DPOCO_BROKEN=$(1) -c $$< -o $$@
$(B)/unit/poco_broken$(1): $(B)/tests/unit/test_poco_props.o $(POCO_SRC:%.c=$(B)/broken$(1)/%.o) $(B)/libsouk.a
	@mkdir -p $$(@D); $(CC) $$(LDFLAGS_ALL) $$^ $$(LIBS) -o $$@
$(B)/unit/poco_broken$(1).ok: $(B)/unit/poco_broken$(1)
	@if $$< 2>/dev/null >/dev/null; then echo "poco: broken build $(1) passed the property tests"; exit 1; fi
	@echo "ok   broken build $(1) was caught" && touch $$@
endef
$(foreach n,1 2 3,$(eval $(call POCO_BROKEN_RULE,$(n))))
poco-broken: $(foreach n,1 2 3,$(B)/unit/poco_broken$(n).ok)
unit: poco-broken
.PHONY: poco-broken
