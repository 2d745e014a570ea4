# What raftfs needs from Debian 12, in one place.
#   build   to compile everything           run   besides, for `make run`
#   check   besides, for `make check`
BUILD_DEPS := gcc make pkg-config protobuf-c-compiler libprotobuf-c-dev \
	libconfuse-dev libev-dev libsodium-dev libssl-dev liblmdb-dev \
	libisal-dev libseccomp-dev libfuse3-dev libcmocka-dev systemtap-sdt-dev libnghttp2-dev
BPF_DEPS   := clang llvm libbpf-dev linux-libc-dev bpftool
RUN_DEPS   := fuse3 procps
CHECK_DEPS := git clang clang-tidy cppcheck shellcheck mandoc python3 iproute2 \
	nftables util-linux libc6-dev e2fsprogs xz-utils openssl \
	python3-grpcio python3-protobuf protobuf-compiler
# besides, for `make fuzz` and `make check-full`
FUZZ_DEPS  := clang libclang-rt-14-dev
ALL_DEPS   := $(sort $(BUILD_DEPS) $(BPF_DEPS) $(RUN_DEPS) $(CHECK_DEPS))
