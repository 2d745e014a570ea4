/* From a membership to links, storaged, members.conf and the log. */
#include "raftd/changes.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/os/log.h"
#include "common/os/process.h"
#include "raftd/convert.h"
#include "raftd/membersfile.h"

void changes_init(struct changes *changes, const struct config *config,
		  const struct raft *raft, struct clients *clients,
		  struct chores *chores)
{
	memset(changes, 0, sizeof(*changes));
	changes->config = config;
	changes->raft = raft;
	changes->clients = clients;
	changes->chores = chores;
	changes->standing = RAFT_VOTER;
	snprintf(changes->path, sizeof(changes->path),
		 "%s/" CONFIG_MEMBERS_FILE, config->data_dir);
	roster_init(&changes->roster, config);
}

/* ---- for people ---- */

static void log_members(const struct changes *changes,
			const struct raft_membership *membership)
{
	char text[RAFT_NODES_MAX * (CONFIG_NAME_MAX + 16)];
	size_t used = 0;

	text[0] = '\0';
	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];

		used += (size_t)snprintf(
			text + used, sizeof(text) - used, "%s%s%s",
			used > 0 ? ", " : "",
			roster_name(&changes->roster, member->id),
			!member->voter && member->voter_before ? " (leaving)" :
			!member->voter			       ? " (learner)" :
								 "");
		if (used >= sizeof(text))
			break;
	}
	log_notice("members as of log entry %" PRIu64 "%s: %s",
		   membership->index, membership->joint ? ", joint" : "", text);
}

static void log_standing(struct changes *changes, const struct raft_view *view)
{
	const char *why = changes_why(changes, view);

	if (changes->standing == view->standing)
		return;
	changes->standing = view->standing;
	if (why[0] != '\0')
		log_warn("%s", why);
	else
		log_notice("this node is %s%s now",
			   view->standing == RAFT_LEAVING ? "" : "a ",
			   changes_standing(view));
}

const char *changes_standing(const struct raft_view *view)
{
	static const char *const names[] = { "joiner", "learner", "voter",
					     "leaving", "removed" };

	return names[view->standing];
}

/* A joiner that others know as a voter has had a log, and lost it. */
static bool has_forgotten(const struct changes *changes)
{
	const struct raft_member *self =
		raft_membership_find(&changes->roster.shown,
				     config_self(changes->config)->id);

	return changes->forgotten ||
	       (self != NULL && (self->voter || self->voter_before));
}

const char *changes_why(const struct changes *changes,
			const struct raft_view *view)
{
	static char text[160];
	const char *self = config_self(changes->config)->name;
	uint64_t index = changes->removed_index;

	text[0] = '\0';
	if (view->standing == RAFT_REMOVED)
		index = changes->roster.index;
	if (index > changes->roster.index || view->standing == RAFT_REMOVED)
		snprintf(text, sizeof(text),
			 "removed from the cluster (membership entry %" PRIu64
			 ")",
			 index);
	else if (view->standing == RAFT_JOINER && has_forgotten(changes))
		snprintf(text, sizeof(text),
			 "%s was a voter and has lost its log: it can only "
			 "come back under a new id (raftfs members replace)",
			 self);
	else if (view->standing == RAFT_JOINER)
		snprintf(text, sizeof(text),
			 "waits to be taken in: raftfs members add %s, or "
			 "replace",
			 self);
	return text;
}

/* ---- members.conf ---- */

static void save(struct chore *chore)
{
	struct changes *changes =
		(struct changes *)((char *)chore -
				   offsetof(struct changes, chore));

	changes->err = membersfile_save(changes->path, changes->writing_index,
					&changes->members);
}

static void tell_supervisor(const struct changes *changes)
{
	char text[48];

	snprintf(text, sizeof(text), "X_MEMBERS=%" PRIu64,
		 changes->written_index);
	process_notify(text);
}

static void saved(struct chore *chore)
{
	struct changes *changes =
		(struct changes *)((char *)chore -
				   offsetof(struct changes, chore));

	changes->writing = false;
	if (changes->err != RFS_ERR_OK)
		return; /* told; the next step tries again */
	changes->written_index = changes->writing_index;
	tell_supervisor(changes);
}

static void gather_members(struct changes *changes,
			   const struct raft_membership *membership)
{
	struct config_members *members = &changes->members;

	memset(members, 0, sizeof(*members));
	for (uint32_t i = 0; i < membership->count; i++) {
		const struct config_node *node = roster_find(
			&changes->roster, membership->members[i].id);

		if (node != NULL)
			members->nodes[members->count++] = *node;
	}
	membersfile_settle(members);
}

static void write_members(struct changes *changes, const struct raft_view *view,
			  uint64_t snapshot_index)
{
	const struct raft_membership *membership =
		raft_membership(changes->raft);
	uint64_t index = membership->index;

	if (index == 0 || index == changes->written_index || changes->writing ||
	    index > view->commit_index || view->standing == RAFT_JOINER ||
	    (index > view->durable_index && index > snapshot_index))
		return;
	gather_members(changes, membership);
	changes->writing = true;
	changes->writing_index = index;
	changes->chore.work = save;
	changes->chore.done = saved;
	chores_add(changes->chores, &changes->chore);
}

/* ---- the others ---- */

void changes_tell_storaged(struct changes *changes)
{
	const struct raft_membership *membership =
		raft_membership(changes->raft);
	DistributedFs__LocalMembers message =
		DISTRIBUTED_FS__LOCAL_MEMBERS__INIT;
	DistributedFs__LocalMember member[RAFT_NODES_MAX];
	DistributedFs__LocalMember *members[RAFT_NODES_MAX];
	DistributedFs__Member about[RAFT_NODES_MAX];

	if (membership->count == 0)
		return; /* a joiner: its configuration is all there is */
	message.index = membership->index;
	message.joint = membership->joint;
	message.members = members;
	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *from = &membership->members[i];
		const struct config_node *node =
			roster_find(&changes->roster, from->id);
		DistributedFs__LocalMember *to = &member[message.n_members];

		if (node == NULL)
			continue;
		distributed_fs__local_member__init(to);
		convert_node(node, &about[message.n_members]);
		to->id = from->id;
		to->voter = from->voter;
		to->voter_before = from->voter_before;
		to->about = &about[message.n_members];
		members[message.n_members++] = to;
	}
	clients_members(changes->clients, &message);
}

static void show_peers(struct changes *changes)
{
	const struct raft_membership *membership =
		raft_membership(changes->raft);
	uint8_t image[RAFT_MEMBERSHIP_BYTES_MAX];

	if (membership->count == 0 || membership->index == 0)
		return;
	peers_show(changes->peers, image,
		   raft_membership_encode(membership, image));
}

static void update(struct changes *changes, const struct raft_view *view)
{
	roster_update(&changes->roster, raft_membership(changes->raft), view);
	peers_refresh(changes->peers, view->standing == RAFT_REMOVED);
}

void changes_follow(struct changes *changes, const struct raft_view *view,
		    bool membership_changed, uint64_t snapshot_index)
{
	/* Empty, and not for damage, which remembers what it promised. */
	changes->roster.fresh = changes->config->join &&
				view->last_index == 0 && view->floor.index == 0;
	if (roster_is_due(&changes->roster, view, membership_changed))
		update(changes, view);
	if (membership_changed && raft_membership(changes->raft)->count > 0) {
		log_members(changes, raft_membership(changes->raft));
		show_peers(changes);
		changes_tell_storaged(changes);
	}
	log_standing(changes, view);
	write_members(changes, view, snapshot_index);
}

void changes_shown(struct changes *changes, uint32_t peer, const void *image,
		   size_t bytes, const struct raft_view *view)
{
	if (roster_show(&changes->roster, peer, image, bytes))
		update(changes, view);
}

void changes_forgotten(struct changes *changes, uint32_t peer)
{
	if (changes->forgotten)
		return;
	changes->forgotten = true;
	log_error("%s says: this node was a voter, and has lost its log",
		  roster_name(&changes->roster, peer));
}

void changes_removed(struct changes *changes, uint32_t peer, uint64_t index)
{
	if (index <= changes->roster.index ||
	    index <= changes->removed_index)
		return;
	changes->removed_index = index;
	log_warn("%s says: this node was removed from the cluster (membership "
		 "entry %" PRIu64 ")",
		 roster_name(&changes->roster, peer), index);
}
