/* What the faces of "raftfs clock" share. */
#ifndef RAFTFS_CLIENT_CLI_CLOCK_H
#define RAFTFS_CLIENT_CLI_CLOCK_H

#include <stdint.h>

#include "client/cli/ask.h"
#include "client/cli/cli.h"

/* Options of the command, wherever they stand. */
struct clock_options {
	int64_t bound_ns;   /* wait: 0: any */
	int64_t timeout_ns; /* wait: -1: for ever */
	const char *svg;    /* plot: file; NULL: the terminal */
};

/* NULL: timesyncd does not answer. */
const DistributedFs__TimesyncStatus *clock_of(const struct ask_node *node);

/* The largest part of the bound: its name ("-": there is none) and size. */
const char *clock_dominant(const DistributedFs__TimesyncStatus *clock,
			   int64_t *part_ns);

/* "+12.3 us"; returns text. */
const char *clock_signed(int64_t ns, char text[32]);

/* As in chronyc's sources: '*' the leader, '+' agrees, 'x' falseticker, '-' not
 * asked at present, '?' has no vote now. */
char clock_mark(const DistributedFs__TimesyncStatus *clock,
		const DistributedFs__TimesyncPeer *peer);

/* Tables, one per question. */
void clock_show_overview(const struct ask_nodes *nodes);
void clock_show_tracking(const struct ask_nodes *nodes);
void clock_show_sources(const struct ask_nodes *nodes);
void clock_show_sourcestats(const struct ask_nodes *nodes);
void clock_show_selectdata(const struct ask_nodes *nodes);

/* {"version": 1, "nodes": [...]}, as ask_all() found them. */
void clock_print_json(const struct ask_nodes *nodes);

/* Until every node is SYNCED within the bound. CLI_OK; CLI_FAILED: not within
 * the timeout (said, with what is missing); CLI_UNREACHABLE. With --json the
 * nodes' status in the end. */
int clock_wait(const struct cli *cli, struct ask_nodes *nodes,
	       const struct clock_options *options);

/* The history each timesyncd keeps: as text, as JSON, drawn. */
int clock_history(const struct cli *cli, const struct ask_nodes *nodes);
int clock_plot(const struct ask_nodes *nodes,
	       const struct clock_options *options);

#endif
