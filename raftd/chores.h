/* A thread for what may take long and is needed soon: writing out spare
 * segments, removing old ones, reading, hashing and syncing snapshots.
 *
 * The loop adds a chore; the thread does its work; the loop gets it back.
 */
#ifndef RAFTFS_RAFTD_CHORES_H
#define RAFTFS_RAFTD_CHORES_H

#include <ev.h>

struct chores;

/* Embedded in whatever the chore is about, which must live until done(). */
struct chore {
	void (*work)(struct chore *chore); /* on the thread */
	void (*done)(struct chore *chore); /* on the loop */
	struct chore *next;		   /* the chores' */
};

/* NULL: no thread (logged). */
struct chores *chores_new(struct ev_loop *ev);

/* In order of adding, one at a time. Loop thread only. */
void chores_add(struct chores *chores, struct chore *chore);

/* Waits for the one under way; the others are not begun. No done() is called
 * from here on. chores may be NULL. */
void chores_free(struct chores *chores);

#endif
