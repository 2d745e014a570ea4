#!/usr/bin/env python3
"""A plain NTP client and a lying NTP server, for ntp_test.sh.

    ntp.py query HOST          leap, stratum, offset to the wall clock in s,
                               root distance in s
    ntp.py flood HOST COUNT    how many of so many questions are answered
    ntp.py mode HOST MODE      whether a packet of that mode is answered
    ntp.py serve ADDRESS PORT OFFSET
                               serve the wall clock plus OFFSET, stratum 3
"""
import socket
import struct
import sys
import time

HEAD = struct.Struct("!BBbbIIIQQQQ")
TO_1900 = 2208988800


def stamp(t):
    return int((t + TO_1900) * 2**32)


def seconds(v):
    return v / 2**32 - TO_1900


def question(mode=3):
    return HEAD.pack(4 << 3 | mode, 0, 0, 0, 0, 0, 0, 0, 0, 0, stamp(time.time()))


def ask(host, mode=3, wait=1.0):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.settimeout(wait)
    s.sendto(question(mode), (host, 123))
    t1 = time.time()
    try:
        data = s.recv(512)
    except TimeoutError:
        return None
    t4 = time.time()
    f = HEAD.unpack(data[:48])
    offset = (seconds(f[9]) - t1 + seconds(f[10]) - t4) / 2
    return t4 - t1, f[0] >> 6, f[1], offset, f[4] / 65536 / 2 + f[5] / 65536


def query(host):
    """The quickest of five answers."""
    answers = [a for a in (ask(host) for _ in range(5)) if a]
    return min(answers)[1:] if answers else ["silence"]


def flood(host, count):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    for _ in range(count):
        s.sendto(question(), (host, 123))
    s.settimeout(0.5)
    answered = 0
    try:
        while s.recv(512):
            answered += 1
    except TimeoutError:
        pass
    return answered


def serve(address, port, offset):
    s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    s.bind((address, port))
    while True:
        data, who = s.recvfrom(512)
        origin = HEAD.unpack(data[:48])[10]
        now = stamp(time.time() + offset)
        s.sendto(HEAD.pack(4 << 3 | 4, 3, 6, -20, 1, 1, 0x7F000001,
                           now, origin, now, stamp(time.time() + offset)), who)


if sys.argv[1] == "query":
    print(*query(sys.argv[2]))
elif sys.argv[1] == "flood":
    print(flood(sys.argv[2], int(sys.argv[3])))
elif sys.argv[1] == "mode":
    print("answered" if ask(sys.argv[2], int(sys.argv[3])) else "silence")
elif sys.argv[1] == "serve":
    serve(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
