/* metrics: every daemon's status, for Prometheus. */
#include "client/cli/metrics.h"

#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "client/cli/metrics_list.h"
#include "client/cli/status.h"
#include "common/units.h"

#define PREFIX	     "raftfs_"
#define LABELS_BYTES 160

static bool ends_with(const char *text, const char *end)
{
	size_t a = strlen(text);
	size_t b = strlen(end);

	return a >= b && strcmp(text + a - b, end) == 0;
}

static void print_head(FILE *out, const char *name, const char *help)
{
	fprintf(out, "# HELP " PREFIX "%s %s\n# TYPE " PREFIX "%s %s\n", name,
		help, name, ends_with(name, "_total") ? "counter" : "gauge");
}

/* --- values out of messages --- */

static void print_value(FILE *out, const ProtobufCFieldDescriptor *field,
			const void *at)
{
	int64_t value;

	switch (field->type) {
	case PROTOBUF_C_TYPE_UINT64:
		fprintf(out, "%" PRIu64 "\n", *(const uint64_t *)at);
		return;
	case PROTOBUF_C_TYPE_UINT32:
		value = *(const uint32_t *)at;
		break;
	case PROTOBUF_C_TYPE_BOOL:
		value = *(const protobuf_c_boolean *)at != 0;
		break;
	case PROTOBUF_C_TYPE_SFIXED64:
		value = *(const int64_t *)at;
		break;
	default:
		value = *(const int32_t *)at;
		break;
	}
	if (ends_with(field->name, "_ns") || ends_with(field->name, "_ppb"))
		fprintf(out, "%.9f\n", (double)value / (double)NS_PER_SEC);
	else
		fprintf(out, "%" PRId64 "\n", value);
}

static void print_sample(FILE *out, const struct metrics_row *row,
			 const ProtobufCMessage *message, const char *labels)
{
	const ProtobufCFieldDescriptor *field =
		protobuf_c_message_descriptor_get_field_by_name(
			message->descriptor, row->field);

	fprintf(out, PREFIX "%s{%s%s%s} ", row->name, labels,
		row->label != NULL ? "," : "",
		row->label != NULL ? row->label : "");
	print_value(out, field, (const uint8_t *)message + field->offset);
}

/* --- whose message --- */

struct sheet {
	FILE *out;
	const struct metrics_row *row;
	const struct ask_node *node;
};

static void show(const struct sheet *sheet, const ProtobufCMessage *message,
		 const char *key, const char *value)
{
	char labels[LABELS_BYTES];
	const char *name = ask_name(sheet->node);

	if (key == NULL)
		snprintf(labels, sizeof(labels), "node=\"%s\"", name);
	else
		snprintf(labels, sizeof(labels), "node=\"%s\",%s=\"%s\"", name,
			 key, value);
	print_sample(sheet->out, sheet->row, message, labels);
}

static void show_supervisor(const struct sheet *sheet,
			    const DistributedFs__SupervisorStatus *status)
{
	if (sheet->row->source == METRICS_SUPERVISOR) {
		show(sheet, &status->base, NULL, NULL);
		return;
	}
	for (size_t i = 0; i < status->n_children; i++)
		show(sheet, &status->children[i]->base, "daemon",
		     status->children[i]->name);
}

static void show_clock(const struct sheet *sheet,
		       const DistributedFs__TimesyncStatus *status)
{
	if (sheet->row->source == METRICS_CLOCK) {
		show(sheet, &status->base, NULL, NULL);
		return;
	}
	for (size_t i = 0; i < status->n_peers; i++)
		show(sheet, &status->peers[i]->base, "peer",
		     status->peers[i]->name);
}

static void show_raft(const struct sheet *sheet,
		      const DistributedFs__RaftStatus *status)
{
	if (sheet->row->source == METRICS_RAFT) {
		show(sheet, &status->base, NULL, NULL);
		return;
	}
	for (size_t i = 0; i < status->n_peers; i++)
		show(sheet, &status->peers[i]->base, "peer",
		     status->peers[i]->name);
}

static void show_node(const struct sheet *sheet)
{
	const struct ask_node *node = sheet->node;

	switch (sheet->row->source) {
	case METRICS_SUPERVISOR:
	case METRICS_CHILD:
		if (node->supervisor != NULL && node->supervisor->supervisor)
			show_supervisor(sheet, node->supervisor->supervisor);
		break;
	case METRICS_CLOCK:
	case METRICS_CLOCK_PEER:
		if (node->timesync != NULL && node->timesync->timesync)
			show_clock(sheet, node->timesync->timesync);
		break;
	case METRICS_RAFT:
	case METRICS_RAFT_PEER:
		if (node->raft != NULL && node->raft->raft)
			show_raft(sheet, node->raft->raft);
		break;
	case METRICS_STORAGE:
		if (node->storage != NULL && node->storage->storage)
			show(sheet, &node->storage->storage->base, NULL, NULL);
		break;
	}
}

/* --- what no field says --- */

static void print_up(FILE *out, const struct ask_node *node)
{
	const struct {
		const char *daemon;
		bool up;
	} all[] = {
		{"supervisor",
		 node->supervisor != NULL && node->supervisor->supervisor},
		{"timesyncd",
		 node->timesync != NULL && node->timesync->timesync},
		{"raftd", node->raft != NULL && node->raft->raft},
		{"storaged", node->storage != NULL && node->storage->storage},
	};

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
		fprintf(out, PREFIX "up{node=\"%s\",daemon=\"%s\"} %d\n",
			ask_name(node), all[i].daemon, all[i].up);
}

/* One sample for each state, 1 for the one it is in. */
static void print_states(FILE *out, const char *name, const char *node,
			 const char *key, const char *const *states,
			 const char *is)
{
	for (; *states != NULL; states++)
		fprintf(out, PREFIX "%s{node=\"%s\",%s=\"%s\"} %d\n", name,
			node, key, *states, strcmp(*states, is) == 0);
}

static void print_quality(FILE *out, const struct ask_node *node)
{
	static const char *const qualities[] = {"UNSYNCED", "HOLDOVER",
						"SYNCED", "DISRUPTED", NULL};

	if (node->timesync != NULL && node->timesync->timesync)
		print_states(out, "clock_quality", ask_name(node), "quality",
			     qualities, node->timesync->timesync->quality);
}

static void print_role(FILE *out, const struct ask_node *node)
{
	static const char *const roles[] = {"follower", "pre-candidate",
					    "candidate", "leader", NULL};

	if (node->raft != NULL && node->raft->raft)
		print_states(out, "raft_role", ask_name(node), "role", roles,
			     node->raft->raft->role);
}

/* What the kernel says of each daemon: it runs on this host. */
static bool read_process(int32_t pid, double *cpu_s, uint64_t *resident_bytes)
{
	unsigned long user, system, pages;
	char path[64];
	FILE *file;
	int got;

	snprintf(path, sizeof(path), "/proc/%" PRId32 "/stat", pid);
	file = fopen(path, "re");
	if (file == NULL)
		return false;
	got = fscanf(file,
		     "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u "
		     "%lu %lu %*d %*d %*d %*d %*d %*d %*u %*u %lu",
		     &user, &system, &pages);
	fclose(file);
	*cpu_s = (double)(user + system) / (double)sysconf(_SC_CLK_TCK);
	*resident_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return got == 3;
}

static void print_processes(FILE *out, const struct ask_node *node, bool cpu)
{
	const DistributedFs__SupervisorStatus *status;
	uint64_t resident_bytes;
	double cpu_s;

	if (node->supervisor == NULL || node->supervisor->supervisor == NULL)
		return;
	status = node->supervisor->supervisor;
	for (size_t i = 0; i < status->n_children; i++) {
		const DistributedFs__ChildStatus *child = status->children[i];

		if (!read_process(child->pid, &cpu_s, &resident_bytes))
			continue;
		fprintf(out, PREFIX "%s{node=\"%s\",daemon=\"%s\"} ",
			cpu ? "daemon_cpu_seconds_total"
			    : "daemon_resident_memory_bytes",
			ask_name(node), child->name);
		if (cpu)
			fprintf(out, "%.2f\n", cpu_s);
		else
			fprintf(out, "%" PRIu64 "\n", resident_bytes);
	}
}

static void print_states_of_all(const struct ask_nodes *nodes, FILE *out)
{
	print_head(out, "up", "1: the daemon answered.");
	for (size_t i = 0; i < nodes->count; i++)
		print_up(out, &nodes->node[i]);
	print_head(out, "clock_quality", "1 for the quality the clock has.");
	for (size_t i = 0; i < nodes->count; i++)
		print_quality(out, &nodes->node[i]);
	print_head(out, "raft_role", "1 for the role raftd is in.");
	for (size_t i = 0; i < nodes->count; i++)
		print_role(out, &nodes->node[i]);
	print_head(out, "daemon_cpu_seconds_total", "Processor time used.");
	for (size_t i = 0; i < nodes->count; i++)
		print_processes(out, &nodes->node[i], true);
	print_head(out, "daemon_resident_memory_bytes", "Memory in use.");
	for (size_t i = 0; i < nodes->count; i++)
		print_processes(out, &nodes->node[i], false);
}

void metrics_print(const struct ask_nodes *nodes, FILE *out)
{
	const char *last = "";

	print_states_of_all(nodes, out);
	for (size_t r = 0; r < metrics_row_count; r++) {
		const struct metrics_row *row = &metrics_rows[r];

		if (strcmp(row->name, last) != 0)
			print_head(out, row->name, row->help);
		last = row->name;
		for (size_t i = 0; i < nodes->count; i++) {
			const struct sheet sheet = {out, row, &nodes->node[i]};

			show_node(&sheet);
		}
	}
}

int command_metrics(struct cli *cli, int argc, char **argv)
{
	struct ask_nodes nodes;
	int status = cli_options(cli, &argc, &argv, "", NULL, NULL);

	if (status != CLI_OK)
		return status;
	if (argc != 0)
		return cli_usage("metrics", "metrics: takes no operand");
	status = status_gather(cli, &nodes);
	if (status != CLI_OK)
		return status;
	metrics_print(&nodes, stdout);
	ask_nodes_free(&nodes);
	return CLI_OK;
}
