/* One block in use, one in reserve, and those used up a moment ago, whose last
 * ids may still be on their way into the log. */
#include "storaged/grants.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "storaged/core/command.h"
#include "storaged/submit.h"

#define BLOCK_IDS     COMMAND_GRANT_MAX
#define LOW_IDS	      256u
#define BLOCK_LIFE_NS (6 * 3600 * NS_PER_SEC) /* the leader ends them at 24 h */
#define SETTLE_NS     (60 * NS_PER_SEC) /* longer than any write's patience */
#define SETTLING_MAX  64u

struct block {
	uint64_t first;
	uint64_t count; /* 0: none */
	uint64_t used;
	int64_t since_raw_ns; /* granted; of a settling one: used up */
};

struct grants {
	struct storaged *s;
	struct block current;
	struct block reserve;
	struct block settling[SETTLING_MAX]; /* a ring */
	uint32_t settling_next;
	bool asking;
};

struct grants *grants_new(struct storaged *s)
{
	struct grants *grants = calloc(1, sizeof(*grants));

	if (grants)
		grants->s = s;
	return grants;
}

void grants_free(struct grants *grants)
{
	free(grants);
}

static void on_granted(void *ctx, enum rfs_err err,
		       const struct store_result *result)
{
	struct grants *grants = ctx;
	struct block block = { 0 };

	grants->asking = false;
	if (err == RFS_ERR_OK)
		err = result->err;
	if (err != RFS_ERR_OK) {
		log_debug("grant: %s", rfs_err_text(err));
		return;
	}
	block.first = result->value;
	block.count = BLOCK_IDS;
	block.since_raw_ns = clock_raw_ns();
	if (grants->current.count == 0)
		grants->current = block;
	else
		grants->reserve = block;
}

void grants_prepare(struct grants *grants)
{
	struct command command = { .op = COMMAND_GRANT,
				   .node = storaged_self(grants->s),
				   .length = BLOCK_IDS };

	if (grants->asking || grants->reserve.count > 0)
		return;
	if (grants->current.count > 0 &&
	    grants->current.count - grants->current.used >= LOW_IDS)
		return;
	grants->asking = true;
	submit_command(grants->s->submit, &command, on_granted, grants);
}

static void retire(struct grants *grants, struct block *block)
{
	if (block->count == 0)
		return;
	block->since_raw_ns = clock_raw_ns();
	grants->settling[grants->settling_next++ % SETTLING_MAX] = *block;
	*block = (struct block){ 0 };
}

static bool is_spent(const struct block *block)
{
	return block->used == block->count ||
	       clock_raw_ns() - block->since_raw_ns > BLOCK_LIFE_NS;
}

enum rfs_err grants_take(struct grants *grants, uint64_t *chunk)
{
	if (is_spent(&grants->current)) {
		retire(grants, &grants->current);
		grants->current = grants->reserve;
		grants->reserve = (struct block){ 0 };
	}
	grants_prepare(grants);
	struct block *current = &grants->current;

	if (current->count == 0 || is_spent(current))
		return RFS_ERR_BUSY;
	CHECK(current->used < current->count);
	*chunk = current->first + current->used++;
	return RFS_ERR_OK;
}

void grants_forget(struct grants *grants)
{
	retire(grants, &grants->current);
	retire(grants, &grants->reserve);
}

bool grants_in_use(const struct grants *grants, uint64_t first)
{
	int64_t now_ns = clock_raw_ns();

	/* One just granted may not have been told to us yet. */
	if (grants->asking ||
	    (grants->current.count && grants->current.first == first) ||
	    (grants->reserve.count && grants->reserve.first == first))
		return true;
	for (uint32_t i = 0; i < SETTLING_MAX; i++) {
		const struct block *block = &grants->settling[i];

		if (block->count && block->first == first &&
		    now_ns - block->since_raw_ns < SETTLE_NS)
			return true;
	}
	return false;
}
