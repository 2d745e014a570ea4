/* The clock's state in words, and when it is time to say it. */
#include "timesyncd/complaints.h"

#include <inttypes.h>

#include "common/units.h"

#define FIRST_NS  (10 * NS_PER_SEC)
#define SELDOM_NS (3600 * NS_PER_SEC)

static bool is_due(struct complaints *c, int64_t raw_ns,
		   enum timesync_quality quality)
{
	if (quality == TIMESYNC_SYNCED) {
		c->since_ns = 0;
		return false;
	}
	if (c->since_ns == 0 || c->quality != quality) {
		c->since_ns = raw_ns;
		c->after_ns = FIRST_NS;
		c->quality = quality;
	}
	if (raw_ns - c->since_ns < c->after_ns)
		return false;
	c->after_ns += c->after_ns < SELDOM_NS ? c->after_ns : SELDOM_NS;
	return true;
}

/* What was refused may be what is missing: a wrong key, address or port. */
static void tell_refusals(const struct peers_counters *counters,
			  const struct story *to)
{
	if (counters->refused_mac > 0)
		story(to,
		      "%" PRIu64 " packets refused so far: not sealed with the "
		      "keys in this configuration",
		      counters->refused_mac);
	if (counters->refused_other > 0)
		story(to,
		      "%" PRIu64 " packets refused so far: from addresses, "
		      "ports or nodes not in this configuration",
		      counters->refused_other);
}

void complaints_look(struct complaints *complaints, int64_t raw_ns,
		     const struct timesync *timesync,
		     const struct peers_counters *counters,
		     const struct story *to)
{
	static const char *const names[] = {"UNSYNCED", "HOLDOVER", "SYNCED",
					    "DISRUPTED"};
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	const struct timesync_clock *clock = timesync_clock(timesync);
	uint32_t count;

	if (!is_due(complaints, raw_ns, clock->quality))
		return;
	story(to, "clock %s for %" PRId64 " s: %s", names[clock->quality],
	      (raw_ns - complaints->since_ns) / NS_PER_SEC,
	      timesync_why(timesync));
	count = timesync_peers(timesync, views);
	for (uint32_t i = 0; i < count; i++)
		if (!views[i].truechimer && views[i].why[0] != '\0')
			story(to, "node %" PRIu32 ": %s", views[i].id,
			      views[i].why);
	tell_refusals(counters, to);
}
