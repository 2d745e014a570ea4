/* Rule R1 over the two pages. */
#include "storaged/lease.h"

#include "common/os/clock.h"

bool lease_holds(const struct cons_sample *cons,
		 const struct clock_sample *clock, int64_t raw_now_ns)
{
	return cons->lease_valid && raw_now_ns < cons->lease_until_raw_ns &&
	       clock->disruptions == cons->lease_disruptions &&
	       clock->quality != CLOCK_DISRUPTED;
}

bool lease_check(const struct conspage *cons_page,
		 const struct clockpage *clock_page, struct lease_point *point)
{
	struct cons_sample cons;
	struct clock_sample clock;

	if (!cons_page || !clock_page)
		return false;
	/* STALE (revoked, superseded), BUSY, VERSION: all mean no lease. */
	if (conspage_read(cons_page, &cons) != RFS_ERR_OK ||
	    clockpage_read(clock_page, &clock) != RFS_ERR_OK)
		return false;
	int64_t now_ns = clock_raw_ns();

	if (!lease_holds(&cons, &clock, now_ns))
		return false;
	*point = (struct lease_point){
		.commit_index = cons.commit_index,
		.term = cons.term,
		.limbo_index = cons.limbo_index,
		.left_ns = cons.lease_until_raw_ns - now_ns,
		.whole_ns = cons.lease_ns,
	};
	return true;
}
