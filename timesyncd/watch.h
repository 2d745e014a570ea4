/* Watching the consensus page: who leads, and which timeline is in force. */
#ifndef RAFTFS_TIMESYNCD_WATCH_H
#define RAFTFS_TIMESYNCD_WATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "shm/conspage.h"
#include "timesyncd/core/timesync.h"

struct watch {
	const struct conspage *page; /* NULL: none handed out yet */
	bool told;		     /* what follows was told to the core */
	uint32_t leader;
	uint64_t epoch;
	bool self;
};

/* Look at another page from now on; fd is borrowed. VERSION, IO. */
RFS_MUST_USE enum rfs_err watch_page(struct watch *watch, int fd);
void watch_fini(struct watch *watch);

/* Something changed: *event is for the core (raw_ns excepted).
 *
 * This node is the reference only while the page's lease_disruptions equals
 * `disruptions`, the counter we publish: an anchor is good only on the raw
 * clock it was set on, and raftd shows so that it has seen the latest break.
 * A page that is revoked or superseded means: nobody here leads. */
bool watch_poll(struct watch *watch, uint32_t disruptions,
		struct timesync_event *event);

#endif
