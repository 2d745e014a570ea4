/* What all probes share: whose traffic it is, and bounds of the maps. */
#ifndef RAFTFS_BPF_PROBE_H
#define RAFTFS_BPF_PROBE_H

#include <linux/types.h>

#define PROBE_PEERS_MAX	   64
#define PROBE_BUCKETS	   24
#define PROBE_NAME_BYTES   32 /* CONFIG_NAME_MAX */

enum probe_daemon {
	DAEMON_TIMESYNCD = 1,
	DAEMON_RAFTD = 2,
	DAEMON_STORAGED = 3,
};

/* One row a daemon and peer. */
struct peer_key {
	enum probe_daemon daemon;
	char peer[PROBE_NAME_BYTES]; /* its name in raftfs.conf */
};

_Static_assert(sizeof(struct peer_key) == 36, "as bpftool shows it");

#endif
