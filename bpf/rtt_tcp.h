/* Round trips of TCP connections to peers: what the program and its readers
 * share. Keys and values are laid out to be read with bpftool. */
#ifndef RAFTFS_BPF_RTT_TCP_H
#define RAFTFS_BPF_RTT_TCP_H

#include "bpf/probe.h"

/* Where the peers listen, filled by the loader: only connections this node
 * dials are counted, so that each is counted once in the cluster. */
struct endpoint_key {
	__u8 address[16]; /* IPv6, or IPv4 mapped into it */
	__u16 port;	  /* host order */
	__u16 reserved;	  /* zero */
};

/* Whose they are. */
struct endpoint {
	struct peer_key peer;
	__u32 path_row; /* of bpf/path_rtt.h */
};

struct rtt_stats {
	__u64 count;
	__u64 sum_us;
	__u64 min_us;
	__u64 max_us;
	__u64 last_us;
	/* log2_us[i]: how many were in [2^i, 2^(i+1)) us; 0 counts under 2 */
	__u64 log2_us[PROBE_BUCKETS];
};

_Static_assert(sizeof(struct endpoint_key) == 20, "as bpftool shows it");
_Static_assert(sizeof(struct endpoint) == 40, "no padding");
_Static_assert(sizeof(struct rtt_stats) == 40 + 8 * PROBE_BUCKETS, "likewise");

#endif
