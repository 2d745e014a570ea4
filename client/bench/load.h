/* Sequential clients of a cluster, each a thread: as many operations as they
 * get through in a given time, and how long each took. */
#ifndef RAFTFS_CLIENT_BENCH_LOAD_H
#define RAFTFS_CLIENT_BENCH_LOAD_H

#include <stdbool.h>
#include <stdint.h>

#define LOAD_CLIENTS_MAX     1024u
#define LOAD_VALUE_MAX_BYTES (1024u * 1024u)

enum load_op {
	LOAD_PUT,   /* replace a small file in one step */
	LOAD_LREAD, /* read it, linearizable */
	LOAD_SREAD, /* read it, at most stale_ns old */
};

struct load {
	const char *endpoints; /* as raftfs_open() takes it */
	enum load_op op;
	uint32_t clients;     /* 1 .. LOAD_CLIENTS_MAX */
	uint32_t connections; /* 1 .. clients, that they share evenly */
	uint32_t value_bytes; /* 1 .. LOAD_VALUE_MAX_BYTES */
	int64_t duration_ns;
	int64_t stale_ns;
	int64_t timeout_ns; /* of one operation */
};

struct load_result {
	uint64_t done;
	uint64_t errors; /* not counted as done, nor in the percentiles */
	double seconds;
	int64_t p50_ns; /* 0 when nothing was done */
	int64_t p99_ns;
	double client_cpu_s; /* of this process, user and system */
};

/* Makes a directory with a file for each client, loads them, takes both away
 * again. Blocks. False, with the reason on standard error: it could not begin,
 * or bytes that were read are not those that were written. */
bool load_run(const struct load *load, struct load_result *result);

#endif
