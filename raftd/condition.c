/* From facts to bits, with patience. */
#include "raftd/condition.h"

#include "raftd/core/raft.h"

void condition_init(struct condition *condition, int64_t now_raw_ns)
{
	*condition = (struct condition){
		.unserved_since_raw_ns = now_raw_ns,
		.applied_since_raw_ns = now_raw_ns,
	};
}

static bool is_hung(const struct condition *condition, int64_t now_raw_ns)
{
	const struct condition_facts *facts = &condition->facts;

	if (!facts->served)
		return false;
	if (facts->asked_raw_ns != 0 &&
	    now_raw_ns - facts->asked_raw_ns >= CONDITION_SILENT_NS)
		return true;
	return now_raw_ns - condition->applied_since_raw_ns >=
	       CONDITION_STUCK_NS;
}

uint32_t condition_note(struct condition *condition,
			const struct condition_facts *facts,
			int64_t now_raw_ns)
{
	const struct condition_facts was = condition->facts;
	uint32_t unfit = 0;

	condition->facts = *facts;
	if (was.served && !facts->served)
		condition->unserved_since_raw_ns = now_raw_ns;
	if (!facts->served || facts->applied_index != was.applied_index ||
	    facts->applied_index >= facts->commit_index)
		condition->applied_since_raw_ns = now_raw_ns;
	if (facts->disk_full)
		unfit |= RAFT_UNFIT_DISK_FULL;
	if (!facts->served && now_raw_ns - condition->unserved_since_raw_ns >=
				      CONDITION_UNSERVED_NS)
		unfit |= RAFT_UNFIT_UNSERVED;
	if (is_hung(condition, now_raw_ns))
		unfit |= RAFT_UNFIT_HUNG;
	return unfit;
}
