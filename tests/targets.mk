# What people call: install what is missing, run, check, install.

help:
	@echo 'make            build everything under $B/'
	@echo 'make run        a three-node cluster on loopback that holds real'
	@echo '                files, with a tour; stays up (ONCE=1: tour, exit)'
	@echo 'make check      all tests of a commit; last line counts them'
	@echo 'make check-full check, and ThreadSanitizer, more seeds, fuzzing'
	@echo 'make unit sim system pure tidy lint    parts of check'
	@echo 'make sim SEEDS=N                       more of the simulator'
	@echo 'make sim-soak MINUTES=N                 new seeds, that long or to a failure'
	@echo 'make sim-speed                          simulated time per time of one core'
	@echo 'make mutants                            each rule deleted must be noticed'
	@echo 'make replay                            its traces, judged by a second model'
	@echo 'make fuzz SECONDS=N                     each fuzz target that long'
	@echo 'make bench-clock bench-raft bench-fs   figures, beside their peers; bench-wal,'
	@echo '                                       bench-grpc, bench-put'
	@echo 'make bench-storm MINUTES=N              elections while the host is too busy'
	@echo 'make install DESTDIR=D PREFIX=/usr     by the FHS'
	@echo 'make deps clean'

deps:
	@sh tests/deps.sh $(ALL_DEPS)

# Sub-makes, because a package installed by deps may change what the Makefile
# finds.
run: deps
	@$(MAKE) --no-print-directory -j2 all
	@B=$B ONCE='$(ONCE)' bash contrib/tour.sh

check: deps
	@B=$B SEEDS='$(SEEDS)' bash tests/check.sh

check-full: deps
	@B=$B SEEDS='$(SEEDS)' FULL=1 bash tests/check.sh

tidy:
	@python3 tests/tidy.py

.PHONY: lint lint-c lint-sh lint-man
lint: lint-c lint-sh lint-man
LINT_C := $(filter-out $(GRPC_OFF),$(wildcard common/*.c common/os/*.c shm/*.c proto/*.c */core/*.c \
	supervisor/*.c timesyncd/*.c raftd/*.c storaged/*.c client/*/*.c))

# Messages come from clang-tidy and cppcheck as file:line; silence is good.
# check-full looks deep.
LINT_DEPTH ?= shallow
lint-c: $(PROTO_HDR)
	@printf '%s\n' $(LINT_C) | xargs -P 2 -n 12 sh tests/lint-c.sh $B $(LINT_DEPTH)
	@cppcheck --quiet --error-exitcode=1 --enable=warning,portability \
		--inline-suppr --std=c11 -j 2 -I. -I$B -I$B/proto \
		--suppress=missingIncludeSystem --suppress=normalCheckLevelMaxBranches \
		--suppressions-list=tests/cppcheck.txt $(LINT_C)

lint-sh:
	@shellcheck -x .ci/run $(wildcard tests/*.sh tests/*/*.sh contrib/*.sh)

lint-man:
	@sh tests/lint-man.sh $(wildcard man/*.[0-9])

system: all
	@B=$B bash tests/system/run.sh

# Fuzzing: each tests/fuzz/X_fuzz.c for SECONDS, built with clang's libFuzzer
# in a build directory of its own. What breaks is kept under $B/fuzz/found.
SECONDS  ?= 20
FUZZ_BIN := $(patsubst %.c,$B/%,$(filter-out $(GRPC_OFF),$(wildcard tests/fuzz/*_fuzz.c)))
FUZZ_MAKE = $(MAKE) --no-print-directory B=$B/fuzz CC=$(CLANG) \
	SAN=fuzzer-no-link,address,undefined CFLAGS='-O1 -g'

.PHONY: fuzz fuzz-build
fuzz:
	@sh tests/deps.sh $(FUZZ_DEPS)
	@$(FUZZ_MAKE) fuzz-build
	@B=$B EACH=$(SECONDS) bash tests/fuzz/run.sh

fuzz-build: $(FUZZ_BIN)
$B/tests/fuzz/helpers.a: $(patsubst %.c,$B/%.o,$(filter-out \
	%_fuzz.c,$(wildcard tests/fuzz/*.c)))
$(FUZZ_BIN): $B/%: $B/%.o $B/tests/fuzz/helpers.a $B/tests/storaged/helpers.a \
		$(TEST_LIBS)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $< \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group -lcmocka \
		-lfuse3 $(LIBS)

bench-%: all
	@B=$B bash tests/bench/$*.sh

# Installing, by the FHS. What is installed is what was built: nothing is
# looked for in this tree afterwards.
VERSION    := 0.1.0
INSTALL    := install
LIBDIR     ?= $(PREFIX)/lib
D_MAN      = $(DESTDIR)$(PREFIX)/share/man
D_SHARE    = $(DESTDIR)$(PREFIX)/share/raftfs
D_DOC      = $(DESTDIR)$(PREFIX)/share/doc/raftfs
D_INCLUDE  = $(DESTDIR)$(PREFIX)/include/raftfs
D_COMPLETE = $(DESTDIR)$(PREFIX)/share/bash-completion/completions
D_SYSTEMD  = $(DESTDIR)$(PREFIX)/lib/systemd/system

EXTRA_CFLAGS += -DRAFTFS_VERSION='"$(VERSION)"' \
	-DRAFTFS_SBINDIR='"$(PREFIX)/sbin"'
PROGRAMS    := $(addprefix $B/,raftfs raftfs-mount raftfs-bench)
DAEMON_BINS := $(DAEMONS:%=$B/raftfs-%) $(if $(HAVE_GRPC),$B/raftfs-grpc)
PUBLIC_PROTO := $(addprefix proto/,time_sync.proto raft_status.proto health.proto)
SHARED      := $(addprefix $B/,libraftfs.so libraftfs-clock.so)
in_place     = sed 's|@PREFIX@|$(PREFIX)|; s|@LIBDIR@|$(LIBDIR)|; \
	s|@VERSION@|$(VERSION)|; s|/usr/sbin|$(PREFIX)/sbin|'

# Only what the headers declare can be linked with.
$B/libraftfs.so: client/lib/libraftfs.map
$B/libraftfs.so: ALL_LDFLAGS += -Wl,--version-script=client/lib/libraftfs.map
$B/libraftfs-clock.so: shm/libraftfs-clock.map
$B/libraftfs-clock.so: ALL_LDFLAGS += -Wl,--version-script=shm/libraftfs-clock.map

.PHONY: install install-bin install-dev install-man install-doc help
install: install-bin install-dev install-man install-doc

# HAVE_BPF is known only after bpf/bpf.mk.
install-bin: $(PROGRAMS) $(DAEMON_BINS) $(SHARED) $$(if $$(HAVE_BPF),$B/raftfs-bpf)
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
		$(DESTDIR)$(LIBDIR) $(DESTDIR)/etc/raftfs
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	$(INSTALL) -m 755 $(DAEMON_BINS) $(filter %/raftfs-bpf,$^) \
		$(DESTDIR)$(PREFIX)/sbin
	for lib in $(notdir $(SHARED)); do \
		$(INSTALL) -m 644 $B/$$lib \
			$(DESTDIR)$(LIBDIR)/$$lib.$(VERSION) && \
		ln -sf $$lib.$(VERSION) $(DESTDIR)$(LIBDIR)/$$lib.0 || exit 1; \
	done

install-dev: $(SHARED)
	$(INSTALL) -d $(DESTDIR)$(LIBDIR)/pkgconfig $(D_INCLUDE)/common
	$(INSTALL) -m 644 client/lib/raftfs.h shm/rfsclock.h $(D_INCLUDE)
	$(INSTALL) -m 644 common/err.h $(D_INCLUDE)/common
	$(INSTALL) -d $(D_SHARE)
	$(INSTALL) -m 644 $(PUBLIC_PROTO) $(D_SHARE)
	for lib in raftfs raftfs-clock; do \
		ln -sf lib$$lib.so.0 $(DESTDIR)$(LIBDIR)/lib$$lib.so && \
		$(in_place) contrib/$$lib.pc.in \
			>$(DESTDIR)$(LIBDIR)/pkgconfig/$$lib.pc || exit 1; \
	done

install-man:
	for page in man/*.[0-9]; do \
		$(INSTALL) -D -m 644 $$page \
			$(D_MAN)/man$${page##*.}/$${page#man/} || exit 1; \
	done

# The unit goes where systemd looks; those of other inits are for copying.
install-doc:
	$(INSTALL) -d $(D_DOC)/examples $(D_DOC)/init $(D_COMPLETE) $(D_SYSTEMD)
	$(INSTALL) -m 644 README.md NEWS LICENSE docs/*.md $(D_DOC)
	$(INSTALL) -m 644 contrib/raftfs.conf contrib/examples/*.c \
		contrib/examples/*.py $(D_DOC)/examples
	for kind in openrc/raftfs s6/run sysv/raftfs; do \
		$(in_place) contrib/$$kind \
			>$(D_DOC)/init/$$(echo $$kind | tr / -) || exit 1; \
	done
	$(in_place) contrib/systemd/raftfs.service >$(D_SYSTEMD)/raftfs.service
	$(INSTALL) -m 644 contrib/completion/raftfs.bash $(D_COMPLETE)/raftfs

# This test starts the real program, beside stand-ins for its children.
$B/tests/supervisor/loop_test: | $B/raftfs-supervisor

# The system tests' recorder of histories, judged by the simulator's checker.
$B/tests/system/history: $B/tests/system/record/helpers.a $B/tests-sim.a
$B/tests/system/record/helpers.a: $(call objs,tests/system/record)

# Judges the simulator's traces by a model that shares no line with the core.
all: $B/raftfs-sim-replay
$B/tests-replay.a: $(filter-out %/main.o %_test.o,$(call objs,tests/replay))
$(filter $B/tests/replay/%,$(TEST_BIN)): $B/tests-replay.a
$B/raftfs-sim-replay: $B/tests/replay/main.o $B/tests-replay.a $B/common.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $^

# A dozen seeds, traced and replayed through it.
.PHONY: replay
replay: $B/raftfs-sim $B/raftfs-sim-replay
	@mkdir -p $B/trace && rm -f $B/trace/seed.*
	@$B/raftfs-sim --seeds 12 --minutes 2 --trace $B/trace/seed
	@$B/raftfs-sim-replay $B/trace/seed.* && rm -f $B/trace/seed.*

# New seeds for so long, or until one fails; the first is printed at once and
# all follow it.
MINUTES ?= 10
.PHONY: sim-soak sim-speed
sim-soak: $B/raftfs-sim
	@$B/raftfs-sim --soak $(MINUTES)

# What an idle cluster costs: simulated time per time of one core.
sim-speed: $B/raftfs-sim
	@$B/raftfs-sim --scenario idle --nodes 3 --seeds 2 --minutes 60 --jobs 1 \
		| grep -E '^(figure|[0-9]+ passed)'

# The clock simulator: the clock core alone, on the same oscillators.
all: $B/raftfs-clocksim
$B/tests-clocksim.a: $(filter-out %/main.o %_test.o,$(call objs,tests/clocksim))
$(filter $B/tests/clocksim/%,$(TEST_BIN)): $B/tests-clocksim.a $B/tests-sim.a
$B/raftfs-clocksim: $B/tests/clocksim/main.o $B/tests-clocksim.a \
		$B/tests-sim.a $B/raftd-core.a $B/timesyncd-core.a $B/common.a
	$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group -lisal -lm
