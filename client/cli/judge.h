/* Is it well, and if not: the fault, its effect, and what to do next.
 *
 * Pure: from what the daemons said to a verdict, so that every case can be
 * tested without a cluster.
 */
#ifndef RAFTFS_CLIENT_CLI_JUDGE_H
#define RAFTFS_CLIENT_CLI_JUDGE_H

#include "client/cli/ask.h"

#define JUDGE_FAULTS_MAX 32
#define JUDGE_TEXT_MAX	 192

struct judge_fault {
	char fault[JUDGE_TEXT_MAX];
	const char *effect; /* static */
	char next[JUDGE_TEXT_MAX + CONFIG_PATH_MAX];
};

struct judge_verdict {
	enum cli_exit exit; /* CLI_OK healthy, CLI_FAILED degraded, ... */
	char line[256];	    /* the one line */
	struct judge_fault faults[JUDGE_FAULTS_MAX]; /* worst first */
	size_t fault_count;
	size_t faults_dropped;
};

/* target: how the person named the cluster, e.g. "-d run", "" for the
 * default; it is put into the commands to run next. */
void judge(const struct ask_nodes *nodes, const char *target,
	   struct judge_verdict *verdict);

/* The freshest view of who leads: the raftd that says so itself, else what
 * the others say at the highest term. NULL: nobody. */
const DistributedFs__RaftStatus *judge_leader(const struct ask_nodes *nodes,
					      const char **name);

#endif
