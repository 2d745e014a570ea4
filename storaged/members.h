/* Who is in the cluster, as storaged goes by it: one value, replaced as a whole
 * by cluster_set_members().
 *
 * It begins as the configuration's nodes, all of them voters; from the first
 * LocalMembers on it is what raftd says. A chunk counts as stored when a
 * majority of the voters has it, while two sets rule jointly a majority of each
 * (SAFETY.md F1). A learner is sent everything and never counts.
 */
#ifndef RAFTFS_STORAGED_MEMBERS_H
#define RAFTFS_STORAGED_MEMBERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/config.h"
#include "proto/local.pb-c.h"

struct member {
	struct config_node node; /* id, name, address, storage port, key */
	bool voter;		 /* of the set that rules, or is to rule */
	bool voter_before;	 /* joint: of the set it replaces */
};

struct members {
	uint64_t index; /* of the entry that brought it; 0: the configuration */
	bool joint;
	uint32_t count;
	struct member list[CONFIG_NODES_MAX];
};

void members_from_config(struct members *members, const struct config *config);

/* INVALID: it does not say of everyone how to reach and know it; *members is
 * as it was. */
RFS_MUST_USE enum rfs_err
members_from_message(struct members *members,
		     const DistributedFs__LocalMembers *message);

/* NULL: not one of them. Valid until the next change. */
const struct member *members_find(const struct members *members, uint32_t id);
const struct member *
members_find_key(const struct members *members,
		 const uint8_t key[CONFIG_KEY_BYTES]);

/* Are those in `set` (a bit for each place in the list) enough to decide? */
bool members_decide(const struct members *members, uint32_t set);

#endif
