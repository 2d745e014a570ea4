/* The core's answer, put where others read it: the clock page handed out by
 * the supervisor, and its view as a file for programs that are not ours.
 */
#ifndef RAFTFS_TIMESYNCD_PUBLISH_H
#define RAFTFS_TIMESYNCD_PUBLISH_H

#include <stdint.h>

#include "common/err.h"
#include "shm/clockpage.h"
#include "timesyncd/core/timesync.h"
#include "timesyncd/fastline.h"

/* Name of the file view in run_dir. */
#define PUBLISH_FILE "clock.page"

struct publish {
	struct clockpage *page; /* NULL: none handed out yet */
	struct clockpage *view; /* NULL: could not be made */
	uint32_t disruptions_base;
	struct fastline fast;
};

/* Map and seal the page behind fd (borrowed), make the view in run_dir. A view
 * that cannot be made is logged and left out. Errors: VERSION, DENIED, IO. */
RFS_MUST_USE enum rfs_err publish_init(struct publish *publish, int fd,
				       uint64_t generation,
				       const char *run_dir);
/* The file view alone, its generation above that of a file left there by an
 * earlier run. IO: logged. */
RFS_MUST_USE enum rfs_err publish_init_file(struct publish *publish,
					    const char *run_dir);
void publish_fini(struct publish *publish);

/* The counter as published. It is never the same in two generations of the
 * page: nobody can tell what happened in between. */
uint32_t publish_disruptions(const struct publish *publish,
			     const struct timesync_clock *clock);

void publish_clock(struct publish *publish,
		   const struct timesync_clock *clock);

#endif
