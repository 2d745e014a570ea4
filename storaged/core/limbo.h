/* Limbo: commands that may be committed, or not, and the answers that do not
 * depend on them (rule R2, docs/SAFETY.md).
 *
 * A new leader that reads by an inherited lease knows that the log is committed
 * up to some index c, and that nothing after the end of its log at election, L,
 * is. What lies between is in limbo. An answer that is the same after every
 * prefix of these commands may be given from the state at c; this is the set
 * of what they may change, and the question whether an answer lies outside.
 *
 * Conservative everywhere: "may change" may be said too often, never too
 * seldom. A command that will be refused counts as if it were carried out, and
 * two names whose hashes collide are taken for one. What is not so obvious:
 *
 *   a name  is looked up in the state at c. An inode that ends in limbo loses
 *	     every name it had at c there, so one of these lookups finds it,
 *	     whatever names it is given meanwhile
 *   a new inode  has a number that the state at c has not handed out yet
 *   an orphan  goes with the last session that holds it
 *   counters of the whole (statfs) and "everything so far" (a sync point)
 *	     depend on any command at all: they have no question here
 */
#ifndef RAFTFS_STORAGED_CORE_LIMBO_H
#define RAFTFS_STORAGED_CORE_LIMBO_H

#include "storaged/core/command.h"
#include "storaged/core/query.h"

/* A set is given up, and everything may change, past so many touched things. */
#define LIMBO_TOUCHES_MAX 32768u

struct limbo;

/* NULL: out of memory. Allocates nothing later. */
struct limbo *limbo_new(void);
void limbo_free(struct limbo *limbo); /* may be NULL */

/* Make the set of these commands, in log order: begin, add each image, end.
 * kv is a transaction on the state at c, or at any later one up to L; the same
 * for all three. A state that cannot be read makes everything changeable. */
void limbo_begin(struct limbo *limbo, struct kv *kv);
void limbo_add(struct limbo *limbo, struct kv *kv, struct bytes image);
void limbo_end(struct limbo *limbo);

enum limbo_look {
	LIMBO_LOOKUP,	 /* ino, name: also the attributes of what it names */
	LIMBO_GETATTR,	 /* ino */
	LIMBO_READLINK,	 /* ino */
	LIMBO_READDIR,	 /* ino; with_attr: cookie, count */
	LIMBO_READ,	 /* ino, offset, length */
	LIMBO_GETXATTR,	 /* ino */
	LIMBO_LISTXATTR, /* ino */
};

/* What somebody wants to know. Permission to know it counts as part of it. */
struct limbo_query {
	enum limbo_look look;
	uint64_t ino;
	struct bytes name; /* borrowed */
	uint64_t offset;
	uint64_t length;
	bool with_attr; /* of everything listed, after cookie, up to count */
	uint64_t cookie;
	uint32_t count;
};

/* May the answer depend on whether a command of the set is committed?
 *
 * kv: a transaction on the state the answer would come from, as for begin; the
 * set is whole. False is a promise. */
bool limbo_may_change(const struct limbo *limbo, struct kv *kv,
		      const struct limbo_query *query);

#endif
