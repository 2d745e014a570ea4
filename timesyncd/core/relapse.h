/* A clock that breaks its promise once was paused, restored or restarted, and
 * is measured anew at once. One that does so again and again has a broken
 * oscillator: no measurement of it holds for longer than till the next. Then
 * nobody is asked in bursts for it, its lines are told no more, and it is not
 * believed before it has kept its promise for a while, twice as long with each
 * break up to a minute and a half. What lies two such times back is forgotten.
 *
 * Only delays trust, never grants any.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_RELAPSE_H
#define RAFTFS_TIMESYNCD_CORE_RELAPSE_H

#include <stdbool.h>
#include <stdint.h>

/* All zero: never broke. */
struct relapse {
	uint32_t breaks; /* since it was forgotten last */
	int64_t last_ns; /* raw: of the newest */
};

/* It broke. True: with this one it has become a habit, which is worth a line.
 */
bool relapse_note(struct relapse *relapse, int64_t raw_ns);

/* It is a habit, and has not been kept up for long enough. */
bool relapse_is_habit(const struct relapse *relapse, int64_t raw_ns);

#endif
