/* T1..T4 to an estimate and a proof. */
#include "timesyncd/core/exchange.h"

#include <stdbool.h>

#include "common/units.h"

static bool in_range(int64_t t_ns)
{
	return -EXCHANGE_RAW_MAX_NS < t_ns && t_ns < EXCHANGE_RAW_MAX_NS;
}

int64_t exchange_effective_rho_ppb(int64_t rho_ppb)
{
	return rho_ppb + rho_ppb * rho_ppb / PPB + 1;
}

struct interval exchange_age(struct interval v, int64_t age_ns, int64_t rho_ppb)
{
	if (age_ns <= 0)
		return v;
	/* One more for what the division dropped. */
	return interval_widen(v, units_scale_ppb(age_ns, rho_ppb) + 1);
}

enum rfs_err exchange_measure(const struct exchange_limits *limits,
			      int64_t t1_ns, int64_t t2_ns, int64_t t3_ns,
			      int64_t t4_ns, struct exchange_sample *sample)
{
	if (!in_range(t1_ns) || !in_range(t2_ns) || !in_range(t3_ns) ||
	    !in_range(t4_ns))
		return RFS_ERR_INVALID;
	if (t4_ns < t1_ns || t3_ns < t2_ns)
		return RFS_ERR_INVALID;

	int64_t elapsed_ns = t4_ns - t1_ns;
	int64_t delay_ns = elapsed_ns - (t3_ns - t2_ns);
	int64_t drift_ns = units_scale_ppb(elapsed_ns, limits->rho_ppb) + 1;
	int64_t slack_ns = 2 * limits->precision_ns + 1;

	/* Two stamps at each end, and the peer's clock may run faster. */
	if (delay_ns < -(2 * slack_ns + drift_ns))
		return RFS_ERR_INVALID;
	if (delay_ns > limits->max_rtt_ns || elapsed_ns > 2 * limits->max_rtt_ns)
		return RFS_ERR_TIMEDOUT;

	sample->at_ns = t4_ns;
	sample->delay_ns = delay_ns > 0 ? delay_ns : 0;
	sample->middle_ns = t4_ns - sample->delay_ns / 2;
	sample->offset_ns = ((t2_ns - t1_ns) + (t3_ns - t4_ns)) / 2;
	sample->proven = (struct interval){
		.low_ns = t3_ns - t4_ns - slack_ns,
		.high_ns = t2_ns - t1_ns + slack_ns + drift_ns,
	};
	return RFS_ERR_OK;
}

/* The request left at T1 before it arrived at T2, and the answer left at T3 before
 * it arrived at T4: at T3 the difference is at least T1 - T2, less what it may
 * have shrunk by since, and at most T4 - T3. */
enum rfs_err exchange_measure_served(const struct exchange_limits *limits,
				     int64_t t1_ns, int64_t t2_ns,
				     int64_t t3_ns, int64_t t4_ns,
				     struct exchange_sample *sample)
{
	enum rfs_err err = exchange_measure(limits, t1_ns, t2_ns, t3_ns, t4_ns,
					    sample);
	int64_t slack_ns = 2 * limits->precision_ns + 1;

	if (err != RFS_ERR_OK)
		return err;
	sample->at_ns = t3_ns;
	sample->middle_ns = t2_ns + (t3_ns - t2_ns) / 2;
	sample->offset_ns = -sample->offset_ns;
	sample->proven = (struct interval){
		.low_ns = t1_ns - t2_ns - slack_ns -
			  units_scale_ppb(t3_ns - t2_ns, limits->rho_ppb) - 1,
		.high_ns = t4_ns - t3_ns + slack_ns,
	};
	return RFS_ERR_OK;
}

struct interval exchange_proven_at(const struct exchange_sample *sample,
				   int64_t raw_ns, int64_t rho_ppb)
{
	return exchange_age(sample->proven, raw_ns - sample->at_ns, rho_ppb);
}
