/* What the supervisor hands us: configuration, the two pages, the link. */
#ifndef RAFTFS_STORAGED_HANDOUTS_H
#define RAFTFS_STORAGED_HANDOUTS_H

#include <stdbool.h>

#include "storaged/storaged.h"

struct handouts {
	int channel_fd;
	bool ready;   /* the first configuration is in force */
	bool started; /* HANDOUT_START came */
	int link_fd;  /* a new link nobody took yet; -1: none */
};

/* Take one in: into s, or into handouts. BUSY: none is waiting (channel
 * non-blocking); CLOSED: the supervisor is gone; others: logged. */
RFS_MUST_USE enum rfs_err handouts_take(struct handouts *handouts,
					struct storaged *s);

#endif
