/* Entries, logs, disks, and what is committed. */
#include "tests/replay/state.h"

#include <stdlib.h>
#include <string.h>

#include "common/check.h"

#define U(x) ((unsigned long long)(x))

static struct entry *slot_of(const struct model *model, uint64_t index,
			     uint64_t term)
{
	uint64_t at = (index * 1000003 + term) * 0x9e3779b97f4a7c15u >> 20;

	for (;; at++) {
		struct entry *slot =
			&model->entries[at % model->entry_capacity];

		if (slot->term == 0 ||
		    (slot->index == index && slot->term == term))
			return slot;
	}
}

const struct entry *entry_find(const struct model *model, uint64_t index,
			       uint64_t term)
{
	const struct entry *slot;

	if (model->entry_capacity == 0 || term == 0)
		return NULL;
	slot = slot_of(model, index, term);
	return slot->term ? slot : NULL;
}

static void entry_add(struct model *model, const struct entry *entry)
{
	if (model->entry_count * 2 >= model->entry_capacity) {
		struct entry *old = model->entries;
		uint64_t count = model->entry_capacity;

		model->entry_capacity = count * 2 + 1024;
		model->entries =
			calloc(model->entry_capacity, sizeof(*model->entries));
		CHECK(model->entries);
		for (uint64_t i = 0; i < count; i++)
			if (old[i].term)
				*slot_of(model, old[i].index, old[i].term) =
					old[i];
		free(old);
	}
	*slot_of(model, entry->index, entry->term) = *entry;
	model->entry_count++;
}

uint64_t log_term(const struct node *node, uint64_t index)
{
	return index >= 1 && index <= node->last ? node->log[index] : 0;
}

static void log_put(struct node *node, uint64_t index, uint64_t term)
{
	CHECK(index < UINT32_MAX);
	if (index >= node->capacity) {
		node->capacity = index * 2 + 256;
		node->log =
			realloc(node->log, node->capacity * sizeof(*node->log));
		CHECK(node->log);
	}
	node->log[index] = term;
	node->last = index;
}

/* A snapshot is of the committed log; with it comes all before it. */
static void log_from_committed(struct model *model, struct node *node,
			       uint64_t index, uint64_t term)
{
	node->last = 0;
	if (index > model->committed_last ||
	    (index && model->committed[index] != term)) {
		broken(model, "commit-differs",
		       "snapshot %llu of term %llu is of no committed log",
		       U(index), U(term));
		return;
	}
	for (uint64_t i = 1; i <= index; i++)
		log_put(node, i, model->committed[i]);
}

/* Entries up to `last` are of `term`: known ones, each after the one before. */
static void log_run(struct model *model, struct node *node, uint64_t last,
		    uint64_t term)
{
	while (node->last < last) {
		const struct entry *entry =
			entry_find(model, node->last + 1, term);

		if (!entry ||
		    entry->previous_term != log_term(node, node->last)) {
			broken(model, "log-matching",
			       "a disk holds entry %llu of term %llu, which "
			       "does not follow what it holds before",
			       U(node->last + 1), U(term));
			return;
		}
		log_put(node, node->last + 1, term);
	}
}

/* What it held durably must still be there. */
static bool lost_something(const struct node *before, const struct node *now)
{
	for (uint64_t i = 1; i <= before->durable; i++)
		if (log_term(now, i) != before->log[i])
			return true;
	return now->snapshot < before->snapshot;
}

void on_start(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	struct node before = *node;
	uint64_t term = line_u64(line, 0);
	uint32_t vote = (uint32_t)line_u64(line, 1);

	node->log = NULL;
	node->capacity = 0;
	node->snapshot = line_u64(line, 2);
	log_from_committed(model, node, node->snapshot, line_u64(line, 3));
	for (uint32_t i = 4; i + 1 < line->count; i += 2)
		log_run(model, node, line_u64(line, i), line_u64(line, i + 1));
	if (node->up)
		broken(model, "nonsense", "started twice");
	if (lost_something(&before, node))
		broken(model, "forgets",
		       "its disk held entries to %llu, now it holds others",
		       U(before.durable));
	if (term < node->hard_term ||
	    (term == node->hard_term && node->hard_vote &&
	     vote != node->hard_vote))
		broken(model, "forgets",
		       "term %llu vote %u was durable, it starts with term "
		       "%llu vote %u",
		       U(node->hard_term), node->hard_vote, U(term), vote);
	free(before.log);
	node->up = true;
	node->hard_term = term;
	node->hard_vote = vote;
	node->durable = node->last;
	node->commit = node->snapshot;
	config_refresh(model, node);
}

/* Its own checksums told it. What it promised stands until it holds as much. */
void on_damaged(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];

	if (node->up || node->promised_last)
		broken(model, "nonsense", "damaged while it runs, or twice");
	free(node->promised);
	node->promised = calloc(node->durable + 1, sizeof(uint64_t));
	CHECK(node->promised);
	for (uint64_t i = 1; i <= node->durable; i++)
		node->promised[i] = node->log[i];
	node->promised_last = node->durable;
	node->durable = 0;
}

void on_mended(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	bool by_snapshot = node->snapshot >= node->durable;
	uint64_t held = by_snapshot ? node->snapshot : node->durable;
	uint64_t term = held == 0     ? 0
			: by_snapshot ? model->committed[held]
				      : log_term(node, held);
	uint64_t promised_term =
		node->promised_last ? node->promised[node->promised_last] : 0;

	if (term < promised_term ||
	    (term == promised_term && held < node->promised_last))
		broken(model, "promise",
		       "mended at %llu of term %llu; promised to %llu of term "
		       "%llu",
		       U(held), U(term), U(node->promised_last),
		       U(promised_term));
	node->promised_last = 0;
}

static enum kind kind_of(struct model *model, const char *word)
{
	static const char *const names[] = {"first",   "command",
					    "extend",  "relinquish",
					    "config",  "setting",
					    "other"};

	for (uint32_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (strcmp(word, names[i]) == 0)
			return (enum kind)i;
	broken(model, "nonsense", "an entry of kind %s", word);
	return KIND_OTHER;
}

static bool same(const struct entry *a, const struct entry *b)
{
	return a->previous_term == b->previous_term && a->kind == b->kind &&
	       a->epoch == b->epoch && a->ts_ns == b->ts_ns &&
	       a->key == b->key && a->identity == b->identity &&
	       a->sequence == b->sequence && a->voters == b->voters &&
	       a->before == b->before && a->past_ns == b->past_ns &&
	       a->lease_ns == b->lease_ns;
}

static void entry_new(struct model *model, const struct node *node,
		      const struct entry *entry, struct line *line)
{
	const struct entry *before =
		entry_find(model, entry->index - 1, entry->previous_term);

	if (node->leads != entry->term)
		broken(model, "not-its-entry",
		       "entry %llu of term %llu made by who does not lead it",
		       U(entry->index), U(entry->term));
	if (entry->kind == KIND_CONFIG)
		config_new(model, node, entry);
	if (entry->kind == KIND_SETTING)
		lease_setting(model, node, entry);
	stamp_entry(model, entry, before ? before->ts_ns : INT64_MIN,
		    line_i64(line, 5), line);
	model->counts.appends++;
	entry_add(model, entry);
}

void on_append(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	struct entry entry = {
		.index = line_u64(line, 0),
		.term = line_u64(line, 1),
		.epoch = line_u64(line, 2),
		.ts_ns = line_i64(line, 3),
		.made_ns = line_i64(line, 4),
		.kind = kind_of(model, line->words[6]),
		.previous_term = log_term(node, node->last),
	};
	const struct entry *known = entry_find(model, entry.index, entry.term);
	const struct entry *before;

	if (entry.kind == KIND_COMMAND) {
		entry.key = (uint32_t)line_u64(line, 7) % KEYS_MAX;
		entry.identity = (uint32_t)line_u64(line, 8);
		entry.sequence = (uint32_t)line_u64(line, 9);
	}
	before = entry_find(model, node->last, entry.previous_term);
	entry.lease_ns = before ? before->lease_ns : model->lease_ns;
	if (entry.kind == KIND_SETTING) {
		entry.lease_ns = line_i64(line, 7);
		entry.past_ns = line_i64(line, 8);
	}
	if (entry.kind == KIND_CONFIG) {
		entry.voters = (uint32_t)line_u64(line, 7);
		entry.before = (uint32_t)line_u64(line, 8);
	}
	if (!node->up || entry.term == 0 || entry.index != node->last + 1) {
		broken(model, "nonsense", "entry %llu after entry %llu",
		       U(entry.index), U(node->last));
		return;
	}
	if (!known)
		entry_new(model, node, &entry, line);
	else if (!same(known, &entry))
		broken(model, "log-matching",
		       "two entries %llu of term %llu, or after two logs",
		       U(entry.index), U(entry.term));
	log_put(node, entry.index, entry.term);
	if (entry.kind == KIND_CONFIG)
		node->config = entry.index;
}

void on_truncate(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	uint64_t from = line_u64(line, 0);

	if (from <= node->commit || from == 0 || from > node->last) {
		broken(model, "forgets",
		       "cuts its log at %llu; committed %llu, last %llu",
		       U(from), U(node->commit), U(node->last));
		return;
	}
	node->last = from - 1;
	if (node->durable > node->last)
		node->durable = node->last;
	config_refresh(model, node);
}

void on_snapshot(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	uint64_t index = line_u64(line, 0);

	if (index > model->committed_last || index == 0 ||
	    model->committed[index] != line_u64(line, 1))
		broken(model, "commit-differs",
		       "snapshot %llu is of no committed log", U(index));
	if (node->snapshot < index)
		node->snapshot = index;
}

void on_reset(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	uint64_t index = line_u64(line, 0);

	if (index < node->commit)
		broken(model, "forgets", "reset to %llu below commit %llu",
		       U(index), U(node->commit));
	log_from_committed(model, node, index, line_u64(line, 1));
	node->durable = node->last;
	config_refresh(model, node);
}

void on_durable(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	uint64_t index = line_u64(line, 0);

	if (index > node->last)
		broken(model, "nonsense", "durable to %llu, log ends at %llu",
		       U(index), U(node->last));
	else if (index > node->durable)
		node->durable = index;
}

void on_ack(struct model *model, struct line *line)
{
	const struct node *node = &model->nodes[line->node];
	uint64_t index = line_u64(line, 0);

	if (index > node->durable && index > node->snapshot)
		broken(model, "promise",
		       "acknowledges %llu, durable to %llu, snapshot %llu",
		       U(index), U(node->durable), U(node->snapshot));
}

static bool holds(const struct node *node, uint64_t index, uint64_t term)
{
	return node->snapshot >= index ||
	       (node->durable >= index && log_term(node, index) == term) ||
	       (node->promised_last >= index && node->promised[index] == term);
}

static uint64_t *grown(uint64_t *terms, uint64_t count)
{
	terms = realloc(terms, count * sizeof(*terms));
	CHECK(terms);
	return terms;
}

static void commit_one(struct model *model, uint64_t index, uint64_t term,
		       uint64_t leader_term)
{
	const struct entry *entry = entry_find(model, index, term);

	if (index >= model->committed_capacity) {
		uint64_t capacity = index * 2 + 1024;

		model->committed = grown(model->committed, capacity);
		model->committed_by = grown(model->committed_by, capacity);
		model->committed_capacity = capacity;
	}
	model->committed[index] = term;
	model->committed_by[index] = leader_term;
	model->committed_last = index;
	if (entry && entry->kind == KIND_COMMAND)
		model->command_last = model->key_last[entry->key] = index;
}

/* Nobody committed this far before: a leader counted. */
static void commit_new(struct model *model, struct line *line, uint64_t index)
{
	const struct node *node = &model->nodes[line->node];
	uint64_t term = log_term(node, index);
	uint32_t holders = 0;

	model->counts.commits++;
	if (term_of(model, term)->leader != line->node || node->leads != term)
		broken(model, "commit-term",
		       "entry %llu of term %llu first committed by %u, which "
		       "leads term %llu",
		       U(index), U(term), line->node, U(node->leads));
	for (uint32_t i = 1; i < NODES_MAX; i++)
		if (holds(&model->nodes[i], index, term))
			holders |= 1u << i;
	if (!is_quorum(model, node, holders))
		broken(model, "commit-majority",
		       "entry %llu of term %llu is on the disks %x only",
		       U(index), U(term), holders);
	lease_commit(model, node);
	for (uint64_t i = model->committed_last + 1; i <= index; i++)
		commit_one(model, i, node->log[i], term);
}

void on_commit(struct model *model, struct line *line)
{
	struct node *node = &model->nodes[line->node];
	uint64_t index = line_u64(line, 0);

	if (index < node->commit || index > node->last) {
		broken(model, "nonsense",
		       "commits %llu after %llu, log to %llu", U(index),
		       U(node->commit), U(node->last));
		return;
	}
	for (uint64_t i = node->commit + 1;
	     i <= index && i <= model->committed_last; i++)
		if (node->log[i] != model->committed[i])
			broken(model, "commit-differs",
			       "entry %llu of term %llu committed, elsewhere "
			       "of term %llu",
			       U(i), U(node->log[i]), U(model->committed[i]));
	if (index > model->committed_last)
		commit_new(model, line, index);
	node->commit = index;
}
