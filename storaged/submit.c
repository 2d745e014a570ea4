/* A submission's life:
 *
 *	IDLE -> ASKED -> APPENDED -> (applied here) -> done
 *	  ^_______|_________|  refused, lost, overtaken, too long
 *
 * Commands with a seq are recognised when applied by (session, seq); the others
 * by the very (index, term) they were appended at. The answer to "appended at"
 * may come after the entry was applied here, so the latter's results are kept
 * for a while.
 */
#include "storaged/submit.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/check.h"
#include "common/os/clock.h"
#include "common/os/log.h"
#include "common/units.h"
#include "storaged/cluster.h"
#include "storaged/consensus.h"

#define TURN_SEC	0.02
#define ASKED_MAX_NS	(3 * NS_PER_SEC)
#define APPENDED_MAX_NS (4 * NS_PER_SEC)
#define AGAIN_NS	(15 * NS_PER_MS) /* after a refusal */
#define BUCKETS		1024u
#define RECENT		256u

enum progress { IDLE, ASKED, APPENDED };

struct submission {
	struct submission *next; /* all, newest first */
	struct submission **prev_next;
	struct submission *same; /* in the bucket of (session, seq) */
	uint64_t session;
	uint64_t seq;
	submit_done *done;
	void *ctx;
	int64_t since_raw_ns;
	int64_t changed_raw_ns; /* when progress changed */
	int64_t not_before_ns;
	enum progress progress;
	bool handed_out; /* someone may have appended it */
	struct attempt *attempt;
	uint64_t index;
	uint64_t term;
	size_t bytes;
	uint8_t image[];
};

/* A question that was sent. It outlives a submission answered otherwise. */
struct attempt {
	struct submit *submit;
	struct submission *submission; /* NULL: nobody cares any more */
};

struct recent {
	uint64_t index;
	uint64_t term;
	struct store_result result;
};

struct submit {
	struct storaged *s;
	struct ev_timer turn;
	struct submission *first;
	struct submission *buckets[BUCKETS];
	uint64_t count;
	uint64_t leader_term;
	uint32_t leader;
	struct recent recent[RECENT]; /* by index modulo RECENT */
};

static struct submission **bucket_of(struct submit *submit, uint64_t session,
				     uint64_t seq)
{
	uint64_t mixed = session * UINT64_C(0x9e3779b97f4a7c15) + seq;

	return &submit->buckets[mixed % BUCKETS];
}

static void unlink_bucket(struct submit *submit, struct submission *sub)
{
	struct submission **at = bucket_of(submit, sub->session, sub->seq);

	while (*at != sub)
		at = &(*at)->same;
	*at = sub->same;
}

static void drop_attempt(struct submission *sub)
{
	if (sub->attempt)
		sub->attempt->submission = NULL;
	sub->attempt = NULL;
}

static void finish(struct submit *submit, struct submission *sub,
		   enum rfs_err err, const struct store_result *result)
{
	if (sub->seq > 0)
		unlink_bucket(submit, sub);
	*sub->prev_next = sub->next;
	if (sub->next)
		sub->next->prev_next = sub->prev_next;
	submit->count--;
	drop_attempt(sub);
	sub->done(sub->ctx, err, result);
	free(sub);
}

static void set_progress(struct submission *sub, enum progress progress)
{
	sub->progress = progress;
	sub->changed_raw_ns = clock_raw_ns();
}

static void go_idle(struct submission *sub, int64_t wait_ns)
{
	drop_attempt(sub);
	set_progress(sub, IDLE);
	sub->not_before_ns = sub->changed_raw_ns + wait_ns;
}

static const struct recent *recent_at(struct submit *submit, uint64_t index,
				      uint64_t term)
{
	const struct recent *recent = &submit->recent[index % RECENT];

	return recent->index == index && recent->term == term ? recent : NULL;
}

/* Appended at an index that was applied before we heard so: either its result
 * is still here, or another entry took its place. */
static void settle_applied(struct submit *submit, struct submission *sub)
{
	const struct recent *recent =
		sub->seq > 0 ? NULL : recent_at(submit, sub->index, sub->term);

	if (recent) {
		const struct store_result result = recent->result;

		finish(submit, sub, RFS_ERR_OK, &result);
	} else {
		go_idle(sub, 0);
	}
}

static void on_proposed(void *ctx, enum rfs_err err, uint64_t index,
			uint64_t term)
{
	struct attempt *attempt = ctx;
	struct submission *sub = attempt->submission;
	struct submit *submit = attempt->submit;

	free(attempt);
	if (!sub)
		return;
	sub->attempt = NULL;
	if (err == RFS_ERR_OK) {
		sub->handed_out = true;
		sub->index = index;
		sub->term = term;
		set_progress(sub, APPENDED);
		if (state_applied(submit->s->state) >= index)
			settle_applied(submit, sub);
		return;
	}
	if (err == RFS_ERR_CLOSED)
		sub->handed_out = true;
	go_idle(sub, AGAIN_NS);
}

static enum rfs_err send_to_leader(struct submit *submit,
				   struct submission *sub,
				   struct attempt *attempt)
{
	struct storaged *s = submit->s;
	const struct bytes image = { .data = sub->image, .bytes = sub->bytes };
	uint32_t leader = storaged_leader(s, NULL);

	if (leader == 0)
		return RFS_ERR_NOT_LEADER;
	if (leader == storaged_self(s))
		return consensus_propose(s->consensus, image, on_proposed,
					 attempt);
	return cluster_forward(s->cluster, leader, image, on_proposed, attempt);
}

static void try_one(struct submit *submit, struct submission *sub)
{
	struct attempt *attempt = malloc(sizeof(*attempt));

	CHECK(sub->progress == IDLE);
	if (!attempt)
		return;
	*attempt = (struct attempt){ .submit = submit, .submission = sub };
	sub->attempt = attempt;
	enum rfs_err err = send_to_leader(submit, sub, attempt);
	if (err == RFS_ERR_OK) {
		set_progress(sub, ASKED);
		return;
	}
	sub->attempt = NULL;
	free(attempt);
	sub->not_before_ns = clock_raw_ns() + AGAIN_NS;
}

/* What was asked of, or appended by, a leader that is gone is asked anew. */
static bool leader_changed(struct submit *submit)
{
	uint64_t term = 0;
	uint32_t leader = storaged_leader(submit->s, &term);

	if (leader == 0 ||
	    (leader == submit->leader && term == submit->leader_term))
		return false;
	submit->leader = leader;
	submit->leader_term = term;
	return true;
}

static void turn_one(struct submit *submit, struct submission *sub,
		     int64_t now_ns, bool changed)
{
	int64_t age_ns = now_ns - sub->changed_raw_ns;

	if (now_ns - sub->since_raw_ns > STORAGED_PATIENCE_NS) {
		finish(submit, sub,
		       sub->handed_out || sub->progress != IDLE
			       ? RFS_ERR_UNKNOWN
			       : RFS_ERR_NO_QUORUM,
		       NULL);
		return;
	}
	if ((sub->progress == ASKED && (changed || age_ns > ASKED_MAX_NS)) ||
	    (sub->progress == APPENDED &&
	     (changed || age_ns > APPENDED_MAX_NS))) {
		sub->handed_out = true;
		go_idle(sub, 0);
	}
	if (sub->progress == IDLE && now_ns >= sub->not_before_ns)
		try_one(submit, sub);
}

static void on_turn(struct ev_loop *loop, struct ev_timer *timer, int events)
{
	struct submit *submit = timer->data;
	int64_t now_ns = clock_raw_ns();
	bool changed = leader_changed(submit);

	(void)events;
	for (struct submission *sub = submit->first; sub;) {
		struct submission *next = sub->next;

		turn_one(submit, sub, now_ns, changed);
		sub = next;
	}
	if (submit->count == 0)
		ev_timer_stop(loop, timer);
}

struct submit *submit_new(struct storaged *s)
{
	struct submit *submit = calloc(1, sizeof(*submit));

	if (!submit)
		return NULL;
	submit->s = s;
	ev_timer_init(&submit->turn, on_turn, TURN_SEC, TURN_SEC);
	submit->turn.data = submit;
	return submit;
}

void submit_free(struct submit *submit)
{
	if (!submit)
		return;
	for (struct submission *sub = submit->first; sub;) {
		struct submission *next = sub->next;

		finish(submit, sub, RFS_ERR_UNKNOWN, NULL);
		sub = next;
	}
	ev_timer_stop(submit->s->loop, &submit->turn);
	free(submit);
}

static struct submission *encode(const struct command *command)
{
	size_t size = 4096 + command->data.bytes + command->name.bytes +
		      command->target_name.bytes;
	struct submission *sub = calloc(1, sizeof(*sub) + size);

	CHECK(sub != NULL);
	enum rfs_err err =
		command_encode(command, sub->image, size, &sub->bytes);
	CHECK(err == RFS_ERR_OK);
	return sub;
}

void submit_command(struct submit *submit, const struct command *command,
		    submit_done *done, void *ctx)
{
	struct submission *sub = encode(command);

	sub->session = command->session;
	sub->seq = command->seq;
	sub->done = done;
	sub->ctx = ctx;
	sub->since_raw_ns = clock_raw_ns();
	sub->next = submit->first;
	sub->prev_next = &submit->first;
	if (sub->next)
		sub->next->prev_next = &sub->next;
	submit->first = sub;
	submit->count++;
	if (sub->seq > 0) {
		struct submission **bucket =
			bucket_of(submit, sub->session, sub->seq);

		sub->same = *bucket;
		*bucket = sub;
	}
	if (!ev_is_active(&submit->turn)) {
		leader_changed(submit);
		ev_timer_again(submit->s->loop, &submit->turn);
	}
	go_idle(sub, 0);
	try_one(submit, sub);
}

static void result_by_seq(struct submit *submit,
			  const struct store_result *result)
{
	struct submission *sub =
		*bucket_of(submit, result->session, result->seq);

	while (sub) {
		struct submission *same = sub->same;

		if (sub->session == result->session && sub->seq == result->seq)
			finish(submit, sub, RFS_ERR_OK, result);
		sub = same;
	}
}

static void result_by_place(struct submit *submit,
			    const struct store_result *result, uint64_t index,
			    uint64_t term)
{
	for (struct submission *sub = submit->first; sub;) {
		struct submission *next = sub->next;

		if (sub->seq == 0 && sub->progress == APPENDED &&
		    sub->index == index && sub->term == term)
			finish(submit, sub, RFS_ERR_OK, result);
		sub = next;
	}
	submit->recent[index % RECENT] = (struct recent){
		.index = index, .term = term, .result = *result
	};
}

void submit_result(struct submit *submit, const struct store_result *result,
		   uint64_t index, uint64_t term)
{
	if (result->seq > 0)
		result_by_seq(submit, result);
	else
		result_by_place(submit, result, index, term);
}

/* What was appended at or before index and is still here did not get there. */
void submit_applied(struct submit *submit, uint64_t index)
{
	for (struct submission *sub = submit->first; sub;) {
		struct submission *next = sub->next;

		if (sub->progress == APPENDED && sub->index <= index) {
			go_idle(sub, 0);
			try_one(submit, sub);
		}
		sub = next;
	}
}

void submit_restart(struct submit *submit)
{
	for (struct submission *sub = submit->first; sub; sub = sub->next)
		if (sub->progress != IDLE) {
			sub->handed_out = true;
			go_idle(sub, 0);
		}
}

uint64_t submit_waiting(const struct submit *submit)
{
	return submit->count;
}
