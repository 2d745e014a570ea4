/* What follows from a change of members, in the order in which it is safe:
 *
 *	at once, committed or not: the roster, the links to peers, storaged
 *	once it is committed and on this disk: members.conf, and by it the
 *	supervisor, which tells everybody else on this node
 *
 * members.conf therefore never names members whom this node's own log would
 * not name after a crash.
 */
#ifndef RAFTFS_RAFTD_CHANGES_H
#define RAFTFS_RAFTD_CHANGES_H

#include <stdbool.h>

#include "raftd/chores.h"
#include "raftd/clients.h"
#include "raftd/peers.h"
#include "raftd/roster.h"

struct changes {
	const struct config *config;
	const struct raft *raft;
	struct roster roster;
	struct peers *peers;
	struct clients *clients;
	struct chores *chores;
	enum raft_standing standing; /* as last told */

	/* members.conf */
	struct chore chore;
	bool writing;
	char path[CONFIG_PATH_MAX + 16];
	uint64_t writing_index;
	struct config_members members;
	enum rfs_err err;
	uint64_t written_index; /* 0: not since this process began */

	/* A peer's word that we are out, which our own log may lack. */
	uint64_t removed_index;
	bool forgotten; /* likewise, that we were a voter */
};

/* Everything is borrowed for its life; peers are set when they are there. */
void changes_init(struct changes *changes, const struct config *config,
		  const struct raft *raft, struct clients *clients,
		  struct chores *chores);

/* After a step. snapshot_index: what of the log a durable snapshot covers. */
void changes_follow(struct changes *changes, const struct raft_view *view,
		    bool membership_changed, uint64_t snapshot_index);

/* storaged has attached and knows nothing yet. */
void changes_tell_storaged(struct changes *changes);

/* From peers_events. */
void changes_shown(struct changes *changes, uint32_t peer, const void *image,
		   size_t bytes, const struct raft_view *view);
void changes_forgotten(struct changes *changes, uint32_t peer);
void changes_removed(struct changes *changes, uint32_t peer, uint64_t index);

/* "voter". */
const char *changes_standing(const struct raft_view *view);
/* What somebody has to do about how we stand, or ""; valid until the next
 * call. */
const char *changes_why(const struct changes *changes,
			const struct raft_view *view);

#endif
