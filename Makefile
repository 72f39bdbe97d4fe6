# SPDX-License-Identifier: Apache-2.0
# make              release build: build/release/souk      make check   lint, unit tests, fuzz corpora
# make MODE=asan …  address, leak and undefined checkers   make MODE=fuzz fuzz FUZZ_T=60   libFuzzer
# make MODE=debug|tsan|cov                                 make lint | format | tidy | bench-NAME
MODE   ?= release
CC     := $(if $(filter fuzz,$(MODE)),clang,$(if $(filter default,$(origin CC)),gcc,$(CC)))
CCACHE := $(shell command -v ccache)
B      := build/$(MODE)
Q      := $(if $(V),,@)# V=1 prints the commands
PKGS   := lmdb libcrypto libssl libsecp256k1 nettle jansson sqlite3 libcurl libarchive \
          libseccomp libzstd

WARN   := -Wall -Wextra -Wpedantic -Werror -Wshadow -Wconversion -Wstrict-prototypes \
          -Wmissing-prototypes -Wold-style-definition -Wundef -Wvla -Wcast-align -Wcast-qual \
          -Wwrite-strings -Wpointer-arith -Wformat=2 -Wimplicit-fallthrough -Wswitch-enum \
          -Wnull-dereference -Wno-missing-field-initializers
BASE   := -std=c2x -D_GNU_SOURCE -Isrc -I. -g -fno-strict-aliasing -fno-omit-frame-pointer \
          -ffile-prefix-map=$(CURDIR)=. -MMD -MP -pthread
HARD   := -O2 -fwrapv -fPIC -fstack-protector-strong -fstack-clash-protection -fcf-protection \
          -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=3
HARDLD := -pie -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--as-needed
SAN    := -O1 -fsanitize=address,undefined -fno-sanitize-recover=all
FLAGS_release := $(HARD)
FLAGS_debug   := -O0
FLAGS_asan    := $(SAN)
FLAGS_tsan    := -O1 -fsanitize=thread
FLAGS_fuzz    := $(SAN) -fsanitize=fuzzer-no-link -DFUZZING
FLAGS_cov     := -O0 --coverage
LD_release    := $(HARDLD)
LD_asan       := -fsanitize=address,undefined
LD_tsan       := -fsanitize=thread
LD_fuzz       := -fsanitize=address,undefined
LD_cov        := --coverage

CFLAGS_ALL  = $(BASE) $(WARN) $(FLAGS_$(MODE)) $(shell pkg-config --cflags $(PKGS)) $(CFLAGS)
LDFLAGS_ALL = $(LD_$(MODE)) -pthread $(LDFLAGS)
LIBS        = $(shell pkg-config --libs $(PKGS))

SRC   := $(sort $(wildcard src/*/*.c src/*/*/*.c))
CMD   := $(filter src/cmd/%,$(SRC))
LIB   := $(filter-out src/cmd/%,$(SRC))
UNIT  := $(patsubst tests/unit/%.c,%,$(sort $(wildcard tests/unit/test_*.c)))
FUZZ  := $(patsubst tests/fuzz/fuzz_%.c,%,$(sort $(wildcard tests/fuzz/fuzz_*.c)))
BENCH := $(patsubst bench/%.c,%,$(sort $(wildcard bench/*.c)))
o      = $(1:%.c=$(B)/%.o)

all: $(B)/souk
$(B)/%.o: %.c Makefile
	@mkdir -p $(@D)
	$(Q)$(CCACHE) $(CC) $(CFLAGS_ALL) -c $< -o $@
$(B)/libsouk.a: $(call o,$(LIB))
	@rm -f $@; ar rcsD $@ $^
$(B)/souk: $(call o,$(CMD)) $(B)/libsouk.a
	$(Q)$(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
$(B)/unit/%: $(B)/tests/unit/%.o $(B)/libsouk.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
$(B)/bench/%: $(B)/bench/%.o $(B)/libsouk.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS_ALL) $^ $(LIBS) -o $@
$(B)/fuzz/%: $(B)/tests/fuzz/fuzz_%.o $(if $(filter fuzz,$(MODE)),,$(B)/tests/fuzz/replay.o) $(B)/libsouk.a
	@mkdir -p $(@D); $(CC) $(LDFLAGS_ALL) $(if $(filter fuzz,$(MODE)),-fsanitize=fuzzer) $^ $(LIBS) -o $@

check: lint unit corpus
unit: $(UNIT:%=$(B)/unit/%.ok)
$(B)/unit/%.ok: $(B)/unit/%
	@$< && echo "ok   $*" && touch $@
corpus: $(FUZZ:%=$(B)/fuzz/%.ok)
$(B)/fuzz/%.ok: $(B)/fuzz/% $(wildcard tests/fuzz/corpus/*/*)
	@$< $$(find tests/fuzz/corpus/$* -type f 2>/dev/null) && echo "ok   corpus $*" && touch $@
fuzz: $(FUZZ:%=$(B)/fuzz/%)
	@for t in $(FUZZ); do mkdir -p $(B)/fuzz/$$t.new; $(B)/fuzz/$$t -max_total_time=$(or $(FUZZ_T),60) \
	    -timeout=5 -print_final_stats=1 $(B)/fuzz/$$t.new tests/fuzz/corpus/$$t || exit 1; done
lint:
	@tools/check-layers.sh && tools/check-style.sh
pure: $(B)/libsouk.a
	@tools/check-pure.sh $(B)
format:
	clang-format -i $$(git ls-files '*.[ch]')
tidy:
	clang-tidy --quiet $(LIB) -- $(BASE) 2>/dev/null
clean:
	rm -rf build
.PHONY: all check unit corpus fuzz lint pure format tidy clean
.SECONDARY:
include $(sort $(wildcard src/*/*.mk apps/*.mk bench/*.mk tests/*.mk))
-include $(shell find $(B) -name '*.d' 2>/dev/null)
