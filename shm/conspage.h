/* The consensus page: who leads, how far the log is committed, and until when
 * this node may answer reads by itself.
 *
 * raftd is the only writer of the body (seqlock as in shm/clockpage.h). The
 * supervisor writes one field of the head, `revoked`, once it has reaped raftd.
 *
 * Lease check (rule R1, SAFETY.md): read this page, then the clock page, both
 * BEFORE reading any state:
 *	lease_valid && !revoked && !superseded
 *	&& raw now < lease_until_raw_ns
 *	&& clock page's disruptions == lease_disruptions
 *	&& applied >= commit_index
 *	&& (limbo_index == 0 || applied >= limbo_index
 *	    || no command in (commit_index, limbo_index] can change the answer)
 * The last is rule R2, for a leader whose lease is an earlier leader's: those
 * commands may be committed, or not. They are the same for as long as the page
 * says this term and this limbo_index; raftd tells storaged which they are, and
 * who does not hold them for exactly that pair has no lease.
 * A pause between check and answer is harmless: the read linearizes at the
 * check. A pause before the check fails it.
 */
#ifndef RAFTFS_SHM_CONSPAGE_H
#define RAFTFS_SHM_CONSPAGE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "shm/page.h"

#define CONSPAGE_MAGIC     0x5246534cu /* "RFSL" */
#define CONSPAGE_VERSION   3u
#define CONSPAGE_RETRY_MAX 64

enum conspage_role {
	CONSPAGE_FOLLOWER = 0,
	CONSPAGE_PRECANDIDATE = 1,
	CONSPAGE_CANDIDATE = 2,
	CONSPAGE_LEADER = 3,
};

struct cons_sample {
	uint64_t term;
	uint32_t node;
	enum conspage_role role;
	uint32_t leader; /* node id; 0: unknown */
	bool lease_valid;
	uint32_t lease_disruptions;
	int64_t lease_until_raw_ns;
	uint64_t commit_index;
	uint64_t last_index;
	uint64_t limbo_index; /* 0: nothing in limbo; else above commit_index */
	int64_t lease_ns; /* how long leases last: D at commit_index */
	uint64_t epoch; /* timeline in force; 0: none yet */
	/* Leader only: the epoch's first instant on its raw clock and on the
	 * cluster's. From these its own timesyncd publishes the timeline. */
	int64_t epoch_raw_ns;
	int64_t epoch_ts_ns;
	uint64_t incarnation; /* of this raftd: changes at every start */
};

struct conspage {
	struct page_head head;
	/* offset 64 */
	_Atomic uint32_t seq;
	_Atomic uint32_t role;
	_Atomic uint64_t term;
	_Atomic uint32_t node;
	_Atomic uint32_t leader;
	_Atomic uint32_t lease_valid;
	_Atomic uint32_t lease_disruptions;
	_Atomic int64_t lease_until_raw_ns;
	_Atomic uint64_t commit_index;
	_Atomic uint64_t last_index;
	_Atomic uint64_t epoch;
	/* offset 128 */
	_Atomic int64_t epoch_raw_ns;
	_Atomic int64_t epoch_ts_ns;
	_Atomic uint64_t incarnation;
	_Atomic uint64_t limbo_index;
	_Atomic int64_t lease_ns;
	uint8_t reserved[24];
} __attribute__((aligned(64)));

_Static_assert(sizeof(struct conspage) == 192, "three cache lines");
_Static_assert(offsetof(struct conspage, term) == 72, "layout v3");
_Static_assert(offsetof(struct conspage, lease_until_raw_ns) == 96,
	       "layout v3");
_Static_assert(offsetof(struct conspage, epoch_raw_ns) == 128, "layout v3");
_Static_assert(offsetof(struct conspage, limbo_index) == 152, "layout v3");
_Static_assert(offsetof(struct conspage, lease_ns) == 160, "layout v3");

/* As clockpage_read(); also RFS_ERR_STALE when the page is revoked or
 * superseded: its writer is gone, nothing in it may be relied on. */
RFS_MUST_USE enum rfs_err conspage_read(const struct conspage *page,
					struct cons_sample *sample);

/* Writer process only; one thread; never fails. */
void conspage_write(struct conspage *page, const struct cons_sample *sample);

/* Supervisor only, after waitpid() returned raftd: no thread of it can run. */
void conspage_revoke(struct conspage *page);

#endif
