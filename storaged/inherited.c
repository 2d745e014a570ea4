/* Frames are kept until somebody asks, for only then is the state known to be
 * at the commit index; then they become the set, and are let go. */
#include "storaged/inherited.h"

#include <inttypes.h>
#include <stdlib.h>

#include "common/check.h"
#include "common/os/log.h"

struct frame_kept {
	struct frame_kept *next;
	DistributedFs__LocalLimbo *limbo;
};

struct inherited {
	struct storaged *s;
	struct limbo *limbo;
	uint64_t term;
	uint64_t limbo_index; /* 0: nothing held */
	bool whole;	      /* the last frame came */
	bool made;	      /* the set is, out of them */
	struct frame_kept *first;
	struct frame_kept **last;
};

struct inherited *inherited_new(struct storaged *s)
{
	struct inherited *inherited = calloc(1, sizeof(*inherited));

	if (!inherited)
		return NULL;
	inherited->s = s;
	inherited->last = &inherited->first;
	inherited->limbo = limbo_new();
	if (!inherited->limbo) {
		free(inherited);
		return NULL;
	}
	return inherited;
}

static void drop_frames(struct inherited *inherited)
{
	struct frame_kept *kept;

	while ((kept = inherited->first)) {
		inherited->first = kept->next;
		frame_free(kept->limbo);
		free(kept);
	}
	inherited->last = &inherited->first;
}

void inherited_forget(struct inherited *inherited)
{
	if (!inherited)
		return;
	drop_frames(inherited);
	inherited->limbo_index = 0;
	inherited->whole = inherited->made = false;
}

void inherited_free(struct inherited *inherited)
{
	if (!inherited)
		return;
	drop_frames(inherited);
	limbo_free(inherited->limbo);
	free(inherited);
}

bool inherited_take(struct inherited *inherited,
		    DistributedFs__LocalLimbo *limbo)
{
	struct frame_kept *kept = calloc(1, sizeof(*kept));

	CHECK(kept != NULL);
	if (inherited->whole || inherited->term != limbo->term ||
	    inherited->limbo_index != limbo->limbo_index)
		inherited_forget(inherited);
	inherited->term = limbo->term;
	inherited->limbo_index = limbo->limbo_index;
	inherited->whole = !limbo->more;
	kept->limbo = limbo;
	*inherited->last = kept;
	inherited->last = &kept->next;
	if (inherited->whole && inherited->limbo_index > 0)
		log_info("leader of term %" PRIu64
			 ": inherited commands up to %" PRIu64
			 " are in limbo",
			 inherited->term, inherited->limbo_index);
	return inherited->whole;
}

void inherited_applied(struct inherited *inherited, uint64_t index)
{
	if (inherited->limbo_index > 0 && index >= inherited->limbo_index)
		inherited_forget(inherited);
}

bool inherited_is_held(const struct inherited *inherited, uint64_t term,
		       uint64_t limbo_index)
{
	return limbo_index > 0 && inherited->whole &&
	       inherited->term == term &&
	       inherited->limbo_index == limbo_index;
}

static void make_set(struct inherited *inherited, struct kv *kv)
{
	limbo_begin(inherited->limbo, kv);
	for (struct frame_kept *kept = inherited->first; kept;
	     kept = kept->next)
		for (size_t i = 0; i < kept->limbo->n_commands; i++) {
			const ProtobufCBinaryData *image =
				&kept->limbo->commands[i];

			limbo_add(inherited->limbo, kv,
				  (struct bytes){ .data = image->data,
						  .bytes = image->len });
		}
	limbo_end(inherited->limbo);
	drop_frames(inherited);
	inherited->made = true;
}

bool inherited_may_change(struct inherited *inherited, uint64_t term,
			  uint64_t limbo_index,
			  const struct limbo_query *query)
{
	struct kv kv;

	if (!inherited_is_held(inherited, term, limbo_index) ||
	    state_begin_read(inherited->s->state, &kv) != RFS_ERR_OK)
		return true;
	if (!inherited->made)
		make_set(inherited, &kv);

	bool answer = limbo_may_change(inherited->limbo, &kv, query);

	state_end_read(inherited->s->state, &kv);
	return answer;
}
