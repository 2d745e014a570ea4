/* What the supervisor hands its children: descriptors, by name, at any time.
 *
 * Each child is exec'ed with one SOCK_SEQPACKET socketpair on descriptor
 * HANDOUT_FD. The supervisor sends one datagram per descriptor (SCM_RIGHTS):
 * the configuration and the pages at start, again whenever a sibling was
 * restarted or the configuration reloaded. End of file on the channel means
 * the supervisor is gone: the child stops cleanly. In the other direction a
 * child speaks the readiness protocol of sd_notify(3) to NOTIFY_SOCKET.
 */
#ifndef RAFTFS_PROTO_HANDOUT_H
#define RAFTFS_PROTO_HANDOUT_H

#include <stdint.h>

#include "common/err.h"

#define HANDOUT_FD 3

/* In brackets: who receives it, and when. What hangs on a sibling that starts
 * later (raftd's first LINK, timesyncd's first CONS_READER) comes after START.
 */
enum handout_kind {
	HANDOUT_CONFIG = 1,	/* [all, first] raftfs.conf, validated, read-only */
	HANDOUT_CLOCK_WRITER,	/* [timesyncd, start] unsealed: map, then seal */
	HANDOUT_CLOCK_READER,	/* [raftd, storaged; start and each restart] */
	HANDOUT_CONS_WRITER,	/* [raftd, start] */
	HANDOUT_CONS_READER,	/* [timesyncd, storaged; start and restarts] */
	HANDOUT_LINK,		/* [raftd, storaged] stream socket to each other;
				 * a new one replaces the old (one side restarted) */
	HANDOUT_START,		/* [all, last of the first batch] no descriptor */
	HANDOUT_PATHS,		/* [timesyncd, when the probes count, and each
				 * start then] TCP's round trips, read-only:
				 * bpf/path_rtt.h */
};

/* The datagram. Native byte order: both ends are on one host. */
struct handout {
	uint32_t kind; /* enum handout_kind */
	uint32_t reserved;
	uint64_t generation; /* page generation, or reload count */
};

/* Send one; fd is borrowed, -1 for none. BUSY: queue full; CLOSED: child gone. */
RFS_MUST_USE enum rfs_err handout_send(int channel_fd,
				       const struct handout *handout, int fd);

/* Receive one. *fd is owned by the caller, -1 if none came. BUSY: none waiting
 * (when the channel is non-blocking); CLOSED: supervisor gone; INVALID. */
RFS_MUST_USE enum rfs_err handout_receive(int channel_fd,
					  struct handout *handout, int *fd);

#endif
