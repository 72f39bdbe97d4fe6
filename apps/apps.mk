# SPDX-License-Identifier: Apache-2.0
# make apps        the applications and their images: build/apps/NAME (program), build/apps/root/NAME
#                  (root filesystem), build/apps/NAME.tar (image)
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

# tesseract would pick its arithmetic by the processor; votes need the same everywhere.
APP_ENV_ocr := --env DOTPRODUCT=generic --env OMP_THREAD_LIMIT=1
# A root is finished when its stamp is there; the image is packed from it.
$(APP_A)/root/%.ok: $(APP_A)/% tools/app-root
	@tools/app-root $< $(@:.ok=) && touch $@
$(APP_A)/%.tar: $(APP_A)/root/%.ok $(B)/souk
	$(Q)$(B)/souk image pack $(<:.ok=) --out $@ --entrypoint /app/$* $(APP_ENV_$*)

# Unit tests and fuzz targets are built like all others, with the engine beside the library.
APP_TESTS := $(B)/unit/test_nn $(B)/unit/test_img $(B)/fuzz/model $(B)/fuzz/picture
$(B)/apps/%.o: CFLAGS += -ffp-contract=off
$(APP_TESTS): $(call o,$(sort $(wildcard apps/engine/*.c apps/lib/*.c)))
$(APP_TESTS): LIBS += $(B)/libsouk.a -ljpeg -lpng16 -lz

app-programs: $(APPS:%=$(APP_A)/%)
app-roots: $(APPS:%=$(APP_A)/root/%.ok)
apps: $(APPS:%=$(APP_A)/%.tar)

# The same sources with other flags must give the same answers, byte by byte.
APP_ALSO  := O2 avx2
APP_OPT_O2   := -O2
APP_OPT_avx2 := -O3 -mavx2 -mfma
APP_CAN   := $(filter-out $(if $(shell grep -m1 -w avx2 /proc/cpuinfo),,avx2),$(APP_ALSO))
app-also-%:
	@$(MAKE) --no-print-directory APP_A=build/apps-$* APP_OPT="$(APP_OPT_$*)" \
	    build/apps-$*/classify build/apps-$*/detect
check-apps: app-programs $(APP_CAN:%=app-also-%)
	@tools/check-apps $(APP_A) $(APP_CAN:%=build/apps-%)
.PHONY: apps app-programs app-roots check-apps
-include $(shell find $(APP_A)/obj -name '*.d' 2>/dev/null)
