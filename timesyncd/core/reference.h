/* References outside the cluster, as peers of the core.
 *
 * UTC is a timeline of its own epoch, carried by nobody: each NTP server, and
 * the host's clock where something else keeps it, is a peer with a proven
 * interval for it, and Marzullo's majority over them, the other nodes and our
 * own extrapolation decides (core/select.h).
 */
#ifndef RAFTFS_TIMESYNCD_CORE_REFERENCE_H
#define RAFTFS_TIMESYNCD_CORE_REFERENCE_H

#include <stdint.h>

#include "common/units.h"

/* The epoch of UTC: above every term of Raft, not a number of the mesh's. */
#define REFERENCE_EPOCH (UINT64_C(1) << 62)

/* Ids beyond those of nodes: the host's clock, and server 1, 2, ... */
#define REFERENCE_SYSTEM_ID 2000000u
#define REFERENCE_SERVER_ID(number) (2000000u + (number))

static inline int reference_is_id(uint32_t id)
{
	return id >= REFERENCE_SYSTEM_ID;
}

/* A server of others is asked no more often than this. */
#define REFERENCE_SERVER_GAP_NS (2 * NS_PER_SEC)
/* The host's clock costs one system call. */
#define REFERENCE_SYSTEM_GAP_NS (NS_PER_SEC / 4)

#endif
