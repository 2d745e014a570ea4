/* Sentences out of a view. */
#include "raftd/explain.h"

#include <inttypes.h>
#include <stdio.h>

#include "common/units.h"

#define DURATION_BYTES 24

static const char *known(int64_t ns, char text[DURATION_BYTES])
{
	return ns > 0 ? units_format_duration(ns, text, DURATION_BYTES) :
			"unknown";
}

static void explain_timeout(const struct raft_view *view,
			    const struct config *config, struct explain *out)
{
	char rtt[DURATION_BYTES], silence[DURATION_BYTES];
	char floor[DURATION_BYTES], ceiling[DURATION_BYTES];
	char most[DURATION_BYTES];
	static const char *const from[] = {
		[RAFT_TIMEOUT_FLOOR] = "the floor",
		[RAFT_TIMEOUT_UNMEASURED] = "the ceiling, as long as unmeasured",
		[RAFT_TIMEOUT_ROUND_TRIP] = "ten round trips",
		[RAFT_TIMEOUT_SILENCES] = "twice the usual longest silence",
		[RAFT_TIMEOUT_CEILING] = "the ceiling",
		[RAFT_TIMEOUT_LEARNING] = "three floors, until silences are known",
	};
	static const char *const source[] = {
		[RAFT_RTT_ANSWERS] = " (answers)",
		[RAFT_RTT_TCP] = " (the kernel's TCP)",
		[RAFT_RTT_EXCHANGE] = " (the time exchange)",
		[RAFT_RTT_UNKNOWN] = "",
	};

	snprintf(out->timeout, sizeof(out->timeout),
		 "%s; round trip to a quorum %s%s, usual longest silence %s, "
		 "longest %s, floor %s, ceiling %s",
		 from[view->election_timeout_from],
		 known(view->rtt_quorum_ns, rtt), source[view->rtt_quorum_from],
		 known(view->leader_silence_ns, silence),
		 known(view->leader_silence_max_ns, most),
		 units_format_duration(config->raft.election_timeout_min_ns,
				       floor, sizeof(floor)),
		 units_format_duration(config->raft.election_timeout_max_ns,
				       ceiling, sizeof(ceiling)));
}

static void explain_heartbeat(const struct raft_view *view,
			      const struct config *config, struct explain *out)
{
	char least[DURATION_BYTES], most[DURATION_BYTES];

	snprintf(out->heartbeat, sizeof(out->heartbeat),
		 "%sa fifth of the election timeout, at least %s, at most %s",
		 view->role == RAFT_LEADER ? "" : "when it leads: ",
		 units_format_duration(config->raft.heartbeat_min_ns, least,
				       sizeof(least)),
		 units_format_duration(config->raft.election_timeout_min_ns / 2,
				       most, sizeof(most)));
}

static void explain_slots(const struct raft_view *view, struct explain *out)
{
	if (view->slots_why[0] != '\0')
		snprintf(out->slots, sizeof(out->slots), "randomised: %s",
			 view->slots_why);
	else if (view->rank > 0)
		snprintf(out->slots, sizeof(out->slots),
			 "in turn on cluster time: number %u in line",
			 view->rank);
	else
		snprintf(out->slots, sizeof(out->slots),
			 "in turn on cluster time, by node id");
}

static void explain_lease(const struct raft_view *view, int64_t now_raw_ns,
			  struct explain *out)
{
	char left[DURATION_BYTES];

	if (view->lease_valid)
		snprintf(out->lease, sizeof(out->lease), "on: %s left",
			 units_format_duration(view->lease_until_raw_ns -
						       now_raw_ns,
					       left, sizeof(left)));
	else
		snprintf(out->lease, sizeof(out->lease), "off: %s",
			 view->lease_why);
}

/* "50.00 ms, by log entry 12 of term 3; raft.lease here is 200 ms and takes
 * effect when this node leads". */
void explain_setting(const struct raft_view *view, struct explain *explain)
{
	char is[DURATION_BYTES], wanted[DURATION_BYTES];
	const struct raft_lease *lease = &view->lease;
	size_t used;

	if (lease->duration_ns > 0)
		units_format_duration(lease->duration_ns, is, sizeof(is));
	else
		snprintf(is, sizeof(is), "off");
	if (view->lease_wanted_ns > 0)
		units_format_duration(view->lease_wanted_ns, wanted,
				      sizeof(wanted));
	else
		snprintf(wanted, sizeof(wanted), "0, off,");
	if (lease->index > 0)
		used = (size_t)snprintf(
			explain->setting, sizeof(explain->setting),
			"%s, by log entry %" PRIu64 " of term %" PRIu64, is,
			lease->index, lease->stamp.epoch);
	else
		used = (size_t)snprintf(explain->setting,
					sizeof(explain->setting),
					"off, for no leader has set it");
	if (lease->duration_ns != view->lease_wanted_ns)
		snprintf(explain->setting + used,
			 sizeof(explain->setting) - used,
			 "; raft.lease here is %s and takes effect when this "
			 "node leads",
			 wanted);
}

static void explain_handed_over(const struct raft_view *view, const char *to,
				int64_t now_raw_ns, struct explain *out)
{
	const struct raft_handed_over *last = &view->handed_over;
	char ago[DURATION_BYTES];

	out->handed_over[0] = '\0';
	if (last->to != RAFT_NOBODY)
		snprintf(out->handed_over, sizeof(out->handed_over),
			 "to %s %s ago: %s", to,
			 units_format_duration(now_raw_ns - last->raw_ns, ago,
					       sizeof(ago)),
			 raft_unfit_text(last->why));
}

void explain(const struct raft_view *view, const struct config *config,
	     const char *handed_over_to, int64_t now_raw_ns,
	     struct explain *out)
{
	explain_timeout(view, config, out);
	explain_heartbeat(view, config, out);
	explain_slots(view, out);
	explain_lease(view, now_raw_ns, out);
	explain_setting(view, out);
	explain_handed_over(view, handed_over_to, now_raw_ns, out);
}
