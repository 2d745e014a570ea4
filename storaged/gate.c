/* Two lists: those without a read point yet, and those waiting to reach it. */
#include "storaged/gate.h"

#include <stdlib.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "storaged/consensus.h"
#include "storaged/inherited.h"
#include "storaged/lease.h"

#define TURN_SEC 0.02

struct waiter {
	struct waiter *next;
	gate_done *done;
	void *ctx;
	int64_t since_raw_ns;
	struct limbo_query query;
	bool has_query;
	uint64_t index; /* once it has a read point */
	struct lease_point lease; /* what that rests on; all 0: raftd's word */
};

struct list {
	struct waiter *first;
	struct waiter **last;
};

/* One question to raftd and those it is asked for. */
struct asking {
	struct gate *gate; /* NULL: the gate is gone */
	struct list waiters;
	int64_t since_raw_ns;
};

struct gate {
	struct storaged *s;
	struct ev_timer turn;
	struct list unasked;
	struct asking *asking; /* NULL: none on its way */
	bool renewing;
	struct list reaching;
	/* Everything acknowledged before this instant is in the state. */
	int64_t proved_raw_ns;
};

static void list_init(struct list *list)
{
	list->first = NULL;
	list->last = &list->first;
}

static void list_push(struct list *list, struct waiter *waiter)
{
	waiter->next = NULL;
	*list->last = waiter;
	list->last = &waiter->next;
}

/* All of from to the empty list to. */
static void list_move(struct list *from, struct list *to)
{
	list_init(to);
	if (from->first) {
		to->first = from->first;
		to->last = from->last;
	}
	list_init(from);
}

static struct waiter *list_pop(struct list *list)
{
	struct waiter *waiter = list->first;

	if (waiter) {
		list->first = waiter->next;
		if (!list->first)
			list->last = &list->first;
	}
	return waiter;
}

static void ask(struct gate *gate);

static void finish(struct waiter *waiter, enum rfs_err err)
{
	gate_done *done = waiter->done;
	void *ctx = waiter->ctx;

	free(waiter);
	done(ctx, err);
}

/* R2, now that the state is where names and sizes can be looked up. What it has
 * applied is no longer in limbo. */
static bool limbo_allows(struct gate *gate, const struct waiter *waiter)
{
	const struct lease_point *lease = &waiter->lease;

	return state_applied(gate->s->state) >= lease->limbo_index ||
	       !inherited_may_change(gate->s->inherited, lease->term,
				     lease->limbo_index, &waiter->query);
}

static void reach(struct gate *gate, struct waiter *waiter, uint64_t index)
{
	waiter->index = index;
	if (state_applied(gate->s->state) < index) {
		list_push(&gate->reaching, waiter);
		return;
	}
	if (!limbo_allows(gate, waiter)) {
		list_push(&gate->unasked, waiter);
		ask(gate);
		return;
	}
	/* Past a limbo, only the answer to this query is. */
	if (waiter->lease.limbo_index == 0 &&
	    waiter->since_raw_ns > gate->proved_raw_ns)
		gate->proved_raw_ns = waiter->since_raw_ns;
	finish(waiter, RFS_ERR_OK);
}

static void on_point(void *ctx, enum rfs_err err, uint64_t index)
{
	struct asking *asking = ctx;
	struct gate *gate = asking->gate;
	struct list waiters;
	struct waiter *waiter;

	list_move(&asking->waiters, &waiters);
	free(asking);
	if (!gate)
		return;
	gate->asking = NULL;
	/* Refused ones go back to the end of the queue; the turn asks again. */
	while ((waiter = list_pop(&waiters))) {
		if (err == RFS_ERR_OK) {
			gate->s->counters.reads_by_raftd++;
			waiter->lease = (struct lease_point){ 0 };
			reach(gate, waiter, index);
		} else {
			list_push(&gate->unasked, waiter);
		}
	}
	if (err == RFS_ERR_OK && gate->unasked.first)
		ask(gate);
}

/* What is asked now covers exactly those who wait now. */
static void ask(struct gate *gate)
{
	if (gate->asking || !gate->unasked.first)
		return;
	struct asking *asking = malloc(sizeof(*asking));
	CHECK(asking != NULL);
	asking->gate = gate;
	asking->since_raw_ns = clock_raw_ns();
	list_move(&gate->unasked, &asking->waiters);
	if (consensus_read(gate->s->consensus, on_point, asking) !=
	    RFS_ERR_OK) {
		list_move(&asking->waiters, &gate->unasked);
		free(asking);
		return;
	}
	gate->asking = asking;
}

static void drop_old(struct list *list, int64_t now_ns)
{
	while (list->first && now_ns - list->first->since_raw_ns >
				      STORAGED_PATIENCE_NS)
		finish(list_pop(list), RFS_ERR_NO_QUORUM);
}

/* No answer for long: the question is left to itself, its readers ask anew. */
static void give_up_asking(struct gate *gate, int64_t now_ns)
{
	struct asking *asking = gate->asking;
	struct waiter *waiter;

	if (!asking || now_ns - asking->since_raw_ns < 3 * NS_PER_SEC)
		return;
	gate->asking = NULL;
	asking->gate = NULL;
	while ((waiter = list_pop(&asking->waiters)))
		list_push(&gate->unasked, waiter);
}

static void on_renewed(void *ctx, enum rfs_err err, uint64_t index)
{
	struct gate *gate = ctx;

	(void)err;
	(void)index;
	gate->renewing = false;
}

/* Rule E1: raftd extends a lease while reads flow, and does not see those that
 * are answered here. One question past the middle of a lease shows it; the
 * answer is of no interest. */
static void renew(struct gate *gate, const struct lease_point *lease)
{
	if (gate->renewing || lease->left_ns > lease->whole_ns / 2)
		return;
	gate->renewing = consensus_read(gate->s->consensus, on_renewed, gate) ==
			 RFS_ERR_OK;
}

/* False: the waiter is still the caller's. */
static bool pass_by_lease(struct gate *gate, struct waiter *waiter)
{
	struct lease_point lease;

	if (!lease_check(gate->s->cons, gate->s->clock, &lease))
		return false;
	if (lease.limbo_index > 0 &&
	    (!waiter->has_query ||
	     !inherited_is_held(gate->s->inherited, lease.term,
				lease.limbo_index)))
		return false;
	renew(gate, &lease);
	gate->s->counters.reads_by_lease++;
	waiter->lease = lease;
	reach(gate, waiter, lease.commit_index);
	return true;
}

/* Those who pass leave the list, but for the long way. */
static void pass_all_by_lease(struct gate *gate, struct list *list)
{
	struct list waiting;
	struct waiter *waiter;

	list_move(list, &waiting);
	while ((waiter = list_pop(&waiting)))
		if (!pass_by_lease(gate, waiter))
			list_push(list, waiter);
}

void gate_retry(struct gate *gate)
{
	pass_all_by_lease(gate, &gate->unasked);
	if (gate->asking)
		pass_all_by_lease(gate, &gate->asking->waiters);
	ask(gate);
}

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct gate *gate = timer->data;
	int64_t now_ns = clock_raw_ns();

	(void)events;
	give_up_asking(gate, now_ns);
	drop_old(&gate->unasked, now_ns);
	drop_old(&gate->reaching, now_ns);
	pass_all_by_lease(gate, &gate->unasked);
	ask(gate);
	if (!gate->unasked.first && !gate->asking && !gate->reaching.first)
		ev_timer_stop(loop, timer);
}

void gate_pass(struct gate *gate, const struct limbo_query *query,
	       int64_t stale_ns, gate_done *done, void *ctx)
{
	int64_t now_ns = clock_raw_ns();

	if (stale_ns > 0 && gate->proved_raw_ns > 0 &&
	    now_ns - gate->proved_raw_ns <= stale_ns) {
		done(ctx, RFS_ERR_OK);
		return;
	}
	struct waiter *waiter = calloc(1, sizeof(*waiter));
	CHECK(waiter != NULL);
	*waiter = (struct waiter){ .done = done,
				   .ctx = ctx,
				   .since_raw_ns = now_ns };
	if (query) {
		waiter->query = *query;
		waiter->has_query = true;
	}
	if (!ev_is_active(&gate->turn))
		ev_timer_again(gate->s->loop, &gate->turn);
	if (pass_by_lease(gate, waiter))
		return;
	list_push(&gate->unasked, waiter);
	ask(gate);
}

void gate_applied(struct gate *gate, uint64_t index)
{
	struct list waiting;
	struct waiter *waiter;

	list_move(&gate->reaching, &waiting);
	while ((waiter = list_pop(&waiting))) {
		if (waiter->index <= index)
			reach(gate, waiter, waiter->index);
		else
			list_push(&gate->reaching, waiter);
	}
}

struct gate *gate_new(struct storaged *s)
{
	struct gate *gate = calloc(1, sizeof(*gate));

	if (!gate)
		return NULL;
	gate->s = s;
	list_init(&gate->unasked);
	list_init(&gate->reaching);
	ev_timer_init(&gate->turn, on_turn, TURN_SEC, TURN_SEC);
	gate->turn.data = gate;
	return gate;
}

void gate_free(struct gate *gate)
{
	struct waiter *waiter;

	if (!gate)
		return;
	if (gate->asking) {
		while ((waiter = list_pop(&gate->asking->waiters)))
			list_push(&gate->unasked, waiter);
		gate->asking->gate = NULL;
	}
	while ((waiter = list_pop(&gate->unasked)) ||
	       (waiter = list_pop(&gate->reaching)))
		finish(waiter, RFS_ERR_CLOSED);
	ev_timer_stop(gate->s->loop, &gate->turn);
	free(gate);
}
