/* Who the nodes are and how they are reached, as the membership has it.
 *
 * Taken together, newest first:
 *	what a peer has shown, while it is ahead of what our own log says: a
 *		node that lags meets a leader that it has not heard of yet
 *	our own membership, committed or not
 *	raftfs.conf, while we are nobody's member: whom a joiner may ask
 *	who is on the way out: until that is committed, or as long as the raft
 *		still has something to say to them
 * Whoever is in here may talk to our raft; what comes of it, the core decides.
 */
#ifndef RAFTFS_RAFTD_ROSTER_H
#define RAFTFS_RAFTD_ROSTER_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/os/config.h"
#include "raftd/core/raft.h"

#define ROSTER_NODES_MAX 32u

struct roster {
	const struct config *config;
	struct config_node nodes[ROSTER_NODES_MAX]; /* this one too */
	uint32_t count;
	uint64_t index;	  /* of our own membership */
	uint32_t last_id; /* the highest that was ever used, as far as we know */
	bool settled;	  /* that membership is known committed */
	uint32_t peer_count; /* raft_view's when this was made */
	uint32_t voters[RAFT_NODES_MAX]; /* of our own membership, by id */
	uint32_t voter_count;
	bool fresh; /* we join, and our log is empty */
	struct raft_membership shown; /* count 0: nothing */
	uint32_t shown_by;
};

/* config is borrowed for its life; before the first update its nodes are in. */
void roster_init(struct roster *roster, const struct config *config);

/* Whether anything has changed on which the roster depends. */
bool roster_is_due(const struct roster *roster, const struct raft_view *view,
		   bool membership_changed);
void roster_update(struct roster *roster,
		   const struct raft_membership *membership,
		   const struct raft_view *view);

/* A peer that we know shows its membership's image: true: it is news, update.
 * What is no membership, or is no newer than ours, is not. */
bool roster_show(struct roster *roster, uint32_t peer, const void *image,
		 size_t bytes);

/* NULL: not known. */
const struct config_node *roster_find(const struct roster *roster, uint32_t id);
/* For people; never NULL. */
const char *roster_name(const struct roster *roster, uint32_t id);

/* In either set, when two rule. */
bool roster_is_voter(const struct roster *roster, uint32_t id);

/* raft_member.about and back: a packed Member (peer.proto). */
void roster_about(const struct config_node *node, struct raft_member *member);
/* INVALID: not a member's description, or not a possible one. */
RFS_MUST_USE enum rfs_err roster_parse(const struct raft_member *member,
				       struct config_node *node);

#endif
