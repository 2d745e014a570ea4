#!/usr/bin/env bash
# make bench-grpc: GetTime as Debian's python3-grpcio sees it, from a node on
# this machine; and the processor time that raftfs-grpc takes for one call.
set -eu
cd "$(dirname "$0")/../.."
B=${B:-build}
D=$B/bench-grpc
CALLS=${CALLS:-5000}
PORT=7447

if [ ! -x "$B/raftfs-grpc" ]; then
	echo "bench-grpc: raftfs-grpc was not built" >&2
	exit 1
fi
clean_up() {
	"$B/raftfs" cluster down --dir "$D/cluster" >/dev/null 2>&1 || true
	rm -rf "$D"
}
trap clean_up EXIT
rm -rf "$D"
mkdir -p "$D/pb"
protoc --proto_path=proto --python_out="$D/pb" time_sync.proto \
	raft_status.proto health.proto
"$B/raftfs" cluster up --nodes 1 --dir "$D/cluster" --base-port 7300 >/dev/null
conf=$D/cluster/n1/raftfs.conf
printf 'grpc {\n\tport = %s\n}\n' "$PORT" >>"$conf"
kill -HUP "$(cat "$D/cluster/n1/run/supervisor.pid")"
call() {
	PYTHONPATH=$D/pb GRPC_VERBOSITY=NONE timeout 100 /usr/bin/python3 \
		tests/system/grpc_client.py -a "$D/cluster/n1/run/grpc.pem" \
		"127.0.0.1:$PORT" "$@"
}
until call health "" SERVING >/dev/null 2>&1; do
	sleep 0.2
done
# In clock ticks, of which there are 100 a second: user and system time.
ticks() {
	awk '{ print $14 + $15 }' "/proc/$1/stat"
}
pid=$("$B/raftfs" -c "$conf" status --json |
	sed 's/.*"name":"grpc","state":"ready","pid":\([0-9]*\).*/\1/')
before=$(ticks "$pid")
call bench "$CALLS"
echo "raftfs-grpc: $(($(ticks "$pid") - before)) ticks of 10 ms for them"
call crowd 20 250
