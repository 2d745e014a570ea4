/* References outside the cluster, as peers of the core.
 *
 * UTC is a timeline of its own epoch, carried by nobody: each NTP server, and
 * the host's clock where something else keeps it, is a peer with a proven
 * interval for it.
 *
 * What most of the configured references agree on has the authority that the
 * leader's word has otherwise (core/select.h): the other nodes, and our own
 * extrapolation, only pass on what references said, so that they confirm or
 * contradict, but cannot outvote. Where fewer agree, references are not heard,
 * and the nodes hold over among themselves. So one liar takes three servers.
 * A host's own clock is one reference, and checked against the other nodes'.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_REFERENCE_H
#define RAFTFS_TIMESYNCD_CORE_REFERENCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/units.h"
#include "timesyncd/core/select.h"

/* The epoch of UTC: above every term of Raft, not a number of the mesh's. */
#define REFERENCE_EPOCH (UINT64_C(1) << 62)

/* Ids beyond those of nodes: the host's clock, and server 1, 2, ... */
#define REFERENCE_SYSTEM_ID 2000000u
#define REFERENCE_SERVER_ID(number) (2000000u + (number))

static inline int reference_is_id(uint32_t id)
{
	return id >= REFERENCE_SYSTEM_ID;
}

/* What a majority of the references says becomes the claim of the best of
 * them, whose index this is. -1: there is no such majority, and no reference
 * is heard any more. gap_ns: of struct timesync_config, not 0 for references. */
int reference_choose(struct select_voice *voices, const int64_t *gap_ns,
		     uint32_t count);

/* Whether this host's clock, the reference at index `host` (heard), is not to be
 * believed. The other nodes follow their own hosts' clocks, so each of them is
 * a voice as good as this: not when most of those heard agree on something else.
 * After a disruption of ours (disrupted) only when a majority of all nodes
 * agrees with it: it may be what we were wrong by. */
bool reference_denies_host(const struct select_voice *voices,
			   const int64_t *gap_ns, uint32_t count, int host,
			   bool disrupted);

/* A server of others is asked no more often than this. */
#define REFERENCE_SERVER_GAP_NS (2 * NS_PER_SEC)
/* The host's clock costs one system call. */
#define REFERENCE_SYSTEM_GAP_NS (NS_PER_SEC / 4)

#endif
