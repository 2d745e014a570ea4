/* Where to begin by a binary search, errors by one walk from the end. */
#include "raftd/logpage.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/os/config.h"
#include "common/units.h"
#include "raftd/roster.h"

#define UNKNOWN_NS (-1)
/* Entries with words are rare: a page with more ends early. */
#define TEXTS_MAX 64

struct logpage {
	DistributedFs__RaftLog log;
	DistributedFs__RaftLogEntry entry[LOGPAGE_ENTRIES_MAX];
	DistributedFs__RaftLogEntry *entries[LOGPAGE_ENTRIES_MAX];
	char texts[TEXTS_MAX][LOGPAGE_TEXT_BYTES];
	uint32_t text_count;
};

struct logpage *logpage_new(void)
{
	struct logpage *logpage = calloc(1, sizeof(*logpage));

	if (logpage == NULL)
		return NULL;
	for (uint32_t i = 0; i < LOGPAGE_ENTRIES_MAX; i++)
		logpage->entries[i] = &logpage->entry[i];
	return logpage;
}

void logpage_free(struct logpage *logpage)
{
	free(logpage);
}

static char *kind_name(enum raft_entry_kind kind)
{
	static const char *const names[] = {
		[RAFT_ENTRY_NOOP] = "leader",
		[RAFT_ENTRY_COMMAND] = "command",
		[RAFT_ENTRY_EXTEND] = "lease",
		[RAFT_ENTRY_RELINQUISH] = "relinquish",
		[RAFT_ENTRY_CONFIG] = "membership",
		[RAFT_ENTRY_LEASE] = "lease-time",
	};

	return (char *)(kind <= RAFT_ENTRY_LAST ? names[kind] : "unknown");
}

/* How much later what was stamped before this entry may have been, by the time
 * of its epoch. 0 for an entry that hands nothing over. */
static int64_t handover_width_ns(const struct raft *raft, uint64_t index)
{
	const struct raft_entry *entry = raft_log_at(raft, index);
	const struct raft_entry *before = raft_log_at(raft, index - 1);
	struct raft_handover handover;

	if (entry->kind != RAFT_ENTRY_NOOP)
		return 0;
	if (before == NULL ||
	    raft_handover_decode(entry->data, entry->bytes, &handover) !=
		    RFS_ERR_OK ||
	    interval_is_empty(handover.old) ||
	    handover.old_epoch != before->stamp.epoch)
		return UNKNOWN_NS;
	return handover.new_ts_ns - handover.old.low_ns;
}

/* The widths of all hand-overs in (index, commit]. */
static int64_t widths_after_ns(const struct raft *raft, uint64_t index,
			       uint64_t commit)
{
	int64_t sum_ns = 0;

	for (uint64_t i = commit; i > index; i--) {
		int64_t width_ns = handover_width_ns(raft, i);

		if (width_ns == UNKNOWN_NS)
			return UNKNOWN_NS;
		sum_ns += width_ns;
	}
	return sum_ns;
}

/* Stamps rise along the log. */
static uint64_t first_since(const struct raft *raft, uint64_t low,
			    uint64_t commit, int64_t since_ns)
{
	uint64_t high = commit + 1;

	while (low < high) {
		uint64_t middle = low + (high - low) / 2;

		if (raft_log_at(raft, middle)->stamp.ts_ns < since_ns)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

struct phrase {
	char *at;
	size_t left;
};

static void add(struct phrase *phrase, const char *before, const char *word)
{
	int bytes = snprintf(phrase->at, phrase->left, "%s%s", before, word);
	size_t used = bytes < 0 ? 0 : (size_t)bytes;

	if (used >= phrase->left)
		used = phrase->left - 1;
	phrase->at += used;
	phrase->left -= used;
}

static void add_member(struct phrase *phrase, const struct raft_member *member)
{
	struct config_node node;
	char id[16];

	if (roster_parse(member, &node) == RFS_ERR_OK) {
		add(phrase, " ", node.name);
		return;
	}
	snprintf(id, sizeof(id), "node %u", member->id);
	add(phrase, " ", id);
}

typedef bool belongs(const struct raft_member *member);

static bool is_voter(const struct raft_member *member)
{
	return member->voter;
}

static bool was_voter(const struct raft_member *member)
{
	return member->voter_before;
}

static bool is_learner(const struct raft_member *member)
{
	return !member->voter && !member->voter_before;
}

/* "voters n1 n2"; nothing when nobody belongs. */
static void add_those(struct phrase *phrase, const char *title,
		      const struct raft_membership *membership,
		      belongs *belongs_there)
{
	bool first = true;

	for (uint32_t i = 0; i < membership->count; i++) {
		if (!belongs_there(&membership->members[i]))
			continue;
		if (first)
			add(phrase, title, "");
		first = false;
		add_member(phrase, &membership->members[i]);
	}
}

/* "voters n2 n3 n4; learners n5", "voters n1 n4; together with n1 n2 n3". */
static char *membership_text(struct logpage *page,
			     const struct raft_entry *entry)
{
	char *text = page->texts[page->text_count++];
	struct phrase phrase = { text, LOGPAGE_TEXT_BYTES };
	struct raft_membership membership;

	text[0] = '\0';
	if (raft_membership_decode(entry->data, entry->bytes, &membership) !=
	    RFS_ERR_OK)
		return text;
	add_those(&phrase, "voters", &membership, is_voter);
	if (membership.joint)
		add_those(&phrase, "; together with", &membership, was_voter);
	add_those(&phrase, "; learners", &membership, is_learner);
	return text;
}

/* "leases last 50.00 ms from here on", "leases are off from here on". */
static char *setting_text(struct logpage *page, const struct raft_entry *entry)
{
	char *text = page->texts[page->text_count++];
	struct raft_lease lease;
	char is[24];

	text[0] = '\0';
	if (raft_lease_decode(entry->data, entry->bytes, &lease) != RFS_ERR_OK)
		return text;
	if (lease.duration_ns > 0)
		snprintf(text, LOGPAGE_TEXT_BYTES,
			 "leases last %s from here on",
			 units_format_duration(lease.duration_ns, is,
					       sizeof(is)));
	else
		snprintf(text, LOGPAGE_TEXT_BYTES,
			 "leases are off from here on");
	return text;
}

static void fill_entry(struct logpage *page, DistributedFs__RaftLogEntry *to,
		       const struct raft_entry *from)
{
	distributed_fs__raft_log_entry__init(to);
	to->index = from->index;
	to->term = from->term;
	to->epoch = from->stamp.epoch;
	to->ts_ns = from->stamp.ts_ns;
	to->kind = kind_name(from->kind);
	if (from->kind == RAFT_ENTRY_COMMAND) {
		to->command.data = (uint8_t *)from->data;
		to->command.len = from->bytes;
	}
	if (from->kind == RAFT_ENTRY_CONFIG)
		to->text = membership_text(page, from);
	if (from->kind == RAFT_ENTRY_LEASE)
		to->text = setting_text(page, from);
}

/* From the last of the page back: each hand-over on the way adds its width for
 * those before it. */
static void fill_errors(struct logpage *logpage, const struct raft *raft,
			uint64_t commit)
{
	size_t count = logpage->log.n_entries;
	int64_t error_ns;

	if (count == 0)
		return;
	error_ns = widths_after_ns(raft, logpage->entry[count - 1].index,
				   commit);
	for (size_t i = count; i > 0; i--) {
		int64_t width_ns;

		logpage->entry[i - 1].error_ns = error_ns;
		width_ns = handover_width_ns(raft, logpage->entry[i - 1].index);
		if (error_ns != UNKNOWN_NS)
			error_ns = width_ns == UNKNOWN_NS ?
					   UNKNOWN_NS :
					   error_ns + width_ns;
	}
}

static void fill_now(DistributedFs__RaftLog *log, const struct raft_now *now)
{
	log->now_error_ns = UNKNOWN_NS;
	if (!now->usable)
		return;
	log->now_ns = now->cluster.low_ns +
		      (now->cluster.high_ns - now->cluster.low_ns) / 2;
	log->now_error_ns = (now->cluster.high_ns - now->cluster.low_ns + 1) / 2;
}

DistributedFs__RaftLog *
logpage_fill(struct logpage *logpage, const struct raft *raft,
	     const struct raft_now *now,
	     const DistributedFs__ControlRequest *request)
{
	DistributedFs__RaftLog *log = &logpage->log;
	uint32_t max = request->entries_max;
	uint64_t index, bytes = 0;
	struct raft_view view;

	raft_view(raft, &view);
	distributed_fs__raft_log__init(log);
	log->entries = logpage->entries;
	logpage->text_count = 0;
	log->first_index = view.first_index;
	log->base_ts_ns = view.base_stamp.ts_ns;
	log->commit_index = view.commit_index;
	fill_now(log, now);
	if (max == 0 || max > LOGPAGE_ENTRIES_MAX)
		max = LOGPAGE_ENTRIES_MAX;
	index = request->from_index > view.first_index ? request->from_index :
							 view.first_index;
	if (index <= view.commit_index)
		index = first_since(raft, index, view.commit_index,
				    request->since_ns);
	while (index <= view.commit_index && log->n_entries < max &&
	       bytes < LOGPAGE_BYTES_MAX && logpage->text_count < TEXTS_MAX) {
		const struct raft_entry *entry = raft_log_at(raft, index++);

		fill_entry(logpage, &logpage->entry[log->n_entries++], entry);
		bytes += entry->bytes;
	}
	log->next_index = index;
	fill_errors(logpage, raft, view.commit_index);
	return log;
}
