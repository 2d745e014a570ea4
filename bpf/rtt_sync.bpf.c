// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Round trip of each time exchange from kernel to kernel, and how long this
 * host kept the requests it served: a witness independent of timesyncd.
 *
 * Hook    cgroup_skb egress and ingress on timesyncd's cgroup.
 * Maps    rtt_sync (pinned): `bpftool map dump pinned .../rtt_sync`
 *         nodes: id to row; the loader fills both.
 *         pending: packets whose answer is awaited, least recent dropped.
 * Scope   datagrams of proto/timepacket.h's size, magic and version, of nodes
 *         in the configuration; IPv4 without fragments, IPv6 without options.
 *         The MAC is not checked here: it only watches.
 * Cost    per datagram one short read and two or three lookups; nothing else
 *         of the host is touched.
 * Loss    with more than PENDING_MAX requests without an answer the oldest is
 *         forgotten; it then counts as a request without a reply.
 */
#include <linux/bpf.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#include "bpf/rtt_sync.h"

#define PENDING_MAX 1024

const volatile __u32 self_id = 0; /* set before load */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_PEERS_MAX);
	__type(key, __u32);
	__type(value, struct peer_key);
} nodes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PROBE_PEERS_MAX);
	__type(key, struct peer_key);
	__type(value, struct sync_stats);
} rtt_sync SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PENDING_MAX);
	__type(key, struct pending_key);
	__type(value, __u64); /* when it passed, ns */
} pending SEC(".maps");

/* Where the UDP payload starts, counted from the IP header; 0: not ours. */
static __always_inline __u32 payload_at(struct __sk_buff *skb)
{
	__u32 udp_at;
	struct udphdr udp;

	if (skb->protocol == bpf_htons(0x0800)) {
		struct iphdr ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) != 0 ||
		    ip.protocol != IPPROTO_UDP ||
		    (ip.frag_off & bpf_htons(0x3fff)))
			return 0;
		udp_at = ip.ihl * 4u;
	} else if (skb->protocol == bpf_htons(0x86dd)) {
		struct ipv6hdr ip;

		if (bpf_skb_load_bytes(skb, 0, &ip, sizeof(ip)) != 0 ||
		    ip.nexthdr != IPPROTO_UDP)
			return 0;
		udp_at = sizeof(ip);
	} else {
		return 0;
	}
	if (bpf_skb_load_bytes(skb, udp_at, &udp, sizeof(udp)) != 0 ||
	    bpf_ntohs(udp.len) != sizeof(udp) + SYNC_PACKET_BYTES)
		return 0;
	return udp_at + sizeof(udp);
}

static __always_inline struct sync_stats *row_of(__u32 peer)
{
	struct peer_key *key = bpf_map_lookup_elem(&nodes, &peer);

	return key ? bpf_map_lookup_elem(&rtt_sync, key) : NULL;
}

static __always_inline void add_rtt(struct sync_stats *row, __u64 ns)
{
	__u32 bucket = 0;

	for (__u64 rest = ns >> 1; rest && bucket < SYNC_BUCKETS - 1;
	     rest >>= 1)
		bucket++;
	__sync_fetch_and_add(&row->replies, 1);
	__sync_fetch_and_add(&row->rtt_sum_ns, ns);
	__sync_fetch_and_add(&row->rtt_log2_ns[bucket], 1);
	row->rtt_last_ns = ns;
	if (ns > row->rtt_max_ns)
		row->rtt_max_ns = ns;
	if (row->rtt_min_ns == 0 || ns < row->rtt_min_ns)
		row->rtt_min_ns = ns;
}

static __always_inline void add_residence(struct sync_stats *row, __u64 ns)
{
	__sync_fetch_and_add(&row->served, 1);
	__sync_fetch_and_add(&row->residence_sum_ns, ns);
	row->residence_last_ns = ns;
	if (ns > row->residence_max_ns)
		row->residence_max_ns = ns;
}

/* A request leaves its instant behind; the answer passing the other way, under
 * the same nonce, takes it. */
static __always_inline int watch(struct __sk_buff *skb, __u32 incoming)
{
	__u32 at = payload_at(skb);
	__u64 now = bpf_ktime_get_ns();
	struct sync_packet head;
	struct pending_key key = {};
	struct sync_stats *row;
	__u64 *since;

	if (!at || bpf_skb_load_bytes(skb, at, &head, sizeof(head)) != 0 ||
	    head.magic != SYNC_PACKET_MAGIC || head.version != SYNC_PACKET_VERSION)
		return 1;
	key.nonce = head.nonce;
	key.peer = incoming ? head.from : head.to;
	if ((incoming ? head.to : head.from) != self_id)
		return 1;
	row = row_of(key.peer);
	if (!row)
		return 1;
	if (head.kind == SYNC_PACKET_REQUEST) {
		key.incoming = incoming;
		bpf_map_update_elem(&pending, &key, &now, BPF_ANY);
		if (!incoming)
			__sync_fetch_and_add(&row->requests, 1);
		return 1;
	}
	if (head.kind != SYNC_PACKET_REPLY)
		return 1;
	key.incoming = !incoming;
	since = bpf_map_lookup_elem(&pending, &key);
	if (!since)
		return 1;
	if (incoming)
		add_rtt(row, now - *since);
	else
		add_residence(row, now - *since);
	bpf_map_delete_elem(&pending, &key);
	return 1;
}

SEC("cgroup_skb/egress")
int watch_out(struct __sk_buff *skb)
{
	return watch(skb, 0);
}

SEC("cgroup_skb/ingress")
int watch_in(struct __sk_buff *skb)
{
	return watch(skb, 1);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
