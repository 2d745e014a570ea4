/* clock: cluster time as each node has it, and what each peer contributes. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/ask.h"
#include "client/cli/cli.h"
#include "client/cli/json_message.h"
#include "common/units.h"

/* Which part of the bound to work on. */
static const char *dominant(const DistributedFs__TimesyncStatus *clock,
			    int64_t *part_ns)
{
	const struct {
		const char *name;
		int64_t ns;
	} parts[] = {
		{"delay", clock->part_delay_ns},
		{"dispersion", clock->part_dispersion_ns},
		{"drift", clock->part_drift_ns},
		{"unslewed", clock->part_unslewed_ns},
	};
	size_t most = 0;

	for (size_t i = 1; i < sizeof(parts) / sizeof(parts[0]); i++)
		if (parts[i].ns > parts[most].ns)
			most = i;
	*part_ns = parts[most].ns;
	return parts[most].ns > 0 ? parts[most].name : "-";
}

static const char *signed_duration(int64_t ns, char text[32])
{
	char plain[24];

	units_format_duration(ns, plain, sizeof(plain));
	snprintf(text, 32, "%s%s", ns > 0 ? "+" : "", plain);
	return text;
}

/* The offset from the raw clock is for programs; people compare with the time
 * of day. It was read over a socket: good to a fraction of a millisecond. */
static void print_clock(const char *name,
			const DistributedFs__TimesyncStatus *clock,
			int64_t wall_ns)
{
	char offset[32], bound[24], part[24], age[24], dominant_text[48];
	int64_t part_ns;
	const char *part_name = dominant(clock, &part_ns);

	snprintf(dominant_text, sizeof(dominant_text), "%s %s", part_name,
		 units_format_duration(part_ns, part, sizeof(part)));
	printf("%-8s %-9s %6" PRIu64 " %12s %12s  %-22s %+9.3f %10s\n", name,
	       clock->quality, clock->epoch,
	       signed_duration(clock->cluster_ns - wall_ns, offset),
	       units_format_duration(clock->bound_ns, bound, sizeof(bound)),
	       dominant_text, (double)clock->drift_ppb / 1e3,
	       units_format_duration(clock->age_ns, age, sizeof(age)));
	if (clock->why[0] != '\0')
		printf("         %s\n", clock->why);
}

static void print_peer(const char *name,
		       const DistributedFs__TimesyncPeer *peer)
{
	char offset[32], delay[24], jitter[24], age[24] = "never";

	if (peer->age_ns >= 0)
		units_format_duration(peer->age_ns, age, sizeof(age));
	printf("%-8s %-8s   %03o %12s %12s %12s %10s  %s\n", name, peer->name,
	       peer->reach & 0377, signed_duration(peer->offset_ns, offset),
	       units_format_duration(peer->delay_ns, delay, sizeof(delay)),
	       units_format_duration(peer->jitter_ns, jitter, sizeof(jitter)),
	       age, peer->why);
}

static const DistributedFs__TimesyncStatus *clock_of(const struct ask_node *n)
{
	return n->timesync == NULL ? NULL : n->timesync->timesync;
}

static void print_tables(const struct ask_nodes *nodes)
{
	printf("%-8s %-9s %6s %12s %12s  %-22s %9s %10s\n", "node", "quality",
	       "epoch", "to wall", "bound +-", "dominant part", "drift ppm",
	       "age");
	for (size_t i = 0; i < nodes->count; i++) {
		const char *name = ask_name(&nodes->node[i]);

		if (clock_of(&nodes->node[i]) != NULL)
			print_clock(name, clock_of(&nodes->node[i]),
				    nodes->node[i].timesync_wall_ns);
		else
			printf("%-8s timesyncd does not answer\n", name);
	}
	printf("\n%-8s %-8s %5s %12s %12s %12s %10s  %s\n", "node", "peer",
	       "reach", "offset", "delay", "jitter", "age", "why");
	for (size_t i = 0; i < nodes->count; i++) {
		const DistributedFs__TimesyncStatus *clock =
			clock_of(&nodes->node[i]);

		for (size_t p = 0; clock != NULL && p < clock->n_peers; p++)
			print_peer(ask_name(&nodes->node[i]), clock->peers[p]);
	}
}

static void print_json(const struct ask_nodes *nodes)
{
	struct json json;

	json_init(&json, stdout);
	json_open(&json, NULL, '{');
	json_int(&json, "version", 1);
	json_open(&json, "nodes", '[');
	for (size_t i = 0; i < nodes->count; i++) {
		json_open(&json, NULL, '{');
		json_text(&json, "name", ask_name(&nodes->node[i]));
		json_message(&json, "clock",
			     (ProtobufCMessage *)clock_of(&nodes->node[i]));
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_close(&json, '}');
}

/* Healthy when every node that was asked is SYNCED. */
static int verdict(const struct ask_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (clock_of(&nodes->node[i]) == NULL ||
		    strcmp(clock_of(&nodes->node[i])->quality, "SYNCED") != 0)
			return CLI_FAILED;
	return CLI_OK;
}

int command_clock(struct cli *cli, int argc, char **argv)
{
	struct ask_nodes nodes;
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0)
		return cli_usage("clock", "clock: takes no operand");
	status = ask_find(cli, &nodes);
	if (status != CLI_OK)
		return status;
	if (!ask_all(&nodes)) {
		fprintf(stderr,
			"raftfs: cannot connect: no daemon answers in %s\n",
			nodes.node[0].run_dir);
		return CLI_UNREACHABLE;
	}
	if (cli->json)
		print_json(&nodes);
	else
		print_tables(&nodes);
	status = verdict(&nodes);
	ask_nodes_free(&nodes);
	return status;
}
