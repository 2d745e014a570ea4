#!/usr/bin/env bash
# Ordinary gRPC clients, by Debian's python3-grpcio, against real nodes: right
# time or none, refusals by the book, nobody held up, certificates, reloads, and
# a node that is well without all this.
# shellcheck source=tests/system/lib.sh
. "$(dirname "$0")/lib.sh"

if [ ! -x "$B/raftfs-grpc" ]; then
	echo "off: $TEST: raftfs-grpc was not built"
	echo "0 passed, 0 failed, 1 skipped"
	exit 0
fi
export LIBRAFTFS_CLOCK=$B/libraftfs-clock.so
export PYTHONPATH=$W/pb:$PWD/contrib/examples PYTHONDONTWRITEBYTECODE=1
export GRPC_VERBOSITY=NONE
PORT=7447

# What the call printed is part of the line; its status is the test's.
expect() { # what, command...
	local what=$1 said status
	shift
	said=$("$@" 2>&1)
	status=$?
	ok "$what: $said" $status
}
# From host 4, where no node runs, to node 1.
client() { # arguments of grpc_client.py, with -a where it trusts the node
	in_node 4 timeout 60 /usr/bin/python3 tests/system/grpc_client.py "$@"
}
call() {
	client -a "$W/n1/run/grpc.pem" "10.77.7.1:$PORT" "$@"
}
configure() { # N [lines of the section]
	extra_conf="supervisor {
			restarts = 3
			watchdog = 60s # raftd is paused below
		}
		grpc {
			address = \"10.77.7.$1\"
			${2-port = $PORT}
		}"
	node_conf "$1" >"$W/n$1/raftfs.conf"
}
reload() { # N
	kill -HUP "${supervisor_pid[$1]}"
}
# A line of the log that was not there before `mark`.
mark() { # N
	lines=$(wc -l <"$W/n$1/log")
}
logged() { # N pattern
	tail -n +$((lines + 1)) "$W/n$1/log" | grep -q "$2"
}
child_state() { # N child state
	status_of "$1" | grep -q "\"name\":\"$2\",\"state\":\"$3\""
}
tls() { # s_client arguments...
	in_node 4 timeout 10 openssl s_client -connect "10.77.7.1:$PORT" \
		"$@" </dev/null 2>&1
}

world 4 3
mkdir -p "$W/pb"
protoc --proto_path=proto --python_out="$W/pb" time_sync.proto \
	raft_status.proto health.proto
ok "the .proto files compile for Python" $?

# -- right time or none -------------------------------------------------------
configure 1
start 1
wait_until 10 child_state 1 grpc ready
ok "the supervisor starts it where it has a port" $?
expect "alone a node has no time, and says why" \
	call refused time UNAVAILABLE UNSYNCED
expect "and is not healthy" call health "" NOT_SERVING
start 2 3
wait_until 20 call health "" SERVING
ok "with the others it is" $?
expect "time is what the clock page says" call time "$W/n1/run/clock.page"
expect "four instants give an offset that the page agrees with" \
	call offset "$W/n1/run/clock.page"
expect "the example of the manual" in_node 4 timeout 60 /usr/bin/python3 \
	contrib/examples/grpc_time.py "$W/n1/run/grpc.pem" "10.77.7.1:$PORT"
leader=$(leader_by 1)
expect "consensus is told" call status "n$leader"
expect "and that it is" \
	call health distributed_fs.RaftStatusService SERVING
! child_state 2 grpc ready && [ ! -e "$W/n2/run/grpc.pem" ]
ok "where it has no port there is none" $?

# -- refusals -----------------------------------------------------------------
expect "an unknown method" call refused unknown UNIMPLEMENTED SetTime
expect "a large message" call refused large RESOURCE_EXHAUSTED 1024
expect "nonsense" call refused nonsense INTERNAL TimeRequest
expect "compression" call refused compressed UNIMPLEMENTED gzip
expect "an unknown service" call refused health NOT_FOUND
expect "a client without TLS" \
	client "10.77.7.1:$PORT" refused time UNAVAILABLE
in_node 2 "$B/raftfs-grpc" --config "$W/n2/raftfs.conf" --certificate \
	>"$W/other.pem" 2>/dev/null
expect "a client that trusts another node's certificate" \
	client -a "$W/other.pem" "10.77.7.1:$PORT" refused time UNAVAILABLE
tls -tls1_3 -alpn h2 | grep -q 'ALPN protocol: h2'
ok "TLS 1.3 with h2 is taken" $?
tls -tls1_2 -alpn h2 | grep -q 'alert protocol version'
ok "TLS 1.2 is refused" $?
tls -tls1_3 -alpn http/1.1 | grep -q 'no application protocol'
ok "another ALPN is refused" $?
tls -tls1_3 -ign_eof | grep -q 'No ALPN negotiated'
ok "no ALPN is shown out" $?

# -- nobody is held up ----------------------------------------------------------
expect "many clients" call crowd 20 40
expect "many calls of one" call many 400
expect "silent connections" call silent 300
expect "a client that never reads" call deaf
expect "a flood of pings" call flood
pause 1 raftd
expect "a deadline ends a call that waits for raftd" \
	call refused impatient DEADLINE_EXCEEDED
expect "while time is told" call time "$W/n1/run/clock.page"
expect "a raftd that hangs is said to" \
	call refused status UNAVAILABLE 'does not answer'
resume 1
wait_until 10 call status "n$leader" || leader=$(leader_by 1)
expect "and is asked again when it is back" call status "n$leader"
expect "latency" call bench 1000

# -- the end ------------------------------------------------------------------
pause 1 raftd
call flight "$W/flight" >"$W/flight.out" 2>&1 &
flying=$!
wait_until 10 test -e "$W/flight"
mark 1
kill -TERM "$(child_pid 1 grpc)"
sleep 0.3
resume 1
wait $flying
ok "a call in flight is answered though it stops: $(tr '\n' ' ' <"$W/flight.out")" \
	$((!$(grep -c '^answered' "$W/flight.out")))
wait_until 10 logged 1 'grpc died: exit 0'
ok "and then it ends by itself" $?
wait_until 10 child_state 1 grpc ready
call stay "$W/stay" "$W/go" >"$W/stay.out" 2>&1 &
staying=$!
wait_until 10 test -e "$W/stay"
old=$(child_pid 1 grpc)
kill_daemon 1 grpc
again() { [ "$(child_pid 1 grpc)" != "$old" ] && child_state 1 grpc ready; }
wait_until 10 again
ok "it is restarted after kill -9" $?
touch "$W/go"
wait $staying
status=$?
ok "and a client's channel goes on: $(cat "$W/stay.out")" $status
[ "$(status_of 1 | grep -o '"restarts":[0-9]*' | sort | uniq -c |
	awk '$2 == "\"restarts\":0" { print $1 }')" = 3 ]
ok "the other three never noticed" $?

# -- certificates -------------------------------------------------------------
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
	-keyout "$W/ca.key" -out "$W/ca.pem" -subj /CN=ca -days 2 2>/dev/null
issue() { # name
	openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
		-keyout "$W/$1.key" -out "$W/$1.csr" -subj "/CN=$1" &&
		openssl x509 -req -in "$W/$1.csr" -CA "$W/ca.pem" \
			-CAkey "$W/ca.key" -CAcreateserial -days 2 \
			-extfile <(echo "subjectAltName=DNS:$1") \
			-out "$W/$1.pem"
}
{ issue time.example && issue alice; } 2>/dev/null
ok "an authority, a server's certificate, a client's" $?
by_ca() {
	client -a "$W/ca.pem" -n time.example "$@"
}
files="port = $PORT
	certificate = \"$W/time.example.pem\"
	key = \"$W/time.example.key\""
pid=$(child_pid 1 grpc)
configure 1 "$files"
mark 1
chmod 644 "$W/time.example.key"
reload 1
wait_until 10 logged 1 'others may read it'
ok "a key that others may read is refused" $?
expect "and it goes on as before" call time "$W/n1/run/clock.page"
chmod 400 "$W/time.example.key"
mark 1
reload 1
wait_until 10 logged 1 'raftfs-grpc.*reloaded'
expect "a reload takes certificate and key" \
	by_ca "10.77.7.1:$PORT" time "$W/n1/run/clock.page"
expect "the node's own counts no more" call refused time UNAVAILABLE
[ "$(child_pid 1 grpc)" = "$pid" ]
ok "and that by the same process" $?
configure 1 "$files
	client_ca = \"$W/ca.pem\""
mark 1
reload 1
wait_until 10 logged 1 'raftfs-grpc.*reloaded'
expect "with client_ca a client without a certificate is refused" \
	by_ca "10.77.7.1:$PORT" refused time UNAVAILABLE
expect "one with a certificate is not" by_ca -c "$W/alice.pem" \
	"$W/alice.key" "10.77.7.1:$PORT" time "$W/n1/run/clock.page"

# -- reloads of the rest ------------------------------------------------------
configure 1 'port = 7448'
mark 1
reload 1
wait_until 10 logged 1 'raftfs-grpc.*reloaded'
expect "another port" client -a "$W/n1/run/grpc.pem" 10.77.7.1:7448 \
	time "$W/n1/run/clock.page"
configure 1 'port = 0'
reload 1
gone() { ! child_pid 1 grpc && ! status_of 1 | grep -q '"name":"grpc"'; }
wait_until 10 gone
ok "no port: it is stopped" $?
(exec nsenter --net="/run/netns/$NS-n1" /usr/bin/python3 -c "
import socket, time
squatter = socket.create_server(('10.77.7.1', $PORT))
time.sleep(60)") &
squatter=$!
sleep 0.5
configure 1
reload 1
wait_until 20 child_state 1 grpc held
ok "what cannot listen is held in the end" $?
timeout 10 "$B/raftfs" -c "$W/n1/raftfs.conf" status >"$W/status"
ok "the node is healthy all the same" $?
grep -q 'grpc is held' "$W/status"
ok "and says so in a line" $?
kill "$squatter"
wait "$squatter" 2>/dev/null
reload 1
wait_until 10 call health "" SERVING
ok "a reload tries again" $?

# -- alone --------------------------------------------------------------------
sed "s/port = $PORT/port = 7449/" "$W/n1/raftfs.conf" >"$W/alone.conf"
(exec nsenter --net="/run/netns/$NS-n1" "$B/raftfs-grpc" \
	--config "$W/alone.conf") >"$W/alone.log" 2>&1 &
alone=$!
wait_until 10 grep -q 'serving gRPC' "$W/alone.log"
expect "by hand it serves beside a node" \
	client -a "$W/n1/run/grpc.pem" 10.77.7.1:7449 time \
	"$W/n1/run/clock.page"
kill -TERM $alone
wait $alone
ok "and ends on TERM" $?
stop 1
ok "the node stops, with it" $((!$(grep -c 'grpc stopped: exit 0' "$W/n1/log")))
