/* Instants on the raw clock: reading them, and translating the kernel's.
 *
 * The kernel stamps packets on the wall clock. A cross-reading (raw, wall, raw)
 * taken right after the packet was read turns such a stamp into "the packet
 * had arrived by this raw instant" (never early) or "it had not left before"
 * (never late), off by at most the reading itself and 0.1 % of the packet's age
 * (the wall clock may be slewed). When the wall clock was stepped since the
 * last cross-reading, no kernel stamp is believed until the next one.
 */
#ifndef RAFTFS_TIMESYNCD_STAMPS_H
#define RAFTFS_TIMESYNCD_STAMPS_H

#include <stdbool.h>
#include <stdint.h>

/* The three clocks at one instant, as nearly as user space can tell. */
struct stamps {
	int64_t raw_ns;
	int64_t raw_after_ns; /* raw again, after the others were read */
	int64_t wall_ns;
	int64_t boot_ns;
};

void stamps_read(struct stamps *now);

/* False: the stamp cannot be believed; *raw_ns is `now`'s own reading then.
 * last is an earlier cross-reading, not older than a few seconds. */
bool stamps_arrival(const struct stamps *last, const struct stamps *now,
		    int64_t wall_stamp_ns, int64_t *raw_ns);

/* The same for a departure: the packet had not left before *raw_ns. False (and
 * *raw_ns untouched): the stamp cannot be believed. */
bool stamps_departure(const struct stamps *last, const struct stamps *now,
		      int64_t wall_stamp_ns, int64_t *raw_ns);

/* Whether kernel stamps are believed at all, as they are at first: not while
 * this process itself slews the wall clock fast, which also is no step. */
void stamps_believe(bool believed);

/* What happened between two cross-readings. */
enum stamps_finding {
	STAMPS_FINE,
	STAMPS_WALL_STEPPED,  /* somebody set the wall clock; raw is as it was */
	STAMPS_RAW_DISRUPTED, /* raw and boot time came apart: suspend or worse */
};
enum stamps_finding stamps_compare(const struct stamps *last,
				   const struct stamps *now);

/* How finely raw can be read here: what one reading costs, at least 1. */
int64_t stamps_precision_ns(void);

#endif
