# Probes: each X.bpf.c becomes an object, and a skeleton the loader includes.
# CO-RE needs neither root nor BTF to build; without clang or bpftool the
# loader is left out, and the supervisor says at start that probes are off.

BPFTOOL   := $(firstword $(wildcard /usr/sbin/bpftool /sbin/bpftool /usr/bin/bpftool))
HAVE_BPF  := $(and $(BPFTOOL),$(shell command -v $(CLANG)),$(wildcard /usr/include/bpf/bpf_helpers.h))
BPF_SRC   := $(wildcard bpf/*.bpf.c)
BPF_SKEL  := $(BPF_SRC:%.bpf.c=$B/%.skel.h)
BPF_ARCH  := $(shell uname -m | sed 's/x86_64/x86/; s/aarch64/arm64/')
MULTIARCH := $(shell gcc -print-multiarch 2>/dev/null)

$B/bpf/%.bpf.o: bpf/%.bpf.c $(wildcard bpf/*.h)
	@mkdir -p $(@D)
	$(call say,BPF)$(CLANG) -target bpf -D__TARGET_ARCH_$(BPF_ARCH) -O2 -g -Wall -Werror \
		-Wno-pass-failed -I. -I/usr/include/$(MULTIARCH) -c -o $@.tmp $<
	@$(BPFTOOL) gen object $@ $@.tmp && rm $@.tmp

.SECONDARY: $(BPF_SRC:%.c=$B/%.o)
$B/bpf/%.skel.h: $B/bpf/%.bpf.o
	@$(BPFTOOL) gen skeleton $< name $(*F)_bpf >$@

ifneq ($(HAVE_BPF),)
all: $B/raftfs-bpf
endif
$B/bpf/loader.o: $(BPF_SKEL)
$B/raftfs-bpf: $(filter-out %.bpf.o,$(call objs,bpf)) $(BASE_LIBS)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group -lbpf $(LIBS)
