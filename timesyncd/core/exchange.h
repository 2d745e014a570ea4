/* One exchange of four stamps, turned into what it proves.
 *
 * RFC 5905, section 8, with both raw clocks running at rates that differ by at
 * most rho:
 *
 *	delay  = (T4 - T1) - (T3 - T2)
 *	offset = ((T2 - T1) + (T3 - T4)) / 2
 *
 * The offset is an estimate. What is proven is causality: the request arrived
 * after it left and the answer left after it was asked for, so that at T4
 *
 *	T3 - T4 <= peer's raw - ours <= T2 - T1 + rho * (T4 - T1)
 */
#ifndef RAFTFS_TIMESYNCD_CORE_EXCHANGE_H
#define RAFTFS_TIMESYNCD_CORE_EXCHANGE_H

#include <stdint.h>

#include "common/err.h"
#include "common/interval.h"

/* No raw clock runs this long (36 years): sums of a few cannot overflow. */
#define EXCHANGE_RAW_MAX_NS (INT64_C(1) << 60)

struct exchange_sample {
	int64_t at_ns;		/* T4, our raw clock; T3 where we answered */
	int64_t middle_ns;	/* our raw: what offset_ns is of */
	int64_t offset_ns;	/* peer's raw minus ours: estimate */
	int64_t delay_ns;	/* both ways, without the peer's residence */
	struct interval proven; /* the same difference at at_ns, for sure */
};

/* What the core knows of clocks, the same for every exchange. */
struct exchange_limits {
	int64_t rho_ppb;      /* two raw clocks' rates differ by at most this */
	int64_t precision_ns; /* of one stamp */
	int64_t max_rtt_ns;
};

/* INVALID: stamps that no exchange can leave (order, range, negative delay).
 * TIMEDOUT: slower than max_rtt_ns. */
RFS_MUST_USE enum rfs_err
exchange_measure(const struct exchange_limits *limits, int64_t t1_ns,
		 int64_t t2_ns, int64_t t3_ns, int64_t t4_ns,
		 struct exchange_sample *sample);

/* The same of an exchange that the peer began: T1 and T4 on its clock, T2 and T3
 * on ours, and the sample as of T3. */
RFS_MUST_USE enum rfs_err
exchange_measure_served(const struct exchange_limits *limits, int64_t t1_ns,
			int64_t t2_ns, int64_t t3_ns, int64_t t4_ns,
			struct exchange_sample *sample);

/* The proven interval at a later instant of our raw clock. */
struct interval exchange_proven_at(const struct exchange_sample *sample,
				   int64_t raw_ns, int64_t rho_ppb);

/* v aged by age_ns >= 0: either clock may have gained rho on the other. */
struct interval exchange_age(struct interval v, int64_t age_ns,
			     int64_t rho_ppb);

/* The rate bound in force for a configured one: "within rho of each other"
 * leaves the ratio of the two rates a second-order term above rho. */
int64_t exchange_effective_rho_ppb(int64_t rho_ppb);

#endif
