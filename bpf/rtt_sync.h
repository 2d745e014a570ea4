/* Round trips of time exchanges, kernel to kernel: what the program and its
 * readers share. */
#ifndef RAFTFS_BPF_RTT_SYNC_H
#define RAFTFS_BPF_RTT_SYNC_H

#include "bpf/probe.h"

#define SYNC_BUCKETS 32

/* The head of a datagram as proto/timepacket.h lays it out, on a little-endian
 * machine; tests/bpf/rtt_sync_test.c compares the two. */
#define SYNC_PACKET_BYTES   256
#define SYNC_PACKET_MAGIC   0x52465354u
#define SYNC_PACKET_VERSION 1
#define SYNC_PACKET_REQUEST 3
#define SYNC_PACKET_REPLY   4

struct sync_packet {
	__u32 magic;
	__u8 version;
	__u8 kind;
	__u16 body_bytes;
	__u32 from;
	__u32 to;
	__u8 boots[32];
	__u64 counter;
	__u64 nonce;
};

/* One row a peer. Requests we sent, and what came back; requests we served,
 * and how long this host kept them (interrupt, scheduling and daemon). */
struct sync_stats {
	__u64 requests;
	__u64 replies;
	__u64 rtt_sum_ns;
	__u64 rtt_min_ns;
	__u64 rtt_max_ns;
	__u64 rtt_last_ns;
	__u64 served;
	__u64 residence_sum_ns;
	__u64 residence_max_ns;
	__u64 residence_last_ns;
	/* rtt_log2_ns[i]: how many were in [2^i, 2^(i+1)) ns */
	__u64 rtt_log2_ns[SYNC_BUCKETS];
};

/* A packet whose answer has not passed yet. */
struct pending_key {
	__u64 nonce;
	__u32 peer;	/* node id */
	__u32 incoming; /* 0: our request; 1: theirs */
};

_Static_assert(sizeof(struct sync_stats) == 80 + 8 * SYNC_BUCKETS,
	       "as bpftool shows it");
_Static_assert(sizeof(struct pending_key) == 16, "no padding");

#endif
