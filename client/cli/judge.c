/* From answers to a verdict. */
#include "client/cli/judge.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/units.h"

#define LAG_ENTRIES 1000u

struct bench {
	const struct ask_nodes *nodes;
	const char *target;
	struct judge_verdict *verdict;
	uint32_t size;	/* of the cluster: its voters */
	uint32_t alive; /* those known to take part in consensus */
	const DistributedFs__RaftStatus *newest; /* by its members; or NULL */
	const DistributedFs__RaftStatus *leader;
	const char *leader_name;
};

static const DistributedFs__RaftStatus *raft_of(const struct ask_node *node)
{
	return node->raft == NULL ? NULL : node->raft->raft;
}

static struct judge_fault *add_fault(struct bench *bench, const char *effect)
{
	struct judge_verdict *verdict = bench->verdict;

	if (verdict->fault_count == JUDGE_FAULTS_MAX) {
		verdict->faults_dropped++;
		return NULL;
	}
	struct judge_fault *fault = &verdict->faults[verdict->fault_count++];

	fault->effect = effect;
	fault->fault[0] = '\0';
	fault->next[0] = '\0';
	return fault;
}

static void say(char *to, size_t bytes, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

static void say(char *to, size_t bytes, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(to, bytes, format, args);
	va_end(args);
}

#define SAY(field, ...) say(field, sizeof(field), __VA_ARGS__)

/* --- who leads, who is there --- */

const DistributedFs__RaftStatus *judge_leader(const struct ask_nodes *nodes,
					      const char **name)
{
	const DistributedFs__RaftStatus *best = NULL;

	for (size_t i = 0; i < nodes->count; i++) {
		const DistributedFs__RaftStatus *raft =
			raft_of(&nodes->node[i]);

		if (raft == NULL || raft->leader == 0)
			continue;
		bool itself = strcmp(raft->role, "leader") == 0;
		bool best_itself =
			best != NULL && strcmp(best->role, "leader") == 0;

		if (best == NULL || raft->term > best->term ||
		    (raft->term == best->term && itself && !best_itself))
			best = raft;
	}
	if (best != NULL)
		*name = best->leader_name;
	return best;
}

static bool votes(const DistributedFs__RaftStatus *raft)
{
	/* Before any change of members nobody says how he stands. */
	return raft->standing[0] == '\0' ||
	       strcmp(raft->standing, "voter") == 0;
}

/* Who knows the latest members: not one that waits, or is out. */
static void find_newest(struct bench *bench)
{
	for (size_t i = 0; i < bench->nodes->count; i++) {
		const DistributedFs__RaftStatus *raft =
			raft_of(&bench->nodes->node[i]);
		const DistributedFs__RaftStatus *best = bench->newest;

		if (raft == NULL || strcmp(raft->standing, "joiner") == 0 ||
		    strcmp(raft->standing, "removed") == 0)
			continue;
		if (best == NULL || raft->members_index > best->members_index ||
		    (raft->members_index == best->members_index &&
		     raft->n_peers > best->n_peers))
			bench->newest = raft;
	}
}

static uint32_t count_voters(const DistributedFs__RaftStatus *raft)
{
	uint32_t count = votes(raft);

	for (size_t i = 0; i < raft->n_peers; i++)
		count += !raft->peers[i]->learner;
	return count;
}

/* With one node's view only, its connections tell who else is there. */
static void count_alive(struct bench *bench)
{
	const DistributedFs__RaftStatus *newest = bench->newest;

	if (newest == NULL)
		return;
	if (bench->size == 0 || newest->members_index > 0)
		bench->size = count_voters(newest);
	for (size_t i = 0; i < bench->nodes->count; i++) {
		const DistributedFs__RaftStatus *raft =
			raft_of(&bench->nodes->node[i]);

		bench->alive += raft != NULL && votes(raft);
	}
	if (bench->nodes->count > 1)
		return;
	for (size_t i = 0; i < newest->n_peers; i++)
		bench->alive += newest->peers[i]->connected &&
				!newest->peers[i]->learner;
}

/* A node that left, or has not come yet, is missed by nobody. */
static bool is_missed(const struct bench *bench, const struct ask_node *node)
{
	const DistributedFs__RaftStatus *newest = bench->newest;

	if (newest == NULL || newest->members_index == 0 ||
	    strcmp(newest->node, ask_name(node)) == 0)
		return true;
	for (size_t i = 0; i < newest->n_peers; i++)
		if (strcmp(newest->peers[i]->name, ask_name(node)) == 0)
			return true;
	return false;
}

/* --- faults, worst first --- */

static void look_for_leader(struct bench *bench)
{
	if (bench->leader != NULL)
		return;
	struct judge_fault *fault = add_fault(
		bench, "writes and linearizable reads wait; nothing is lost");

	if (fault == NULL)
		return;
	SAY(fault->fault, "no leader; %u of %u nodes take part", bench->alive,
	    bench->size);
	if (2 * bench->alive > bench->size)
		SAY(fault->next,
		    "wait a second for the election, then: raftfs %s members",
		    bench->target);
	else
		SAY(fault->next, "start nodes until %u run",
		    bench->size / 2 + 1);
}

/* It only looks at the others. */
static bool is_optional(const DistributedFs__ChildStatus *child)
{
	return strcmp(child->name, "grpc") == 0;
}

static const char *effect_without(const DistributedFs__ChildStatus *child)
{
	if (is_optional(child))
		return "gRPC clients get no answer here; files are not "
		       "concerned";
	if (strcmp(child->name, "timesyncd") == 0)
		return "this node reads by quorum, not by lease";
	return "this node serves nothing until it is back";
}

static void look_at_children(struct bench *bench, const struct ask_node *node,
			     bool optional)
{
	const DistributedFs__SupervisorStatus *status =
		node->supervisor == NULL ? NULL : node->supervisor->supervisor;

	if (status == NULL)
		return;
	for (size_t i = 0; i < status->n_children; i++) {
		const DistributedFs__ChildStatus *child = status->children[i];
		struct judge_fault *fault;

		if (strcmp(child->state, "ready") == 0 ||
		    is_optional(child) != optional)
			continue;
		fault = add_fault(bench, effect_without(child));
		if (fault == NULL)
			return;
		SAY(fault->fault, "%s: %s is %s (%u restarts%s%s)",
		    ask_name(node), child->name, child->state, child->restarts,
		    child->last_exit[0] != '\0' ? ", last: " : "",
		    child->last_exit);
		if (strcmp(child->state, "held") == 0)
			SAY(fault->next,
			    "read the node's log, mend the cause, then: "
			    "kill -HUP %d",
			    status->pid);
		else
			SAY(fault->next, "raftfs %s status", bench->target);
	}
}

/* The command for a local cluster, else what to do there. */
static void advise(const struct bench *bench, struct judge_fault *fault,
		   const struct ask_node *node, const char *verb,
		   const char *elsewhere)
{
	if (strncmp(bench->target, "-d ", 3) == 0)
		SAY(fault->next, "raftfs cluster %s %s --dir %s", verb,
		    ask_name(node), bench->target + 3);
	else
		SAY(fault->next, "%s raftfs-supervisor on %s", elsewhere,
		    ask_name(node));
}

static void look_for_silence(struct bench *bench, const struct ask_node *node)
{
	struct judge_fault *fault;

	if ((node->supervisor != NULL && node->raft != NULL &&
	     node->storage != NULL && node->timesync != NULL) ||
	    !is_missed(bench, node))
		return;
	/* What a child's state has said already is not said twice. */
	if (node->supervisor != NULL)
		return;
	fault = add_fault(bench, "one failure less can be survived");
	if (fault == NULL)
		return;
	if (node->supervisor_err == RFS_ERR_TIMEDOUT) {
		SAY(fault->fault, "%s: is there but does not answer; paused?",
		    ask_name(node));
		advise(bench, fault, node, "resume", "look at");
	} else if (node->raft == NULL && node->storage == NULL) {
		SAY(fault->fault, "%s: does not run", ask_name(node));
		advise(bench, fault, node, "restart", "start");
	} else {
		SAY(fault->fault, "%s: its supervisor does not run",
		    ask_name(node));
		advise(bench, fault, node, "restart", "start");
	}
}

static void look_at_unasked(struct bench *bench, const struct ask_node *node)
{
	const DistributedFs__SupervisorStatus *status =
		node->supervisor == NULL ? NULL : node->supervisor->supervisor;
	const struct {
		const char *name;
		bool silent;
	} daemons[] = {
		{"timesyncd", node->timesync == NULL},
		{"raftd", node->raft == NULL},
		{"storaged", node->storage == NULL},
	};

	if (status == NULL)
		return;
	for (size_t d = 0; d < 3; d++) {
		bool ready = false;

		for (size_t i = 0; i < status->n_children; i++)
			ready |= strcmp(status->children[i]->name,
					daemons[d].name) == 0 &&
				 strcmp(status->children[i]->state, "ready") ==
					 0;
		if (!daemons[d].silent || !ready)
			continue;
		struct judge_fault *fault = add_fault(
			bench, "it may be stopped or hanging; its watchdog "
			       "will replace it");

		if (fault == NULL)
			return;
		SAY(fault->fault, "%s: %s runs but does not answer",
		    ask_name(node), daemons[d].name);
		SAY(fault->next, "raftfs %s status", bench->target);
	}
}

static void look_at_peers(struct bench *bench)
{
	const DistributedFs__RaftStatus *raft = raft_of(&bench->nodes->node[0]);

	/* Several nodes speak for themselves. */
	if (bench->nodes->count != 1 || raft == NULL)
		return;
	for (size_t i = 0; i < raft->n_peers; i++) {
		const DistributedFs__RaftPeer *peer = raft->peers[i];
		struct judge_fault *fault;

		if (peer->connected)
			continue;
		fault = add_fault(bench, "one failure less can be survived");
		if (fault == NULL)
			return;
		SAY(fault->fault, "%s: no connection to %s%s%s",
		    ask_name(&bench->nodes->node[0]), peer->name,
		    peer->refused[0] != '\0' ? ": " : "", peer->refused);
		SAY(fault->next, "on %s: raftfs status", peer->name);
	}
}

static void look_at_clock(struct bench *bench, const struct ask_node *node)
{
	const DistributedFs__TimesyncStatus *clock =
		node->timesync == NULL ? NULL : node->timesync->timesync;
	struct judge_fault *fault;

	if (clock == NULL || strcmp(clock->quality, "SYNCED") == 0)
		return;
	fault = add_fault(
		bench, strcmp(clock->quality, "HOLDOVER") == 0
			       ? "the clock's bound grows; reads are still "
				 "right"
			       : "reads there take a quorum round instead of "
				 "none");
	if (fault == NULL)
		return;
	SAY(fault->fault, "%s: clock %s%s%s", ask_name(node), clock->quality,
	    clock->why[0] != '\0' ? ": " : "", clock->why);
	SAY(fault->next, "raftfs %s clock", bench->target);
}

static void look_at_disk(struct bench *bench, const struct ask_node *node)
{
	const DistributedFs__RaftStatus *raft = raft_of(node);
	const DistributedFs__StorageStatus *storage =
		node->storage == NULL ? NULL : node->storage->storage;
	struct judge_fault *fault;

	if ((raft == NULL || !raft->disk_full) &&
	    (storage == NULL || !storage->disk_full))
		return;
	fault = add_fault(bench, "with a majority full, writes are refused "
				 "(no space); removing works");
	if (fault == NULL)
		return;
	SAY(fault->fault, "%s: disk full", ask_name(node));
	SAY(fault->next, "free space on %s; see: raftfs %s df", ask_name(node),
	    bench->target);
}

static void look_at_log(struct bench *bench, const struct ask_node *node)
{
	const DistributedFs__RaftStatus *raft = raft_of(node);
	struct judge_fault *fault;

	if (raft == NULL || raft->lost_to == 0)
		return;
	fault = add_fault(bench, "it does not stand for election, and votes "
				 "only for nodes that have them");
	if (fault == NULL)
		return;
	SAY(fault->fault, "%s: the disk lost log entries %" PRIu64
	    " to %" PRIu64, ask_name(node), raft->lost_from, raft->lost_to);
	SAY(fault->next, "%s", raft->leader != 0 ?
				       "the leader is sending them" :
				       "bring a node back that has them");
}

static void look_at_storage(struct bench *bench, const struct ask_node *node)
{
	const DistributedFs__StorageStatus *storage =
		node->storage == NULL ? NULL : node->storage->storage;
	uint64_t commit =
		bench->leader == NULL ? 0 : bench->leader->commit_index;
	struct judge_fault *fault;

	if (storage == NULL)
		return;
	if (!storage->attached) {
		fault = add_fault(bench, "this node serves nothing until then");
		if (fault == NULL)
			return;
		SAY(fault->fault, "%s: storaged is not attached to raftd",
		    ask_name(node));
		SAY(fault->next, "raftfs %s status", bench->target);
	} else if (storage->applied_index + LAG_ENTRIES < commit) {
		fault = add_fault(bench, "reads on this node wait until it "
					 "has caught up");
		if (fault == NULL)
			return;
		SAY(fault->fault, "%s: %" PRIu64 " entries behind",
		    ask_name(node), commit - storage->applied_index);
		SAY(fault->next, "raftfs %s members", bench->target);
	}
}

/* --- the line --- */

/* The widest bound among the nodes: the honest one. */
static void clock_summary(const struct bench *bench, char text[64])
{
	const DistributedFs__TimesyncStatus *worst = NULL;
	char bound[24];

	for (size_t i = 0; i < bench->nodes->count; i++) {
		const struct ask_node *node = &bench->nodes->node[i];
		const DistributedFs__TimesyncStatus *clock =
			node->timesync == NULL ? NULL
					       : node->timesync->timesync;

		if (clock == NULL)
			continue;
		if (worst == NULL || (strcmp(worst->quality, "SYNCED") == 0 &&
				      (strcmp(clock->quality, "SYNCED") != 0 ||
				       clock->bound_ns > worst->bound_ns)))
			worst = clock;
	}
	if (worst == NULL)
		snprintf(text, 64, "clock not known");
	else if (strcmp(worst->quality, "SYNCED") == 0)
		snprintf(text, 64, "clock SYNCED +- %s",
			 units_format_duration(worst->bound_ns, bound,
					       sizeof(bound)));
	else
		snprintf(text, 64, "clock %s", worst->quality);
}

/* A lease lapses when nobody reads or writes, and the next read renews it: an
 * idle one is no fault. */
static void summarize(struct bench *bench)
{
	struct judge_verdict *verdict = bench->verdict;
	const DistributedFs__RaftStatus *leader = bench->leader;
	char clock[64];

	if (verdict->exit == CLI_NO_QUORUM) {
		SAY(verdict->line, "no quorum: %u of %u nodes, no leader",
		    bench->alive, bench->size);
		return;
	}
	bool itself = strcmp(leader->role, "leader") == 0;

	clock_summary(bench, clock);
	SAY(verdict->line,
	    "%s: %u of %u nodes, leader %s of term %" PRIu64
	    ", %scommit %" PRIu64 ", %s",
	    verdict->exit == CLI_OK ? "healthy" : "degraded", bench->alive,
	    bench->size, bench->leader_name, leader->term,
	    !itself		  ? ""
	    : leader->lease_valid ? "lease valid, "
				  : "lease idle, ",
	    leader->commit_index, clock);
}

/* The one node that was asked is no member: nothing else counts. */
static bool judge_outsider(struct bench *bench)
{
	const struct ask_node *node = &bench->nodes->node[0];
	const DistributedFs__RaftStatus *raft = raft_of(node);
	struct judge_fault *fault;
	bool removed;

	if (bench->nodes->count != 1 || raft == NULL ||
	    raft->standing_why[0] == '\0')
		return false;
	removed = strcmp(raft->standing, "joiner") != 0;
	SAY(bench->verdict->line, "%s: %s: %s",
	    removed ? "removed" : "waits", ask_name(node), raft->standing_why);
	bench->verdict->exit = CLI_FAILED;
	fault = add_fault(bench, "it serves nothing; what it holds is kept");
	SAY(fault->fault, "%s is no member of the cluster", ask_name(node));
	if (removed)
		SAY(fault->next,
		    "stop raftfs-supervisor on %s; to use the machine again, "
		    "give it a new id and an empty data_dir",
		    ask_name(node));
	else
		SAY(fault->next,
		    "on a member: raftfs members add %s --config FILE",
		    ask_name(node));
	return true;
}

void judge(const struct ask_nodes *nodes, const char *target,
	   struct judge_verdict *verdict)
{
	struct bench bench = {.nodes = nodes,
			      .target = target,
			      .verdict = verdict,
			      .size = nodes->cluster_size};

	memset(verdict, 0, sizeof(*verdict));
	bench.leader = judge_leader(nodes, &bench.leader_name);
	if (judge_outsider(&bench))
		return;
	find_newest(&bench);
	count_alive(&bench);
	/* A minority may not know yet that the leader it names is gone. */
	if (2 * bench.alive <= bench.size)
		bench.leader = NULL;
	look_for_leader(&bench);
	for (size_t i = 0; i < nodes->count; i++)
		look_for_silence(&bench, &nodes->node[i]);
	for (size_t i = 0; i < nodes->count; i++)
		look_at_children(&bench, &nodes->node[i], false);
	for (size_t i = 0; i < nodes->count; i++)
		look_at_unasked(&bench, &nodes->node[i]);
	look_at_peers(&bench);
	for (size_t i = 0; i < nodes->count; i++) {
		look_at_disk(&bench, &nodes->node[i]);
		look_at_log(&bench, &nodes->node[i]);
		look_at_storage(&bench, &nodes->node[i]);
	}
	for (size_t i = 0; i < nodes->count; i++)
		look_at_clock(&bench, &nodes->node[i]);
	if (bench.leader == NULL)
		verdict->exit = CLI_NO_QUORUM;
	else if (verdict->fault_count > 0)
		verdict->exit = CLI_FAILED;
	/* Said, but nothing that counts is the worse for it. */
	for (size_t i = 0; i < nodes->count; i++)
		look_at_children(&bench, &nodes->node[i], true);
	summarize(&bench);
}
