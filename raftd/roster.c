/* The list of nodes, made anew whenever something changed. */
#include "raftd/roster.h"

#include <string.h>

#include "common/check.h"
#include "common/os/log.h"
#include "raftd/convert.h"

/* The first that is added under an id is the newest. */
static void add(struct roster *roster, const struct config_node *node)
{
	if (roster_find(roster, node->id) != NULL ||
	    roster->count == ROSTER_NODES_MAX)
		return;
	roster->nodes[roster->count++] = *node;
}

static void add_membership(struct roster *roster,
			   const struct raft_membership *membership)
{
	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];
		struct config_node node;

		if (roster_parse(member, &node) == RFS_ERR_OK)
			add(roster, &node);
		else
			log_error("members: node %u of log entry %ju is not "
				  "described as it should be",
				  member->id, (uintmax_t)membership->index);
	}
}

static void add_config(struct roster *roster)
{
	const struct config *config = roster->config;

	for (uint32_t i = 0; i < config->node_count; i++)
		add(roster, &config->nodes[i]);
}

static bool is_listed(const struct raft_view *view, uint32_t id)
{
	for (uint32_t i = 0; i < view->peer_count; i++) {
		if (view->peers[i].id == id)
			return true;
	}
	return false;
}

void roster_init(struct roster *roster, const struct config *config)
{
	memset(roster, 0, sizeof(*roster));
	roster->config = config;
	add_config(roster);
}

static void note_voters(struct roster *roster,
			const struct raft_membership *membership)
{
	roster->voter_count = 0;
	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];

		if (member->voter || member->voter_before)
			roster->voters[roster->voter_count++] = member->id;
	}
}

bool roster_is_voter(const struct roster *roster, uint32_t id)
{
	for (uint32_t i = 0; i < roster->voter_count; i++) {
		if (roster->voters[i] == id)
			return true;
	}
	return false;
}

bool roster_is_due(const struct roster *roster, const struct raft_view *view,
		   bool membership_changed)
{
	return membership_changed || roster->peer_count != view->peer_count ||
	       (!roster->settled && roster->index <= view->commit_index);
}

void roster_update(struct roster *roster,
		   const struct raft_membership *membership,
		   const struct raft_view *view)
{
	static struct roster before;

	before = *roster;
	roster->count = 0;
	roster->index = membership->index;
	roster->last_id = membership->last_id;
	roster->settled = membership->index <= view->commit_index;
	roster->peer_count = view->peer_count;
	note_voters(roster, membership);
	if (roster->shown.index <= membership->index && membership->count > 0)
		roster->shown.count = 0;
	add_membership(roster, &roster->shown);
	add_membership(roster, membership);
	if (membership->count == 0)
		add_config(roster);
	for (uint32_t i = 0; i < before.count; i++) {
		if (!roster->settled || is_listed(view, before.nodes[i].id))
			add(roster, &before.nodes[i]);
	}
	add(roster, config_self(roster->config));
}

bool roster_show(struct roster *roster, uint32_t peer, const void *image,
		 size_t bytes)
{
	static struct raft_membership membership;
	bool joining = roster->index == 0 && roster->last_id == 0;
	bool again = roster->shown.count > 0 && roster->shown_by == peer;

	if (raft_membership_decode(image, bytes, &membership) != RFS_ERR_OK ||
	    (membership.index <= roster->index && !joining))
		return false;
	/* Who showed it may take it back: it was truncated there. */
	if (roster->shown.count > 0 && !again &&
	    membership.index <= roster->shown.index)
		return false;
	roster->shown = membership;
	roster->shown_by = peer;
	return true;
}

const struct config_node *roster_find(const struct roster *roster, uint32_t id)
{
	for (uint32_t i = 0; i < roster->count; i++) {
		if (roster->nodes[i].id == id)
			return &roster->nodes[i];
	}
	return NULL;
}

const char *roster_name(const struct roster *roster, uint32_t id)
{
	const struct config_node *node = roster_find(roster, id);

	return node != NULL ? node->name : id == RAFT_NOBODY ? "" : "?";
}

void roster_about(const struct config_node *node, struct raft_member *member)
{
	DistributedFs__Member image;
	size_t bytes;

	convert_node(node, &image);
	bytes = distributed_fs__member__get_packed_size(&image);
	CHECK(bytes <= RAFT_ABOUT_MAX);
	member->id = node->id;
	member->about_bytes =
		(uint16_t)distributed_fs__member__pack(&image, member->about);
}

enum rfs_err roster_parse(const struct raft_member *member,
			  struct config_node *node)
{
	DistributedFs__Member *image = distributed_fs__member__unpack(
		NULL, member->about_bytes, member->about);
	enum rfs_err err = RFS_ERR_INVALID;

	if (image == NULL)
		return err;
	err = convert_parse_node(image, member->id, node);
	distributed_fs__member__free_unpacked(image, NULL);
	if (err == RFS_ERR_OK && config_node_fault(node) != NULL)
		err = RFS_ERR_INVALID;
	return err;
}
