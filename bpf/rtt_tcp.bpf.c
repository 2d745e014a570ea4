// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Round-trip time to each peer, as TCP measures it, one row a daemon and peer.
 *
 * Hook    sockops on the node's raftd and storaged cgroups; RTT_CB is enabled
 *         per connection once its peer is recognised, so others cost nothing.
 * Maps    rtt_tcp (pinned): `bpftool map dump pinned .../rtt_tcp`
 *         endpoints: where peers listen; the loader fills it.
 *         path_rtt (pinned): the least of each connection, for timesyncd,
 *         which compares it with its own packets' (bpf/path_rtt.h).
 * Scope   connections this node dialled, IPv4 and IPv6.
 * Cost    per RTT sample three lookups, five adds and a bucket scan.
 * Loss    rows are made by the loader: none can be missing. Adds of one row
 *         from several CPUs are atomic; min, max and last may lose a race.
 */
#include <linux/bpf.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/path_rtt.h"
#include "bpf/rtt_tcp.h"
#include "bpf/stats.bpf.h"

#define FAMILY_IPV4 2
#define FAMILY_IPV6 10

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * PROBE_PEERS_MAX);
	__type(key, struct endpoint_key);
	__type(value, struct endpoint);
} endpoints SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, PATH_RTT_ROWS);
	__type(key, __u32);
	__type(value, struct path_rtt);
} path_rtt SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 2 * PROBE_PEERS_MAX);
	__type(key, struct peer_key);
	__type(value, struct rtt_stats);
} rtt_tcp SEC(".maps");

static __always_inline struct endpoint *peer_of(struct bpf_sock_ops *ops)
{
	struct endpoint_key key = {};

	if (ops->family == FAMILY_IPV4) {
		__u32 address = ops->remote_ip4;

		key.address[10] = key.address[11] = 0xff;
		__builtin_memcpy(key.address + 12, &address, sizeof(address));
	} else if (ops->family == FAMILY_IPV6) {
		__u32 word;

		word = ops->remote_ip6[0];
		__builtin_memcpy(key.address, &word, 4);
		word = ops->remote_ip6[1];
		__builtin_memcpy(key.address + 4, &word, 4);
		word = ops->remote_ip6[2];
		__builtin_memcpy(key.address + 8, &word, 4);
		word = ops->remote_ip6[3];
		__builtin_memcpy(key.address + 12, &word, 4);
	} else {
		return NULL;
	}
	key.port = (__u16)bpf_ntohl(ops->remote_port);
	return bpf_map_lookup_elem(&endpoints, &key);
}

/* rtt_min is all ones until the first sample of the window. */
static __always_inline void note_path(struct bpf_sock_ops *ops, __u32 row)
{
	struct bpf_sock *sk = ops->sk;
	struct bpf_tcp_sock *tcp = sk ? bpf_tcp_sock(sk) : NULL;
	struct path_rtt *path = bpf_map_lookup_elem(&path_rtt, &row);

	if (!tcp || !path || tcp->rtt_min == ~0u)
		return;
	*(volatile __u64 *)&path->least_us = tcp->rtt_min;
	*(volatile __u64 *)&path->at_ns = bpf_ktime_get_boot_ns();
}

SEC("sockops")
int watch_rtt(struct bpf_sock_ops *ops)
{
	struct endpoint *endpoint;
	struct rtt_stats *stats;

	if (ops->op != BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB &&
	    ops->op != BPF_SOCK_OPS_RTT_CB)
		return 1;
	endpoint = peer_of(ops);
	if (!endpoint)
		return 1;
	if (ops->op == BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB) {
		bpf_sock_ops_cb_flags_set(ops,
					  ops->bpf_sock_ops_cb_flags |
						  BPF_SOCK_OPS_RTT_CB_FLAG);
		return 1;
	}
	stats = bpf_map_lookup_elem(&rtt_tcp, &endpoint->peer);
	if (stats)
		stats_add(stats, ops->srtt_us >> 3);
	note_path(ops, endpoint->path_row);
	return 1;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
