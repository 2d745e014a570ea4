/* Why the clock is not synchronised, said in the log where nobody can ask
 * (standalone): after 10 s, and again after twice as long, up to an hour. */
#ifndef RAFTFS_TIMESYNCD_COMPLAINTS_H
#define RAFTFS_TIMESYNCD_COMPLAINTS_H

#include <stdint.h>

#include "common/story.h"
#include "timesyncd/core/timesync.h"
#include "timesyncd/peers.h"

struct complaints {
	int64_t since_ns; /* raw: since when it is as it is; 0: it is SYNCED */
	int64_t after_ns; /* how long that is at the next line */
	enum timesync_quality quality;
};

/* About once a second. */
void complaints_look(struct complaints *complaints, int64_t raw_ns,
		     const struct timesync *timesync,
		     const struct peers_counters *counters,
		     const struct story *to);

#endif
