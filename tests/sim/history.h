/* Is what the clients saw linearizable? Exact, and checked while it happens.
 *
 * Per key, the writes that took effect have a known order: their position in
 * the log. Put each write at (its position) and each read just after the
 * write whose state it returned. With the write order given, a history is
 * linearizable if and only if no operation that ended before another began
 * has the greater place: sorting by place (reads of one state by time) is
 * then a legal order that respects real time, and any other order would
 * contradict what some read returned or the log.
 *
 * So an operation remembers, when it begins, the greatest place any finished
 * operation on its key had (the floor); when it ends, its own place must not
 * be below. A write whose outcome nobody learnt never ends, and may take
 * effect at any later time. history_test.c compares this with an exhaustive
 * search.
 */
#ifndef RAFTFS_TESTS_SIM_HISTORY_H
#define RAFTFS_TESTS_SIM_HISTORY_H

#include <stdint.h>

struct history;

/* One operation under way; the caller keeps it. */
struct history_op {
	uint32_t key;
	uint64_t floor; /* position; 0: nothing finished yet */
};

/* Keys are 0 .. key_count - 1. Never NULL. */
struct history *history_new(uint32_t key_count);
void history_free(struct history *history);

/* A write took effect: it left the key in state `state` (unique, not 0).
 * Positions rise within a key. */
void history_committed(struct history *history, uint32_t key, uint64_t position,
		       uint64_t state);

/* An operation begins; call in order of time. */
struct history_op history_begin(const struct history *history, uint32_t key);

/* It ended: a write that left the key in `state`, or a read that returned it
 * (0: never written). NULL when all is well, else static text saying why the
 * history is not linearizable. */
const char *history_write_done(struct history *history,
			       const struct history_op *op, uint64_t state);
const char *history_read_done(struct history *history,
			      const struct history_op *op, uint64_t state);

#endif
