/* How long a cluster is away: first successes after a moment that somebody
 * else decides. */
#ifndef RAFTFS_CLIENT_BENCH_FAILOVER_H
#define RAFTFS_CLIENT_BENCH_FAILOVER_H

#include <stdbool.h>
#include <stdint.h>

/* Open a conversation for writes and one for reads at each of the endpoints,
 * print "ready", wait for a line on standard input, then print the
 * CLOCK_MONOTONIC instants, in nanoseconds, at which the first write and the
 * first linearizable read succeeded that began after the line: "WRITE READ".
 * `rounds` times, or until the input ends. False, with the reason on standard
 * error: it could not begin, or an operation did not succeed in timeout_ns. */
bool failover_run(const char *endpoints, uint32_t rounds, int64_t timeout_ns);

#endif
