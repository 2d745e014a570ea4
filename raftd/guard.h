/* Sees to it that the loop's thread gets its turn in time on a busy host.
 *
 * Where the scheduler divides the cores among sessions or control groups, a
 * thread that needs 0.1 ms may wait for 200 ms, whatever its own priority: long
 * enough for followers to elect another leader. Real-time priority does not
 * wait. A loop that has little to do has it, and nobody notices. With many
 * messages it would preempt each sender (and halve the writes of 64 clients):
 * then the loop is an ordinary thread, and a second one, which sleeps until the
 * loop's next duty is GUARD_LATE_NS overdue, lends it the priority for a turn.
 *
 *		30 turns within 100 ms,
 *		or a fifth of a core
 *	quiet -------------------------> busy ----> lent
 *	  ^   fewer than 15 in as long,   |  ^-------'
 *	  |   and a twentieth of a core   |  a turn later
 *	  '-------------------------------'
 *
 * Without the right to (RLIMIT_RTPRIO, which a supervisor that is root gives)
 * there is no guard: one line is logged.
 */
#ifndef RAFTFS_RAFTD_GUARD_H
#define RAFTFS_RAFTD_GUARD_H

#include <ev.h>
#include <stdint.h>

#include "common/units.h"

#define GUARD_LATE_NS (4 * NS_PER_MS)

struct guard;

/* Of the calling thread, which runs that loop. NULL: no right to (logged). */
struct guard *guard_new(struct ev_loop *ev);

/* The loop has a duty at that instant; replaces the one before. guard may be
 * NULL. No system call. */
void guard_expect(struct guard *guard, int64_t raw_ns);

/* How often it lent the priority; 0 without a guard. */
uint64_t guard_count(const struct guard *guard);

/* On the loop's thread; guard may be NULL. */
void guard_free(struct guard *guard);

#endif
