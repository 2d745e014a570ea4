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
			  int64_t max_slew_ppb, int64_t max_rate_ppb)
{
	/* More than all of it per second would overshoot. */
	discipline->adjustment_rate = adjustment_rate < 1 ? adjustment_rate : 1;
	discipline->max_slew_ppb = max_slew_ppb;
	discipline->max_rate_ppb = max_rate_ppb;
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

/* Two raw clocks cannot drift apart faster than max_rate, whatever a line
 * through a few noisy points says. */
static void set_line(struct discipline *discipline, int64_t raw_ns,
		     int64_t offset_ns, double drift_ppb, double slew_ppb)
{
	discipline->asof_ns = raw_ns;
	discipline->offset_ns = offset_ns;
	discipline->coast_ppb =
		clip(drift_ppb, (double)discipline->max_rate_ppb);
	discipline->drift_ppb = (int32_t)lround(
		discipline->coast_ppb +
		clip(slew_ppb, (double)discipline->max_slew_ppb));
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

	/* ns per second is ppb. */
	set_line(discipline, raw_ns, here_ns, drift_ppb,
		 residual_ns * pull(discipline, residual_ns, sigma_ns));
}

void discipline_coast(struct discipline *discipline, int64_t raw_ns)
{
	CHECK(discipline->started);
	set_line(discipline, raw_ns, discipline_offset_at(discipline, raw_ns),
		 discipline->coast_ppb, 0);
}
