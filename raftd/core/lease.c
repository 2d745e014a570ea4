/* Ages of entries, by the leader's own clock, by interval, by duration.
 *
 * Every rounding goes the safe way: older late, younger early.
 */
#include "raftd/core/lease.h"

#include "common/check.h"
#include "common/units.h"
#include "raftd/core/timestamp.h"

void lease_clock_init(struct lease_clock *clock, uint32_t max_rate_ppb)
{
	*clock = (struct lease_clock){ .max_rate_ppb = max_rate_ppb };
}

/* rho of an elapsed time, rounded up. */
static int64_t lease_skew_ns(const struct lease_clock *clock, int64_t ns)
{
	return units_scale_ppb(ns, clock->max_rate_ppb) + 1;
}

/* D(1 + 2 rho), rounded up. */
static int64_t lease_padded_ns(const struct lease_clock *clock, int64_t ns)
{
	return units_add_sat(ns, 2 * lease_skew_ns(clock, ns));
}

void lease_clock_note(struct lease_clock *clock, uint64_t epoch, int64_t raw_ns,
		      struct interval time)
{
	struct lease_reading *at = &clock->readings[0];

	CHECK(epoch != 0);
	CHECK(!interval_is_empty(time));
	for (uint32_t i = 0; i < LEASE_EPOCHS_MAX; i++) {
		struct lease_reading *one = &clock->readings[i];

		if (one->epoch == epoch) {
			at = one;
			break;
		}
		if (one->epoch < at->epoch)
			at = one;
	}
	*at = (struct lease_reading){ epoch, raw_ns, time };
}

void lease_clock_forget(struct lease_clock *clock)
{
	const struct raft_window *window = clock->window;

	lease_clock_init(clock, clock->max_rate_ppb);
	clock->window = window;
}

static const struct interval unknown = { .low_ns = 1, .high_ns = 0 };

static struct interval read_at(const struct lease_clock *clock, uint64_t epoch,
			       int64_t raw_ns)
{
	for (uint32_t i = 0; i < LEASE_EPOCHS_MAX; i++) {
		const struct lease_reading *one = &clock->readings[i];
		int64_t elapsed_ns = raw_ns - one->raw_ns;

		if (one->epoch != epoch)
			continue;
		CHECK(elapsed_ns >= 0);
		if (elapsed_ns == 0)
			return one->time;
		return interval_widen(interval_shift(one->time, elapsed_ns),
				      lease_skew_ns(clock, elapsed_ns));
	}
	return unknown;
}

/* The old timeline, carried on by the new one since the instant of the record:
 * two raw clocks, and rho between them. */
static struct interval convert(const struct lease_clock *clock,
			       const struct raft_handover *record,
			       struct interval now)
{
	int64_t low_ns = now.low_ns - record->new_ts_ns;
	int64_t high_ns = now.high_ns - record->new_ts_ns;

	if (low_ns < 0)
		low_ns = 0;
	if (high_ns < 0)
		high_ns = 0;
	return (struct interval){
		.low_ns = record->old.low_ns + low_ns -
			  lease_skew_ns(clock, low_ns),
		.high_ns = record->old.high_ns + high_ns +
			   lease_skew_ns(clock, high_ns),
	};
}

/* From the epoch back through those that took over from it, which are newer. */
struct interval lease_clock_at(const struct lease_clock *clock, uint64_t epoch,
			       int64_t raw_ns)
{
	struct interval time;

	if (epoch == 0)
		return unknown;
	time = read_at(clock, epoch, raw_ns);
	if (!interval_is_empty(time) || !clock->window)
		return time;
	for (uint32_t i = clock->window->handover_count; i-- > 0;) {
		const struct raft_handover *record =
			&clock->window->handovers[i].record;

		if (record->old_epoch != epoch)
			continue;
		time = lease_clock_at(clock, clock->window->handovers[i].epoch,
				      raw_ns);
		if (!interval_is_empty(time))
			return convert(clock, record, time);
	}
	return unknown;
}

uint64_t lease_clock_newest(const struct lease_clock *clock)
{
	uint64_t newest = 0;

	for (uint32_t i = 0; i < LEASE_EPOCHS_MAX; i++)
		if (clock->readings[i].epoch > newest)
			newest = clock->readings[i].epoch;
	return newest;
}

/* Counting on our raw clock for span_ns of another clock's time: the slowest
 * allowed other clock makes 1 - rho of ours, so 1 + 2 rho of it is enough. */
static int64_t lease_by_interval_from(const struct lease_clock *clock,
				      const struct lease_entry *entry,
				      int64_t needed_ns, int64_t raw_ns)
{
	struct interval now =
		lease_clock_at(clock, entry->stamp.epoch, raw_ns);

	if (interval_is_empty(now))
		return INT64_MAX;

	int64_t left_ns = needed_ns - (now.low_ns - entry->stamp.ts_ns);

	if (left_ns < 0)
		return raw_ns;
	return units_add_sat(raw_ns, lease_padded_ns(clock, left_ns) + 1);
}

int64_t lease_older_from(const struct lease_clock *clock,
			 const struct lease_entry *entry, int64_t duration_ns,
			 int64_t raw_ns)
{
	int64_t needed_ns = lease_padded_ns(clock, duration_ns);
	int64_t by_duration_ns =
		units_add_sat(entry->received_raw_ns, needed_ns);
	int64_t by_interval_ns =
		lease_by_interval_from(clock, entry, needed_ns, raw_ns);
	int64_t from = by_duration_ns < by_interval_ns ? by_duration_ns
						       : by_interval_ns;

	return from > raw_ns ? from : raw_ns;
}

int64_t lease_own_until(int64_t created_raw_ns, int64_t duration_ns)
{
	return units_add_sat(created_raw_ns, duration_ns - 1);
}

bool lease_inherited_until(const struct lease_clock *clock,
			   const struct lease_entry *entry,
			   int64_t duration_ns, int64_t raw_ns,
			   int64_t *until_raw_ns)
{
	struct interval now =
		lease_clock_at(clock, entry->stamp.epoch, raw_ns);

	if (interval_is_empty(now))
		return false;

	/* A stamp may lead its timeline, which makes the entry look younger
	 * than it is. */
	int64_t age_ns =
		now.high_ns - entry->stamp.ts_ns + TIMESTAMP_LEAD_MAX_NS;
	int64_t left_ns = duration_ns - age_ns;

	/* The fastest allowed other clock makes 1 + rho of ours. */
	left_ns -= lease_skew_ns(clock, left_ns) + 1;
	if (left_ns < 0)
		return false;
	*until_raw_ns = units_add_sat(raw_ns, left_ns);
	return true;
}
