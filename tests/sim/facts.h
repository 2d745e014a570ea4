/* Every log entry ever made, once: the same (index, term) is the same fact.
 *
 * A node's log is a row of pointers to facts, so that Log Matching is a
 * comparison of pointers: a fact also names the one before it.
 */
#ifndef RAFTFS_TESTS_SIM_FACTS_H
#define RAFTFS_TESTS_SIM_FACTS_H

#include <stdbool.h>
#include <stdint.h>

#include "raftd/core/raft.h"

#define FACT_BYTES 208 /* the largest: a membership, without about */

struct world;

struct fact {
	uint64_t index;
	uint64_t term;
	struct raft_stamp stamp;
	enum raft_entry_kind kind;
	uint32_t bytes;
	uint8_t data[FACT_BYTES];
	const struct fact *previous; /* NULL: index 1 */
	/* The newest of their kinds up to here, or NULL. */
	const struct fact *config;
	const struct fact *lease;
	const struct fact *first; /* of a term */
};

struct facts {
	struct fact **table; /* open addressing by (index, term) */
	uint64_t count, capacity;

	const struct fact **committed; /* by index, from 1 */
	uint64_t *commit_term;	       /* of the leader that committed it */
	uint64_t committed_last, committed_capacity;
};

void facts_init(struct world *world);

/* The fact for an entry a node holds after `previous` (NULL: none); reports
 * a violation when another node holds something else at that index, term. */
const struct fact *facts_intern(struct world *world, uint32_t node,
				const struct raft_entry *entry,
				const struct fact *previous);

/* NULL: never seen. */
const struct fact *facts_find(const struct world *world, uint64_t index,
			      uint64_t term);

struct raft_entry facts_entry(const struct fact *fact);

/* Append to the one committed log; the caller has checked it may. */
void facts_commit(struct world *world, const struct fact *fact,
		  uint64_t leader_term);
const struct fact *facts_committed(const struct world *world, uint64_t index);

/* A row of facts: indexes first .. first + count - 1, after `base` (the fact
 * at first - 1; NULL at the beginning). */
struct factlog {
	const struct fact **facts;
	const struct fact *base;
	uint64_t first, count, capacity;
};

void factlog_reset(struct factlog *log, const struct fact *base);
void factlog_append(struct factlog *log, const struct fact *fact);
/* to holds what from does, until either changes. */
void factlog_copy(struct factlog *to, const struct factlog *from);
void factlog_truncate(struct factlog *log, uint64_t from);
void factlog_compact(struct factlog *log, uint64_t to);
uint64_t factlog_last(const struct factlog *log);
/* base counts as held; NULL outside. */
const struct fact *factlog_at(const struct factlog *log, uint64_t index);

#endif
