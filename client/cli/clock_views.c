/* The tables of "raftfs clock". */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "client/cli/clock.h"
#include "common/units.h"
#include "shm/clockpage.h"

/* What each part of the bound is, and what makes it smaller. */
static const struct {
	const char *name, *meaning;
} parts[] = {
	{"delay", "half the round trip: a nearer source narrows it"},
	{"dispersion", "the source's own bound, and reading precision"},
	{"drift", "age of the measurement: a smaller target_bound asks "
		  "more often"},
	{"unslewed", "the estimate is still being approached: it passes"},
};

#define PART_COUNT (sizeof(parts) / sizeof(parts[0]))

static void sizes_of(const DistributedFs__TimesyncStatus *clock,
		     int64_t ns[PART_COUNT])
{
	ns[0] = clock->part_delay_ns;
	ns[1] = clock->part_dispersion_ns;
	ns[2] = clock->part_drift_ns;
	ns[3] = clock->part_unslewed_ns;
}

static size_t largest(const int64_t ns[PART_COUNT])
{
	size_t most = 0;

	for (size_t i = 1; i < PART_COUNT; i++)
		if (ns[i] > ns[most])
			most = i;
	return most;
}

const char *clock_dominant(const DistributedFs__TimesyncStatus *clock,
			   int64_t *part_ns)
{
	int64_t ns[PART_COUNT];

	sizes_of(clock, ns);
	*part_ns = ns[largest(ns)];
	return *part_ns > 0 ? parts[largest(ns)].name : "-";
}

const char *clock_signed(int64_t ns, char text[32])
{
	char plain[24];

	units_format_duration(ns, plain, sizeof(plain));
	snprintf(text, 32, "%s%s", ns > 0 ? "+" : "", plain);
	return text;
}

const DistributedFs__TimesyncStatus *clock_of(const struct ask_node *node)
{
	return node->timesync == NULL ? NULL : node->timesync->timesync;
}

char clock_mark(const DistributedFs__TimesyncStatus *clock,
		const DistributedFs__TimesyncPeer *peer)
{
	if (peer->truechimer)
		return peer->node == clock->leader ? '*' : '+';
	if (strncmp(peer->why, "falseticker", 11) == 0)
		return 'x';
	return peer->chosen ? '?' : '-';
}

static const char *age_of(const DistributedFs__TimesyncPeer *peer,
			  char text[24])
{
	if (peer->age_ns < 0)
		return "never";
	return units_format_duration(peer->age_ns, text, 24);
}

/* Why it has no vote; or, where it has one, why its way is not trusted. */
static const char *remark(const DistributedFs__TimesyncPeer *peer,
			  char text[96])
{
	char tcp[24], doubt[24];

	if (peer->why[0] != '\0' || !peer->doubtful)
		return peer->why;
	units_format_duration(peer->tcp_rtt_ns, tcp, sizeof(tcp));
	units_format_duration(peer->doubt_ns, doubt, sizeof(doubt));
	if (peer->doubt_ns > 0)
		snprintf(text, 96, "way in doubt: TCP takes %s; +- %s", tcp,
			 doubt);
	else
		snprintf(text, 96,
			 "way in doubt: TCP takes %s; does not steer", tcp);
	return text;
}

/* -- overview ------------------------------------------------------------ */

/* The offset from the raw clock is for programs; people compare with the time
 * of day. It was read over a socket: good to a fraction of a millisecond. */
static void print_clock(const char *name,
			const DistributedFs__TimesyncStatus *clock,
			int64_t wall_ns)
{
	char offset[32], bound[24], part[24], age[24], dominant_text[48];
	int64_t part_ns;
	const char *part_name = clock_dominant(clock, &part_ns);

	snprintf(dominant_text, sizeof(dominant_text), "%s %s", part_name,
		 units_format_duration(part_ns, part, sizeof(part)));
	printf("%-8s %-9s %6" PRIu64 " %12s %12s  %-22s %+9.3f %10s\n", name,
	       clock->quality, clock->epoch,
	       clock_signed(clock->cluster_ns - wall_ns, offset),
	       units_format_duration(clock->bound_ns, bound, sizeof(bound)),
	       dominant_text, (double)clock->drift_ppb / 1e3,
	       units_format_duration(clock->age_ns, age, sizeof(age)));
	if (clock->why[0] != '\0')
		printf("         %s\n", clock->why);
}

static void print_peer(const char *name,
		       const DistributedFs__TimesyncPeer *peer)
{
	char offset[32], delay[24], jitter[24], age[24];

	printf("%-8s %-8s   %03o %12s %12s %12s %10s  %s\n", name, peer->name,
	       peer->reach & 0377, clock_signed(peer->offset_ns, offset),
	       units_format_duration(peer->delay_ns, delay, sizeof(delay)),
	       units_format_duration(peer->jitter_ns, jitter, sizeof(jitter)),
	       age_of(peer, age), peer->why);
}

void clock_show_overview(const struct ask_nodes *nodes)
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

/* -- tracking ------------------------------------------------------------ */

static void print_bound(const DistributedFs__TimesyncStatus *clock)
{
	int64_t ns[PART_COUNT];
	char text[24];

	sizes_of(clock, ns);
	if (clock->cluster_ns == 0) {
		printf("  bound         none\n");
		return;
	}
	printf("  bound         %s, growing by %.1f ppm; of it:\n",
	       units_format_duration(clock->bound_ns, text, sizeof(text)),
	       (double)clock->growth_ppb / 1e3);
	for (size_t i = 0; i < PART_COUNT; i++)
		printf("    %-10s  %12s  %s\n", parts[i].name,
		       units_format_duration(ns[i], text, sizeof(text)),
		       i == largest(ns) && ns[i] > 0 ? parts[i].meaning : "");
}

/* What keeping time costs, on the mean since timesyncd started. */
static void print_cost(const DistributedFs__TimesyncStatus *clock)
{
	double up_s = (double)clock->uptime_ns / 1e9;

	if (up_s <= 0)
		return;
	printf("  cost          %.2f packets/s sent, %.3f %% of a CPU\n",
	       (double)clock->packets_out / up_s,
	       (double)clock->cpu_ns / 1e7 / up_s);
}

static void print_tracking(const struct ask_node *node)
{
	const DistributedFs__TimesyncStatus *clock = clock_of(node);
	char text[32], most[24];

	printf("%s\n", ask_name(node));
	if (clock == NULL) {
		printf("  timesyncd does not answer\n");
		return;
	}
	printf("  quality       %s%s%s\n", clock->quality,
	       clock->why[0] != '\0' ? ": " : "", clock->why);
	printf("  epoch         %" PRIu64, clock->epoch);
	if (clock->leader != 0)
		printf(", led by node %" PRIu32, clock->leader);
	if (clock->stratum != 0)
		printf(", stratum %" PRIu32, clock->stratum);
	printf("\n");
	if (clock->cluster_ns != 0)
		printf("  to wall       %s\n",
		       clock_signed(clock->cluster_ns - node->timesync_wall_ns,
				    text));
	print_bound(clock);
	printf("  drift         %+.3f ppm\n", (double)clock->drift_ppb / 1e3);
	printf("  published     %s ago\n",
	       units_format_duration(clock->age_ns, text, sizeof(text)));
	printf("  poll          every %s\n",
	       units_format_duration(clock->poll_ns, text, sizeof(text)));
	printf("  corrections   %s in the last hour, of %s at most",
	       units_format_duration(clock->corrected_ns, text, sizeof(text)),
	       units_format_duration(clock->max_correction_ns, most,
				     sizeof(most)));
	if (clock->corrections_held > 0)
		printf("; %" PRIu64 " cut short", clock->corrections_held);
	printf("\n  disruptions   %" PRIu32 " since timesyncd started; page's "
	       "count %" PRIu32 "\n",
	       clock->disruptions % (1u << CLOCKPAGE_DISRUPTIONS_BITS), clock->disruptions);
	printf("  packets       %" PRIu64 " in, %" PRIu64 " out, %s stamps; "
	       "refused: %" PRIu64 " by MAC, %" PRIu64 " replayed, %" PRIu64
	       " too many, %" PRIu64 " strange\n",
	       clock->packets_in, clock->packets_out, clock->timestamping,
	       clock->refused_mac, clock->refused_replay, clock->refused_rate,
	       clock->refused_other);
	printf("  path check    %s\n",
	       clock->probed ? "by TCP's round trips" : "off: no probe of TCP");
	print_cost(clock);
}

void clock_show_tracking(const struct ask_nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		print_tracking(&nodes->node[i]);
}

/* -- one row a source ---------------------------------------------------- */

typedef void print_row(const char *name,
		       const DistributedFs__TimesyncStatus *clock,
		       const DistributedFs__TimesyncPeer *peer);

static void each_source(const struct ask_nodes *nodes, print_row *print)
{
	for (size_t i = 0; i < nodes->count; i++) {
		const DistributedFs__TimesyncStatus *clock =
			clock_of(&nodes->node[i]);

		if (clock == NULL)
			printf("  %-8s timesyncd does not answer\n",
			       ask_name(&nodes->node[i]));
		for (size_t p = 0; clock != NULL && p < clock->n_peers; p++)
			print(ask_name(&nodes->node[i]), clock,
			      clock->peers[p]);
	}
}

static void print_source(const char *name,
			 const DistributedFs__TimesyncStatus *clock,
			 const DistributedFs__TimesyncPeer *peer)
{
	char offset[32], delay[24], age[24], doubt[96];

	printf("%c %-8s %-8s %03o %10s %12s %12s  %s\n",
	       clock_mark(clock, peer), name, peer->name, peer->reach & 0377,
	       age_of(peer, age), clock_signed(peer->offset_ns, offset),
	       units_format_duration(peer->delay_ns, delay, sizeof(delay)),
	       remark(peer, doubt));
}

void clock_show_sources(const struct ask_nodes *nodes)
{
	printf("  %-8s %-8s %3s %10s %12s %12s  %s\n", "node", "source", "rch",
	       "age", "raw offset", "delay", "why not, or less");
	each_source(nodes, print_source);
}

static void print_statistics(const char *name,
			     const DistributedFs__TimesyncStatus *clock,
			     const DistributedFs__TimesyncPeer *peer)
{
	char jitter[24], span[24], tcp[24];

	printf("%c %-8s %-8s %4" PRIu32 " %10s %+10.3f %8.3f %10s %8" PRIu64
	       " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64 " %8" PRIu64
	       " %10s\n",
	       clock_mark(clock, peer), name, peer->name, peer->points,
	       units_format_duration(peer->span_ns, span, sizeof(span)),
	       (double)peer->drift_ppb / 1e3, (double)peer->skew_ppb / 1e3,
	       units_format_duration(peer->jitter_ns, jitter, sizeof(jitter)),
	       peer->asked, peer->answered, peer->timeouts, peer->rejected,
	       peer->withheld, peer->doubted,
	       peer->tcp_rtt_ns > 0 ?
		       units_format_duration(peer->tcp_rtt_ns, tcp,
					     sizeof(tcp)) :
		       "-");
}

void clock_show_sourcestats(const struct ask_nodes *nodes)
{
	printf("  %-8s %-8s %4s %10s %10s %8s %10s %8s %8s %8s %8s %8s %8s "
	       "%10s\n",
	       "node", "source", "pts", "span", "drift ppm", "skew ppm",
	       "jitter", "asked", "answered", "timeouts", "refused", "slow",
	       "doubted", "tcp rtt");
	each_source(nodes, print_statistics);
}

static void print_selection(const char *name,
			    const DistributedFs__TimesyncStatus *clock,
			    const DistributedFs__TimesyncPeer *peer)
{
	static const struct {
		char mark;
		const char *text;
	} votes[] = {
		{'*', "yes: the leader, followed"},
		{'+', "yes: agrees"},
		{'x', "against"},
		{'-', "not asked now"},
		{'?', "none"},
	};
	const char *vote = "";
	char low[32] = "-", high[32] = "-", age[24], doubt[96];

	for (size_t i = 0; i < sizeof(votes) / sizeof(votes[0]); i++)
		if (votes[i].mark == clock_mark(clock, peer))
			vote = votes[i].text;
	if (peer->claims) {
		clock_signed(peer->claim_low_ns, low);
		clock_signed(peer->claim_high_ns, high);
	}
	printf("%c %-8s %-8s %-25s %12s %12s %10s  %s\n",
	       clock_mark(clock, peer), name, peer->name, vote, low, high,
	       age_of(peer, age), remark(peer, doubt));
}

void clock_show_selectdata(const struct ask_nodes *nodes)
{
	printf("  %-8s %-8s %-25s %12s %12s %10s  %s\n", "node", "source",
	       "vote", "at least", "at most", "age", "why");
	each_source(nodes, print_selection);
}
