# raftfs: folders in, programs out.  A new source file needs no line here; a
# new daemon needs one word in DAEMONS.
#
#   make            build everything under $B (default build/)
#   make run        a three-node cluster on loopback that holds real files
#   make check      every test that fits in a coffee break; last line counts
#   make help       all targets

DAEMONS := supervisor timesyncd raftd storaged
B       ?= build
CC      ?= gcc
CLANG   ?= clang
CFLAGS  ?= -O2 -g
SAN     ?=
SEEDS   ?= 200
PREFIX  ?= /usr
DESTDIR ?=

.DEFAULT_GOAL := all
.SECONDEXPANSION:
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules

# One word and a name a step; V=1 shows the commands.
V ?=
Q := $(if $(V),,@)
say = $(if $(V),,@printf '  %-6s %s\n' $(1) $(patsubst $B/%,%,$@);)

include tests/deps.mk

SAN_FLAGS  = $(if $(SAN),-fsanitize=$(SAN) -fno-omit-frame-pointer \
	-fno-sanitize-recover=all,)
WARN       = -Wall -Wextra -Wshadow -Wstrict-prototypes -Wmissing-prototypes \
	-Wpointer-arith -Wundef -Wvla -Werror
ALL_CFLAGS = -std=gnu11 -D_GNU_SOURCE $(WARN) -I. -I$B -I$B/proto -pthread -fPIC \
	-MMD -MP $(SAN_FLAGS) $(CFLAGS) $(EXTRA_CFLAGS)
ALL_LDFLAGS = -pthread $(SAN_FLAGS) $(LDFLAGS)
LIBS       = -lprotobuf-c -lconfuse -lev -lsodium -lssl -lcrypto -llmdb \
	-lisal -lseccomp -lm

objs = $(patsubst %.c,$B/%.o,$(wildcard $(addsuffix /*.c,$(1))))
PROTO_GEN := $(patsubst proto/%.proto,$B/proto/%.pb-c.c,$(wildcard proto/*.proto))
PROTO_HDR := $(PROTO_GEN:.c=.h)

# What is left out where there is no libnghttp2 (client/grpc/grpc.mk).
HAVE_GRPC := $(shell pkg-config --exists libnghttp2 2>/dev/null && echo yes)
GRPC_OFF  := $(if $(HAVE_GRPC),,client/grpc/% tests/grpc/% tests/fuzz/h2_fuzz.c)

# Every archive a program or a test may want, upper layers first.
BASE_LIBS := $B/shm.a $B/proto.a $B/common-os.a $B/common.a

$B/common.a:    $(call objs,common)
$B/common-os.a: $(call objs,common/os)
$B/shm.a:       $(call objs,shm)
$B/proto.a:     $(call objs,proto) $(PROTO_GEN:.c=.o)

# A daemon is a folder: its I/O at the top, its pure core in core/.
define daemon
all: $B/raftfs-$(1)
pure: $B/$(1)-core.pure
$B/$(1)-core.a: $(call objs,$(1)/core)
$B/$(1)-shell.a: $(filter-out %/main.o,$(call objs,$(1)))
$B/raftfs-$(1): $B/$(1)/main.o $B/$(1)-shell.a $B/$(1)-core.a $(BASE_LIBS)
endef
$(foreach d,$(DAEMONS),$(eval $(call daemon,$(d))))
$B/supervisor-shell.a: $B/bpf/pins.o

# What a person touches: the library, the command, the mount.
all: $B/raftfs $B/raftfs-mount $B/raftfs-bench $B/libraftfs.so $B/libraftfs-clock.so
$B/client-lib.a:  $(call objs,client/lib)
$B/client-cli.a:  $(filter-out %/main.o,$(call objs,client/cli))
$B/client-mount.a: $(filter-out %/main.o,$(call objs,client/mount))
$B/client-bench.a: $(filter-out %/main.o,$(call objs,client/bench))
$B/raftfs:       $B/client/cli/main.o $B/client-cli.a $B/client-lib.a $B/storaged-core.a $(BASE_LIBS)
$B/raftfs-mount: $B/client/mount/main.o $B/client-mount.a $B/client-lib.a $(BASE_LIBS)
$B/raftfs-mount: LIBS += -lfuse3
$B/raftfs-bench: $B/client/bench/main.o $B/client-bench.a $B/client-lib.a $(BASE_LIBS)
$B/libraftfs.so: $(call objs,client/lib) $(BASE_LIBS)
$B/libraftfs-clock.so: $(call objs,shm) $B/common-os.a $B/common.a

# Pattern rules for objects, archives and programs.
$B/%.o: %.c | $(PROTO_HDR)
	@mkdir -p $(@D)
	$(call say,CC)$(CC) $(ALL_CFLAGS) -c -o $@ $<

$B/proto/%.pb-c.o: $B/proto/%.pb-c.c
	$(call say,CC)$(CC) $(ALL_CFLAGS) -Wno-error -w -c -o $@ $<

$B/proto/%.pb-c.c $B/proto/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	$(call say,PROTO)protoc-c --proto_path=proto --c_out=$B/proto $<

$B/%.a:
	@mkdir -p $(@D)
	@rm -f $@
	$(Q)$(AR) rcs $@ $(filter %.o,$^)

$B/raftfs $B/raftfs-mount $B/raftfs-bench $(DAEMONS:%=$B/raftfs-%):
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS)

$B/libraftfs.so $B/libraftfs-clock.so:
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -shared -Wl,-soname,$(@F).0 -o $@ $(filter %.o,$^) \
		-Wl,--start-group $(filter %.a,$^) -Wl,--end-group $(LIBS)

# Link a core with nothing but common/; whatever is still undefined is I/O.
PURE := memcpy|memmove|memset|memcmp|memchr|strlen|strcmp|strncmp|strchr|strnlen|qsort|bsearch|snprintf|vsnprintf|malloc|calloc|realloc|free|abort|__assert_fail|__stack_chk_fail|__memcpy_chk|__memset_chk|__memmove_chk|__snprintf_chk|__vsnprintf_chk|sqrt|fabs|floor|ceil|llround|lround|round|crc32_iscsi|strtoll|strtoull|strtod|__errno_location|__divti3|__udivti3|__modti3|__umodti3|_GLOBAL_OFFSET_TABLE_
$B/%-core.pure: $B/%-core.a $B/common.a
	@$(LD) -r -o $@ --whole-archive $< --no-whole-archive $B/common.a
	@if nm -u $@ | awk '{print $$2}' | grep -vxE '$(PURE)'; then \
		echo "$*/core reaches outside common/ (names above)"; \
		rm -f $@; exit 1; fi
	@echo "pure: $*/core"

# Tests: tests/DIR/X_test.c is one cmocka program; what other files of the
# folder define is linked with it where it is used.
TEST_SRC  := $(filter-out $(GRPC_OFF),$(wildcard tests/*/*_test.c))
TEST_BIN  := $(TEST_SRC:%.c=$B/%)
TEST_LIBS := $(DAEMONS:%=$B/%-shell.a) $(DAEMONS:%=$B/%-core.a) \
	$B/client-cli.a $B/client-mount.a $B/client-lib.a $(BASE_LIBS)
test_helpers = $(patsubst %.c,$B/%.o,$(filter-out %_test.c %/main.c,$(wildcard $(1)*.c)))
$(foreach d,$(sort $(dir $(TEST_SRC))),$(eval \
	$B/$(d)helpers.a: $(call test_helpers,$(d))))
# Two daemons may have functions of one name: a test gets those of its own.
$(TEST_BIN): $B/%: $B/%.o $$(dir $B/$$*)helpers.a $(TEST_LIBS)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group \
		$(filter $B/$(word 2,$(subst /, ,$*))-%.a,$^) $(filter %.a,$^) \
		-Wl,--end-group -lcmocka -lfuse3 $(LIBS)

# This one counts what is allocated.
$B/tests/raftd/hotpath_test: LIBS += -Wl,--wrap=malloc,--wrap=calloc,--wrap=realloc

# Load programs for benchmarks and system tests: one file, one program.
LOAD_BIN := $(patsubst %.c,$B/%,$(wildcard tests/bench/*.c tests/system/*.c))
all: $(LOAD_BIN)
$(LOAD_BIN): $B/%: $B/%.o $(TEST_LIBS)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $< -Wl,--start-group $(filter %.a,$^) \
		-Wl,--end-group -lfuse3 $(LIBS)

# The one load program that has parts.
$B/tests/bench/raftload: $B/tests/bench/raft/helpers.a
$B/tests/bench/raft/helpers.a: $(call objs,tests/bench/raft)

# Preloaded by system tests to give a process a bad clock or disk.
SHIMS := $(patsubst tests/system/shim/%.c,$B/%.so,$(wildcard tests/system/shim/*.c))
all: $(SHIMS)
$(SHIMS): $B/%.so: tests/system/shim/%.c
	@mkdir -p $(@D)
	$(call say,CC)$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -fPIC -shared -Wall -Wextra -Werror \
		-o $@ $< -ldl

# The simulator: whole clusters of the same cores from one seed. Its parts are
# an archive, so that tests of them can link it.
all: $B/raftfs-sim
$B/tests-sim.a: $(filter-out %/main.o %_test.o,$(call objs,tests/sim))
$(filter $B/tests/sim/%,$(TEST_BIN)): $B/tests-sim.a
$B/raftfs-sim: $B/tests/sim/main.o $B/tests-sim.a $B/raftd-core.a \
		$B/timesyncd-core.a $B/common.a
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group -lisal -lm

.PHONY: all deps unit sim pure tidy lint system check check-full run clean help
unit: $(TEST_BIN)
sim: $B/raftfs-sim
	$B/raftfs-sim --seeds $(SEEDS)

# Every rule deleted once: the simulator must notice each time.
.PHONY: mutants
mutants: $B/raftfs-sim $(filter $B/tests/raftd/%,$(TEST_BIN)) \
		$(patsubst %.c,$B/%.o,$(wildcard tests/raftd/*.c))
	@B=$B CC='$(CC)' python3 tests/sim/mutants.py

clean:
	rm -rf $B

-include tests/targets.mk bpf/bpf.mk client/grpc/grpc.mk
-include $(shell find $B -name '*.d' 2>/dev/null)
