/* The supervisor's status, for raftfs(1). */
#include "supervisor/supervisor.h"

#include <stdio.h>
#include <unistd.h>

#include "common/os/clock.h"

/* What a reply points to lives until the next one. */
static DistributedFs__SupervisorStatus status_reply;
static DistributedFs__ChildStatus child_replies[ORDER_CHILDREN];
static DistributedFs__ChildStatus *child_pointers[ORDER_CHILDREN];
static char *warning_pointers[3 + ORDER_CHILDREN];
static char held_texts[ORDER_CHILDREN][96];

static void fill_child(const struct child *child, int64_t now_ns,
		       DistributedFs__ChildStatus *reply)
{
	distributed_fs__child_status__init(reply);
	reply->name = (char *)supervisor_names[child->which];
	reply->state = (char *)supervise_state_name(child->life.state);
	reply->pid = child->pid;
	reply->restarts = child->life.restart_count;
	reply->last_exit = (char *)child->last_exit;
	reply->status = (char *)child->status;
	if (child->pid != 0)
		reply->uptime_ns = now_ns - child->life.started_ns;
}

static size_t fill_warnings(struct supervisor *supervisor)
{
	size_t count = 0;

	if (supervisor->cgroups.warning[0] != '\0')
		warning_pointers[count++] = supervisor->cgroups.warning;
	if (supervisor->probes_warning[0] != '\0')
		warning_pointers[count++] = supervisor->probes_warning;
	if (supervisor->members_warning[0] != '\0')
		warning_pointers[count++] = supervisor->members_warning;
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		if (supervisor->children[i].life.state != SUPERVISE_HELD)
			continue;
		snprintf(held_texts[i], sizeof(held_texts[i]),
			 "%s died too often and is held; SIGHUP tries again",
			 supervisor_names[i]);
		warning_pointers[count++] = held_texts[i];
	}
	return count;
}

enum rfs_err supervisor_answer(void *ctx,
			       const DistributedFs__ControlRequest *request,
			       DistributedFs__ControlReply *reply)
{
	struct supervisor *supervisor = ctx;
	int64_t now_ns = clock_raw_ns();

	if (request->kind != DISTRIBUTED_FS__CONTROL_KIND__CONTROL_STATUS)
		return RFS_ERR_NOTSUP;
	distributed_fs__supervisor_status__init(&status_reply);
	status_reply.n_children = 0;
	for (int i = 0; i < ORDER_CHILDREN; i++) {
		DistributedFs__ChildStatus *child = &child_replies[i];

		if (!supervisor_wants(supervisor, (enum order_child)i))
			continue;
		fill_child(&supervisor->children[i], now_ns, child);
		child_pointers[status_reply.n_children++] = child;
	}
	status_reply.node = supervisor->config.self;
	status_reply.pid = getpid();
	status_reply.children = child_pointers;
	status_reply.n_warnings = fill_warnings(supervisor);
	status_reply.warnings = warning_pointers;
	status_reply.clock_generation = supervisor->clock.generation;
	status_reply.cons_generation = supervisor->cons.generation;
	status_reply.uptime_ns = now_ns - supervisor->started_ns;
	reply->supervisor = &status_reply;
	return RFS_ERR_OK;
}
