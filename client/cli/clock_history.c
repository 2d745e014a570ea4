/* clock history, clock plot: what each timesyncd remembers of its clock. */
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/clock.h"
#include "client/cli/json_message.h"
#include "client/cli/plot.h"
#include "common/units.h"
#include "proto/sockets.h"

#define CURVES_MAX (3 + 3 * CONFIG_NODES_MAX)

/* Owned by the caller, to ask_free(); NULL: no answer. */
static DistributedFs__ControlReply *fetch(const struct ask_node *node)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply = NULL;

	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_HISTORY;
	if (ask(node->run_dir, SOCKETS_TIMESYNCD, &request, &reply) ==
		    RFS_ERR_OK &&
	    reply->history != NULL)
		return reply;
	ask_free(reply);
	fprintf(stderr, "raftfs: %s: timesyncd does not answer\n",
		ask_name(node));
	return NULL;
}

/* -- as text and JSON ---------------------------------------------------- */

static void print_point(const char *name,
			const DistributedFs__TimesyncPoint *at)
{
	char age[24], offset[32], bound[24];

	printf("%-8s %12s  %-9s %12s %12s %+10.3f\n", name,
	       units_format_duration(at->age_ns, age, sizeof(age)), at->quality,
	       at->bound_ns < 0 ? "-" : clock_signed(at->to_wall_ns, offset),
	       at->bound_ns < 0 ? "-"
				: units_format_duration(at->bound_ns, bound,
							sizeof(bound)),
	       (double)at->drift_ppb / 1e3);
}

int clock_history(const struct cli *cli, const struct ask_nodes *nodes)
{
	int status = CLI_OK;
	struct json json;

	json_init(&json, stdout);
	if (cli->json) {
		json_open(&json, NULL, '{');
		json_int(&json, "version", 1);
		json_open(&json, "nodes", '[');
	} else {
		printf("%-8s %12s  %-9s %12s %12s %10s\n", "node", "ago",
		       "quality", "to wall", "bound +-", "drift ppm");
	}
	for (size_t i = 0; i < nodes->count; i++) {
		const struct ask_node *node = &nodes->node[i];
		DistributedFs__ControlReply *reply = fetch(node);

		if (reply == NULL)
			status = CLI_UNREACHABLE;
		if (cli->json) {
			json_open(&json, NULL, '{');
			json_text(&json, "name", ask_name(node));
			json_message(&json, "history",
				     reply == NULL ? NULL
						   : &reply->history->base);
			json_close(&json, '}');
		}
		for (size_t k = 0; !cli->json && reply != NULL &&
				   k < reply->history->n_points;
		     k++)
			print_point(ask_name(node), reply->history->points[k]);
		ask_free(reply);
	}
	if (cli->json) {
		json_close(&json, ']');
		json_close(&json, '}');
	}
	return status;
}

/* -- drawn --------------------------------------------------------------- */

typedef double value_of(const DistributedFs__TimesyncPoint *at, uint32_t peer);

static double to_wall_us(const DistributedFs__TimesyncPoint *at, uint32_t peer)
{
	(void)peer;
	return at->bound_ns < 0 ? NAN : (double)at->to_wall_ns / 1e3;
}

static double bound_us(const DistributedFs__TimesyncPoint *at, uint32_t peer)
{
	(void)peer;
	return at->bound_ns < 0 ? NAN : (double)at->bound_ns / 1e3;
}

static double drift_ppm(const DistributedFs__TimesyncPoint *at, uint32_t peer)
{
	(void)peer;
	return at->bound_ns < 0 ? NAN : (double)at->drift_ppb / 1e3;
}

static const DistributedFs__TimesyncPeerPoint *
peer_at(const DistributedFs__TimesyncPoint *at, uint32_t node)
{
	for (size_t i = 0; i < at->n_peers; i++)
		if (at->peers[i]->node == node && at->peers[i]->delay_ns != 0)
			return at->peers[i];
	return NULL;
}

static double peer_offset_us(const DistributedFs__TimesyncPoint *at,
			     uint32_t node)
{
	const DistributedFs__TimesyncPeerPoint *peer = peer_at(at, node);

	return peer == NULL ? NAN : (double)peer->offset_ns / 1e3;
}

static double peer_delay_us(const DistributedFs__TimesyncPoint *at,
			    uint32_t node)
{
	const DistributedFs__TimesyncPeerPoint *peer = peer_at(at, node);

	return peer == NULL ? NAN : (double)peer->delay_ns / 1e3;
}

static double peer_drift_ppm(const DistributedFs__TimesyncPoint *at,
			     uint32_t node)
{
	const DistributedFs__TimesyncPeerPoint *peer = peer_at(at, node);

	return peer == NULL ? NAN : (double)peer->drift_ppb / 1e3;
}

/* One node's curves; all their numbers in one piece. */
struct sheet {
	double *numbers; /* ago_s, then each curve's values */
	struct plot_curve curves[CURVES_MAX];
	size_t count;
};

/* Where a curve of from->n_points values goes; NULL: the sheet is full. */
static struct plot_curve *
add_curve(struct sheet *sheet, const DistributedFs__TimesyncHistory *from,
	  value_of *value, uint32_t peer, const char *unit, const char *title)
{
	struct plot_curve *curve = &sheet->curves[sheet->count];

	if (sheet->count == CURVES_MAX)
		return NULL;
	sheet->count++;
	*curve = (struct plot_curve){
		.unit = unit,
		.count = from->n_points,
		.ago_s = sheet->numbers,
		.value = sheet->numbers + sheet->count * from->n_points,
	};
	snprintf(curve->title, sizeof(curve->title), "%s", title);
	for (size_t i = 0; i < from->n_points; i++)
		curve->value[i] = value(from->points[i], peer);
	return curve;
}

static void add_peer(struct sheet *sheet,
		     const DistributedFs__TimesyncHistory *from,
		     const char *name, uint32_t peer)
{
	char title[PLOT_TITLE_BYTES];
	struct plot_curve *offset;

	snprintf(title, sizeof(title), "%s: raw offset of node %u, off trend",
		 name, peer);
	offset = add_curve(sheet, from, peer_offset_us, peer, "us", title);
	if (offset != NULL)
		plot_detrend(offset);
	snprintf(title, sizeof(title), "%s: delay to node %u", name, peer);
	add_curve(sheet, from, peer_delay_us, peer, "us", title);
	snprintf(title, sizeof(title), "%s: drift of node %u", name, peer);
	add_curve(sheet, from, peer_drift_ppm, peer, "ppm", title);
}

/* False: out of memory. */
static bool fill_sheet(struct sheet *sheet,
		       const DistributedFs__TimesyncHistory *from,
		       const char *name)
{
	char title[PLOT_TITLE_BYTES];
	const DistributedFs__TimesyncPoint *last;

	sheet->numbers = calloc((CURVES_MAX + 1) * (from->n_points + 1),
				sizeof(*sheet->numbers));
	if (sheet->numbers == NULL)
		return false;
	for (size_t i = 0; i < from->n_points; i++)
		sheet->numbers[i] = (double)from->points[i]->age_ns / 1e9;
	snprintf(title, sizeof(title), "%s: cluster time minus wall clock",
		 name);
	add_curve(sheet, from, to_wall_us, 0, "us", title);
	snprintf(title, sizeof(title), "%s: bound", name);
	add_curve(sheet, from, bound_us, 0, "us", title);
	snprintf(title, sizeof(title), "%s: drift", name);
	add_curve(sheet, from, drift_ppm, 0, "ppm", title);
	last = from->n_points > 0 ? from->points[from->n_points - 1] : NULL;
	for (size_t i = 0; last != NULL && i < last->n_peers; i++)
		add_peer(sheet, from, name, last->peers[i]->node);
	return true;
}

/* All nodes' curves in one list, borrowed from the sheets. */
static int write_svg(const char *path, const struct sheet *sheets, size_t count)
{
	struct plot_curve all[CONFIG_NODES_MAX * CURVES_MAX];
	size_t curves = 0;
	FILE *out = fopen(path, "w");

	if (out == NULL)
		return cli_fail_errno(path);
	for (size_t i = 0; i < count; i++)
		for (size_t k = 0; k < sheets[i].count; k++)
			all[curves++] = sheets[i].curves[k];
	plot_svg(out, all, curves);
	return fclose(out) == 0 ? CLI_OK : cli_fail_errno(path);
}

int clock_plot(const struct ask_nodes *nodes,
	       const struct clock_options *options)
{
	struct sheet sheets[CONFIG_NODES_MAX] = {0};
	int status = CLI_OK;

	for (size_t i = 0; i < nodes->count; i++) {
		DistributedFs__ControlReply *reply = fetch(&nodes->node[i]);

		if (reply == NULL)
			status = CLI_UNREACHABLE;
		else if (!fill_sheet(&sheets[i], reply->history,
				     ask_name(&nodes->node[i])))
			status = cli_fail("clock plot", RFS_ERR_NOMEM);
		ask_free(reply);
		for (size_t k = 0; options->svg == NULL && k < sheets[i].count;
		     k++)
			plot_text(stdout, &sheets[i].curves[k]);
	}
	if (options->svg != NULL)
		status = cli_worst(
			status, write_svg(options->svg, sheets, nodes->count));
	for (size_t i = 0; i < nodes->count; i++)
		free(sheets[i].numbers);
	return status;
}
