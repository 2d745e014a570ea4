# What raftfs needs from Debian 12, in one place.
BUILD_DEPS := gcc make pkg-config protobuf-c-compiler libprotobuf-c-dev \
	libconfuse-dev libev-dev libsodium-dev libssl-dev liblmdb-dev \
	libisal-dev libfuse3-dev libcmocka-dev
