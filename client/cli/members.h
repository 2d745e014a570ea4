/* The members of the cluster, as its leader tells by way of any node. */
#ifndef RAFTFS_CLIENT_CLI_MEMBERS_H
#define RAFTFS_CLIENT_CLI_MEMBERS_H

#include "client/cli/ask.h"

/* One request that only a leader can answer (MEMBERS, CONFIGURE, TRANSFER), to
 * the first raftd of `nodes` that knows one. While there is no leader it is
 * asked again, for limit_ns at most. *reply as from ask(). */
RFS_MUST_USE enum rfs_err
members_ask(const struct ask_nodes *nodes,
	    const DistributedFs__ControlRequest *request, int64_t limit_ns,
	    DistributedFs__ControlReply **reply);

/* By name or number; NULL: not a member. */
const DistributedFs__MemberStatus *
members_find(const DistributedFs__MembersStatus *members, const char *name);

/* Its name, or "?". */
const char *members_name(const DistributedFs__MemberStatus *member);

/* "voter", "learner (joins)", ... */
const char *members_kind(const DistributedFs__MembersStatus *members,
			 const DistributedFs__MemberStatus *member);

/* "raftfs: WHAT: text: reason" on stderr; the exit code for err. */
int members_fail(const char *what, enum rfs_err err,
		 const DistributedFs__ControlReply *reply);

/* How its members are reached; false: it cannot be a node's description. */
bool members_describe(const DistributedFs__MemberStatus *member,
		      struct config_node *node);

/* members add|remove|replace|promote|update, argv[0] being that word. */
int members_change(struct cli *cli, int argc, char **argv);

/* The same for who has the description at hand: take that node in, and wait
 * until it votes. */
int members_add_node(struct cli *cli, const struct config_node *node);
int members_remove_node(struct cli *cli, const char *name);

#endif
