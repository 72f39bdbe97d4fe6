# SPDX-License-Identifier: Apache-2.0
# make apps        the applications and their images: build/apps/NAME (program), build/apps/root/NAME
#                  (root filesystem), build/apps/NAME.tar (image, when the binary can pack one)
# make check-apps  expected answers on real models and pictures; equal bits under other flags
APPS      := classify detect hash callback ocr
APP_A     := build/apps
APP_LIB   := $(sort $(wildcard apps/engine/*.c apps/lib/*.c)) \
             src/base/arena.c src/base/base.c src/base/buf.c src/base/rc.c
APP_OPT   ?= -O3# check-apps builds with others too: the results must not change
APP_CFLAGS = $(filter-out -MMD -MP,$(BASE)) $(WARN) $(APP_OPT) -fwrapv -ffp-contract=off -fPIE \
             -fstack-protector-strong -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2 -MMD -MP
APP_LIBS  := -ljpeg -lpng16 -lz -lm
# Static programs run in an empty root. Section and build ids depend on nothing but the sources.
APP_LD    := -static-pie -Wl,--build-id=none -Wl,-z,relro,-z,now -Wl,-z,noexecstack -Wl,--gc-sections
APP_o      = $(1:%.c=$(APP_A)/obj/%.o)

$(APP_A)/obj/%.o: %.c apps/apps.mk
	@mkdir -p $(@D)
	$(Q)$(CCACHE) gcc $(APP_CFLAGS) -c $< -o $@
$(APP_A)/libapp.a: $(call APP_o,$(APP_LIB))
	@rm -f $@; ar rcsD $@ $^
$(APP_A)/%: $(APP_A)/obj/apps/%.o $(APP_A)/libapp.a
	$(Q)gcc $(APP_LD) $^ $(APP_LIBS) -o $@
$(APP_A)/ocr: $(APP_A)/obj/apps/ocr.o $(APP_A)/libapp.a
	$(Q)gcc -pie -Wl,--build-id=none -Wl,-z,relro,-z,now -Wl,-z,noexecstack $^ -ltesseract -llept $(APP_LIBS) -o $@

# A root is finished when its stamp is there; the image is packed from it.
$(APP_A)/root/%.ok: $(APP_A)/% tools/app-root
	@tools/app-root $< $(@:.ok=) && touch $@
$(APP_A)/%.tar: $(APP_A)/root/%.ok $(B)/souk
	$(Q)$(B)/souk image pack $(<:.ok=) -o $@ --entrypoint /app/$*

app-programs: $(APPS:%=$(APP_A)/%)
app-roots: $(APPS:%=$(APP_A)/root/%.ok)
apps: $(if $(wildcard src/cmd/image.c),$(APPS:%=$(APP_A)/%.tar),app-roots)
.PHONY: apps app-programs app-roots
-include $(shell find $(APP_A)/obj -name '*.d' 2>/dev/null)
