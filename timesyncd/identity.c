/* Strata and reference ids, from what the clock follows. */
#include "timesyncd/identity.h"

#include <math.h>

/* Strata of a timeline that nobody outside stands for: a cluster's carrier is
 * what chronyd calls a local reference, which only orphans follow. */
#define STRATUM_LOCAL 9
#define REFID_LOCAL   0x7f7f0101u /* 127.127.1.1 */

static uint8_t stratum_below(uint32_t stratum)
{
	return stratum < NTP_STRATUM_MAX ? (uint8_t)(stratum + 1) :
					   NTP_STRATUM_MAX;
}

/* The best of the references that agree; behind another node if none does. */
static void identify_by_references(const struct daemon *daemon,
				   struct ntp_identity *identity)
{
	struct timesync_peer_view views[TIMESYNC_PEERS_MAX];
	uint32_t count = timesync_peers(daemon->timesync, views);

	for (uint32_t i = 0; i < count; i++) {
		uint8_t stratum;
		uint32_t refid;

		if (!views[i].truechimer ||
		    !references_rank(daemon->references, views[i].id, &stratum,
				     &refid) ||
		    stratum >= identity->stratum)
			continue;
		identity->stratum = stratum_below(stratum);
		identity->refid = refid;
	}
}

void identity_fill(const struct daemon *daemon, struct ntp_identity *identity)
{
	const struct timesync_clock *clock = timesync_clock(daemon->timesync);

	*identity = (struct ntp_identity){
		.stratum = NTP_STRATUM_MAX,
		.refid = REFID_LOCAL,
		.precision = (int8_t)ilogb(
			(double)daemon->settings.precision_ns / 1e9),
	};
	switch (daemon->config.time_sync.reference) {
	case CONFIG_REFERENCE_CLUSTER:
		identity->stratum = stratum_below(
			STRATUM_LOCAL - 1 +
			(clock->stratum > 0 ? clock->stratum : 2));
		break;
	case CONFIG_REFERENCE_SYSTEM:
		identity->stratum = STRATUM_LOCAL;
		break;
	case CONFIG_REFERENCE_NTP:
		identify_by_references(daemon, identity);
		break;
	}
}
