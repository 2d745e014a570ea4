/* The two shared pages as raftd uses them. */
#include "raftd/pages.h"

#include <stdlib.h>
#include <string.h>

#include "common/os/clock.h"
#include "common/os/log.h"
#include "shm/clockpage.h"
#include "shm/conspage.h"

struct pages {
	const struct clockpage *clock;
	uint32_t disruptions; /* last read: stays when the page goes */
	int64_t last_raw_ns;
	struct conspage *consensus;
	struct cons_sample written;
};

struct pages *pages_new(uint32_t node, uint64_t incarnation)
{
	struct pages *pages = calloc(1, sizeof(*pages));

	if (pages == NULL)
		return NULL;
	pages->written.node = node;
	pages->written.incarnation = incarnation;
	return pages;
}

void pages_set_clock(struct pages *pages, int fd)
{
	const void *map;

	page_unmap(pages->clock);
	pages->clock = NULL;
	if (page_map_reader(fd, CLOCKPAGE_MAGIC, CLOCKPAGE_VERSION, &map) !=
	    RFS_ERR_OK) {
		log_warn("pages: no clock page: going on without cluster time");
		return;
	}
	pages->clock = map;
}

enum rfs_err pages_set_consensus(struct pages *pages, int fd)
{
	void *map;
	enum rfs_err err = page_map_writer(fd, CONSPAGE_MAGIC, CONSPAGE_VERSION,
					   &map);

	if (err == RFS_ERR_OK)
		err = page_seal(fd);
	if (err != RFS_ERR_OK) {
		log_error("pages: no consensus page: %s", rfs_err_text(err));
		return err;
	}
	page_unmap(pages->consensus);
	pages->consensus = map;
	conspage_write(pages->consensus, &pages->written);
	return RFS_ERR_OK;
}

static bool clock_read(struct pages *pages, struct clock_sample *sample)
{
	enum rfs_err err;

	if (pages->clock == NULL)
		return false;
	err = clockpage_read(pages->clock, sample);
	/* The writer was caught in the middle. Once more, as the contract
	 * says, then do without. */
	if (err == RFS_ERR_BUSY)
		err = clockpage_read(pages->clock, sample);
	return err == RFS_ERR_OK;
}

void pages_now(struct pages *pages, struct raft_now *now)
{
	struct clock_sample sample;
	bool have = clock_read(pages, &sample);

	memset(now, 0, sizeof(*now));
	now->wall_ns = clock_wall_ns();
	now->raw_ns = clock_raw_ns();
	if (now->raw_ns < pages->last_raw_ns)
		now->raw_ns = pages->last_raw_ns;
	pages->last_raw_ns = now->raw_ns;
	if (have)
		pages->disruptions = sample.disruptions;
	now->disruptions = pages->disruptions;
	if (!have || (sample.quality != CLOCK_SYNCED &&
		      sample.quality != CLOCK_HOLDOVER))
		return;
	now->cluster = clock_sample_at(&sample, now->raw_ns);
	now->usable = !interval_is_empty(now->cluster);
	now->epoch = sample.epoch;
	now->exchange_ns = 2 * sample.part_delay_ns;
}

static bool says_the_same(const struct cons_sample *a,
			  const struct cons_sample *b)
{
	return a->term == b->term && a->role == b->role &&
	       a->leader == b->leader && a->lease_valid == b->lease_valid &&
	       a->lease_disruptions == b->lease_disruptions &&
	       a->lease_until_raw_ns == b->lease_until_raw_ns &&
	       a->commit_index == b->commit_index &&
	       a->last_index == b->last_index &&
	       a->limbo_index == b->limbo_index &&
	       a->lease_ns == b->lease_ns && a->epoch == b->epoch &&
	       a->epoch_raw_ns == b->epoch_raw_ns &&
	       a->epoch_ts_ns == b->epoch_ts_ns;
}

static void write(struct pages *pages, const struct cons_sample *sample)
{
	if (says_the_same(sample, &pages->written))
		return;
	pages->written = *sample;
	if (pages->consensus != NULL)
		conspage_write(pages->consensus, sample);
}

void pages_withdraw(struct pages *pages, const struct raft_view *view)
{
	struct cons_sample sample = pages->written;

	if (!sample.lease_valid || view->lease_valid)
		return;
	sample.lease_valid = false;
	write(pages, &sample);
}

void pages_publish(struct pages *pages, const struct raft_view *view)
{
	struct cons_sample sample = pages->written;

	sample.term = view->term;
	sample.role = (enum conspage_role)view->role;
	sample.leader = view->leader;
	sample.lease_valid = view->lease_valid;
	sample.lease_disruptions = view->lease_disruptions;
	sample.lease_until_raw_ns = view->lease_until_raw_ns;
	sample.commit_index = view->commit_index;
	sample.last_index = view->last_index;
	sample.limbo_index = view->limbo_index;
	sample.lease_ns = view->lease.duration_ns;
	sample.epoch = view->epoch;
	sample.epoch_raw_ns = view->epoch_raw_ns;
	sample.epoch_ts_ns = view->epoch_ts_ns;
	write(pages, &sample);
}

void pages_retire(struct pages *pages)
{
	struct cons_sample sample = pages->written;

	sample.lease_valid = false;
	sample.role = CONSPAGE_FOLLOWER;
	sample.leader = 0;
	write(pages, &sample);
}

void pages_free(struct pages *pages)
{
	if (pages == NULL)
		return;
	page_unmap(pages->clock);
	page_unmap(pages->consensus);
	free(pages);
}

_Static_assert((int)RAFT_LEADER == CONSPAGE_LEADER, "roles are one list");
_Static_assert((int)RAFT_CANDIDATE == CONSPAGE_CANDIDATE, "the same");
_Static_assert((int)RAFT_PRECANDIDATE == CONSPAGE_PRECANDIDATE, "the same");
