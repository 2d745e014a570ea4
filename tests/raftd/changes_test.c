/* What follows from a change of members, with a real raft of one voter: the
 * roster at once, members.conf only when nothing can take the change back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/units.h"
#include "raftd/changes.h"

struct fixture {
	struct ev_loop *ev;
	struct config config;
	struct node_key key;
	struct raft *raft;
	struct raft_now now;
	struct raft_effects effects;
	struct raft_view view;
	uint64_t last_index, last_term; /* appended */
	struct changes changes;
	struct chores *chores;
	struct clients *clients;
	struct peers *peers;
	char dir[40];
	char path[64];
};

static void nothing(void *ctx, uint64_t applied_index)
{
	(void)ctx;
	(void)applied_index;
}

static const struct clients_events clients_events = { .attached = nothing };
static const struct peers_events peers_events = { 0 };

static uint16_t free_port(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(any);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &bytes), 0);
	close(fd);
	return ntohs(any.sin_port);
}

static struct config_node node(uint32_t id)
{
	struct config_node made = {
		.id = id,
		.address = "127.0.0.1",
		.raft_port = free_port(),
		.storage_port = (uint16_t)(100 + id),
		.time_port = (uint16_t)(200 + id),
		.key = { (uint8_t)id },
	};

	snprintf(made.name, sizeof(made.name), "n%u", id);
	return made;
}

static void step(struct fixture *f, struct raft_event *event)
{
	event->now = f->now;
	raft_step(f->raft, event, &f->effects);
	for (uint32_t i = 0; i < f->effects.append_count; i++) {
		f->last_index = f->effects.append[i].index;
		f->last_term = f->effects.append[i].term;
	}
	raft_view(f->raft, &f->view);
	if (f->changes.peers != NULL)
		changes_follow(&f->changes, &f->view,
			       f->effects.membership_changed, 0);
}

static void persist(struct fixture *f)
{
	struct raft_event event = {
		.type = RAFT_EV_PERSISTED,
		.persisted = { .index = f->last_index, .term = f->last_term },
	};

	step(f, &event);
}

static void elect(struct fixture *f)
{
	struct raft_event tick = { .type = RAFT_EV_TICK };

	for (int i = 0; i < 20 && f->view.role != RAFT_LEADER; i++) {
		f->now.raw_ns = raft_deadline_ns(f->raft);
		step(f, &tick);
	}
	assert_int_equal(f->view.role, RAFT_LEADER);
	persist(f);
	assert_int_equal(f->view.commit_index, f->last_index);
}

static void make_raft(struct fixture *f)
{
	struct raft_config config = {
		.self = 1,
		.member_count = 1,
		.election_timeout_min_ns = 150 * NS_PER_MS,
		.election_timeout_max_ns = 3 * NS_PER_SEC,
		.heartbeat_min_ns = 10 * NS_PER_MS,
		.inflight_entries_max = 64,
		.inflight_bytes_max = 1 << 20,
		.log_entries_max = 1000,
		.log_bytes_max = 1 << 20,
		.seed = 1,
	};
	const struct raft_restart fresh = { 0 };

	roster_about(&f->config.nodes[0], &config.members[0]);
	f->now.raw_ns = NS_PER_SEC;
	f->raft = raft_new(&config, &fresh, &f->now);
	assert_non_null(f->raft);
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	keys_init();
	strcpy(f->dir, "/tmp/raftfs-changes-XXXXXX");
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/members.conf", f->dir);
	f->ev = ev_loop_new(EVFLAG_AUTO);
	assert_int_equal(keys_generate(&f->key), RFS_ERR_OK);
	f->config.node_count = 1;
	f->config.nodes[0] = node(1);
	snprintf(f->config.data_dir, sizeof(f->config.data_dir), "%s", f->dir);
	make_raft(f);
	f->chores = chores_new(f->ev);
	f->clients = clients_new(f->ev, &clients_events, f);
	changes_init(&f->changes, &f->config, f->raft, f->clients, f->chores);
	f->peers = peers_new(f->ev, &f->config, &f->changes.roster, &f->key, 7,
			     &peers_events, f);
	assert_non_null(f->peers);
	f->changes.peers = f->peers;
	elect(f);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	chores_free(f->chores);
	peers_free(f->peers);
	clients_free(f->clients);
	raft_free(f->raft);
	ev_loop_destroy(f->ev);
	unlink(f->path);
	rmdir(f->dir);
	free(f);
	return 0;
}

/* Let what is under way beside the loop end. */
static bool written(struct fixture *f)
{
	for (int i = 0; i < 300; i++) {
		ev_run(f->ev, EVRUN_NOWAIT);
		usleep(1000);
		if (f->changes.written_index == f->last_index)
			return true;
	}
	return false;
}

static void add_learner(struct fixture *f, uint32_t id)
{
	const struct config_node added = node(id);
	struct raft_member member = { 0 };
	struct raft_event event = { .type = RAFT_EV_CONFIGURE };

	roster_about(&added, &member);
	event.configure.change = RAFT_CHANGE_ADD_LEARNER;
	event.configure.node = id;
	event.configure.about = member.about;
	event.configure.about_bytes = member.about_bytes;
	step(f, &event);
	assert_int_equal(f->effects.proposal_count, 1);
	assert_int_equal(f->effects.proposals[0].err, RFS_ERR_OK);
}

static void a_change_is_known_at_once_and_written_when_it_is_for_good(
	void **state)
{
	static struct config_members members;
	struct fixture *f = *state;

	add_learner(f, 5);
	assert_string_equal(roster_name(&f->changes.roster, 5), "n5");
	assert_false(written(f));
	assert_int_equal(access(f->path, F_OK), -1);
	persist(f);
	assert_true(written(f));
	assert_int_equal(config_load_members(f->path, NULL, &members),
			 RFS_ERR_OK);
	assert_int_equal(members.count, 2);
	assert_string_equal(members.nodes[1].name, "n5");
}

static void what_the_configuration_says_is_not_written(void **state)
{
	struct fixture *f = *state;
	struct raft_event tick = { .type = RAFT_EV_TICK };

	step(f, &tick);
	assert_false(written(f));
	assert_int_equal(access(f->path, F_OK), -1);
}

static void a_peers_word_that_we_are_out_is_told(void **state)
{
	struct fixture *f = *state;

	assert_string_equal(changes_why(&f->changes, &f->view), "");
	assert_string_equal(changes_standing(&f->view), "voter");
	changes_removed(&f->changes, 5, 300);
	assert_string_equal(changes_why(&f->changes, &f->view),
			    "removed from the cluster (membership entry 300)");
	/* Older word than what our own log says counts for nothing. */
	f->changes.removed_index = 0;
	f->changes.roster.index = 400;
	changes_removed(&f->changes, 5, 300);
	assert_string_equal(changes_why(&f->changes, &f->view), "");
}

static void a_joiner_says_what_it_waits_for(void **state)
{
	struct fixture *f = *state;
	struct raft_view view = { .standing = RAFT_JOINER };

	assert_string_equal(changes_why(&f->changes, &view),
			    "waits to be taken in: raftfs members add n1, or "
			    "replace");
	/* The others know it as a voter: its log is gone. */
	f->changes.roster.shown = *raft_membership(f->raft);
	assert_non_null(strstr(changes_why(&f->changes, &view),
			       "has lost its log"));
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_change_is_known_at_once_and_written_when_it_is_for_good),
		TEST(what_the_configuration_says_is_not_written),
		TEST(a_peers_word_that_we_are_out_is_told),
		TEST(a_joiner_says_what_it_waits_for),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
