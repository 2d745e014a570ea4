# The gRPC face, where libnghttp2 is; where it is not, one line says so.

all: $(if $(HAVE_GRPC),$B/raftfs-grpc,grpc-is-off)
.PHONY: grpc-is-off
grpc-is-off:
	@echo "  off    raftfs-grpc: libnghttp2-dev is not installed (make deps)"

$B/grpc-shell.a: $(filter-out %/main.o,$(call objs,client/grpc))
$B/raftfs-grpc: $B/client/grpc/main.o $B/grpc-shell.a $(BASE_LIBS)
	$(call say,LINK)$(CC) $(ALL_LDFLAGS) -o $@ $(filter %.o,$^) -Wl,--start-group \
		$(filter %.a,$^) -Wl,--end-group $(LIBS) -lnghttp2

# Its tests, and its fuzz target, are left out with it.
$(filter $B/tests/grpc/%,$(TEST_BIN)): $B/grpc-shell.a
$(filter $B/tests/grpc/%,$(TEST_BIN)): LIBS += -lnghttp2
$B/tests/fuzz/h2_fuzz: $B/grpc-shell.a
$B/tests/fuzz/h2_fuzz: LIBS += -lnghttp2
