/* Two real sockets that ask each other, and one attacker on the path between.
 *
 * The attacker sits on node 2's configured address: it sees all that node 1
 * sends, and decides what node 2 (bound elsewhere) gets to see of it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/units.h"
#include "proto/timepacket.h"
#include "timesyncd/peers.h"

struct side {
	struct peers *peers;
	struct timesync_clock clock;
	struct timesync_exchange last;
	struct timesync_exchange refined;
	struct timesync_exchange served;
	uint32_t replies, timeouts, refinements, served_count;
};

struct world {
	struct ev_loop *loop;
	struct config config[2];
	struct node_key key[2];
	struct side side[2];
};

static const struct timesync_clock *give_clock(void *ctx)
{
	struct side *side = ctx;

	return &side->clock;
}

static void take_reply(void *ctx, const struct timesync_exchange *exchange)
{
	struct side *side = ctx;

	side->last = *exchange;
	side->replies++;
}

static void take_refined(void *ctx, const struct timesync_exchange *exchange)
{
	struct side *side = ctx;

	side->refined = *exchange;
	side->refinements++;
}

static void take_served(void *ctx, const struct timesync_exchange *exchange)
{
	struct side *side = ctx;

	side->served = *exchange;
	side->served_count++;
}

static void take_timeout(void *ctx, uint32_t peer)
{
	struct side *side = ctx;

	(void)peer;
	side->timeouts++;
}

/* A port nobody uses right now. */
static uint16_t free_port(void)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_addr.s_addr =
					     htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(where);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&where, bytes), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&where, &bytes), 0);
	close(fd);
	return ntohs(where.sin_port);
}

static void open_side(struct world *w, int i)
{
	const struct peers_host host = { .ctx = &w->side[i],
					 .clock = give_clock,
					 .replied = take_reply,
					 .refined = take_refined,
					 .served = take_served,
					 .timed_out = take_timeout };

	w->side[i].peers =
		peers_new(w->loop, &w->config[i], &w->key[i], &host);
	assert_non_null(w->side[i].peers);
}

static void close_side(struct world *w, int i)
{
	peers_free(w->side[i].peers);
	w->side[i].peers = NULL;
}

static struct world *new_world(void)
{
	struct world *w = calloc(1, sizeof(*w));
	struct config *config;

	assert_non_null(w);
	keys_init();
	w->loop = ev_loop_new(EVFLAG_AUTO);
	config = &w->config[0];
	snprintf(config->cluster_id, sizeof(config->cluster_id), "test");
	config->node_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		assert_int_equal(keys_generate(&w->key[i]), RFS_ERR_OK);
		config->nodes[i].id = i + 1;
		snprintf(config->nodes[i].address,
			 sizeof(config->nodes[i].address), "127.0.0.1");
		config->nodes[i].time_port = free_port();
		memcpy(config->nodes[i].key, w->key[i].public_key,
		       sizeof(config->nodes[i].key));
	}
	w->config[1] = *config;
	w->config[1].self_index = 1;
	return w;
}

static void end_world(struct world *w)
{
	close_side(w, 0);
	close_side(w, 1);
	ev_loop_destroy(w->loop);
	free(w);
}

static void stop_loop(struct ev_loop *loop, ev_timer *timer, int events)
{
	(void)timer;
	(void)events;
	ev_break(loop, EVBREAK_ALL);
}

static void run_for(struct world *w, double seconds)
{
	ev_timer timer;

	ev_now_update(w->loop);
	ev_timer_init(&timer, stop_loop, seconds, 0);
	ev_timer_start(w->loop, &timer);
	ev_run(w->loop, 0);
	ev_timer_stop(w->loop, &timer);
}

/* Until node 1 has its answer, or its timeout. */
static void ask(struct world *w)
{
	uint32_t before = w->side[0].replies + w->side[0].timeouts;

	peers_ask(w->side[0].peers, 2, 300 * NS_PER_MS);
	for (int i = 0; i < 500; i++) {
		if (w->side[0].replies + w->side[0].timeouts != before)
			return;
		run_for(w, 0.001);
	}
	fail_msg("neither answered nor timed out");
}

static void two_strangers_learn_each_other_and_exchange(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	open_side(w, 1);
	w->side[1].clock = (struct timesync_clock){
		.quality = TIMESYNC_SYNCED,
		.epoch = 5,
		.offset_ns = 77,
		.void_after_ns = INT64_MAX,
	};
	int64_t before_ns = clock_raw_ns();
	ask(w);
	int64_t after_ns = clock_raw_ns();
	const struct timesync_exchange *got = &w->side[0].last;

	assert_int_equal(w->side[0].replies, 1);
	assert_int_equal(got->peer, 2);
	/* One host, one raw clock: all four in order. */
	assert_true(before_ns <= got->t1_ns);
	assert_true(got->t1_ns <= got->t2_ns);
	assert_true(got->t2_ns <= got->t3_ns);
	assert_true(got->t3_ns <= got->t4_ns);
	assert_true(got->t4_ns <= after_ns);
	assert_int_equal(got->server_clock.epoch, 5);
	assert_int_equal(got->server_clock.offset_ns, 77);
	assert_true(got->server_boot != 0);
	for (int i = 0; i < 20; i++)
		ask(w);
	assert_int_equal(w->side[0].replies, 21);
	assert_int_equal(w->side[0].timeouts, 0);
	end_world(w);
}

static void a_restarted_peer_is_known_again_by_its_new_boot(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	uint64_t boot = w->side[0].last.server_boot;
	close_side(w, 1);
	open_side(w, 1);
	ask(w);
	assert_int_equal(w->side[0].replies, 2);
	assert_true(w->side[0].last.server_boot != boot);
	end_world(w);
}

static void an_answers_departure_comes_with_the_next(void **state)
{
	(void)state;
	struct world *w = new_world();
	const struct side *side = &w->side[0];

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	assert_int_equal(side->refinements, 0);
	for (uint32_t i = 0; i < 20; i++) {
		struct timesync_exchange before = side->last;
		uint32_t refinements = side->refinements;

		ask(w);
		if (side->refinements == refinements)
			continue;
		assert_int_equal(side->refined.t1_ns, before.t1_ns);
		assert_int_equal(side->refined.t2_ns, before.t2_ns);
		assert_int_equal(side->refined.t4_ns, before.t4_ns);
		assert_true(side->refined.t3_ns > before.t3_ns);
		assert_true(side->refined.t3_ns <= before.t4_ns);
	}
	if (peers_kernel_stamps(w->side[1].peers))
		assert_true(side->refinements > 10);
	else
		assert_int_equal(side->refinements, 0);
	end_world(w);
}

/* Node 2 asks node 1, until it has its answer or its timeout. */
static void ask_back(struct world *w)
{
	uint32_t before = w->side[1].replies + w->side[1].timeouts;

	peers_ask(w->side[1].peers, 1, 300 * NS_PER_MS);
	for (int i = 0; i < 500; i++) {
		if (w->side[1].replies + w->side[1].timeouts != before)
			return;
		run_for(w, 0.001);
	}
	fail_msg("neither answered nor timed out");
}

static void who_answered_learns_the_askers_exchange_with_the_next_answer(
	void **state)
{
	(void)state;
	struct world *w = new_world();
	const struct side *one = &w->side[0], *two = &w->side[1];

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	assert_int_equal(one->served_count, 0);
	for (uint32_t i = 1; i <= 20; i++) {
		ask_back(w);
		ask(w);
		assert_int_equal(one->served_count, i);
		/* Node 2's own stamps, and ours of the same exchange. */
		assert_int_equal(one->served.t1_ns, two->last.t1_ns);
		assert_int_equal(one->served.t4_ns, two->last.t4_ns);
		assert_int_equal(one->served.t2_ns, two->last.t2_ns);
		assert_true(one->served.t3_ns >= two->last.t3_ns);
		assert_true(one->served.t3_ns <= one->served.t4_ns);
		assert_true(one->served.server_boot == one->last.server_boot);
		/* Each is told once. */
		ask(w);
		assert_int_equal(one->served_count, i);
	}
	end_world(w);
}

/* Stamps of a clock that has jumped since are of no use to anybody. */
static void an_exchange_from_before_a_disruption_is_not_told(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	ask_back(w);
	w->side[1].clock.disruptions++;
	ask(w);
	assert_int_equal(w->side[0].served_count, 0);
	ask_back(w);
	ask(w);
	assert_int_equal(w->side[0].served_count, 1);
	end_world(w);
}

/* What is told of an answer that was not taken is of no use. */
static void a_lost_answers_departure_refines_nothing(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint32_t refinements;

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	for (int i = 0; i < 5; i++) {
		/* Given up before it can be answered. */
		peers_ask(w->side[0].peers, 2, 1);
		run_for(w, 0.002);
		refinements = w->side[0].refinements;
		ask(w);
		assert_int_equal(w->side[0].refinements, refinements);
	}
	assert_true(w->side[0].timeouts > 0);
	end_world(w);
}

static void relist(struct world *w, uint32_t node_count)
{
	w->config[0].node_count = node_count;
	assert_int_equal(peers_configure(w->side[0].peers, &w->config[0],
					 &w->key[0]),
			 RFS_ERR_OK);
}

static void a_changed_list_keeps_who_stays_and_drops_who_leaves(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	uint64_t packets = peers_counters(w->side[0].peers)->packets_out;

	/* Node 3 joins; node 2 is known: its next exchange is one packet. */
	w->config[0].nodes[2] = w->config[0].nodes[1];
	w->config[0].nodes[2].id = 3;
	w->config[0].nodes[2].time_port = free_port();
	relist(w, 3);
	ask(w);
	assert_int_equal(peers_counters(w->side[0].peers)->packets_out,
			 packets + 1);

	/* Not within a request to it: that one ends as it would have. */
	peers_ask(w->side[0].peers, 2, 300 * NS_PER_MS);
	relist(w, 3);
	run_for(w, 0.1);
	assert_int_equal(w->side[0].replies, 3);

	/* Gone: a stranger, and nothing comes of the request under way. */
	peers_ask(w->side[0].peers, 2, 50 * NS_PER_MS);
	relist(w, 1);
	peers_ask(w->side[1].peers, 1, 100 * NS_PER_MS);
	run_for(w, 0.2);
	assert_int_equal(w->side[0].replies, 3);
	assert_int_equal(w->side[0].timeouts, 0);
	assert_int_equal(w->side[1].replies, 0);
	assert_int_equal(w->side[1].timeouts, 1);

	/* Back again. */
	relist(w, 2);
	ask(w);
	assert_int_equal(w->side[0].replies, 4);
	end_world(w);
}

static void a_list_that_is_wrong_changes_nothing(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct config wrong;

	open_side(w, 0);
	open_side(w, 1);
	wrong = w->config[0];
	snprintf(wrong.nodes[1].address, sizeof(wrong.nodes[1].address),
		 "nowhere");
	assert_int_equal(peers_configure(w->side[0].peers, &wrong, &w->key[0]),
			 RFS_ERR_INVALID);
	ask(w);
	assert_int_equal(w->side[0].replies, 1);
	end_world(w);
}

static void a_node_with_a_new_key_is_learnt_anew(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	close_side(w, 1);
	assert_int_equal(keys_generate(&w->key[1]), RFS_ERR_OK);
	for (int i = 0; i < 2; i++)
		memcpy(w->config[i].nodes[1].key, w->key[1].public_key,
		       sizeof(w->config[i].nodes[1].key));
	open_side(w, 1);
	relist(w, 2);
	ask(w);
	assert_int_equal(w->side[0].replies, 2);
	end_world(w);
}

static void nobody_there_is_a_timeout(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	ask(w);
	assert_int_equal(w->side[0].timeouts, 1);
	assert_int_equal(w->side[0].replies, 0);
	end_world(w);
}

static void a_node_with_another_key_is_met_with_silence(void **state)
{
	(void)state;
	struct world *w = new_world();

	open_side(w, 0);
	assert_int_equal(keys_generate(&w->key[1]), RFS_ERR_OK);
	open_side(w, 1);
	ask(w);
	assert_int_equal(w->side[0].timeouts, 1);
	assert_true(peers_counters(w->side[1].peers)->refused_mac > 0);
	assert_int_equal(peers_counters(w->side[1].peers)->packets_out, 0);
	end_world(w);
}

/* -- the attacker -------------------------------------------------------- */

static int attacker_socket(uint16_t port)
{
	struct sockaddr_in where = { .sin_family = AF_INET,
				     .sin_port = htons(port),
				     .sin_addr.s_addr =
					     htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&where, sizeof(where)), 0);
	return fd;
}

static void attack(int fd, uint16_t port, const void *data, size_t bytes)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
				  .sin_port = htons(port),
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };

	(void)sendto(fd, data, bytes, 0, (struct sockaddr *)&to, sizeof(to));
}

/* Everything waiting, newest last; returns how many there were. */
static int drain(int fd, uint8_t last[TIMEPACKET_BYTES])
{
	uint8_t data[512];
	int count = 0;

	while (recv(fd, data, sizeof(data), 0) == TIMEPACKET_BYTES) {
		memcpy(last, data, TIMEPACKET_BYTES);
		count++;
	}
	return count;
}

static void strangers_get_not_one_byte(void **state)
{
	(void)state;
	struct world *w = new_world();
	int fd = attacker_socket(free_port());
	uint16_t port = w->config[0].nodes[0].time_port;
	uint8_t packet[TIMEPACKET_BYTES] = { 0 };
	struct timepacket_head head = { .kind = TIMEPACKET_HELLO,
					.from = 2,
					.to = 1,
					.counter = 1,
					.nonce = 1 };

	open_side(w, 0);
	attack(fd, port, "x", 1);
	attack(fd, port, packet, sizeof(packet));
	timepacket_head_encode(&head, packet);
	for (uint8_t kind = 0; kind < 7; kind++) {
		packet[5] = kind;
		attack(fd, port, packet, sizeof(packet));
	}
	run_for(w, 0.02);
	assert_int_equal(drain(fd, packet), 0);
	assert_int_equal(peers_counters(w->side[0].peers)->packets_out, 0);
	assert_true(peers_counters(w->side[0].peers)->refused_other >= 9);
	close(fd);
	end_world(w);
}

static void a_flood_from_a_peers_address_costs_no_macs(void **state)
{
	(void)state;
	struct world *w = new_world();
	int fd = attacker_socket(w->config[0].nodes[1].time_port);
	uint16_t port = w->config[0].nodes[0].time_port;
	uint8_t packet[TIMEPACKET_BYTES] = { 0 };
	struct timepacket_head head = { .kind = TIMEPACKET_HELLO,
					.from = 2,
					.to = 1,
					.nonce = 1 };
	const struct peers_counters *counters;

	open_side(w, 0);
	timepacket_head_encode(&head, packet);
	for (int i = 0; i < 20; i++) {
		for (int k = 0; k < 50; k++)
			attack(fd, port, packet, sizeof(packet));
		run_for(w, 0.001);
	}
	counters = peers_counters(w->side[0].peers);
	assert_true(counters->packets_in > 200);
	assert_true(counters->refused_rate > counters->refused_mac);
	assert_true(counters->refused_mac < 150);
	assert_int_equal(counters->packets_out, 0);
	close(fd);
	end_world(w);
}

/* What node 1 sent to node 2, recorded and sent to its next boot. */
static void a_request_to_an_earlier_boot_is_told_no_time(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint16_t real = w->config[0].nodes[1].time_port;
	uint16_t own = w->config[0].nodes[0].time_port;
	uint8_t request[TIMEPACKET_BYTES];
	struct timepacket_head head = { 0 };

	open_side(w, 0);
	open_side(w, 1);
	ask(w);

	/* Node 2 stops, with its boot id in node 1's mind and the attacker on
	 * its address. */
	close_side(w, 1);
	int fd = attacker_socket(real);
	peers_ask(w->side[0].peers, 2, 50 * NS_PER_MS);
	run_for(w, 0.005);
	assert_true(drain(fd, request) > 0);
	assert_int_equal(timepacket_head_decode(request, sizeof(request),
						&head),
			 RFS_ERR_OK);
	assert_int_equal(head.kind, TIMEPACKET_REQUEST);
	close(fd);

	/* A later boot of node 2 meets the old request from node 1's address:
	 * it is not for this boot, so it is told no time. */
	run_for(w, 0.06);
	close_side(w, 0);
	open_side(w, 1);
	fd = attacker_socket(own);
	for (int i = 0; i < 5; i++) {
		attack(fd, real, request, sizeof(request));
		run_for(w, 0.002);
	}
	uint8_t answer[TIMEPACKET_BYTES];
	int count = drain(fd, answer);
	assert_true(count > 0); /* WELCOMEs and one HELLO: same size, no time */
	assert_int_equal(timepacket_head_decode(answer, sizeof(answer), &head),
			 RFS_ERR_OK);
	assert_int_not_equal(head.kind, TIMEPACKET_REPLY);
	close(fd);

	/* And it learnt nothing from it: node 1 comes back and is served. */
	open_side(w, 0);
	uint32_t replies = w->side[0].replies;
	ask(w);
	assert_int_equal(w->side[0].replies, replies + 1);
	end_world(w);
}

/* A relay between the two: node 1 thinks the relay is node 2, and the relay
 * speaks to node 2 from node 1's configured address. */
struct relay {
	int to_two;	/* bound where node 2 expects node 1 */
	int to_one;	/* bound where node 1 expects node 2 */
	uint16_t one, two;
	uint8_t request[TIMEPACKET_BYTES], reply[TIMEPACKET_BYTES];
	bool has_request, has_reply;
};

static void carry(struct relay *relay, bool twice)
{
	uint8_t data[512];

	while (recv(relay->to_one, data, sizeof(data), 0) ==
	       TIMEPACKET_BYTES) {
		if (data[5] == TIMEPACKET_REQUEST) {
			memcpy(relay->request, data, TIMEPACKET_BYTES);
			relay->has_request = true;
		}
		for (int i = 0; i < (twice ? 3 : 1); i++)
			attack(relay->to_two, relay->two, data,
			       TIMEPACKET_BYTES);
	}
	while (recv(relay->to_two, data, sizeof(data), 0) ==
	       TIMEPACKET_BYTES) {
		if (data[5] == TIMEPACKET_REPLY) {
			memcpy(relay->reply, data, TIMEPACKET_BYTES);
			relay->has_reply = true;
		}
		for (int i = 0; i < (twice ? 3 : 1); i++)
			attack(relay->to_one, relay->one, data,
			       TIMEPACKET_BYTES);
	}
}

static void relayed_ask(struct world *w, struct relay *relay, bool twice)
{
	uint32_t before = w->side[0].replies + w->side[0].timeouts;

	peers_ask(w->side[0].peers, 2, 300 * NS_PER_MS);
	for (int i = 0; i < 1000; i++) {
		if (w->side[0].replies + w->side[0].timeouts != before)
			break;
		run_for(w, 0.0005);
		carry(relay, twice);
	}
	for (int i = 0; i < 5; i++) {
		run_for(w, 0.0005);
		carry(relay, twice);
	}
}

static void duplicates_and_replays_on_the_path_change_nothing(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct relay relay = { .one = w->config[0].nodes[0].time_port,
			       .two = w->config[0].nodes[1].time_port };
	uint16_t fake_one = free_port();
	uint16_t fake_two = free_port();

	w->config[0].nodes[1].time_port = fake_two;
	w->config[1].nodes[0].time_port = fake_one;
	relay.to_one = attacker_socket(fake_two);
	relay.to_two = attacker_socket(fake_one);
	open_side(w, 0);
	open_side(w, 1);

	relayed_ask(w, &relay, true);
	relayed_ask(w, &relay, true);
	assert_int_equal(w->side[0].replies, 2);
	assert_int_equal(w->side[0].timeouts, 0);
	assert_true(relay.has_request && relay.has_reply);
	uint64_t refused = peers_counters(w->side[1].peers)->refused_replay;
	assert_true(refused > 0);
	assert_true(peers_counters(w->side[0].peers)->refused_replay > 0);

	/* The recorded request again: refused. The recorded reply while
	 * another is awaited: its nonce is not the one. */
	attack(relay.to_two, relay.two, relay.request, TIMEPACKET_BYTES);
	run_for(w, 0.002);
	assert_true(peers_counters(w->side[1].peers)->refused_replay >
		    refused);
	refused = peers_counters(w->side[0].peers)->refused_replay;
	peers_ask(w->side[0].peers, 2, 50 * NS_PER_MS);
	attack(relay.to_one, relay.one, relay.reply, TIMEPACKET_BYTES);
	run_for(w, 0.1);
	assert_int_equal(w->side[0].replies, 2);
	assert_int_equal(w->side[0].timeouts, 1);
	assert_true(peers_counters(w->side[0].peers)->refused_replay >
		    refused);
	close(relay.to_one);
	close(relay.to_two);
	end_world(w);
}

static void a_delayed_reply_widens_its_own_interval(void **state)
{
	(void)state;
	struct world *w = new_world();
	struct relay relay = { .one = w->config[0].nodes[0].time_port,
			       .two = w->config[0].nodes[1].time_port };
	uint16_t fake_one = free_port();
	uint16_t fake_two = free_port();

	w->config[0].nodes[1].time_port = fake_two;
	w->config[1].nodes[0].time_port = fake_one;
	relay.to_one = attacker_socket(fake_two);
	relay.to_two = attacker_socket(fake_one);
	open_side(w, 0);
	open_side(w, 1);
	relayed_ask(w, &relay, false);
	assert_int_equal(w->side[0].replies, 1);

	peers_ask(w->side[0].peers, 2, 300 * NS_PER_MS);
	run_for(w, 0.05);
	for (int i = 0; i < 300 && w->side[0].replies == 1; i++) {
		carry(&relay, false);
		run_for(w, 0.001);
	}
	const struct timesync_exchange *got = &w->side[0].last;
	assert_int_equal(w->side[0].replies, 2);
	/* Held back for 50 ms before it reached node 2: all of it is delay. */
	assert_true((got->t4_ns - got->t1_ns) - (got->t3_ns - got->t2_ns) >=
		    45 * NS_PER_MS);
	assert_true(got->t2_ns >= got->t1_ns + 45 * NS_PER_MS);
	close(relay.to_one);
	close(relay.to_two);
	end_world(w);
}

/* A relay between two sides that know each other. */
static void open_relay(struct world *w, struct relay *relay)
{
	uint16_t fake_one = free_port();
	uint16_t fake_two = free_port();

	*relay = (struct relay){ .one = w->config[0].nodes[0].time_port,
				 .two = w->config[0].nodes[1].time_port };
	w->config[0].nodes[1].time_port = fake_two;
	w->config[1].nodes[0].time_port = fake_one;
	relay->to_one = attacker_socket(fake_two);
	relay->to_two = attacker_socket(fake_one);
	open_side(w, 0);
	open_side(w, 1);
	relayed_ask(w, relay, false);
	assert_int_equal(w->side[0].replies, 1);
}

static void close_relay(struct world *w, struct relay *relay)
{
	close(relay->to_one);
	close(relay->to_two);
	end_world(w);
}

/* What is waiting at fd, within a tenth of a second. */
static void wait_packet(struct world *w, int fd,
			uint8_t packet[TIMEPACKET_BYTES])
{
	for (int i = 0; i < 200; i++) {
		if (drain(fd, packet) > 0)
			return;
		run_for(w, 0.0005);
	}
	fail_msg("no packet came");
}

static void one_flipped_bit_anywhere_is_met_with_silence(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint8_t request[TIMEPACKET_BYTES], reply[TIMEPACKET_BYTES];
	uint8_t nothing[TIMEPACKET_BYTES];
	struct relay relay;

	open_relay(w, &relay);
	for (uint32_t at = 0; at < TIMEPACKET_BYTES; at++) {
		uint32_t replies = w->side[0].replies;
		uint8_t bit = (uint8_t)(1u << at % 8);

		peers_ask(w->side[0].peers, 2, NS_PER_SEC);
		wait_packet(w, relay.to_one, request);
		request[at] ^= bit;
		attack(relay.to_two, relay.two, request, sizeof(request));
		run_for(w, 0.006); /* and the bucket fills again */
		assert_int_equal(drain(relay.to_two, nothing), 0);

		request[at] ^= bit;
		attack(relay.to_two, relay.two, request, sizeof(request));
		wait_packet(w, relay.to_two, reply);
		reply[at] ^= bit;
		attack(relay.to_one, relay.one, reply, sizeof(reply));
		run_for(w, 0.006);
		assert_int_equal(w->side[0].replies, replies);

		reply[at] ^= bit;
		attack(relay.to_one, relay.one, reply, sizeof(reply));
		run_for(w, 0.002);
		assert_int_equal(w->side[0].replies, replies + 1);
	}
	close_relay(w, &relay);
}

static void a_true_packet_of_another_size_is_met_with_silence(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint8_t request[1472] = { 0 }, reply[TIMEPACKET_BYTES];
	struct relay relay;

	open_relay(w, &relay);
	peers_ask(w->side[0].peers, 2, NS_PER_SEC);
	wait_packet(w, relay.to_one, request);
	for (size_t bytes = 0; bytes < sizeof(request); bytes += 1) {
		if (bytes == TIMEPACKET_BYTES)
			continue;
		attack(relay.to_two, relay.two, request, bytes);
		if (bytes % 64 == 0)
			run_for(w, 0.001);
	}
	run_for(w, 0.01);
	assert_int_equal(drain(relay.to_two, reply), 0);
	/* It was a good one. */
	attack(relay.to_two, relay.two, request, TIMEPACKET_BYTES);
	wait_packet(w, relay.to_two, reply);
	close_relay(w, &relay);
}

static void an_answer_from_another_address_is_not_taken(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint8_t request[TIMEPACKET_BYTES], reply[TIMEPACKET_BYTES];
	struct relay relay;

	open_relay(w, &relay);
	int elsewhere = attacker_socket(free_port());
	uint64_t refused = peers_counters(w->side[0].peers)->refused_other;

	peers_ask(w->side[0].peers, 2, NS_PER_SEC);
	wait_packet(w, relay.to_one, request);
	attack(relay.to_two, relay.two, request, sizeof(request));
	wait_packet(w, relay.to_two, reply);
	attack(elsewhere, relay.one, reply, sizeof(reply));
	run_for(w, 0.01);
	assert_int_equal(w->side[0].replies, 1);
	assert_int_equal(peers_counters(w->side[0].peers)->refused_other,
			 refused + 1);
	attack(relay.to_one, relay.one, reply, sizeof(reply));
	run_for(w, 0.01);
	assert_int_equal(w->side[0].replies, 2);
	close(elsewhere);
	close_relay(w, &relay);
}

static void ones_own_request_sent_back_is_no_answer(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint8_t request[TIMEPACKET_BYTES], answer[TIMEPACKET_BYTES];
	struct relay relay;

	open_relay(w, &relay);
	peers_ask(w->side[0].peers, 2, 50 * NS_PER_MS);
	wait_packet(w, relay.to_one, request);
	for (uint8_t kind = TIMEPACKET_HELLO; kind <= TIMEPACKET_REPLY;
	     kind++) {
		uint8_t turned[TIMEPACKET_BYTES];

		memcpy(turned, request, sizeof(turned));
		turned[5] = kind;
		attack(relay.to_one, relay.one, turned, sizeof(turned));
		/* And from 1 to 2 read as from 2 to 1. */
		memcpy(turned + 8, request + 12, 4);
		memcpy(turned + 12, request + 8, 4);
		memcpy(turned + 16, request + 32, TIMEPACKET_BOOT_BYTES);
		memcpy(turned + 32, request + 16, TIMEPACKET_BOOT_BYTES);
		attack(relay.to_one, relay.one, turned, sizeof(turned));
	}
	run_for(w, 0.02);
	assert_int_equal(drain(relay.to_one, answer), 0);
	assert_int_equal(w->side[0].replies, 1);
	close_relay(w, &relay);
}

/* WELCOMEs are sealed, but say nothing about time: an old one must not make
 * node 1 believe in the boot that it speaks of. */
static void an_old_welcome_brings_no_old_boot_back(void **state)
{
	(void)state;
	struct world *w = new_world();
	uint8_t hello[TIMEPACKET_BYTES], welcome[TIMEPACKET_BYTES];
	struct relay relay;
	uint64_t boot;

	open_relay(w, &relay);
	close_side(w, 0);
	open_side(w, 0);
	peers_ask(w->side[0].peers, 2, NS_PER_SEC);
	wait_packet(w, relay.to_one, hello);
	attack(relay.to_two, relay.two, hello, sizeof(hello));
	wait_packet(w, relay.to_two, welcome);
	assert_int_equal(welcome[5], TIMEPACKET_WELCOME);
	attack(relay.to_one, relay.one, welcome, sizeof(welcome));
	for (int k = 0; k < 100 && w->side[0].replies == 1; k++) {
		run_for(w, 0.001);
		carry(&relay, false);
	}
	assert_int_equal(w->side[0].replies, 2);

	close_side(w, 1);
	open_side(w, 1);
	relayed_ask(w, &relay, false);
	boot = w->side[0].last.server_boot;
	for (int i = 0; i < 5; i++) {
		uint32_t replies = w->side[0].replies;

		attack(relay.to_one, relay.one, welcome, sizeof(welcome));
		peers_ask(w->side[0].peers, 2, 300 * NS_PER_MS);
		attack(relay.to_one, relay.one, welcome, sizeof(welcome));
		for (int k = 0; k < 100 && w->side[0].replies == replies; k++) {
			run_for(w, 0.001);
			carry(&relay, false);
		}
		assert_int_equal(w->side[0].replies, replies + 1);
		assert_true(w->side[0].last.server_boot == boot);
	}
	close_relay(w, &relay);
}

static void a_peer_that_floods_gets_its_share_and_no_more(void **state)
{
	(void)state;
	struct world *w = new_world();
	const struct peers_counters *counters;
	int64_t begun_ns = clock_raw_ns();
	int64_t elapsed_ns;

	open_side(w, 0);
	open_side(w, 1);
	for (int i = 0; i < 1000; i++) {
		uint32_t before = w->side[1].timeouts + w->side[1].replies;

		peers_ask(w->side[1].peers, 1, 1);
		while (w->side[1].timeouts + w->side[1].replies == before)
			run_for(w, 0.0001);
	}
	run_for(w, 0.01);
	elapsed_ns = clock_raw_ns() - begun_ns;
	counters = peers_counters(w->side[0].peers);
	assert_true(counters->packets_in > 400);
	/* What the bucket holds, and 200 a second; a HELLO of its own. */
	assert_true((int64_t)counters->packets_out <=
		    65 + 200 * elapsed_ns / NS_PER_SEC);
	/* Node 1's own questions are its own business. */
	ask(w);
	end_world(w);
}

static void strangers_by_the_thousand_are_in_nobodys_way(void **state)
{
	(void)state;
	struct world *w = new_world();
	int fd = attacker_socket(free_port());
	uint8_t packet[TIMEPACKET_BYTES] = { 0 };
	struct timepacket_head head = { .kind = TIMEPACKET_REQUEST,
					.from = 2,
					.to = 1,
					.counter = 1,
					.nonce = 1 };

	open_side(w, 0);
	open_side(w, 1);
	ask(w);
	timepacket_head_encode(&head, packet);
	for (uint32_t i = 1; i <= 20; i++) {
		for (int k = 0; k < 100; k++)
			attack(fd, w->config[0].nodes[0].time_port, packet,
			       sizeof(packet));
		ask(w);
		assert_int_equal(w->side[0].replies, 1 + i);
	}
	assert_int_equal(drain(fd, packet), 0);
	assert_int_equal(peers_counters(w->side[0].peers)->refused_mac, 0);
	assert_int_equal(peers_counters(w->side[0].peers)->refused_rate, 0);
	close(fd);
	end_world(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(two_strangers_learn_each_other_and_exchange),
		cmocka_unit_test(
			a_restarted_peer_is_known_again_by_its_new_boot),
		cmocka_unit_test(an_answers_departure_comes_with_the_next),
		cmocka_unit_test(a_lost_answers_departure_refines_nothing),
		cmocka_unit_test(
			who_answered_learns_the_askers_exchange_with_the_next_answer),
		cmocka_unit_test(
			an_exchange_from_before_a_disruption_is_not_told),
		cmocka_unit_test(
			a_changed_list_keeps_who_stays_and_drops_who_leaves),
		cmocka_unit_test(a_list_that_is_wrong_changes_nothing),
		cmocka_unit_test(a_node_with_a_new_key_is_learnt_anew),
		cmocka_unit_test(nobody_there_is_a_timeout),
		cmocka_unit_test(a_node_with_another_key_is_met_with_silence),
		cmocka_unit_test(strangers_get_not_one_byte),
		cmocka_unit_test(a_flood_from_a_peers_address_costs_no_macs),
		cmocka_unit_test(a_request_to_an_earlier_boot_is_told_no_time),
		cmocka_unit_test(
			duplicates_and_replays_on_the_path_change_nothing),
		cmocka_unit_test(a_delayed_reply_widens_its_own_interval),
		cmocka_unit_test(one_flipped_bit_anywhere_is_met_with_silence),
		cmocka_unit_test(
			a_true_packet_of_another_size_is_met_with_silence),
		cmocka_unit_test(an_answer_from_another_address_is_not_taken),
		cmocka_unit_test(ones_own_request_sent_back_is_no_answer),
		cmocka_unit_test(an_old_welcome_brings_no_old_boot_back),
		cmocka_unit_test(a_peer_that_floods_gets_its_share_and_no_more),
		cmocka_unit_test(strangers_by_the_thousand_are_in_nobodys_way),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
