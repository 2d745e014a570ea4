/* What one client cannot beat here: an echo over TCP, and a durable write. */
#ifndef RAFTFS_TESTS_BENCH_RAFT_FLOORS_H
#define RAFTFS_TESTS_BENCH_RAFT_FLOORS_H

#include <stdint.h>

/* Medians; 0: not measured yet. */
struct floors {
	int64_t echo_ns;
	int64_t sync_ns;
};

/* Now, for about `seconds` each, at most one: on the disk of `dir`, and on a
 * port nobody has. */
void floors_measure(const char *dir, uint16_t port, double seconds,
		    struct floors *floors);

/* A disk has its moods: keep the lower of what was measured at several times
 * of a run. */
void floors_lower(struct floors *floors, const struct floors *other);

/* floor.echo_us and floor.sync_us. */
void floors_tell(const struct floors *floors);

#endif
