/* Points in time as people write them. */
#ifndef RAFTFS_CLIENT_CLI_WHEN_H
#define RAFTFS_CLIENT_CLI_WHEN_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"

struct when {
	bool relative; /* to now, which the caller knows */
	int64_t ns;    /* since 1970; relative: 0 or less */
};

/* "2026-11-22T14:03:05.25Z", "...+01:00" (RFC 3339, the T may be a blank);
 * without a zone local time, and the time of day may stop at minutes or be left
 * out; "now"; "-5min", "-1.5h". INVALID: none of these. */
RFS_MUST_USE enum rfs_err when_parse(const char *text, struct when *when);

#endif
