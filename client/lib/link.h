/* One unix stream to one node: connect, send, receive, without ever waiting.
 *
 * Not thread-safe but for link_wait(), which touches only the descriptor: the
 * channel holds its lock around everything else.
 */
#ifndef RAFTFS_CLIENT_LIB_LINK_H
#define RAFTFS_CLIENT_LIB_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "common/err.h"

struct link {
	int fd;		 /* -1: not connected */
	uint8_t *buffer; /* received, not yet taken */
	size_t capacity;
	size_t start;
	size_t end;
};

void link_init(struct link *link);
void link_fini(struct link *link);

/* CLOSED with errno set when nobody listens there. */
RFS_MUST_USE enum rfs_err link_connect(struct link *link, const char *path);
void link_close(struct link *link);

/* Send from *offset of the parts on; *offset moves. BUSY: the socket took no
 * more; CLOSED: it broke. */
RFS_MUST_USE enum rfs_err link_send(struct link *link,
				    const struct iovec *parts, size_t count,
				    size_t *offset);

/* Receive what is there. BUSY: nothing; CLOSED: end or error; NOMEM. */
RFS_MUST_USE enum rfs_err link_receive(struct link *link);

/* The next whole frame received: its type and body, valid until the next
 * link_receive(). BUSY: not there yet; VERSION, INVALID: not our protocol. */
RFS_MUST_USE enum rfs_err link_frame(struct link *link, uint16_t *type,
				     uint8_t **body, size_t *bytes);

/* Sleep until the descriptor is readable (or writable), wake_fd is, or
 * timeout_ns passed (rounded up to a millisecond). fd may be -1. */
void link_wait(int fd, bool writable, int wake_fd, int64_t timeout_ns);

#endif
