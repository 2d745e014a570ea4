/* Who decides: the newest configuration of a node's own log, committed or not.
 */
#include "tests/replay/state.h"

#define U(x) ((unsigned long long)(x))

struct config config_of(const struct model *model, const struct node *node)
{
	const struct entry *entry =
		entry_find(model, node->config, log_term(node, node->config));
	uint32_t all = (uint32_t)((UINT64_C(2) << model->node_count) - 2);

	if (!entry)
		return (struct config){0, all, 0};
	return (struct config){entry->index, entry->voters, entry->before};
}

/* After the log changed other than by one more entry. */
void config_refresh(const struct model *model, struct node *node)
{
	const struct entry *entry;

	node->config = 0;
	if (!model->configured)
		return;
	for (uint64_t i = node->last; i > 0 && node->config == 0; i--) {
		entry = entry_find(model, i, log_term(node, i));
		if (entry && entry->kind == KIND_CONFIG)
			node->config = i;
	}
}

static bool majority(uint32_t nodes, uint32_t voters)
{
	return __builtin_popcount(nodes & voters) * 2 >
	       __builtin_popcount(voters);
}

bool is_quorum(const struct model *model, const struct node *node,
	       uint32_t nodes)
{
	struct config config = config_of(model, node);

	return majority(nodes, config.voters) &&
	       (config.before == 0 || majority(nodes, config.before));
}

/* One change at a time, and each through a joint configuration. */
void config_new(struct model *model, const struct node *node,
		const struct entry *entry)
{
	struct config now = config_of(model, node);
	bool begins = now.before == 0 && entry->before == now.voters;
	bool ends = now.before != 0 && entry->before == 0 &&
		    entry->voters == now.voters;
	bool keeps = entry->before == now.before && entry->voters == now.voters;

	model->configured = true;
	if (now.index > node->commit ||
	    log_term(node, node->commit) != node->leads)
		broken(model, "one-change",
		       "configuration %llu follows %llu; committed is %llu of "
		       "term %llu",
		       U(entry->index), U(now.index), U(node->commit),
		       U(log_term(node, node->commit)));
	else if (entry->voters == 0 || !(begins || ends || keeps))
		broken(model, "one-change",
		       "voters %x (before: %x) after %x (before: %x)",
		       entry->voters, entry->before, now.voters, now.before);
}
