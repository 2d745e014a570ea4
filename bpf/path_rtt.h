/* The least round trip of TCP to each peer, as a mapping: the probe rtt_tcp
 * writes it, raftfs-timesyncd reads it without a system call. */
#ifndef RAFTFS_BPF_PATH_RTT_H
#define RAFTFS_BPF_PATH_RTT_H

#include "bpf/probe.h"

#define PATH_RTT_MAP  "path_rtt"
#define PATH_RTT_ROWS (2 * PROBE_PEERS_MAX)

/* One row a daemon and peer. The least is that of the connection in force, over
 * the kernel's window (net.ipv4.tcp_min_rtt_wlen, 5 minutes). Numbers may be of
 * two instants: each is good by itself. */
struct path_rtt {
	__u32 node;	/* id in raftfs.conf; 0: row not used */
	__u32 reserved; /* zero */
	__u64 least_us; /* 0: none seen yet */
	__u64 at_ns;	/* CLOCK_BOOTTIME of the last look */
};

_Static_assert(sizeof(struct path_rtt) == 24, "rows of a mapped array");

#endif
