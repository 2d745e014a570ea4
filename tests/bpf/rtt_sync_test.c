/* What the probe believes a time packet looks like is what is sent. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "bpf/rtt_sync.h"
#include "proto/timepacket.h"

static void the_probe_finds_every_field_of_the_header(void **state)
{
	const struct timepacket_head head = {
		.kind = TIMEPACKET_REPLY,
		.body_bytes = 17,
		.from = 2,
		.to = 3,
		.counter = 0x1122334455667788u,
		.nonce = 0x99aabbccddeeff00u,
	};
	uint8_t packet[TIMEPACKET_BYTES] = { 0 };
	struct sync_packet seen;

	(void)state;
	timepacket_head_encode(&head, packet);
	memcpy(&seen, packet, sizeof(seen));

	assert_int_equal(seen.magic, SYNC_PACKET_MAGIC);
	assert_int_equal(seen.version, SYNC_PACKET_VERSION);
	assert_int_equal(seen.kind, SYNC_PACKET_REPLY);
	assert_int_equal(seen.from, 2);
	assert_int_equal(seen.to, 3);
	assert_int_equal(seen.counter, head.counter);
	assert_int_equal(seen.nonce, head.nonce);
}

static void constants_agree(void **state)
{
	(void)state;
	assert_int_equal(SYNC_PACKET_BYTES, TIMEPACKET_BYTES);
	assert_int_equal(SYNC_PACKET_MAGIC, TIMEPACKET_MAGIC);
	assert_int_equal(SYNC_PACKET_VERSION, TIMEPACKET_VERSION);
	assert_int_equal(SYNC_PACKET_REQUEST, TIMEPACKET_REQUEST);
	assert_int_equal(SYNC_PACKET_REPLY, TIMEPACKET_REPLY);
	assert_int_equal(offsetof(struct sync_packet, nonce),
			 TIMEPACKET_NONCE_AT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_probe_finds_every_field_of_the_header),
		cmocka_unit_test(constants_agree),
	};

	return cmocka_run_group_tests_name("rtt_sync", tests, NULL, NULL);
}
