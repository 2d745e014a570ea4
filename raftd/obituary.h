/* Death notices: signed datagrams on raft_port (UDP), see proto/death.h. */
#ifndef RAFTFS_RAFTD_OBITUARY_H
#define RAFTFS_RAFTD_OBITUARY_H

#include <ev.h>
#include <stdint.h>

#include "common/os/config.h"
#include "raftd/roster.h"

struct obituary;

/* That incarnation of that node's raftd is dead: signed by its own supervisor,
 * meant for this cluster. Whether it is the one we know is the caller's.
 * term_led: it led that term when it died; 0: it did not lead. */
typedef void obituary_read(void *ctx, uint32_t node, uint64_t incarnation,
			   uint64_t term_led);

/* config and roster, whose keys sign, are borrowed for its life. NULL: cannot
 * bind, no memory (logged). */
struct obituary *obituary_new(struct ev_loop *ev, const struct config *config,
			      const struct roster *roster, obituary_read *read,
			      void *ctx);
/* obituary may be NULL. */
void obituary_free(struct obituary *obituary);

#endif
