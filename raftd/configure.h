/* What raftfs(1) asks of the members: who they are, and to change that.
 *
 * The core decides whether a change may be made; here it is translated, and a
 * refusal gets the names and numbers that a person needs.
 */
#ifndef RAFTFS_RAFTD_CONFIGURE_H
#define RAFTFS_RAFTD_CONFIGURE_H

#include "proto/control.pb-c.h"
#include "raftd/loop_state.h"

/* As this node sees it; the numbers of progress are right on the leader. What
 * reply points to is valid until the next call. */
void configure_members(struct loop *loop, DistributedFs__ControlReply *reply);

/* On the leader: NOT_LEADER else. Other errors stand with a reason in *reply:
 * as struct raft_configure has them, and NO_QUORUM when the voters that would
 * be left are not there to agree. OK: reply says which entry it became. */
RFS_MUST_USE enum rfs_err
configure_change(struct loop *loop, const DistributedFs__MemberChange *change,
		 DistributedFs__ControlReply *reply);

#endif
