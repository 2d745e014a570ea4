/* Verdicts on clusters that are described, not run. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "client/cli/judge.h"

/* Three nodes as they answer when all is well; n2 leads term 4. */
struct scene {
	struct ask_nodes nodes;
	DistributedFs__ControlReply supervisor[3], timesync[3], raft[3],
		storage[3];
	DistributedFs__SupervisorStatus supervisors[3];
	DistributedFs__ChildStatus child[3][3];
	DistributedFs__ChildStatus *children[3][3];
	DistributedFs__TimesyncStatus clocks[3];
	DistributedFs__RaftStatus rafts[3];
	DistributedFs__RaftPeer peer[3][2];
	DistributedFs__RaftPeer *peers[3][2];
	DistributedFs__StorageStatus stores[3];
};

static const char *const names[] = {"n1", "n2", "n3"};
static const char *const daemons[] = {"timesyncd", "raftd", "storaged"};

static void draw_node(struct scene *s, size_t i)
{
	struct ask_node *node = &s->nodes.node[i];

	strcpy(node->name, names[i]);
	distributed_fs__control_reply__init(&s->supervisor[i]);
	distributed_fs__control_reply__init(&s->timesync[i]);
	distributed_fs__control_reply__init(&s->raft[i]);
	distributed_fs__control_reply__init(&s->storage[i]);
	distributed_fs__supervisor_status__init(&s->supervisors[i]);
	for (size_t c = 0; c < 3; c++) {
		distributed_fs__child_status__init(&s->child[i][c]);
		s->child[i][c].name = (char *)daemons[c];
		s->child[i][c].state = (char *)"ready";
		s->children[i][c] = &s->child[i][c];
	}
	s->supervisors[i].children = s->children[i];
	s->supervisors[i].n_children = 3;
	s->supervisor[i].supervisor = &s->supervisors[i];
	distributed_fs__timesync_status__init(&s->clocks[i]);
	s->clocks[i].quality = (char *)"SYNCED";
	s->clocks[i].bound_ns = 1000 * (int64_t)(i + 33);
	s->timesync[i].timesync = &s->clocks[i];
	distributed_fs__raft_status__init(&s->rafts[i]);
	s->rafts[i].role = (char *)(i == 1 ? "leader" : "follower");
	s->rafts[i].term = 4;
	s->rafts[i].leader = 2;
	s->rafts[i].leader_name = (char *)"n2";
	s->rafts[i].commit_index = 1234;
	s->rafts[i].lease_valid = i == 1;
	for (size_t p = 0; p < 2; p++) {
		distributed_fs__raft_peer__init(&s->peer[i][p]);
		s->peer[i][p].name = (char *)names[(i + p + 1) % 3];
		s->peer[i][p].connected = true;
		s->peers[i][p] = &s->peer[i][p];
	}
	s->rafts[i].peers = s->peers[i];
	s->rafts[i].n_peers = 2;
	s->raft[i].raft = &s->rafts[i];
	distributed_fs__storage_status__init(&s->stores[i]);
	s->stores[i].attached = true;
	s->stores[i].applied_index = 1234;
	s->storage[i].storage = &s->stores[i];
	node->supervisor = &s->supervisor[i];
	node->timesync = &s->timesync[i];
	node->raft = &s->raft[i];
	node->storage = &s->storage[i];
}

static void draw(struct scene *s)
{
	memset(s, 0, sizeof(*s));
	s->nodes.count = 3;
	s->nodes.cluster_size = 3;
	for (size_t i = 0; i < 3; i++)
		draw_node(s, i);
}

static void remove_node(struct scene *s, size_t i, enum rfs_err err)
{
	struct ask_node *node = &s->nodes.node[i];

	node->supervisor = NULL;
	node->timesync = NULL;
	node->raft = NULL;
	node->storage = NULL;
	node->supervisor_err = err;
}

static void a_healthy_cluster_takes_one_line(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_OK);
	assert_int_equal(verdict.fault_count, 0);
	assert_string_equal(verdict.line,
			    "healthy: 3 of 3 nodes, leader n2 of term 4, "
			    "lease valid, commit 1234, clock SYNCED +- "
			    "35.0 us");
}

static void a_dead_node_is_named_with_the_command_that_helps(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	remove_node(&s, 2, RFS_ERR_CLOSED);
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_FAILED);
	assert_int_equal(verdict.fault_count, 1);
	assert_string_equal(verdict.faults[0].fault, "n3: does not run");
	assert_string_equal(verdict.faults[0].next,
			    "raftfs cluster restart n3 --dir run");
	assert_non_null(strstr(verdict.line, "degraded: 2 of 3 nodes"));
}

/* n3 was removed: two are left, and both are there. */
static void who_was_removed_is_not_missed(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	for (size_t i = 0; i < 2; i++) {
		s.rafts[i].node = (char *)names[i];
		s.rafts[i].standing = (char *)"voter";
		s.rafts[i].members_index = 900;
		s.rafts[i].n_peers = 1;
		s.peer[i][0].name = (char *)names[1 - i];
	}
	remove_node(&s, 2, RFS_ERR_CLOSED);
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_OK);
	assert_non_null(strstr(verdict.line, "healthy: 2 of 2 nodes"));
}

static void a_learner_is_no_voter(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	for (size_t i = 0; i < 3; i++) {
		s.rafts[i].node = (char *)names[i];
		s.rafts[i].standing = (char *)(i == 2 ? "learner" : "voter");
		s.rafts[i].members_index = 900;
		for (size_t p = 0; p < 2; p++)
			s.peer[i][p].learner =
				strcmp(s.peer[i][p].name, "n3") == 0;
	}
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_OK);
	assert_non_null(strstr(verdict.line, "healthy: 2 of 2 nodes"));
	/* One of two voters is no majority, whatever the learner does. */
	remove_node(&s, 1, RFS_ERR_CLOSED);
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_NO_QUORUM);
}

static void a_node_that_is_out_says_so_and_nothing_else(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	s.nodes.count = 1;
	s.rafts[0].standing = (char *)"removed";
	s.rafts[0].standing_why = (char *)"removed from the cluster "
					  "(membership entry 14)";
	s.peer[0][0].connected = s.peer[0][1].connected = false;
	judge(&s.nodes, "", &verdict);
	assert_int_equal(verdict.exit, CLI_FAILED);
	assert_int_equal(verdict.fault_count, 1);
	assert_string_equal(verdict.line, "removed: n1: removed from the "
					  "cluster (membership entry 14)");
	s.rafts[0].standing = (char *)"joiner";
	s.rafts[0].standing_why = (char *)"waits to be taken in";
	judge(&s.nodes, "", &verdict);
	assert_string_equal(verdict.faults[0].next,
			    "on a member: raftfs members add n1 --config FILE");
}

static void a_silent_node_is_told_from_a_dead_one(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	remove_node(&s, 2, RFS_ERR_TIMEDOUT);
	judge(&s.nodes, "-d run", &verdict);
	assert_string_equal(verdict.faults[0].next,
			    "raftfs cluster resume n3 --dir run");
}

static void a_log_with_holes_is_told_with_what_helps(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	s.rafts[2].lost_from = 7;
	s.rafts[2].lost_to = 1200;
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.fault_count, 1);
	assert_string_equal(verdict.faults[0].fault,
			    "n3: the disk lost log entries 7 to 1200");
	assert_string_equal(verdict.faults[0].next,
			    "the leader is sending them");
	s.rafts[2].leader = 0;
	judge(&s.nodes, "-d run", &verdict);
	assert_string_equal(verdict.faults[0].next,
			    "bring a node back that has them");
}

/* The one that is left may still believe in its leader. */
static void a_minority_is_no_quorum_whatever_it_says(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	remove_node(&s, 1, RFS_ERR_CLOSED);
	remove_node(&s, 2, RFS_ERR_CLOSED);
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_NO_QUORUM);
	assert_string_equal(verdict.line, "no quorum: 1 of 3 nodes, no leader");
	assert_non_null(strstr(verdict.faults[0].next, "until 2 run"));
}

static void an_election_is_no_quorum_for_now(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	for (size_t i = 0; i < 3; i++) {
		s.rafts[i].leader = 0;
		s.rafts[i].leader_name = (char *)"";
		s.rafts[i].role = (char *)"candidate";
	}
	judge(&s.nodes, "", &verdict);
	assert_int_equal(verdict.exit, CLI_NO_QUORUM);
	assert_non_null(strstr(verdict.faults[0].next, "election"));
}

static void a_held_child_a_bad_clock_and_a_full_disk_are_faults(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	s.child[0][2].state = (char *)"held";
	s.child[0][2].last_exit = (char *)"signal 6";
	s.clocks[1].quality = (char *)"UNSYNCED";
	s.rafts[2].disk_full = true;
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_FAILED);
	assert_int_equal(verdict.fault_count, 3);
	assert_non_null(strstr(verdict.faults[0].fault, "storaged is held"));
	assert_non_null(strstr(verdict.faults[0].fault, "signal 6"));
	assert_non_null(strstr(verdict.faults[1].fault, "n3: disk full"));
	assert_non_null(strstr(verdict.faults[2].fault, "n2: clock UNSYNCED"));
	assert_non_null(strstr(verdict.line, "clock UNSYNCED"));
}

static void a_held_grpc_face_is_told_and_harms_nobody(void **state)
{
	DistributedFs__ChildStatus grpc = DISTRIBUTED_FS__CHILD_STATUS__INIT;
	DistributedFs__ChildStatus *children[4];
	struct judge_verdict verdict;
	struct scene s;

	(void)state;
	draw(&s);
	grpc.name = (char *)"grpc";
	grpc.state = (char *)"held";
	memcpy(children, s.children[0], sizeof(s.children[0]));
	children[3] = &grpc;
	s.supervisors[0].children = children;
	s.supervisors[0].n_children = 4;
	judge(&s.nodes, "-d run", &verdict);
	assert_int_equal(verdict.exit, CLI_OK);
	assert_int_equal(strncmp(verdict.line, "healthy", 7), 0);
	assert_int_equal(verdict.fault_count, 1);
	assert_non_null(strstr(verdict.faults[0].fault, "grpc is held"));
	assert_non_null(strstr(verdict.faults[0].effect, "files are not"));
}

static void one_node_speaks_for_its_peers(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	s.nodes.count = 1;
	s.nodes.cluster_size = 0; /* only its socket is known */
	judge(&s.nodes, "", &verdict);
	assert_int_equal(verdict.exit, CLI_OK);
	assert_non_null(strstr(verdict.line, "3 of 3 nodes, leader n2"));
	s.peer[0][1].connected = false;
	s.peer[0][1].refused = (char *)"wrong key";
	judge(&s.nodes, "", &verdict);
	assert_int_equal(verdict.exit, CLI_FAILED);
	assert_string_equal(verdict.faults[0].fault,
			    "n1: no connection to n3: wrong key");
}

static void the_highest_term_names_the_leader(void **state)
{
	(void)state;
	const char *name = NULL;
	struct scene s;

	draw(&s);
	/* n2 was cut off and has not heard of the election. */
	s.rafts[0].term = s.rafts[2].term = 5;
	s.rafts[0].leader_name = s.rafts[2].leader_name = (char *)"n3";
	s.rafts[2].role = (char *)"leader";
	assert_ptr_equal(judge_leader(&s.nodes, &name), &s.rafts[2]);
	assert_string_equal(name, "n3");
}

static void more_faults_than_fit_are_counted(void **state)
{
	(void)state;
	struct judge_verdict verdict;
	struct scene s;

	draw(&s);
	/* Each node 3 children and a clock; the same node nine times. */
	for (size_t i = 0; i < 3; i++)
		for (size_t c = 0; c < 3; c++)
			s.child[i][c].state = (char *)"held";
	for (size_t i = 3; i < CONFIG_NODES_MAX; i++)
		s.nodes.node[i] = s.nodes.node[i % 3];
	s.nodes.count = CONFIG_NODES_MAX;
	s.clocks[0].quality = (char *)"UNSYNCED";
	s.clocks[1].quality = (char *)"UNSYNCED";
	s.clocks[2].quality = (char *)"UNSYNCED";
	judge(&s.nodes, "", &verdict);
	assert_int_equal(verdict.fault_count, JUDGE_FAULTS_MAX);
	assert_int_equal(verdict.faults_dropped, 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_healthy_cluster_takes_one_line),
		cmocka_unit_test(
			a_dead_node_is_named_with_the_command_that_helps),
		cmocka_unit_test(who_was_removed_is_not_missed),
		cmocka_unit_test(a_learner_is_no_voter),
		cmocka_unit_test(a_node_that_is_out_says_so_and_nothing_else),
		cmocka_unit_test(a_silent_node_is_told_from_a_dead_one),
		cmocka_unit_test(a_log_with_holes_is_told_with_what_helps),
		cmocka_unit_test(a_minority_is_no_quorum_whatever_it_says),
		cmocka_unit_test(an_election_is_no_quorum_for_now),
		cmocka_unit_test(
			a_held_child_a_bad_clock_and_a_full_disk_are_faults),
		cmocka_unit_test(a_held_grpc_face_is_told_and_harms_nobody),
		cmocka_unit_test(one_node_speaks_for_its_peers),
		cmocka_unit_test(the_highest_term_names_the_leader),
		cmocka_unit_test(more_faults_than_fit_are_counted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
