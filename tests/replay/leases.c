/* LeaseGuard, judged in true time: who may commit, who may read. */
#include "tests/replay/state.h"

#include <string.h>

#define U(x)	    ((unsigned long long)(x))
#define ROUNDING_NS 1000

/* The longest true time during which a clock within the rate rule shows that
 * less than D has passed. */
static int64_t longest_ns(const struct model *model, int64_t lease_ns)
{
	return lease_ns +
	       (int64_t)((__int128)lease_ns * model->rho_ppb / 1000000000) +
	       ROUNDING_NS;
}

/* Nobody can have led between term k and this one. */
static bool none_between(struct model *model, uint64_t k, uint64_t number)
{
	for (uint64_t i = k + 1; i < number; i++)
		if (term_of(model, i)->leader)
			return false;
	return true;
}

/* I10, I11: the lease of the last inherited entry is over before its time. */
static bool given_up(struct model *model, const struct node *node,
		     const struct entry *last)
{
	bool relinquished = last->kind == KIND_RELINQUISH;
	bool died = term_of(model, last->term)->dead &&
		    log_term(node, node->commit) == last->term;

	return (relinquished || died) &&
	       none_between(model, last->term, node->leads);
}

/* Of the entries of a log up to an index one that is younger than its own D, by
 * the longest such D; NULL: there is none. Entries before one were made before
 * it, so the search ends where no D reaches. */
static const struct entry *youngest(const struct model *model,
				    const struct node *node, uint64_t index)
{
	const struct entry *found = NULL;

	for (; index > 0; index--) {
		const struct entry *entry =
			entry_find(model, index, log_term(node, index));
		int64_t age_ns;

		if (!entry)
			break;
		age_ns = model->now_ns - entry->made_ns;
		if (age_ns >= model->longest_ns)
			break;
		if (age_ns < entry->lease_ns &&
		    (!found || entry->lease_ns > found->lease_ns))
			found = entry;
	}
	return found;
}

/* C1, when a leader commits for the first time in its term. */
void lease_commit(struct model *model, const struct node *node)
{
	struct term *term = term_of(model, node->leads);
	const struct entry *last = entry_find(model, term->inherited,
					      log_term(node, term->inherited));
	const struct entry *young;

	if (term->settled || !model->clocks_trusted)
		return;
	term->settled = true;
	young = youngest(model, node, term->inherited);
	if (!young)
		return;
	if (!given_up(model, node, last)) {
		broken(model, "C1",
		       "leader of term %llu commits; entry %llu of term %llu "
		       "is %lld ns old, its D %lld ns, and nobody gave its "
		       "lease up",
		       U(node->leads), U(young->index), U(young->term),
		       (long long)(model->now_ns - young->made_ns),
		       (long long)young->lease_ns);
		return;
	}
	model->counts.waits_skipped++;
	term->skipped_from = last->term;
}

/* I8: what it says of the past covers every entry before it. */
void lease_setting(struct model *model, const struct node *node,
		   const struct entry *entry)
{
	const struct entry *young = youngest(model, node, entry->index - 1);

	model->counts.settings++;
	if (entry->lease_ns > model->longest_ns)
		model->longest_ns = entry->lease_ns;
	if (!model->clocks_trusted || !young ||
	    young->lease_ns <= entry->past_ns)
		return;
	broken(model, "setting",
	       "entry %llu says %lld ns of the past; entry %llu is younger "
	       "than its D, %lld ns",
	       U(entry->index), (long long)entry->past_ns, U(young->index),
	       (long long)young->lease_ns);
}

void on_asked(struct model *model, struct line *line)
{
	uint64_t at = model->point_next++ % POINTS_MAX;

	model->points[at].token = line_u64(line, 0);
	model->points[at].committed = model->command_last;
}

void on_point(struct model *model, struct line *line)
{
	uint64_t token = line_u64(line, 0);
	uint64_t index = line_u64(line, 1);

	model->counts.points++;
	if (strcmp(line->words[2], "lease") == 0 && !model->clocks_trusted)
		return;
	for (uint64_t i = 0; i < POINTS_MAX; i++)
		if (model->points[i].token == token &&
		    model->points[i].committed > index)
			broken(model, "read-stale",
			       "read point %llu by %s; committed was %llu",
			       U(index), line->words[2],
			       U(model->points[i].committed));
}

/* I10: it gave its lease up, and committed nothing since. */
static bool gave_up(struct model *model, const struct node *node,
		    uint64_t commit)
{
	for (uint64_t i = node->last; i >= commit && i > 0; i--) {
		const struct entry *entry =
			entry_find(model, i, log_term(node, i));

		if (entry && entry->term == node->leads &&
		    entry->kind == KIND_RELINQUISH)
			return true;
	}
	return false;
}

/* R2: a command on the key after it, of another term, that may be committed. */
static bool in_limbo(struct model *model, const struct node *node,
		     uint64_t commit, uint64_t key)
{
	uint64_t last = term_of(model, node->leads)->inherited;

	for (uint64_t i = commit + 1; i <= last; i++) {
		const struct entry *entry =
			entry_find(model, i, log_term(node, i));

		if (entry && entry->kind == KIND_COMMAND && entry->key == key)
			return true;
	}
	return false;
}

void on_lease_read(struct model *model, struct line *line)
{
	const struct node *node = &model->nodes[line->node];
	uint64_t commit = line_u64(line, 0);
	uint64_t key = line_u64(line, 1) % KEYS_MAX;
	const struct entry *entry =
		entry_find(model, commit, log_term(node, commit));

	model->counts.lease_reads++;
	if (!node->up || !entry || commit > node->commit) {
		broken(model, "nonsense", "reads at %llu, committed %llu",
		       U(commit), U(node->commit));
		return;
	}
	if (!model->clocks_trusted)
		return;
	if (commit < model->key_last[key])
		broken(model, "lease-stale",
		       "reads key %llu by lease at %llu; committed is %llu",
		       U(key), U(commit), U(model->key_last[key]));
	if (entry->lease_ns == 0 ||
	    model->now_ns - entry->made_ns >
		    longest_ns(model, entry->lease_ns))
		broken(model, "R1",
		       "reads by entry %llu of term %llu, %lld ns old; its D "
		       "is %lld ns",
		       U(commit), U(entry->term),
		       (long long)(model->now_ns - entry->made_ns),
		       (long long)entry->lease_ns);
	/* Who leads no more may use up what it had. */
	if (node->leads == 0)
		return;
	if (gave_up(model, node, commit))
		broken(model, "I10",
		       "leader of term %llu reads at %llu; its lease is given "
		       "up",
		       U(node->leads), U(commit));
	if (entry->term == node->leads)
		return;
	model->counts.inherited_reads++;
	if (in_limbo(model, node, commit, key))
		broken(model, "R2",
		       "leader of term %llu reads key %llu at %llu, beside "
		       "commands that may be committed",
		       U(node->leads), U(key), U(commit));
}
