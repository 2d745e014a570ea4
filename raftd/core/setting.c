/* The lease setting: how long leases last is part of the log (SAFETY.md I8).
 *
 * D of an entry is what the newest RAFT_ENTRY_LEASE up to that entry, itself
 * included, says: so it is the same wherever the entry is, whoever asks, and
 * whatever stands in his configuration. No such entry: no leases, D = 0.
 *
 * What a configuration says is what its node wants as a leader. A leader that
 * finds another value in its log appends its own, once an entry of its term is
 * committed and no other setting is under way. So nobody argues: followers ask
 * for nothing, and a leader asks once.
 *
 * An earlier entry under a longer D may outlast all that follow. Each setting
 * says so itself: past_ns is the longest D of any entry before it that its
 * maker could not rule out to be younger still. With it, two entries answer for
 * all: the last one for those since the setting, the setting for those before.
 */
#include "raftd/core/internal.h"

#include "common/check.h"
#include "common/units.h"

/* ---- in the log ---- */

/* As of an index from the snapshot's on. */
static struct raft_window look_up(const struct raft *raft, uint64_t index)
{
	struct raft_window window = raft->window_base;

	for (uint64_t i = raft->snapshot.index + 1; i <= index; i++)
		window_take(&window, log_at(&raft->log, i));
	return window;
}

bool raft_window_at(const struct raft *raft, uint64_t index,
		    struct raft_window *window)
{
	if (index < raft->snapshot.index || index > log_last_index(&raft->log))
		return false;
	*window = look_up(raft, index);
	return true;
}

struct raft_lease setting_at(const struct raft *raft, uint64_t index)
{
	if (index >= raft->window.lease.index)
		return raft->window.lease;
	if (index >= raft->lease_before.index)
		return raft->lease_before;
	return look_up(raft, index).lease;
}

static void load(struct raft *raft)
{
	uint64_t newest;

	raft->window_index = log_last_index(&raft->log);
	raft->window = look_up(raft, raft->window_index);
	newest = raft->window.lease.index;
	raft->lease_before = newest > raft->snapshot.index
				     ? look_up(raft, newest - 1).lease
				     : raft->window.lease;
	raft->clock.window = &raft->window;
}

static void rebase(struct raft *raft, const struct raft_window *base)
{
	raft->window_base = base ? *base : (struct raft_window){ 0 };
	load(raft);
}

void setting_load(struct raft *raft, const struct raft_window *at_base)
{
	raft->lease_wanted_ns = raft->config.lease_ns;
	rebase(raft, at_base);
}

static void tell_story(const struct raft *raft)
{
	const struct raft_lease *lease = &raft->window.lease;

	if (lease->duration_ns == 0)
		raft_story(raft, "leases are off from entry %llu on",
			   (unsigned long long)lease->index);
	else
		raft_story(raft, "leases last %lld ms from entry %llu on",
			   (long long)(lease->duration_ns / NS_PER_MS),
			   (unsigned long long)lease->index);
}

void setting_appended(struct raft *raft, const struct raft_entry *entry)
{
	struct raft_lease before = raft->window.lease;

	if (!window_take(&raft->window, entry))
		return;
	raft->window_index = entry->index;
	if (entry->kind == RAFT_ENTRY_LEASE) {
		raft->lease_before = before;
		tell_story(raft);
	}
}

void setting_truncated(struct raft *raft)
{
	uint64_t newest = raft->window.lease.index;

	if (raft->window_index <= log_last_index(&raft->log))
		return;
	load(raft);
	if (raft->window.lease.index != newest)
		tell_story(raft);
}

void setting_rebased(struct raft *raft, const struct raft_window *base)
{
	rebase(raft, base);
}

void setting_compacted(struct raft *raft, uint64_t index)
{
	CHECK(raft_window_at(raft, index, &raft->window_base));
}

bool setting_makes_sense(const struct raft_entry *entry)
{
	struct raft_lease lease;

	return raft_lease_decode(entry->data, entry->bytes, &lease) ==
	       RFS_ERR_OK;
}

/* ---- how long it holds ---- */

/* The entry at an index; from when we had it, when only the log's base is left
 * of it: from then. */
static struct lease_entry entry_at(const struct raft *raft, uint64_t index,
				   struct raft_stamp stamp)
{
	uint64_t held = index > raft->log.base.index ? index
						     : raft->log.base.index;

	return (struct lease_entry){
		.stamp = stamp,
		.received_raw_ns = log_received_raw_ns(&raft->log, held),
	};
}

static int64_t over_from(const struct raft *raft, uint64_t index,
			 struct raft_stamp stamp, int64_t duration_ns)
{
	struct lease_entry entry = entry_at(raft, index, stamp);

	if (duration_ns == 0)
		return raft->now.raw_ns;
	return lease_older_from(&raft->clock, &entry, duration_ns,
				raft->now.raw_ns);
}

static int64_t past_over_from(const struct raft *raft,
			      const struct raft_lease *lease)
{
	return over_from(raft, lease->index, lease->stamp, lease->past_ns);
}

static int64_t present_over_from(const struct raft *raft,
				 const struct raft_lease *lease, uint64_t last)
{
	return over_from(raft, last, log_stamp_at(&raft->log, last),
			 lease->duration_ns);
}

int64_t setting_over_from(const struct raft *raft, uint64_t last)
{
	struct raft_lease lease = setting_at(raft, last);
	int64_t present_ns = present_over_from(raft, &lease, last);
	int64_t past_ns = past_over_from(raft, &lease);

	return present_ns > past_ns ? present_ns : past_ns;
}

/* The longest D that an entry of our log may still be younger than. */
static int64_t outlasting_ns(const struct raft *raft)
{
	const struct raft_lease *lease = &raft->window.lease;
	uint64_t last = log_last_index(&raft->log);
	int64_t now_ns = raft->now.raw_ns;
	int64_t longest_ns = 0;

	if (past_over_from(raft, lease) > now_ns)
		longest_ns = lease->past_ns;
	if (lease->duration_ns > longest_ns &&
	    present_over_from(raft, lease, last) > now_ns)
		longest_ns = lease->duration_ns;
	return longest_ns;
}

/* ---- setting it ---- */

void setting_want(struct raft *raft, int64_t lease_ns)
{
	CHECK(lease_ns >= 0);
	raft->lease_wanted_ns = lease_ns;
}

void setting_advance(struct raft *raft)
{
	struct raft_lease next = { .duration_ns = raft->lease_wanted_ns };
	uint8_t image[RAFT_LEASE_BYTES];

	if (raft->window.lease.duration_ns == raft->lease_wanted_ns ||
	    raft->commit_index < raft->term_first_index ||
	    raft->commit_index < raft->window.lease.index ||
	    raft->transfer_to != RAFT_NOBODY ||
	    !log_has_room(&raft->log, RAFT_LEASE_BYTES))
		return;
	next.past_ns = outlasting_ns(raft);
	raft_lease_encode(&next, image);
	/* No room for now: the next step tries again. */
	if (raft_append_own(raft, RAFT_ENTRY_LEASE, image, sizeof(image)) !=
	    RFS_ERR_OK)
		raft_story(raft, "no room for the lease setting");
}
