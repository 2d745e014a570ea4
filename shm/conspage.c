/* Reading, publishing and revoking the consensus page. */
#include "shm/conspage.h"

#include "shm/seqlock.h"

static void load_fields(const struct conspage *page, struct cons_sample *s)
{
	s->role = (enum conspage_role)SEQLOCK_GET(page->role);
	s->term = SEQLOCK_GET(page->term);
	s->node = SEQLOCK_GET(page->node);
	s->leader = SEQLOCK_GET(page->leader);
	s->lease_valid = SEQLOCK_GET(page->lease_valid) != 0;
	s->lease_disruptions = SEQLOCK_GET(page->lease_disruptions);
	s->lease_until_raw_ns = SEQLOCK_GET(page->lease_until_raw_ns);
	s->commit_index = SEQLOCK_GET(page->commit_index);
	s->last_index = SEQLOCK_GET(page->last_index);
	s->epoch = SEQLOCK_GET(page->epoch);
	s->epoch_raw_ns = SEQLOCK_GET(page->epoch_raw_ns);
	s->epoch_ts_ns = SEQLOCK_GET(page->epoch_ts_ns);
	s->limbo_index = SEQLOCK_GET(page->limbo_index);
	s->lease_ns = SEQLOCK_GET(page->lease_ns);
	s->incarnation = SEQLOCK_GET(page->incarnation);
}

static bool writer_is_gone(const struct conspage *page)
{
	return SEQLOCK_GET(page->head.revoked) != 0 ||
	       SEQLOCK_GET(page->head.superseded) != 0;
}

enum rfs_err conspage_read(const struct conspage *page,
			   struct cons_sample *sample)
{
	struct cons_sample seen;
	uint32_t before;

	if (page->head.magic != CONSPAGE_MAGIC ||
	    page->head.version != CONSPAGE_VERSION)
		return RFS_ERR_VERSION;
	/* First, so that a writer killed half-way is STALE and not BUSY. */
	if (writer_is_gone(page))
		return RFS_ERR_STALE;

	for (int tries = 0; tries < CONSPAGE_RETRY_MAX; tries++) {
		if (!seqlock_read_begin(&page->seq, &before))
			continue;
		load_fields(page, &seen);
		if (!seqlock_read_end(&page->seq, before))
			continue;
		/* And last: the check is as of after the reading. */
		if (writer_is_gone(page))
			return RFS_ERR_STALE;
		*sample = seen;
		return RFS_ERR_OK;
	}
	return RFS_ERR_BUSY;
}

void conspage_write(struct conspage *page, const struct cons_sample *s)
{
	uint32_t odd = seqlock_write_begin(&page->seq);

	SEQLOCK_PUT(page->role, (uint32_t)s->role);
	SEQLOCK_PUT(page->term, s->term);
	SEQLOCK_PUT(page->node, s->node);
	SEQLOCK_PUT(page->leader, s->leader);
	SEQLOCK_PUT(page->lease_valid, s->lease_valid ? 1u : 0u);
	SEQLOCK_PUT(page->lease_disruptions, s->lease_disruptions);
	SEQLOCK_PUT(page->lease_until_raw_ns, s->lease_until_raw_ns);
	SEQLOCK_PUT(page->commit_index, s->commit_index);
	SEQLOCK_PUT(page->last_index, s->last_index);
	SEQLOCK_PUT(page->epoch, s->epoch);
	SEQLOCK_PUT(page->epoch_raw_ns, s->epoch_raw_ns);
	SEQLOCK_PUT(page->epoch_ts_ns, s->epoch_ts_ns);
	SEQLOCK_PUT(page->limbo_index, s->limbo_index);
	SEQLOCK_PUT(page->lease_ns, s->lease_ns);
	SEQLOCK_PUT(page->incarnation, s->incarnation);
	seqlock_write_end(&page->seq, odd);
}

void conspage_revoke(struct conspage *page)
{
	SEQLOCK_PUT(page->head.revoked, 1u);
}
