/* Slewing the published line. */
#include "timesyncd/core/discipline.h"

#include <math.h>

#include "common/check.h"
#include "common/units.h"

/* Residuals beyond this are no noise. */
#define SURE_SIGMAS 3.0
/* Of a certain residual, in the next second. */
#define FASTEST_RATE 0.7

void discipline_configure(struct discipline *discipline, double adjustment_rate,
			  int64_t max_slew_ppb, int64_t max_rate_ppb,
			  int64_t max_correction_ns)
{
	/* More than all of it per second would overshoot. */
	discipline->adjustment_rate = adjustment_rate < 1 ? adjustment_rate : 1;
	discipline->max_slew_ppb = max_slew_ppb;
	discipline->max_rate_ppb = max_rate_ppb;
	discipline->max_correction_ns = max_correction_ns;
}

void discipline_restart(struct discipline *discipline)
{
	discipline->started = false;
}

int64_t discipline_offset_at(const struct discipline *discipline,
			     int64_t raw_ns)
{
	return discipline->offset_ns +
	       units_scale_ppb(raw_ns - discipline->asof_ns,
			       discipline->drift_ppb);
}

static double clip(double v, double limit)
{
	return v > limit ? limit : v < -limit ? -limit : v;
}

/* What the line was bent by until raw_ns counts as spent. */
static void settle(struct discipline *discipline, int64_t raw_ns)
{
	guard_budget_spend(&discipline->budget, raw_ns,
			   units_scale_ppb(raw_ns - discipline->asof_ns,
					   discipline->slew_ppb));
}

/* What may be slewed in the next second: ns per second is ppb. */
static double slew_limit_ppb(struct discipline *discipline, int64_t raw_ns,
			     double wanted_ppb)
{
	int64_t left_ns = discipline->max_correction_ns -
			  guard_budget_spent_ns(&discipline->budget, raw_ns);
	double limit_ppb = (double)discipline->max_slew_ppb;

	if ((double)left_ns >= limit_ppb)
		return limit_ppb;
	limit_ppb = left_ns > 0 ? (double)left_ns : 0;
	discipline->held_back += fabs(wanted_ppb) > limit_ppb;
	return limit_ppb;
}

/* Two raw clocks cannot drift apart faster than max_rate, whatever a line
 * through a few noisy points says. */
static void set_line(struct discipline *discipline, int64_t raw_ns,
		     int64_t offset_ns, double drift_ppb, double slew_ppb)
{
	discipline->asof_ns = raw_ns;
	discipline->offset_ns = offset_ns;
	discipline->coast_ppb =
		clip(drift_ppb, (double)discipline->max_rate_ppb);
	slew_ppb = clip(slew_ppb, slew_limit_ppb(discipline, raw_ns, slew_ppb));
	discipline->slew_ppb = (int32_t)lround(slew_ppb);
	discipline->drift_ppb =
		(int32_t)lround(discipline->coast_ppb + slew_ppb);
}

/* adjustment_rate is meant for a residual that may be noise. One that is
 * certain goes faster, up to most of it in a second. */
static double pull(const struct discipline *discipline, double residual_ns,
		   double sigma_ns)
{
	double slow = discipline->adjustment_rate;
	double fast = slow > FASTEST_RATE ? slow : FASTEST_RATE;
	double sure = fabs(residual_ns) / (SURE_SIGMAS * sigma_ns + 1);

	return sure > 1 && slow * sure < fast ? slow * sure :
	       sure > 1			      ? fast :
						slow;
}

void discipline_steer(struct discipline *discipline, int64_t raw_ns,
		      int64_t offset_ns, double drift_ppb, double sigma_ns)
{
	if (!discipline->started) {
		discipline->started = true;
		set_line(discipline, raw_ns, offset_ns, drift_ppb, 0);
		return;
	}
	CHECK(raw_ns >= discipline->asof_ns);

	int64_t here_ns = discipline_offset_at(discipline, raw_ns);
	double residual_ns = (double)(offset_ns - here_ns);

	settle(discipline, raw_ns);
	/* ns per second is ppb. */
	set_line(discipline, raw_ns, here_ns, drift_ppb,
		 residual_ns * pull(discipline, residual_ns, sigma_ns));
}

void discipline_coast(struct discipline *discipline, int64_t raw_ns)
{
	CHECK(discipline->started);
	settle(discipline, raw_ns);
	set_line(discipline, raw_ns, discipline_offset_at(discipline, raw_ns),
		 discipline->coast_ppb, 0);
}
