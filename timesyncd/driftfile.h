/* The drift file: what each peer's clock gained on ours per second, kept
 * across restarts. A guess for the estimate; no bound rests on it, so a wrong
 * or missing file costs accuracy for a minute and nothing else.
 *
 *	raftfs-drift 1
 *	NODE PPB		one line per peer
 */
#ifndef RAFTFS_TIMESYNCD_DRIFTFILE_H
#define RAFTFS_TIMESYNCD_DRIFTFILE_H

#include <stdint.h>

#include "common/err.h"

struct driftfile_row {
	uint32_t node;
	int32_t drift_ppb;
};

/* Rows read, at most `capacity`; 0 when there is no file or it is not one
 * (logged). Drifts beyond limit_ppb are left out. */
uint32_t driftfile_load(const char *path, int32_t limit_ppb,
			struct driftfile_row *rows, uint32_t capacity);

/* Replace the file atomically. IO (logged). */
RFS_MUST_USE enum rfs_err driftfile_save(const char *path,
					 const struct driftfile_row *rows,
					 uint32_t count);

#endif
