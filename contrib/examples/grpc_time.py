#!/usr/bin/env python3
"""Cluster time from another machine, by gRPC, with what is certain of it.

    raftfs-grpc --config /etc/raftfs/raftfs.conf --certificate >n1.pem
    protoc --proto_path=/usr/share/raftfs --python_out=. time_sync.proto
    python3 grpc_time.py n1.pem n1.example.org:7447
"""
import argparse
import time


def ask(get_time, request_type):
    """One exchange: (delay, offset, bound) in nanoseconds, and the answer."""
    t1 = time.time_ns()
    reply = get_time(request_type(client_time=t1), timeout=2)
    t4 = time.time_ns()
    t2, t3 = reply.receive_time, reply.server_time
    delay = (t4 - t1) - (t3 - t2)
    offset = ((t2 - t1) + (t3 - t4)) // 2
    return delay, offset, delay // 2 + reply.server_bound_ns, reply


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("certificate", help="what to trust, PEM")
    parser.add_argument("target", help="HOST:PORT, HOST as the certificate "
                        "names it")
    parser.add_argument("-n", "--calls", type=int, default=20)
    arguments = parser.parse_args()

    import grpc
    import time_sync_pb2 as time_sync

    with open(arguments.certificate, "rb") as file:
        trusted = grpc.ssl_channel_credentials(file.read())
    with grpc.secure_channel(arguments.target, trusted) as channel:
        get_time = channel.unary_unary(
            "/distributed_fs.TimeSyncService/GetTime",
            request_serializer=time_sync.TimeRequest.SerializeToString,
            response_deserializer=time_sync.TimeReply.FromString)
        exchanges = [ask(get_time, time_sync.TimeRequest)
                     for _ in range(arguments.calls)]
    delay, offset, bound, reply = min(exchanges, key=lambda each: each[0])
    print(f"node {reply.node} epoch {reply.epoch}: this clock is "
          f"{-offset / 1e6:+.3f} ms off cluster time, +- {bound / 1e6:.3f} ms "
          f"(delay {delay / 1e6:.3f} ms)")


if __name__ == "__main__":
    main()
