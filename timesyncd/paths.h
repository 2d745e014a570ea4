/* TCP's round trips to the other nodes, as the kernel sees them and a probe
 * tells (bpf/path_rtt.h): a mapping, read without a system call. Without a probe
 * there is none, and nothing is known. */
#ifndef RAFTFS_TIMESYNCD_PATHS_H
#define RAFTFS_TIMESYNCD_PATHS_H

#include <stdint.h>

#include "bpf/path_rtt.h"

struct paths {
	const struct path_rtt *rows; /* PATH_RTT_ROWS; NULL: no probe */
};

/* Map it in place of the one before; fd is borrowed. What cannot be mapped is
 * logged and done without. */
void paths_take(struct paths *paths, int fd);
void paths_fini(struct paths *paths);

/* The least round trip to the node of all rows that are not too old to be of
 * use (core/guard.h), and that row's age; *rtt_ns 0: not known. */
void paths_least(const struct paths *paths, uint32_t node, int64_t *rtt_ns,
		 int64_t *age_ns);

#endif
