# What people call: install what is missing, run, check, install.

help:
	@echo 'make            build everything under $B/'
	@echo 'make run        a three-node cluster on loopback that holds real'
	@echo '                files, with a tour; stays up (ONCE=1: tour, exit)'
	@echo 'make check      all tests of a commit; last line counts them'
	@echo 'make check-full check, and ThreadSanitizer, more seeds, fuzzing'
	@echo 'make unit sim system pure tidy lint    parts of check'
	@echo 'make sim SEEDS=N                       more of the simulator'
	@echo 'make bench-clock bench-raft bench-fs   figures, beside their peers'
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
LINT_C := $(wildcard common/*.c common/os/*.c shm/*.c proto/*.c */core/*.c \
	supervisor/*.c timesyncd/*.c raftd/*.c storaged/*.c client/*/*.c)

# Messages come from clang-tidy and cppcheck as file:line; silence is good.
lint-c: $(PROTO_HDR)
	@printf '%s\n' $(LINT_C) | xargs -P 2 -n 12 sh tests/lint-c.sh $B
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

bench-%: all
	@B=$B bash tests/bench/$*.sh

PROGRAMS := $(addprefix $B/,raftfs raftfs-mount)
DAEMON_BINS := $(DAEMONS:%=$B/raftfs-%)
VERSION := 0.1.0
INSTALL := install

.PHONY: install help
install: all
	$(INSTALL) -d $(DESTDIR)$(PREFIX)/bin $(DESTDIR)$(PREFIX)/sbin \
		$(DESTDIR)$(PREFIX)/lib/pkgconfig \
		$(DESTDIR)$(PREFIX)/include/raftfs \
		$(DESTDIR)$(PREFIX)/share/doc/raftfs \
		$(DESTDIR)/etc/raftfs
	$(INSTALL) -m 755 $(PROGRAMS) $(DESTDIR)$(PREFIX)/bin
	$(INSTALL) -m 755 $(DAEMON_BINS) $(DESTDIR)$(PREFIX)/sbin
	for lib in raftfs raftfs-clock; do \
		$(INSTALL) -m 644 $B/lib$$lib.so \
			$(DESTDIR)$(PREFIX)/lib/lib$$lib.so.0 && \
		ln -sf lib$$lib.so.0 $(DESTDIR)$(PREFIX)/lib/lib$$lib.so && \
		sed 's|@PREFIX@|$(PREFIX)|; s|@VERSION@|$(VERSION)|' \
			contrib/$$lib.pc.in \
			> $(DESTDIR)$(PREFIX)/lib/pkgconfig/$$lib.pc || exit 1; \
	done
	$(INSTALL) -m 644 client/lib/raftfs.h shm/rfsclock.h \
		$(DESTDIR)$(PREFIX)/include/raftfs
	for page in man/*.[0-9]; do \
		section=$${page##*.}; \
		$(INSTALL) -D -m 644 $$page \
			$(DESTDIR)$(PREFIX)/share/man/man$$section/$${page#man/} \
			|| exit 1; \
	done
	$(INSTALL) -m 644 README.md NEWS LICENSE docs/*.md contrib/raftfs.conf \
		$(DESTDIR)$(PREFIX)/share/doc/raftfs

# This test starts the real program, beside stand-ins for its children.
$B/tests/supervisor/loop_test: | $B/raftfs-supervisor
