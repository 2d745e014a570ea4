/* Terms, votes, leaders. */
#include "tests/replay/state.h"

#define U(x) ((unsigned long long)(x))

void on_stop(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];

	for (uint64_t term = 1; term < model->term_count; term++)
		if (model->terms[term].leader == line->node)
			model->terms[term].dead = true;
	node->up = false;
	node->leads = 0;
}

void on_hard(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	uint64_t term = line_u64(line, 0);
	uint32_t vote = (uint32_t)line_u64(line, 1);

	if (term < node->hard_term ||
	    (term == node->hard_term && node->hard_vote &&
	     vote != node->hard_vote))
		broken(model, "two-votes",
		       "term %llu vote %u after term %llu vote %u", U(term),
		       vote, U(node->hard_term), node->hard_vote);
	node->hard_term = term;
	node->hard_vote = vote;
	if (node->leads != term)
		node->leads = 0;
}

/* A vote is told to others: it must be durable, and the only one. */
static void vote(struct model *model, uint32_t voter, uint64_t term,
		 uint32_t candidate)
{
	struct node *node = &model->nodes[voter];

	model->counts.votes++;
	if (term < node->voted_term ||
	    (term == node->voted_term && candidate != node->voted_for))
		broken(model, "two-votes",
		       "votes for %u in term %llu, and had for %u in %llu",
		       candidate, U(term), node->voted_for,
		       U(node->voted_term));
	if (term != node->hard_term || candidate != node->hard_vote)
		broken(model, "promise",
		       "votes for %u in term %llu, its disk says %u, %llu",
		       candidate, U(term), node->hard_vote, U(node->hard_term));
	node->voted_term = term;
	node->voted_for = candidate;
	term_of(model, term)->votes[candidate] |= 1u << voter;
}

void on_stand(struct model *model, struct line *line)
{
	uint64_t number = line_u64(line, 0);
	struct term *term = term_of(model, number);
	const struct node *node = &model->nodes[line->node];

	if (node->promised_last)
		broken(model, "promise", "stands with a damaged log");
	term->stood[line->node].stood = true;
	term->stood[line->node].last = line_u64(line, 1);
	term->stood[line->node].last_term = line_u64(line, 2);
	if (node->last != line_u64(line, 1) ||
	    log_term(node, node->last) != line_u64(line, 2))
		broken(model, "promise",
		       "stands for a log to %llu, which ends at %llu",
		       U(line_u64(line, 1)), U(node->last));
	vote(model, line->node, number, line->node);
}

/* Is that log at least as good as one that ends at (last, last_term)? */
static void not_behind(struct model *model, const struct term *term,
		       uint64_t candidate, uint64_t last, uint64_t last_term)
{
	uint64_t theirs = term->stood[candidate].last;
	uint64_t their_term = term->stood[candidate].last_term;

	if (their_term < last_term ||
	    (their_term == last_term && theirs < last))
		broken(model, "vote-behind",
		       "its log ends, or once ended, at %llu of term %llu, "
		       "that of %llu at %llu of term %llu",
		       U(last), U(last_term), U(candidate), U(theirs),
		       U(their_term));
}

void on_vote(struct model *model, struct line *line)
{
	const struct node *node = &model->nodes[line->node];
	uint64_t number = line_u64(line, 0);
	uint64_t candidate = line_u64(line, 1);
	struct term *term = term_of(model, number);

	if (candidate == 0 || candidate >= NODES_MAX ||
	    !term->stood[candidate].stood) {
		broken(model, "nonsense", "votes for %llu, who did not stand",
		       U(candidate));
		return;
	}
	not_behind(model, term, candidate, node->last,
		   log_term(node, node->last));
	if (node->promised_last)
		not_behind(model, term, candidate, node->promised_last,
			   node->promised[node->promised_last]);
	vote(model, line->node, number, (uint32_t)candidate);
}

/* P: whoever did not wait for the lease of term k relied on nobody leading in
 * a term after k and before its own. */
static void late_leader(struct model *model, uint64_t number)
{
	for (uint64_t i = number + 1; i < model->term_count; i++)
		if (model->terms[i].skipped_from &&
		    model->terms[i].skipped_from < number)
			broken(model, "late-leader",
			       "term %llu gets a leader; that of term %llu "
			       "took the lease of term %llu for given up",
			       U(number), U(i),
			       U(model->terms[i].skipped_from));
}

static void completeness(struct model *model, const struct node *node,
			 uint64_t number)
{
	uint64_t i = model->committed_last;

	/* A commit by a later leader is not this one's to know. */
	while (i > 0 && model->committed_by[i] >= number)
		i--;
	if (i > 0 && log_term(node, i) != model->committed[i])
		broken(model, "incomplete-leader",
		       "leader of term %llu lacks committed entry %llu of "
		       "term %llu",
		       U(number), U(i), U(model->committed[i]));
}

void on_lead(struct model *model, struct line *line)
{
	uint64_t number = line_u64(line, 0);
	struct term *term = term_of(model, number);
	struct node *node = &model->nodes[line->node];

	model->counts.leaders++;
	if (term->leader)
		broken(model, "two-leaders", "of term %llu: %u and %u",
		       U(number), term->leader, line->node);
	if (!is_quorum(model, node, term->votes[line->node]))
		broken(model, "no-majority", "voted for %u in term %llu: %x",
		       line->node, U(number), term->votes[line->node]);
	completeness(model, node, number);
	late_leader(model, number);
	term->leader = line->node;
	term->inherited = node->last;
	node->leads = number;
}
