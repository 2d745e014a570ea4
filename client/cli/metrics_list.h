/* What Prometheus is told: one row a series, by the field of a daemon's status
 * that it shows. */
#ifndef RAFTFS_CLIENT_CLI_METRICS_LIST_H
#define RAFTFS_CLIENT_CLI_METRICS_LIST_H

#include <stddef.h>

/* Whose status a row reads; each adds its own labels to node="NAME". */
enum metrics_source {
	METRICS_SUPERVISOR,
	METRICS_CHILD, /* daemon= */
	METRICS_CLOCK,
	METRICS_CLOCK_PEER, /* peer= */
	METRICS_RAFT,
	METRICS_RAFT_PEER, /* peer= */
	METRICS_STORAGE,
};

/* A field in nanoseconds (_ns) is shown in seconds, one in parts per billion
 * (_ppb) as a ratio; the rest as it is. A name that ends in _total is a
 * counter, any other a gauge. */
struct metrics_row {
	enum metrics_source source;
	const char *field; /* of the message in control.proto */
	const char *name;  /* "raftfs_" comes before it */
	const char *label; /* one more, as KEY="VALUE"; or NULL */
	const char *help;
};

/* Rows of one name lie together; their help is the first one's. */
extern const struct metrics_row metrics_rows[];
extern const size_t metrics_row_count;

#endif
