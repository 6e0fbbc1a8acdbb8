# SPDX-License-Identifier: MIT
#
# Builds libaiort.so (runtime/), libaiodebug.so (shim/) and everything under tests/. Sources are found by
# wildcard: a new file needs no change here.
#
#   make deps      install the Debian packages that the rest needs
#   make           both libraries, into build/<variant>/
#   make demo      the documented bug programs, plain and under the shim
#   make check     every test; its last line is "N passed, N failed"
#   make bench     the costs, beside those of libuv, boost.context, State Threads and asyncio
#   make bench-io  an echo over TCP, beside libuv's alone and asyncio's
#   make bench-uv  what the shim costs plain libuv programs
#   make bench-scripts   what scripts/aiodebug costs over a million records
#   make install   DESTDIR, PREFIX (/usr/local), LIBDIR, INCLUDEDIR, BINDIR, DATADIR; uninstall undoes it
#   make format | tidy | clean
#
# Variables: CC=clang, SANITIZE=address,undefined or thread, CONTEXT=ucontext, OPT=-O0, V=1 (print
# commands); CPPFLAGS, CFLAGS and LDFLAGS are added to ours. Each variant has a directory of its own.

MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
.DELETE_ON_ERROR:
.DEFAULT_GOAL := all

# `make deps demo` on a fresh machine: everything below asks the compiler and pkg-config while make is still
# reading, so `deps` runs alone first and the other goals in a second make.
ifneq ($(filter deps,$(MAKECMDGOALS)),)

OTHER_GOALS := $(filter-out deps,$(MAKECMDGOALS))
.NOTPARALLEL:
.PHONY: deps $(OTHER_GOALS)
deps:
	@scripts/install-deps
$(OTHER_GOALS): deps
	@$(MAKE) --no-print-directory $@

else

VERSION := 0.1.0
SOVERSION := 0

# ---------------------------------------------------------------------------------------------- variant

ifeq ($(origin CC),default)
CC := gcc
endif
ifeq ($(origin CXX),default)
CXX := $(if $(findstring clang,$(CC)),clang++,g++)
endif
OPT ?= -O2
SANITIZE ?=
CONTEXT ?= native
PREFIX ?= /usr/local
LIBDIR ?= $(PREFIX)/lib
INCLUDEDIR ?= $(PREFIX)/include
BINDIR ?= $(PREFIX)/bin
DATADIR ?= $(PREFIX)/share
MANDIR ?= $(DATADIR)/man
PKG_CONFIG ?= pkg-config
PYTHON ?= python3
LDCONFIG ?= ldconfig

ifeq ($(filter native ucontext,$(CONTEXT)),)
$(error CONTEXT=$(CONTEXT): native and ucontext are known)
endif

empty :=
space := $(empty) $(empty)
comma := ,
is_clang := $(findstring clang,$(CC))
machine := $(shell $(CC) -dumpmachine 2>/dev/null)
cpu := $(firstword $(subst -, ,$(machine)))

ifneq ($(filter-out clean format uninstall,$(or $(MAKECMDGOALS),all)),)
ifeq ($(machine),)
$(error $(CC) is not to be found: run "make deps" first)
endif
endif

VARIANT := $(notdir $(firstword $(CC)))$(if $(SANITIZE),-$(subst $(comma),-,$(SANITIZE)))
VARIANT := $(VARIANT)$(if $(filter ucontext,$(CONTEXT)),-ucontext)
VARIANT := $(VARIANT)$(if $(filter-out -O2,$(OPT)),$(subst $(space),,$(filter-out -O2,$(OPT))))
BUILD_ROOT ?= build
B := $(BUILD_ROOT)/$(VARIANT)

# ------------------------------------------------------------------------------------------------ flags

WARNINGS := -Wall -Wextra -Wpedantic -Wshadow -Wstrict-prototypes -Wmissing-prototypes -Wundef -Wvla \
	-Wformat -Wpointer-arith -Wwrite-strings -Werror
ifdef is_clang
# clang reports GNU extensions one by one under -Wpedantic; those gnu11 is chosen for are let through.
WARNINGS += -Wno-gnu-zero-variadic-macro-arguments -Wno-gnu-statement-expression
WARNINGS += -Wno-unknown-warning-option
endif

# As Debian hardens. Fortification needs optimisation, and the sanitizers bring checks of their own.
HARDEN := -fstack-protector-strong -fstack-clash-protection -Wformat-security
ifneq ($(filter x86_64 i%86,$(cpu)),)
HARDEN += -fcf-protection
endif
ifneq ($(filter aarch64,$(cpu)),)
HARDEN += -mbranch-protection=standard
endif
ifeq ($(SANITIZE)$(filter -O0,$(OPT)),)
HARDEN += -U_FORTIFY_SOURCE -D_FORTIFY_SOURCE=2
endif
HARDEN_LD := -Wl,-z,relro -Wl,-z,now -Wl,-z,noexecstack

# -fsemantic-interposition: exported functions may be replaced by a preloaded library even for calls from
# their own file (the seams, aiort_instrument_*); clang would inline them otherwise. -fexceptions and unwind
# tables: a C++ callback may throw through our frames, and stacks are walked at any instruction.
CODEGEN := $(OPT) -g -fPIC -fvisibility=hidden -fsemantic-interposition -fexceptions \
	-fasynchronous-unwind-tables -ftls-model=initial-exec -fno-plt -pthread
ifdef is_clang
ifneq ($(filter -O0,$(OPT)),)
CODEGEN += -Wno-unused-command-line-argument
endif
endif

ifneq ($(SANITIZE),)
CODEGEN += -fsanitize=$(SANITIZE) -fno-omit-frame-pointer
ifneq ($(findstring undefined,$(SANITIZE)),)
CODEGEN += -fno-sanitize-recover=undefined
endif
SANITIZE_LD := -fsanitize=$(SANITIZE)
# The first runtime to be loaded must be the sanitizer's: whoever preloads anything puts this in front.
ifndef is_clang
SANITIZE_PRELOAD := $(foreach s,$(filter address thread,$(subst $(comma), ,$(SANITIZE))),\
	$(shell $(CC) -print-file-name=lib$(patsubst thread,tsan,$(patsubst address,asan,$s)).so))
endif
else
# A library says at its own link what it lacks; sanitizers leave their symbols to the program.
NO_UNDEFINED := -Wl,-z,defs
endif

# Empty, as a source file's own `#define _GNU_SOURCE` is, so that the two agree.
DEFINES := -D_GNU_SOURCE= -DAIORT_VERSION='"$(VERSION)"'
ifeq ($(CONTEXT),ucontext)
DEFINES += -DAIORT_CONTEXT_UCONTEXT=1
endif

UV_CFLAGS := $(shell $(PKG_CONFIG) --cflags libuv 2>/dev/null)
UV_LIBS := $(shell $(PKG_CONFIG) --libs libuv 2>/dev/null || echo -luv)

BASE_CFLAGS := -std=gnu11 $(CODEGEN) $(WARNINGS) $(HARDEN)
INCLUDES_runtime := -Iruntime -Iruntime/include
INCLUDES_shim := -Ishim -Iruntime/include
INCLUDES_tests := -Iruntime/include -Iruntime -Ishim -Itests/unit

# libaiort's calls of libuv are told from the program's by their return address: none may be a jump.
CODEGEN_runtime := -fno-optimize-sibling-calls
# But for the fast paths, which call nothing of libuv: there a jump to what is slow spares a stack frame.
FAST_PATHS := await coroutine future handle object scheduler task
$(foreach f,$(FAST_PATHS),$(eval FLAGS_runtime/$(f).c := -foptimize-sibling-calls))

# One file's own flags, when it needs some: FLAGS_runtime/task.c := -fno-stack-protector, say. None does now:
# with every hardening flag off, the benchmarks come out the same.

CC_COMMAND = $(CC) $(BASE_CFLAGS) $(CODEGEN_$(firstword $(subst /, ,$<))) $(DEFINES) $(INCLUDES_$(firstword $(subst /, ,$<))) $(UV_CFLAGS) \
	$(CPPFLAGS) $(CFLAGS) $(FLAGS_$<) -MMD -MP

ifeq ($(V),1)
Q :=
say = @:
else
Q := @
say = @printf '  %-7s %s\n' $(1) $(2)
endif

# ---------------------------------------------------------------------------------------------- sources

# Every stack switch is compiled; those not meant for this processor and CONTEXT come out empty.
CONTEXT_SRC := $(sort $(wildcard runtime/context/*.c runtime/context/*.S))

RUNTIME_SRC := $(sort $(wildcard runtime/*.c)) $(CONTEXT_SRC)
SHIM_SRC := $(sort $(wildcard shim/*.c shim/*/*.c))
UNIT_SRC := $(sort $(wildcard tests/unit/test_*.c))
GOLDEN_SRC := $(sort $(wildcard tests/golden/*.c))
EXAMPLE_SRC := $(sort $(wildcard tests/examples/*.c))
ifeq ($(shell $(PKG_CONFIG) --exists openssl 2>/dev/null && echo yes),)
EXAMPLE_SRC := $(filter-out tests/examples/tls_%,$(EXAMPLE_SRC))
endif
BENCH_SRC := $(sort $(wildcard tests/bench/*.c))

object = $(patsubst %,$(B)/obj/%.o,$(basename $(1)))
RUNTIME_OBJ := $(call object,$(RUNTIME_SRC))
SHIM_OBJ := $(call object,$(SHIM_SRC))
HARNESS_OBJ := $(call object,$(wildcard tests/unit/harness*.c))

RUNTIME_SO := $(B)/libaiort.so.$(VERSION)
# TLS by OpenSSL, a library of its own; without OpenSSL's headers it is left out.
HAVE_OPENSSL := $(shell $(PKG_CONFIG) --exists openssl 2>/dev/null && echo yes)
TLS_SRC := $(if $(HAVE_OPENSSL),$(sort $(wildcard runtime/tls/*.c)))
TLS_OBJ := $(call object,$(TLS_SRC))
TLS_SO := $(B)/libaiort-tls.so.$(VERSION)
LIBS := $(if $(RUNTIME_SRC),$(B)/libaiort.so $(B)/libaiort.a) $(if $(TLS_SRC),$(B)/libaiort-tls.so) $(if $(SHIM_SRC),$(B)/libaiodebug.so)
UNIT_BIN := $(patsubst tests/unit/%.c,$(B)/unit/%,$(UNIT_SRC))
EXAMPLE_BIN := $(patsubst tests/examples/%.c,$(B)/examples/%,$(EXAMPLE_SRC))
BENCH_BIN := $(patsubst tests/bench/%.c,$(B)/bench/%,$(BENCH_SRC))

.PHONY: all libs runtime deps
all: libs
libs: $(LIBS)
runtime: $(filter-out %/libaiodebug.so,$(LIBS))

# ------------------------------------------------------------------------------------------------ rules

# Other flags, another compiler of the same name, another set of sources in an archive: build anew.
FLAGS_NOW := $(CC) $(BASE_CFLAGS) $(CODEGEN_runtime) $(FAST_PATHS) $(DEFINES) $(UV_CFLAGS) $(CPPFLAGS) $(CFLAGS) $(LDFLAGS)
.PHONY: FORCE
FORCE:
$(B)/flags: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' | cmp -s - $@ || \
		printf '%s\n' '$(subst ','\'',$(FLAGS_NOW))' > $@
$(B)/runtime.list: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(RUNTIME_SRC)' | cmp -s - $@ || printf '%s\n' '$(RUNTIME_SRC)' > $@
$(B)/shim.list: FORCE
	@mkdir -p $(@D)
	@printf '%s\n' '$(SHIM_SRC)' | cmp -s - $@ || printf '%s\n' '$(SHIM_SRC)' > $@

$(B)/obj/%.o: %.c $(B)/flags
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC_COMMAND) -c $< -o $@

$(B)/obj/%.o: %.S $(B)/flags
	$(call say,AS,$<)
	@mkdir -p $(@D)
	$(Q)$(CC_COMMAND) -c $< -o $@

$(RUNTIME_SO): $(RUNTIME_OBJ) runtime/libaiort.map $(B)/runtime.list
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(OPT) -pthread $(SANITIZE_LD) -Wl,-soname,libaiort.so.$(SOVERSION) -Wl,-z,nodelete \
		-Wl,--version-script,runtime/libaiort.map $(NO_UNDEFINED) $(HARDEN_LD) -Wl,--as-needed \
		$(LDFLAGS) $(RUNTIME_OBJ) $(UV_LIBS) -lm -o $@

$(B)/libaiort.so.$(SOVERSION): $(RUNTIME_SO)
	@ln -sf $(<F) $@
$(B)/libaiort.so: $(B)/libaiort.so.$(SOVERSION)
	@ln -sf $(<F) $@

$(TLS_SO): $(TLS_OBJ) $(B)/libaiort.so runtime/libaiort.map
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(OPT) -pthread $(SANITIZE_LD) -Wl,-soname,libaiort-tls.so.$(SOVERSION) \
		-Wl,--version-script,runtime/libaiort.map $(NO_UNDEFINED) $(HARDEN_LD) -Wl,--as-needed \
		$(LDFLAGS) $(TLS_OBJ) -L$(B) -laiort $(UV_LIBS) -lssl -lcrypto -o $@

$(B)/libaiort-tls.so.$(SOVERSION): $(TLS_SO)
	@ln -sf $(<F) $@
$(B)/libaiort-tls.so: $(B)/libaiort-tls.so.$(SOVERSION)
	@ln -sf $(<F) $@

$(B)/libaiort.a: $(RUNTIME_OBJ) $(B)/runtime.list
	$(call say,AR,$@)
	@rm -f $@
	$(Q)ar rcs $@ $(RUNTIME_OBJ)

# The shim links libc and nothing else: libuv, libaiort, libunwind and libdw are found at run time. It is
# never unloaded, because callbacks run through it until the process ends.
$(B)/libaiodebug.so: $(SHIM_OBJ) $(B)/shim.list
	$(call say,LD,$@)
	$(Q)$(CC) -shared $(OPT) -pthread $(SANITIZE_LD) -Wl,-soname,libaiodebug.so $(NO_UNDEFINED) \
		$(HARDEN_LD) -Wl,-z,nodelete -Wl,--as-needed $(LDFLAGS) $(SHIM_OBJ) -ldl -o $@

# Unit tests. test_shim_PART.c is linked with the objects of shim/track/PART*.c (with the whole shim would come its
# free(), which the sanitizers have for themselves), test_internal_*.c with the runtime's (both see hidden functions);
# all others use libaiort.so as a program does.
UNIT_LINK = $(CC) $(OPT) -pthread -rdynamic $(SANITIZE_LD) $(LDFLAGS) $< $(HARNESS_OBJ) -o $@

SHIM_PARTS := $(patsubst tests/unit/test_shim_%.c,%,$(filter tests/unit/test_shim_%,$(UNIT_SRC)))
shim_part = $(call object,$(wildcard shim/track/$(1).c shim/track/$(1)_*.c))
$(foreach p,$(SHIM_PARTS),$(eval $(B)/unit/test_shim_$p: $(call shim_part,$p)))

$(B)/unit/test_shim_%: $(B)/obj/tests/unit/test_shim_%.o $(HARNESS_OBJ) $(B)/libaiort.so
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(UNIT_LINK) $(call shim_part,$*) -L$(B) -Wl,-rpath,'$$ORIGIN/..' -laiort -lcmocka $(UV_LIBS) -ldl -lm

$(B)/unit/test_internal_%: $(B)/obj/tests/unit/test_internal_%.o $(HARNESS_OBJ) $(B)/libaiort.a
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(UNIT_LINK) $(B)/libaiort.a -lcmocka $(UV_LIBS) -lm

$(B)/unit/test_%: $(B)/obj/tests/unit/test_%.o $(HARNESS_OBJ) $(B)/libaiort.so
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(UNIT_LINK) -L$(B) -Wl,-rpath,'$$ORIGIN/..' -laiort -lcmocka $(UV_LIBS) -lm

# A line "/* libs: ... */" after the SPDX line adds libraries, here and for the benchmarks.
$(B)/examples/%: tests/examples/%.c $(B)/libaiort.so $(filter %/libaiort-tls.so,$(LIBS))
	$(call say,CCLD,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(OPT) -g -Wall -Wextra $(SANITIZE_LD) -Iruntime/include $(UV_CFLAGS) -MMD -MP \
		-MF $@.d $< -o $@ -L$(B) -Wl,-rpath,'$$ORIGIN/..' \
		$$(sed -n 's,^/\* libs: \(.*\) \*/$$,\1,p' $<) -laiort $(UV_LIBS) -lm

# tests/bench/NAME.c; a first line "/* libs: -lst */" or the like after the SPDX line adds libraries.
$(B)/bench/%: tests/bench/%.c $(B)/libaiort.so $(B)/flags
	$(call say,CCLD,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(OPT) -g -D_GNU_SOURCE= -Wall -Wextra $(SANITIZE_LD) -pthread \
		-Iruntime/include $(UV_CFLAGS) -MMD -MP -MF $@.d $< -o $@ -L$(B) -Wl,-rpath,'$$ORIGIN/..' -laiort \
		$(UV_LIBS) -lm $$(sed -n 's,^/\* libs: \(.*\) \*/$$,\1,p' $<)

# Plain libuv programs know nothing of libaiort.
$(B)/bench/uv: tests/bench/uv.c $(B)/flags
	$(call say,CCLD,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu11 $(OPT) -g -D_GNU_SOURCE= -Wall -Wextra $(SANITIZE_LD) -pthread $(UV_CFLAGS) -MMD -MP \
		-MF $@.d $< -o $@ $(UV_LIBS)
$(B)/bench/uv_throw: tests/bench/uv_throw.cc $(B)/flags
	$(call say,CCLD,$<)
	@mkdir -p $(@D)
	$(Q)$(CXX) $(OPT) -g -Wall -Wextra $(SANITIZE_LD) $(UV_CFLAGS) $< -o $@ $(UV_LIBS)

# Objects of programs are kept, not rebuilt each time.
.SECONDARY:

# ------------------------------------------------------------------------------------------------ tests

# What every script under tests/ is told. AIORT_TEST_SLOW stretches time limits where code runs slower.
export AIORT_TEST_SLOW ?= $(if $(SANITIZE),4,1)
TEST_ENV = ROOT='$(CURDIR)' BUILD='$(abspath $(B))' CC='$(CC)' CXX='$(CXX)' SANITIZE='$(SANITIZE)' \
	CONTEXT='$(CONTEXT)' OPT='$(OPT)' MAKE='$(MAKE)' PYTHON='$(PYTHON)' V='$(V)' \
	SANITIZE_PRELOAD='$(strip $(SANITIZE_PRELOAD))' STAGE='$(abspath $(B)/stage)'

# The pieces of `make check`: unit and golden first, then every directory that has a run.sh.
PIECES := unit golden $(filter-out unit golden,$(patsubst tests/%/run.sh,%,$(sort $(wildcard tests/*/run.sh))))
NAMED_PIECES := context symbols report track seams install
.PHONY: check $(addprefix check-,$(sort $(PIECES) $(NAMED_PIECES)))

unit: $(UNIT_BIN)
.PHONY: unit
check-unit: $(UNIT_BIN) libs
	@$(TEST_ENV) tests/unit/run $(notdir $(UNIT_BIN))

check-golden: libs
	@$(TEST_ENV) $(PYTHON) tests/golden/run $(GOLDEN_ARGS)

$(addprefix check-,$(filter-out unit golden,$(sort $(PIECES) $(NAMED_PIECES)))): check-%: libs
	@if [ -x tests/$*/run.sh ]; then $(TEST_ENV) tests/$*/run.sh; \
		else echo "tests/$*/run.sh: none"; echo '0 passed, 0 failed'; fi

# Plain libuv programs, whole: libuv's own suite in all of its tests (`make check` runs most of them), and the
# programs from Debian that link libuv.
.PHONY: check-libuv check-clients
check-libuv: libs
	@$(TEST_ENV) tests/uvsuite/run.sh all
check-clients: libs
	@$(TEST_ENV) tests/uvclients/run.sh

# The programs of tests/uv on the libuv of later Debian releases (SUITES="trixie sid"), which apt fetches.
.PHONY: check-uv-newer
check-uv-newer: libs
	@$(TEST_ENV) $(PYTHON) tests/uv/newer $(SUITES)

# CHECKS="unit golden" runs a part, SKIP="uvclients" all but that. Each piece runs whatever the others said.
SKIP ?=
CHECKS ?= $(filter-out $(SKIP),$(PIECES))
check: libs unit
	@MAKE='$(MAKE)' scripts/check '$(abspath $(B)/check)' $(CHECKS)

# All tests that have something to say under AddressSanitizer with UndefinedBehaviorSanitizer, under ThreadSanitizer
# and in Valgrind; .ci/run does a part. (Left out: what only looks at files, or measures; scripts and other people's
# programs, into which a sanitizer's runtime cannot be preloaded; programs that do what a sanitizer ends them for,
# tests/uv's mistakes and tests/uvtraps; tests/memory, which builds programs with sanitizers of its own.)
SANITIZED := unit golden context machinery report shimmed symbols tls track uv
VALGRIND_PIECES := valgrind-unit valgrind-golden valgrind-uv
.PHONY: check-sanitize check-sanitize-address check-sanitize-thread check-valgrind $(VALGRIND_PIECES:%=check-%)
check-sanitize:
	@MAKE='$(MAKE)' scripts/check '$(abspath $(B)/check)' sanitize-address sanitize-thread valgrind
check-sanitize-address check-sanitize-thread: check-sanitize-%:
	@$(MAKE) --no-print-directory check SANITIZE=$(subst address,address$(comma)undefined,$*) CHECKS='$(SANITIZED)'

# In Valgrind: each unit case (VALGRIND_TESTS="test_queue test_lock": some), the golden programs without and with the
# shim, the correct programs on plain libuv with it. (tests/context and tests/tls have their own, in make check.)
check-valgrind: $(UNIT_BIN) libs
	@MAKE='$(MAKE)' scripts/check '$(abspath $(B)/check)' $(VALGRIND_PIECES)
check-valgrind-unit: $(UNIT_BIN) libs
	@$(TEST_ENV) tests/unit/valgrind $(VALGRIND_TESTS)
check-valgrind-golden: libs
	@$(TEST_ENV) AIORT_TEST_SLOW=20 $(PYTHON) tests/golden/run --valgrind $(GOLDEN_ARGS)
check-valgrind-uv: libs
	@$(TEST_ENV) AIORT_TEST_SLOW=20 $(PYTHON) tests/uv/run --valgrind

# The libraries as a user has them: make install into a private prefix.
.PHONY: stage demo examples bench
stage: libs
	@rm -rf '$(B)/stage'
	@$(MAKE) --no-print-directory -s install PREFIX='$(abspath $(B)/stage)' DESTDIR= LDCONFIG=: \
		LIBDIR='$(abspath $(B)/stage)/lib' INCLUDEDIR='$(abspath $(B)/stage)/include' \
		BINDIR='$(abspath $(B)/stage)/bin' DATADIR='$(abspath $(B)/stage)/share'

examples: $(EXAMPLE_BIN)

demo: stage
	@$(TEST_ENV) PKG_CONFIG_PATH='$(abspath $(B)/stage)/lib/pkgconfig' scripts/demo

.PHONY: bench-programs
bench-programs: libs $(BENCH_BIN)

bench: bench-programs
	@$(TEST_ENV) tests/bench/run

.PHONY: bench-io
bench-io: bench-programs
	@$(TEST_ENV) tests/bench/io_run

.PHONY: bench-uv
bench-uv: libs $(B)/bench/uv $(B)/bench/uv_throw
	@$(TEST_ENV) $(PYTHON) tests/bench/uv_run

.PHONY: bench-scripts
bench-scripts: libs
	@$(TEST_ENV) $(PYTHON) tests/bench/scripts.py

# ---------------------------------------------------------------------------------------------- install

# What scripts/aiodebug imports, and what its pages are made of.
SCRIPT_FILES = $(patsubst scripts/%,%,$(sort $(wildcard scripts/aiodebug_lib/*.py scripts/aiodebug_lib/page/*)))

.PHONY: install uninstall
install: libs
	@install -d '$(DESTDIR)$(LIBDIR)/pkgconfig' '$(DESTDIR)$(INCLUDEDIR)' '$(DESTDIR)$(BINDIR)'
	$(call say,INSTALL,$(DESTDIR)$(INCLUDEDIR)/aiort.h)
	$(Q)install -m 644 runtime/include/*.h '$(DESTDIR)$(INCLUDEDIR)/'
	$(call say,INSTALL,$(DESTDIR)$(LIBDIR)/libaiort.so)
	$(Q)install -m 644 $(RUNTIME_SO) $(B)/libaiort.a '$(DESTDIR)$(LIBDIR)/'
	$(Q)ln -sf libaiort.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/libaiort.so.$(SOVERSION)'
	$(Q)ln -sf libaiort.so.$(SOVERSION) '$(DESTDIR)$(LIBDIR)/libaiort.so'
	$(Q)if [ -n '$(TLS_SRC)' ]; then install -m 644 $(TLS_SO) '$(DESTDIR)$(LIBDIR)/' && \
		ln -sf libaiort-tls.so.$(VERSION) '$(DESTDIR)$(LIBDIR)/libaiort-tls.so.$(SOVERSION)' && \
		ln -sf libaiort-tls.so.$(SOVERSION) '$(DESTDIR)$(LIBDIR)/libaiort-tls.so'; fi
	$(call say,INSTALL,$(DESTDIR)$(LIBDIR)/libaiodebug.so)
	$(Q)install -m 644 $(B)/libaiodebug.so '$(DESTDIR)$(LIBDIR)/'
	$(call say,INSTALL,$(DESTDIR)$(LIBDIR)/pkgconfig/libaiort.pc)
	$(call say,INSTALL,$(DESTDIR)$(LIBDIR)/pkgconfig/libaiodebug.pc)
	$(Q)for pc in libaiort libaiodebug $(if $(TLS_SRC),libaiort-tls); do \
		sed -e 's,@PREFIX@,$(PREFIX),' -e 's,@LIBDIR@,$(LIBDIR),' -e 's,@INCLUDEDIR@,$(INCLUDEDIR),' \
		-e 's,@VERSION@,$(VERSION),' scripts/$$pc.pc.in > '$(DESTDIR)$(LIBDIR)'/pkgconfig/$$pc.pc && \
		chmod 644 '$(DESTDIR)$(LIBDIR)'/pkgconfig/$$pc.pc || exit 1; done
	$(call say,INSTALL,$(DESTDIR)$(BINDIR)/aiodebug)
	$(Q)sed -e 's,^LIBRARY = "",LIBRARY = "$(DATADIR)/aiodebug",' -e 's,^SHIM = "",SHIM = "$(LIBDIR)/libaiodebug.so",' \
		scripts/aiodebug > '$(DESTDIR)$(BINDIR)/aiodebug' && chmod 755 '$(DESTDIR)$(BINDIR)/aiodebug'
	$(Q)for file in $(SCRIPT_FILES); do \
		install -D -m 644 "scripts/$$file" '$(DESTDIR)$(DATADIR)'/aiodebug/"$$file" || exit 1; done
	$(Q)install -d '$(DESTDIR)$(MANDIR)/man1' '$(DESTDIR)$(MANDIR)/man3' '$(DESTDIR)$(MANDIR)/man7'
	$(Q)$(PYTHON) scripts/header-manpage runtime/include/aiort.h $(VERSION) > '$(DESTDIR)$(MANDIR)/man3/libaiort.3'
	$(Q)$(PYTHON) scripts/aiodebug --manpage 1 '$(abspath $(B))/libaiodebug.so' > '$(DESTDIR)$(MANDIR)/man1/aiodebug.1'
	$(Q)$(PYTHON) scripts/aiodebug --manpage 7 '$(abspath $(B))/libaiodebug.so' > '$(DESTDIR)$(MANDIR)/man7/libaiodebug.7'
	$(Q)install -D -m 644 scripts/completion/aiodebug.bash '$(DESTDIR)$(DATADIR)/bash-completion/completions/aiodebug'
	$(Q)install -D -m 644 scripts/completion/aiodebug.zsh '$(DESTDIR)$(DATADIR)/zsh/site-functions/_aiodebug'
	$(Q)if [ -z '$(DESTDIR)' ] && [ "$$(id -u)" = 0 ]; then $(LDCONFIG); fi

uninstall:
	rm -f $(patsubst runtime/include/%,'$(DESTDIR)$(INCLUDEDIR)/%',$(wildcard runtime/include/*.h))
	rm -f '$(DESTDIR)$(LIBDIR)/libaiort.so' '$(DESTDIR)$(LIBDIR)/libaiort.so.$(SOVERSION)' \
		'$(DESTDIR)$(LIBDIR)/libaiort-tls.so' '$(DESTDIR)$(LIBDIR)/libaiort-tls.so.$(SOVERSION)' \
		'$(DESTDIR)$(LIBDIR)/libaiort-tls.so.$(VERSION)' '$(DESTDIR)$(LIBDIR)/pkgconfig/libaiort-tls.pc' \
		'$(DESTDIR)$(LIBDIR)/libaiort.so.$(VERSION)' '$(DESTDIR)$(LIBDIR)/libaiort.a' \
		'$(DESTDIR)$(LIBDIR)/libaiodebug.so' '$(DESTDIR)$(LIBDIR)/pkgconfig/libaiort.pc' \
		'$(DESTDIR)$(LIBDIR)/pkgconfig/libaiodebug.pc' '$(DESTDIR)$(BINDIR)/aiodebug' \
		'$(DESTDIR)$(MANDIR)/man1/aiodebug.1' '$(DESTDIR)$(MANDIR)/man3/libaiort.3' \
		'$(DESTDIR)$(MANDIR)/man7/libaiodebug.7' \
		'$(DESTDIR)$(DATADIR)/bash-completion/completions/aiodebug' \
		'$(DESTDIR)$(DATADIR)/zsh/site-functions/_aiodebug'
	rm -rf '$(DESTDIR)$(DATADIR)/aiodebug'

# ----------------------------------------------------------------------------------------------- upkeep

.PHONY: format tidy clean
OUR_C = $(shell git ls-files --cached --others --exclude-standard '*.c' '*.h' '*.cc' '*.cpp' 2>/dev/null)
format:
	clang-format -i $(OUR_C)

tidy:
	clang-tidy --quiet $(RUNTIME_SRC:%.S=) $(SHIM_SRC) -- -std=gnu11 $(DEFINES) $(INCLUDES_runtime) \
		$(INCLUDES_shim) $(UV_CFLAGS)

clean:
	rm -rf $(BUILD_ROOT)

-include $(RUNTIME_OBJ:.o=.d) $(TLS_OBJ:.o=.d) $(SHIM_OBJ:.o=.d) $(HARNESS_OBJ:.o=.d)
-include $(patsubst tests/unit/%.c,$(B)/obj/tests/unit/%.d,$(UNIT_SRC))
-include $(EXAMPLE_BIN:%=%.d) $(BENCH_BIN:%=%.d)

endif
