/* Members for people: the list, and a change with its reasons. */
#include "raftd/configure.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "raftd/convert.h"

/* What a reply points to lives until the next one. */
static char reason[256];

struct members_reply {
	DistributedFs__MembersStatus status;
	DistributedFs__MemberStatus member[RAFT_NODES_MAX];
	DistributedFs__MemberStatus *members[RAFT_NODES_MAX];
	DistributedFs__Member about[RAFT_NODES_MAX];
};

/* ---- the list ---- */

static const struct raft_peer_view *view_of(const struct raft_view *view,
					    uint32_t id)
{
	for (uint32_t i = 0; i < view->peer_count; i++) {
		if (view->peers[i].id == id)
			return &view->peers[i];
	}
	return NULL;
}

static bool is_connected(const struct loop *loop, uint32_t id,
			 const char **refused)
{
	bool connected;

	*refused = "";
	if (id == config_self(loop->config)->id)
		return true;
	peers_get_status(loop->peers, id, &connected, refused);
	return connected;
}

static void fill_progress(const struct loop *loop,
			  const struct raft_peer_view *peer,
			  DistributedFs__MemberStatus *status)
{
	status->heard_ns = -1;
	if (peer == NULL)
		return;
	status->match_index = peer->match_index;
	status->snapshotting = peer->snapshotting;
	status->filling = peer->filling;
	status->rtt_ns = peer->rtt_ns;
	if (peer->last_heard_raw_ns > 0)
		status->heard_ns = clock_raw_ns() - peer->last_heard_raw_ns;
	if (peer->snapshotting)
		transfer_progress(loop->transfer, peer->id,
				  &status->snapshot_sent,
				  &status->snapshot_bytes);
}

static void fill_member(const struct loop *loop, const struct raft_view *view,
			const struct raft_member *member,
			DistributedFs__MemberStatus *status,
			DistributedFs__Member *about)
{
	const struct config_node *node =
		roster_find(&loop->changes.roster, member->id);
	const char *refused;

	distributed_fs__member_status__init(status);
	status->node = member->id;
	if (node != NULL) {
		convert_node(node, about);
		status->about = about;
	}
	status->voter = member->voter;
	status->voter_before = member->voter_before;
	status->promote = member->promote;
	status->replaces = member->replaces;
	status->leader = view->leader == member->id;
	status->connected = is_connected(loop, member->id, &refused);
	status->refused = (char *)refused;
	fill_progress(loop, view_of(view, member->id), status);
}

void configure_members(struct loop *loop, DistributedFs__ControlReply *reply)
{
	static struct members_reply answer;
	const struct raft_membership *membership = raft_membership(loop->raft);
	DistributedFs__MembersStatus *status = &answer.status;
	struct raft_view view;

	raft_view(loop->raft, &view);
	distributed_fs__members_status__init(status);
	status->index = membership->index;
	status->joint = membership->joint;
	status->committed = membership->index <= view.commit_index;
	status->last_id = membership->last_id;
	status->node = (char *)config_self(loop->config)->name;
	status->leads = view.role == RAFT_LEADER;
	status->term = view.term;
	status->commit_index = view.commit_index;
	status->last_index = view.last_index;
	status->members = answer.members;
	for (uint32_t i = 0; i < membership->count; i++) {
		answer.members[i] = &answer.member[i];
		fill_member(loop, &view, &membership->members[i],
			    &answer.member[i], &answer.about[i]);
	}
	status->n_members = membership->count;
	reply->members = status;
}

/* ---- a change ---- */

static enum rfs_err refuse(enum rfs_err err, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

static enum rfs_err refuse(enum rfs_err err, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	return err;
}

/* Two nodes may share a place only when one takes the other's. */
static bool is_port(const char *option)
{
	return strstr(option, "port") != NULL;
}

static enum rfs_err check_clashes(const struct loop *loop,
				  const struct config_node *node,
				  uint32_t replaces)
{
	const struct raft_membership *membership = raft_membership(loop->raft);

	for (uint32_t i = 0; i < membership->count; i++) {
		const struct config_node *other = roster_find(
			&loop->changes.roster, membership->members[i].id);
		const char *clash = NULL;

		if (other != NULL && other->id != node->id)
			clash = config_node_clash(other, node);
		if (clash == NULL || (is_port(clash) && other->id == replaces))
			continue;
		if (is_port(clash))
			return refuse(RFS_ERR_EXIST,
				      "%s of %s is %s's already: %s", clash,
				      node->address, other->name,
				      "one place for one node");
		return refuse(RFS_ERR_EXIST, "%s has this %s already",
			      other->name, clash);
	}
	return RFS_ERR_OK;
}

/* A description that came from a person. */
static enum rfs_err take_about(const struct loop *loop,
			       const DistributedFs__MemberChange *change,
			       struct raft_configure *configure,
			       struct raft_member *member)
{
	struct config_node node;
	const char *fault;

	if (change->about == NULL)
		return refuse(RFS_ERR_INVALID, "how is the node reached?");
	if (convert_parse_node(change->about, configure->node, &node) !=
	    RFS_ERR_OK)
		return refuse(RFS_ERR_INVALID, "not a node's description");
	fault = config_node_fault(&node);
	if (fault != NULL)
		return refuse(RFS_ERR_INVALID, "%s: %s", node.name, fault);
	roster_about(&node, member);
	configure->about = member->about;
	configure->about_bytes = member->about_bytes;
	return check_clashes(loop, &node, configure->replaces);
}

static enum rfs_err check_id(const struct loop *loop,
			     struct raft_configure *configure)
{
	const struct raft_membership *membership = raft_membership(loop->raft);
	const char *name = roster_name(&loop->changes.roster, configure->node);

	if (configure->node == RAFT_NOBODY)
		configure->node = membership->last_id + 1;
	if (raft_membership_find(membership, configure->node) != NULL)
		return refuse(RFS_ERR_EXIST, "id %u is %s's already",
			      configure->node, name);
	if (configure->node <= membership->last_id)
		return refuse(RFS_ERR_EXIST,
			      "id %u was used before, and no id is used twice: "
			      "take %u",
			      configure->node, membership->last_id + 1);
	return RFS_ERR_OK;
}

/* Enough of those that would vote must be there to agree to it. */
static enum rfs_err check_majority(const struct loop *loop,
				   const struct raft_configure *configure)
{
	const struct raft_membership *membership = raft_membership(loop->raft);
	uint32_t voters = 0, there = 0;
	const char *refused;

	for (uint32_t i = 0; i < membership->count; i++) {
		const struct raft_member *member = &membership->members[i];

		if (!member->voter || member->id == configure->node)
			continue;
		voters++;
		there += is_connected(loop, member->id, &refused);
	}
	if (voters == 0)
		return refuse(RFS_ERR_INVALID, "%s is the last voter",
			      roster_name(&loop->changes.roster,
					  configure->node));
	if (there >= voters / 2 + 1)
		return RFS_ERR_OK;
	return refuse(RFS_ERR_NO_QUORUM,
		      "not enough voters: %u of the %u that would be left are "
		      "there",
		      there, voters);
}

static enum rfs_err prepare(const struct loop *loop,
			    const DistributedFs__MemberChange *change,
			    struct raft_configure *configure,
			    struct raft_member *member)
{
	const struct raft_membership *membership = raft_membership(loop->raft);
	enum raft_change kind = (enum raft_change)change->kind;
	bool adds = kind == RAFT_CHANGE_ADD ||
		    kind == RAFT_CHANGE_ADD_LEARNER ||
		    kind == RAFT_CHANGE_REPLACE;
	enum rfs_err err = RFS_ERR_OK;

	configure->change = kind;
	configure->node = change->node;
	configure->replaces = change->replaces;
	if (adds)
		err = check_id(loop, configure);
	else if (raft_membership_find(membership, change->node) == NULL)
		return refuse(RFS_ERR_NOENT, "there is no member with id %u",
			      change->node);
	if (err == RFS_ERR_OK && kind == RAFT_CHANGE_REPLACE &&
	    raft_membership_find(membership, change->replaces) == NULL)
		return refuse(RFS_ERR_NOENT, "there is no member with id %u",
			      change->replaces);
	if (err == RFS_ERR_OK && (adds || kind == RAFT_CHANGE_ABOUT))
		err = take_about(loop, change, configure, member);
	if (err == RFS_ERR_OK && kind == RAFT_CHANGE_REMOVE &&
	    raft_membership_find(membership, change->node)->voter)
		err = check_majority(loop, configure);
	return err;
}

/* Why the core would not, in words. */
static enum rfs_err explain(const struct loop *loop, enum rfs_err err,
			    const struct raft_configure *configure)
{
	const struct raft_membership *membership = raft_membership(loop->raft);
	const struct roster *roster = &loop->changes.roster;
	bool under_way = membership->joint ||
			 membership->index > loop->view.commit_index;

	switch (err) {
	case RFS_ERR_BUSY:
		if (under_way)
			return refuse(err,
				      "a change is under way: log entry %" PRIu64
				      "%s is not decided yet",
				      membership->index,
				      membership->joint ? " (joint)" : "");
		/* It passes in a moment, so who asked asks again. */
		return refuse(RFS_ERR_NOT_LEADER,
			      "the leader is new and has committed nothing "
			      "yet: ask again");
	case RFS_ERR_EXIST:
		return refuse(err, "%s is a voter already",
			      roster_name(roster, configure->node));
	case RFS_ERR_INVALID:
		if (configure->change == RAFT_CHANGE_REPLACE)
			return refuse(err,
				      "%s is no voter, or is being replaced "
				      "already",
				      roster_name(roster, configure->replaces));
		return refuse(err, "no voter would be left");
	case RFS_ERR_FULL:
		if (membership->count == RAFT_NODES_MAX)
			return refuse(err,
				      "%u members are all there can be: remove "
				      "one first",
				      RAFT_NODES_MAX);
		return refuse(err, "the log has no room");
	default:
		reason[0] = '\0';
		return err;
	}
}

enum rfs_err configure_change(struct loop *loop,
			      const DistributedFs__MemberChange *change,
			      DistributedFs__ControlReply *reply)
{
	struct raft_event event = { .type = RAFT_EV_CONFIGURE };
	struct raft_member member = { 0 };
	enum rfs_err err;

	reason[0] = '\0';
	reply->reason = reason;
	if (loop->view.role != RAFT_LEADER)
		return RFS_ERR_NOT_LEADER;
	err = prepare(loop, change, &event.configure, &member);
	if (err != RFS_ERR_OK)
		return err;
	loop->configured = (struct raft_proposal_done){ .err = RFS_ERR_BUSY };
	loop_post(loop, &event);
	err = loop->configured.err;
	if (err != RFS_ERR_OK)
		return explain(loop, err, &event.configure);
	configure_members(loop, reply);
	reply->members->entry = loop->configured.index;
	reply->members->entry_term = loop->configured.term;
	return RFS_ERR_OK;
}

_Static_assert((int)DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_ADD ==
		       RAFT_CHANGE_ADD, "changes are one list");
_Static_assert((int)DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_ADD_LEARNER ==
		       RAFT_CHANGE_ADD_LEARNER, "the same");
_Static_assert((int)DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_PROMOTE ==
		       RAFT_CHANGE_PROMOTE, "the same");
_Static_assert((int)DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_REMOVE ==
		       RAFT_CHANGE_REMOVE, "the same");
_Static_assert((int)DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_REPLACE ==
		       RAFT_CHANGE_REPLACE, "the same");
_Static_assert((int)DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_ABOUT ==
		       RAFT_CHANGE_ABOUT, "the same");
