/* Telling the peers that this node's raftd is dead. */
#ifndef RAFTFS_SUPERVISOR_DEATHS_H
#define RAFTFS_SUPERVISOR_DEATHS_H

#include <stdint.h>

#include "common/os/config.h"
#include "common/os/keys.h"

/* One signed datagram (proto/death.h) to each peer's raft_port. To be called
 * after waitpid() returned raftd and its page was revoked. A hint: what cannot
 * be sent is logged and not repeated. Never blocks. */
void deaths_tell(const struct config *config, const struct node_key *key,
		 uint64_t incarnation, uint64_t term_led);

#endif
