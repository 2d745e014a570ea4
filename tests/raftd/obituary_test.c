/* Death notices over a real socket: only what the peer's own supervisor signed,
 * for this cluster, is believed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/death.h"
#include "raftd/obituary.h"

struct fixture {
	struct ev_loop *ev;
	struct config config;
	struct roster roster;
	struct node_key key[2];
	struct obituary *obituary;
	uint32_t node;
	uint64_t incarnation;
	uint64_t term_led;
	unsigned int read_count;
};

static void on_read(void *ctx, uint32_t node, uint64_t incarnation,
		    uint64_t term_led)
{
	struct fixture *f = ctx;

	f->node = node;
	f->incarnation = incarnation;
	f->term_led = term_led;
	f->read_count++;
}

/* A port nobody has, as far as one can know. */
static uint16_t free_port(void)
{
	struct sockaddr_in any = { .sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t bytes = sizeof(any);
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &bytes), 0);
	close(fd);
	return ntohs(any.sin_port);
}

static int setup(void **state)
{
	static struct fixture fixture;
	struct fixture *f = &fixture;

	keys_init();
	memset(f, 0, sizeof(*f));
	f->config.node_count = 2;
	for (uint32_t i = 0; i < 2; i++) {
		struct config_node *node = &f->config.nodes[i];

		assert_int_equal(keys_generate(&f->key[i]), RFS_ERR_OK);
		node->id = i + 1;
		strcpy(node->address, "127.0.0.1");
		memcpy(node->key, f->key[i].public_key, sizeof(node->key));
	}
	f->config.nodes[0].raft_port = free_port();
	memset(f->config.digest, 0xd1, sizeof(f->config.digest));
	f->ev = ev_loop_new(EVFLAG_AUTO);
	roster_init(&f->roster, &f->config);
	f->obituary = obituary_new(f->ev, &f->config, &f->roster, on_read, f);
	assert_non_null(f->obituary);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	obituary_free(f->obituary);
	ev_loop_destroy(f->ev);
	return 0;
}

static struct death of_node_2(void)
{
	struct death death = { .node = 2, .incarnation = 77, .term_led = 5 };

	memset(death.digest, 0xd1, sizeof(death.digest));
	return death;
}

/* Send, let the loop see it, and say whether it was believed. */
static bool believed(struct fixture *f, const void *image, size_t bytes)
{
	struct sockaddr_in to = {
		.sin_family = AF_INET,
		.sin_port = htons(f->config.nodes[0].raft_port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	unsigned int before = f->read_count;
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_int_equal(sendto(fd, image, bytes, 0, (struct sockaddr *)&to,
				sizeof(to)),
			 bytes);
	close(fd);
	/* On loopback it is there when sendto() has returned. */
	ev_run(f->ev, EVRUN_NOWAIT);
	return f->read_count == before + 1;
}

static void a_signed_notice_is_believed(void **state)
{
	struct fixture *f = *state;
	const struct death death = of_node_2();
	uint8_t image[DEATH_BYTES];

	death_encode(&death, &f->key[1], image);
	assert_true(believed(f, image, sizeof(image)));
	assert_int_equal(f->node, 2);
	assert_int_equal(f->incarnation, 77);
	assert_int_equal(f->term_led, 5);
}

static void another_nodes_signature_is_not(void **state)
{
	struct fixture *f = *state;
	const struct death death = of_node_2();
	uint8_t image[DEATH_BYTES];

	death_encode(&death, &f->key[0], image);
	assert_false(believed(f, image, sizeof(image)));
}

static void a_changed_notice_is_not(void **state)
{
	struct fixture *f = *state;
	const struct death death = of_node_2();
	uint8_t image[DEATH_BYTES];

	death_encode(&death, &f->key[1], image);
	image[16] ^= 1;
	assert_false(believed(f, image, sizeof(image)));
	assert_false(believed(f, image, sizeof(image) - 1));
	assert_false(believed(f, image, 0));
}

static void another_clusters_notice_is_not(void **state)
{
	struct fixture *f = *state;
	struct death death = of_node_2();
	uint8_t image[DEATH_BYTES];

	death.digest[3] ^= 1;
	death_encode(&death, &f->key[1], image);
	assert_false(believed(f, image, sizeof(image)));
}

/* A flood costs what is allowed a second, and no more. */
static void a_flood_is_not_checked_one_by_one(void **state)
{
	struct fixture *f = *state;
	const struct death death = of_node_2();
	uint8_t image[DEATH_BYTES];
	unsigned int count = 0;

	death_encode(&death, &f->key[1], image);
	for (int i = 0; i < 250; i++)
		count += believed(f, image, sizeof(image));
	assert_in_range(count, 200, 249);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_signed_notice_is_believed),
		TEST(another_nodes_signature_is_not),
		TEST(a_changed_notice_is_not),
		TEST(another_clusters_notice_is_not),
		TEST(a_flood_is_not_checked_one_by_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
