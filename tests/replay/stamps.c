/* Stamps: they rise, and those of a term are its leader's raw clock. */
#include "tests/replay/state.h"

#include <inttypes.h>

static void first_of_term(struct model *model, const struct entry *entry,
			  int64_t before_ts_ns, int64_t raw_ns,
			  struct line *line)
{
	struct term *term = term_of(model, entry->term);
	int64_t low_ns = line_i64(line, 8), high_ns = line_i64(line, 9);

	term->anchored = true;
	term->anchor_raw_ns = raw_ns;
	term->anchor_ts_ns = line_i64(line, 10);
	if (entry->ts_ns != term->anchor_ts_ns)
		broken(model, "hand-over",
		       "timeline begins at %" PRId64 ", its first stamp is "
		       "%" PRId64,
		       term->anchor_ts_ns, entry->ts_ns);
	if (term->anchor_ts_ns < before_ts_ns ||
	    (low_ns <= high_ns && term->anchor_ts_ns < high_ns))
		broken(model, "hand-over",
		       "timeline begins at %" PRId64 "; the old one was in "
		       "[%" PRId64 ", %" PRId64 "], its last stamp %" PRId64,
		       term->anchor_ts_ns, low_ns, high_ns, before_ts_ns);
}

void stamp_entry(struct model *model, const struct entry *entry,
		 int64_t before_ts_ns, int64_t raw_ns, struct line *line)
{
	const struct term *term = term_of(model, entry->term);
	int64_t due_ns;

	if (entry->epoch != entry->term ||
	    (entry->index > 1 && entry->ts_ns <= before_ts_ns)) {
		broken(model, "stamp",
		       "entry %" PRIu64 ": %" PRIu64 ":%" PRId64
		       " after %" PRId64,
		       entry->index, entry->epoch, entry->ts_ns, before_ts_ns);
		return;
	}
	if (entry->kind == KIND_FIRST) {
		first_of_term(model, entry, before_ts_ns, raw_ns, line);
		return;
	}
	if (!term->anchored) {
		broken(model, "stamp", "term %" PRIu64 " has no timeline",
		       entry->term);
		return;
	}
	due_ns = term->anchor_ts_ns + (raw_ns - term->anchor_raw_ns);
	if (entry->ts_ns != (due_ns > before_ts_ns ? due_ns : before_ts_ns + 1))
		broken(model, "stamp",
		       "entry %" PRIu64 " says %" PRId64
		       ", its leader's clock %" PRId64,
		       entry->index, entry->ts_ns, due_ns);
}
