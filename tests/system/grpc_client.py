#!/usr/bin/env python3
"""Calls of gRPC for tests/system/grpc_test.sh, by Debian's python3-grpcio.

    grpc_client.py [-a CA] [-c CERT KEY] [-n NAME] HOST:PORT COMMAND [ARGS]

Prints what came of it, one line; exit 0 when it is what the command expects.
PYTHONPATH must lead to the compiled .proto files and to contrib/examples.
"""
import argparse
import socket
import ssl
import statistics
import sys
import threading
import time

import grpc
import health_pb2 as health
import raft_status_pb2 as raft_status
import time_sync_pb2 as time_sync

GET_TIME = "/distributed_fs.TimeSyncService/GetTime"
GET_STATUS = "/distributed_fs.RaftStatusService/GetStatus"
CHECK = "/grpc.health.v1.Health/Check"
# Tried again while a server is away, but no longer than a call lasts.
OPTIONS = [("grpc.initial_reconnect_backoff_ms", 50),
           ("grpc.max_reconnect_backoff_ms", 200)]


class Client:
    """One channel."""

    def __init__(self, arguments, options=()):
        def read(path):
            with open(path, "rb") as file:
                return file.read()

        options = OPTIONS + list(options)
        if arguments.name:
            options.append(("grpc.ssl_target_name_override", arguments.name))
        if arguments.ca is None:
            self.channel = grpc.insecure_channel(arguments.target, options)
        else:
            pair = [read(path) for path in arguments.client or ()]
            self.channel = grpc.secure_channel(
                arguments.target,
                grpc.ssl_channel_credentials(read(arguments.ca), *pair[::-1]),
                options)
        unary = self.channel.unary_unary
        self.get_time = unary(
            GET_TIME,
            request_serializer=time_sync.TimeRequest.SerializeToString,
            response_deserializer=time_sync.TimeReply.FromString)
        self.get_status = unary(
            GET_STATUS,
            request_serializer=raft_status.RaftStatusRequest.SerializeToString,
            response_deserializer=raft_status.RaftStatusReply.FromString)
        self.check = unary(
            CHECK,
            request_serializer=health.HealthCheckRequest.SerializeToString,
            response_deserializer=health.HealthCheckResponse.FromString)

    def raw(self, path, message, **options):
        """Any method, any bytes."""
        return self.channel.unary_unary(path)(message, timeout=5, **options)


def ask_time(client):
    return client.get_time(time_sync.TimeRequest(client_time=time.time_ns()),
                           timeout=5)


def do_time(arguments, page):
    """Answers lie where the node's own page says that time is."""
    from clock import Clock
    clock = Clock(page)
    client = Client(arguments)
    ask_time(client)
    for _ in range(200):
        before = clock.now()
        reply = ask_time(client)
        after = clock.now()
        bound = reply.server_bound_ns
        if not (reply.server_time + bound >= before.earliest_ns and
                reply.receive_time + bound >= before.earliest_ns and
                reply.server_time - bound <= after.latest_ns and
                reply.receive_time <= reply.server_time and
                0 < bound and 0 < reply.round_trip_time < 1e9 and
                reply.quality in (1, 2) and reply.epoch == after.epoch):
            return False, f"{reply} outside of its page"
    return True, (f"200 answers within +- {bound / 1e3:.1f} us of "
                  f"node {reply.node}'s page")


def do_offset(arguments, page):
    """T1..T4 give an offset of the wall clock that the page agrees with, and
    the guess is what it is said to be."""
    from clock import Clock
    client = Client(arguments)
    best = None
    for _ in range(50):
        t1 = time.time_ns()
        reply = client.get_time(time_sync.TimeRequest(client_time=t1),
                                timeout=5)
        t4 = time.time_ns()
        delay = t4 - t1 - (reply.server_time - reply.receive_time)
        offset = (reply.receive_time - t1 + reply.server_time - t4) / 2
        if best is None or delay < best[0]:
            best = delay, offset, reply, t1
    delay, offset, reply, t1 = best
    guess = (reply.receive_time - t1 - reply.round_trip_time / 2) / 1e9
    clock = Clock(page)
    early = time.time_ns()
    now = clock.now()
    late = time.time_ns()
    bound = delay / 2 + reply.server_bound_ns
    return (delay > 0 and abs(reply.offset - guess) < 1e-6 and
            now.earliest_ns - late - bound <= offset and
            offset <= now.latest_ns - early + bound,
            f"{offset / 1e6:.3f} ms +- {bound / 1e6:.3f} ms, the guess "
            f"{abs(guess * 1e9 - offset) / 1e6:.3f} ms from it")


def do_status(arguments, leader):
    reply = Client(arguments).get_status(raft_status.RaftStatusRequest(),
                                         timeout=5)
    good = (reply.leader_name == leader and reply.term > 0 and
            reply.commit_index > 0 and len(reply.peers) == 2)
    return good, f"{reply.node}: {reply.role}, leader {reply.leader_name}"


def do_refused(arguments, call, code, text=""):
    """The call fails with this code, and its details hold this text."""
    messages = {
        "time": lambda client: ask_time(client),
        "status": lambda client: client.get_status(
            raft_status.RaftStatusRequest(), timeout=5),
        "impatient": lambda client: client.get_status(
            raft_status.RaftStatusRequest(), timeout=0.3),
        "unknown": lambda client: client.raw(
            "/distributed_fs.TimeSyncService/SetTime", b""),
        "large": lambda client: client.raw(GET_TIME, bytes(1 << 20)),
        "nonsense": lambda client: client.raw(GET_TIME, b"\xff\xff\xff"),
        "compressed": lambda client: client.raw(
            CHECK, health.HealthCheckRequest(service="x" * 500)
            .SerializeToString(), compression=grpc.Compression.Gzip),
        "health": lambda client: client.check(
            health.HealthCheckRequest(service="none"), timeout=5),
    }
    began = time.monotonic()
    try:
        reply = messages[call](Client(arguments))
    except grpc.RpcError as error:
        took = time.monotonic() - began
        good = error.code().name == code and text in error.details()
        return good, f"{error.code().name}: {error.details()} ({took:.2f} s)"
    return False, f"answered: {reply}"


def do_health(arguments, service, expected):
    reply = Client(arguments).check(
        health.HealthCheckRequest(service=service), timeout=5)
    name = health.HealthCheckResponse.ServingStatus.Name(reply.status)
    return name == expected, f'"{service}": {name}'


def do_crowd(arguments, clients, calls):
    """Many clients at once, each its own connection and some calls."""
    failures = []

    def work():
        # One connection each: channels to one place share theirs otherwise.
        client = Client(arguments, [("grpc.use_local_subchannel_pool", 1)])
        for i in range(int(calls)):
            try:
                if i % 4:
                    ask_time(client)
                else:
                    client.get_status(raft_status.RaftStatusRequest(),
                                      timeout=10)
            except grpc.RpcError as error:
                failures.append(error.details())
        client.channel.close()

    threads = [threading.Thread(target=work) for _ in range(int(clients))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return not failures, (f"{int(clients) * int(calls)} calls of {clients} "
                          f"clients, {len(failures)} failed {failures[:1]}")


def do_many(arguments, calls):
    """Many calls in flight on one connection, more than it allows."""
    client = Client(arguments)
    futures = [client.get_status.future(raft_status.RaftStatusRequest(),
                                        timeout=10)
               for _ in range(int(calls))]
    told = sum(future.result().term > 0 for future in futures)
    return told == len(futures), f"{told} of {calls} calls in flight answered"


def do_flight(arguments, ready):
    """A call that lasts; the file says when it is under way."""
    client = Client(arguments)
    ask_time(client)
    future = client.get_status.future(raft_status.RaftStatusRequest(),
                                      timeout=8)
    time.sleep(0.3)
    with open(ready, "w", encoding="ascii"):
        pass
    reply = future.result()
    return reply.term > 0, f"answered: {reply.role} of term {reply.term}"


def do_stay(arguments, ready, go):
    """One channel across whatever happens between two files: a call that
    finds the old connection dead fails, as gRPC has it, and is made again."""
    import os
    client = Client(arguments)
    ask_time(client)
    with open(ready, "w", encoding="ascii"):
        pass
    while not os.path.exists(go):
        time.sleep(0.05)
    for attempt in range(1, 20):
        try:
            reply = ask_time(client)
            return True, f"node {reply.node} answers call {attempt}"
        except grpc.RpcError as error:
            text = error.details()
        time.sleep(0.1)
    return False, text


def do_silent(arguments, count):
    """Connections that never say a word, and calls beside them."""
    host, port = arguments.target.rsplit(":", 1)
    silent = [socket.create_connection((host, int(port)), timeout=5)
              for _ in range(int(count))]
    worst = 0
    for _ in range(10):
        began = time.monotonic()
        ask_time(Client(arguments, [("grpc.use_local_subchannel_pool", 1)]))
        worst = max(worst, time.monotonic() - began)
    closed = 0
    for each in silent:
        each.settimeout(8)
        try:
            closed += each.recv(1) == b""
        except ConnectionError:
            closed += 1
        except socket.timeout:
            pass
    return (closed == len(silent),
            f"{closed} of {len(silent)} silent ones were shown out, 10 new "
            f"clients answered beside them, the last within {worst:.2f} s")


PING = bytes((0, 0, 8, 6)) + bytes(5) + b"question"


def connect_bare(arguments):
    """A TLS socket that has said what a client of HTTP/2 begins with."""
    host, port = arguments.target.rsplit(":", 1)
    context = ssl.create_default_context(cafile=arguments.ca)
    context.set_alpn_protocols(["h2"])
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.connect((host, int(port)))
    bare = context.wrap_socket(plain, server_hostname=host)
    bare.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes((0, 0, 0, 4)) +
                 bytes(5))
    bare.settimeout(2)
    return bare


def do_flood(arguments):
    """One that makes us owe it more answers at once than any client would."""
    flood = connect_bare(arguments)
    try:
        for _ in range(100):
            flood.sendall(PING * 900)
    except (ConnectionError, ssl.SSLError) as error:
        ask_time(Client(arguments))
        return True, f"{error.strerror}; others are answered"
    return False, "it may stay"


def do_deaf(arguments):
    """One that talks and talks, and never reads: it is not read from either,
    is shown out, and others do not notice."""
    deaf = connect_bare(arguments)
    sent = 0
    try:
        while sent < 1 << 28:
            deaf.sendall(PING * 50)
            sent += 50 * len(PING)
        return False, "it is read from without end"
    except socket.timeout:
        pass
    began = time.monotonic()
    for _ in range(20):
        ask_time(Client(arguments, [("grpc.use_local_subchannel_pool", 1)]))
    beside = time.monotonic() - began
    state = 1  # ESTABLISHED, says the kernel, until it is reset
    while state == 1 and time.monotonic() - began < 20:
        time.sleep(0.5)
        state = deaf.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 1)[0]
    if state == 1:
        return False, "it may stay"
    return True, (f"blocked after {sent >> 10} KiB, shown out within "
                  f"{time.monotonic() - began:.0f} s; 20 calls beside it "
                  f"took {beside:.2f} s")


def do_bench(arguments, calls):
    """Latency of calls one after another; nothing is expected of it."""
    client = Client(arguments)
    ask_time(client)
    took = []
    for _ in range(int(calls)):
        began = time.perf_counter()
        ask_time(client)
        took.append(time.perf_counter() - began)
    took.sort()
    return True, (f"GetTime by python3-grpcio, {calls} calls: p50 "
                  f"{statistics.median(took) * 1e6:.0f} us, p99 "
                  f"{took[len(took) * 99 // 100] * 1e6:.0f} us")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("-a", "--ca")
    parser.add_argument("-c", "--client", nargs=2)
    parser.add_argument("-n", "--name")
    parser.add_argument("target")
    parser.add_argument("command")
    parser.add_argument("arguments", nargs="*")
    arguments = parser.parse_args()
    command = globals()["do_" + arguments.command]
    try:
        good, text = command(arguments, *arguments.arguments)
    except grpc.RpcError as error:
        good, text = False, f"{error.code().name}: {error.details()}"
    print(text)
    return 0 if good else 1


sys.exit(main())
