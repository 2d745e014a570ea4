/* The discipline: how the published estimate approaches the measured one.
 *
 * Slewed, never stepped: a part of the residual each second (adjustment_rate),
 * at most max_slew. The published clock is continuous where one line follows
 * another, and its rate stays near 1, so it is monotone.
 */
#ifndef RAFTFS_TIMESYNCD_CORE_DISCIPLINE_H
#define RAFTFS_TIMESYNCD_CORE_DISCIPLINE_H

#include <stdbool.h>
#include <stdint.h>

#include "timesyncd/core/guard.h"

/* The published line: cluster minus raw, at asof and its change. */
struct discipline {
	bool started; /* false: the next target is taken over as it is */
	int64_t asof_ns;
	int64_t offset_ns;
	int32_t drift_ppb;  /* of the line: the target's drift and the slew */
	double coast_ppb;   /* the last target's drift alone */
	int32_t slew_ppb;   /* and what it is bent by besides */
	struct guard_budget budget;
	uint64_t held_back; /* slews that the budget cut short */
	/* settings */
	double adjustment_rate; /* of the residual, per second */
	int64_t max_slew_ppb;
	int64_t max_rate_ppb;
	int64_t max_correction_ns; /* of all slews in an hour */
};

/* Settings, at any time. All zero is a discipline that has not started. */
void discipline_configure(struct discipline *discipline, double adjustment_rate,
			  int64_t max_slew_ppb, int64_t max_rate_ppb,
			  int64_t max_correction_ns);

/* A new timeline, or our own clock broke: the next target is a start. */
void discipline_restart(struct discipline *discipline);

/* The offset the line says at raw_ns >= asof_ns. */
int64_t discipline_offset_at(const struct discipline *discipline,
			     int64_t raw_ns);

/* Bend the line at raw_ns towards a target that is offset_ns there, give or
 * take sigma_ns, and drifts by drift_ppb. A residual far beyond sigma_ns is
 * slewed faster than adjustment_rate says. Call at least once a second while
 * it matters: the slew is meant for the next second. */
void discipline_steer(struct discipline *discipline, int64_t raw_ns,
		      int64_t offset_ns, double drift_ppb, double sigma_ns);

/* No target: go on with the last one's drift, without the slew. Only once
 * started. */
void discipline_coast(struct discipline *discipline, int64_t raw_ns);

#endif
