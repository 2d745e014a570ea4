/* Where to begin by a binary search, errors by one walk from the end. */
#include "raftd/logpage.h"

#include <stdlib.h>

#define UNKNOWN_NS (-1)

struct logpage {
	DistributedFs__RaftLog log;
	DistributedFs__RaftLogEntry entry[LOGPAGE_ENTRIES_MAX];
	DistributedFs__RaftLogEntry *entries[LOGPAGE_ENTRIES_MAX];
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
	};

	return (char *)(kind <= RAFT_ENTRY_CONFIG ? names[kind] : "unknown");
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

static void fill_entry(DistributedFs__RaftLogEntry *to,
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
	       bytes < LOGPAGE_BYTES_MAX) {
		const struct raft_entry *entry = raft_log_at(raft, index++);

		fill_entry(&logpage->entry[log->n_entries++], entry);
		bytes += entry->bytes;
	}
	log->next_index = index;
	fill_errors(logpage, raft, view.commit_index);
	return log;
}
