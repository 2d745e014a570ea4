/* What Prometheus is told: every row is a number that is there, and the text
 * is one it accepts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/cli/metrics.h"
#include "client/cli/metrics_list.h"

static const ProtobufCMessageDescriptor *message_of(enum metrics_source source)
{
	switch (source) {
	case METRICS_SUPERVISOR:
		return &distributed_fs__supervisor_status__descriptor;
	case METRICS_CHILD:
		return &distributed_fs__child_status__descriptor;
	case METRICS_CLOCK:
		return &distributed_fs__timesync_status__descriptor;
	case METRICS_CLOCK_PEER:
		return &distributed_fs__timesync_peer__descriptor;
	case METRICS_RAFT:
		return &distributed_fs__raft_status__descriptor;
	case METRICS_RAFT_PEER:
		return &distributed_fs__raft_peer__descriptor;
	case METRICS_STORAGE:
		return &distributed_fs__storage_status__descriptor;
	}
	return NULL;
}

static bool ends_with(const char *text, const char *end)
{
	return strlen(text) >= strlen(end) &&
	       strcmp(text + strlen(text) - strlen(end), end) == 0;
}

static void every_row_shows_a_number_of_its_message(void **state)
{
	(void)state;
	for (size_t r = 0; r < metrics_row_count; r++) {
		const struct metrics_row *row = &metrics_rows[r];
		const ProtobufCFieldDescriptor *field =
			protobuf_c_message_descriptor_get_field_by_name(
				message_of(row->source), row->field);

		assert_non_null(field);
		assert_int_not_equal(field->label, PROTOBUF_C_LABEL_REPEATED);
		assert_true(field->type != PROTOBUF_C_TYPE_STRING &&
			    field->type != PROTOBUF_C_TYPE_BYTES &&
			    field->type != PROTOBUF_C_TYPE_MESSAGE);
	}
}

static void names_tell_the_unit(void **state)
{
	(void)state;
	for (size_t r = 0; r < metrics_row_count; r++) {
		const struct metrics_row *row = &metrics_rows[r];

		if (ends_with(row->field, "_ns"))
			assert_non_null(strstr(row->name, "_seconds"));
		if (ends_with(row->field, "_ppb"))
			assert_true(ends_with(row->name, "_ratio"));
		if (ends_with(row->field, "bytes"))
			assert_true(ends_with(row->name, "bytes"));
		assert_null(strstr(row->name, "_ns"));
	}
}

static void rows_of_one_name_lie_together_and_differ(void **state)
{
	(void)state;
	for (size_t r = 0; r < metrics_row_count; r++) {
		const struct metrics_row *row = &metrics_rows[r];
		bool first = r == 0 || strcmp(row[-1].name, row->name) != 0;

		assert_int_equal(row->help[0] != '\0', first);
		for (size_t o = 0; first && o < r; o++)
			assert_string_not_equal(metrics_rows[o].name,
						row->name);
		if (!first) {
			assert_non_null(row->label);
			assert_string_not_equal(row->label, row[-1].label);
		}
	}
}

/* One node whose raftd and one peer of its clock answered. */
static char *text_of_scene(void)
{
	static struct ask_nodes nodes;
	DistributedFs__ControlReply raft = DISTRIBUTED_FS__CONTROL_REPLY__INIT;
	DistributedFs__ControlReply time = DISTRIBUTED_FS__CONTROL_REPLY__INIT;
	DistributedFs__RaftStatus status = DISTRIBUTED_FS__RAFT_STATUS__INIT;
	DistributedFs__TimesyncStatus clock =
		DISTRIBUTED_FS__TIMESYNC_STATUS__INIT;
	DistributedFs__TimesyncPeer peer = DISTRIBUTED_FS__TIMESYNC_PEER__INIT;
	DistributedFs__TimesyncPeer *peers[] = {&peer};
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	strcpy(nodes.node[0].name, "n1");
	nodes.count = 1;
	status.role = (char *)"leader";
	status.commit_index = UINT64_MAX;
	status.lease_valid = true;
	raft.raft = &status;
	nodes.node[0].raft = &raft;
	peer.name = (char *)"n2";
	peer.offset_ns = -1500;
	peer.drift_ppb = 20;
	clock.quality = (char *)"SYNCED";
	clock.peers = peers;
	clock.n_peers = 1;
	time.timesync = &clock;
	nodes.node[0].timesync = &time;
	metrics_print(&nodes, out);
	fclose(out);
	return text;
}

static void assert_line(const char *text, const char *line)
{
	const char *found = strstr(text, line);

	if (found == NULL)
		fail_msg("no line \"%s\" in:\n%s", line, text);
	assert_int_equal(found[strlen(line)], '\n');
}

static void values_come_in_seconds_with_node_and_peer(void **state)
{
	char *text = text_of_scene();

	(void)state;
	assert_line(text, "raftfs_clock_peer_offset_seconds{node=\"n1\","
			  "peer=\"n2\"} -0.000001500");
	assert_line(text, "raftfs_clock_peer_drift_ratio{node=\"n1\","
			  "peer=\"n2\"} 0.000000020");
	assert_line(text, "raftfs_raft_commit_index{node=\"n1\"} "
			  "18446744073709551615");
	assert_line(text, "raftfs_raft_lease_valid{node=\"n1\"} 1");
	assert_line(text, "raftfs_raft_role{node=\"n1\",role=\"leader\"} 1");
	assert_line(text, "raftfs_raft_role{node=\"n1\",role=\"follower\"} 0");
	assert_line(text, "# TYPE raftfs_raft_fsyncs_total counter");
	assert_line(text, "# TYPE raftfs_raft_commit_index gauge");
	free(text);
}

static void who_does_not_answer_is_down_and_missing(void **state)
{
	char *text = text_of_scene();

	(void)state;
	assert_line(text, "raftfs_up{node=\"n1\",daemon=\"raftd\"} 1");
	assert_line(text, "raftfs_up{node=\"n1\",daemon=\"storaged\"} 0");
	assert_line(text, "# TYPE raftfs_storage_files gauge");
	assert_null(strstr(text, "raftfs_storage_files{"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_shows_a_number_of_its_message),
		cmocka_unit_test(names_tell_the_unit),
		cmocka_unit_test(rows_of_one_name_lie_together_and_differ),
		cmocka_unit_test(values_come_in_seconds_with_node_and_peer),
		cmocka_unit_test(who_does_not_answer_is_down_and_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
