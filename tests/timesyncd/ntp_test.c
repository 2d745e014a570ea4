/* RFC 5905 packets, to the bit, and what is made of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/prng.h"
#include "common/units.h"
#include "timesyncd/core/ntp.h"
#include "timesyncd/core/reference.h"

static const int64_t in_2026_ns = INT64_C(1790000000) * NS_PER_SEC;

static void stamps_count_from_1900(void **state)
{
	(void)state;
	assert_int_equal(ntp_stamp(0), UINT64_C(2208988800) << 32);
	assert_int_equal(ntp_stamp(NS_PER_SEC / 2),
			 (UINT64_C(2208988800) << 32) | 0x80000000u);
	assert_int_equal(ntp_unix_ns(UINT64_C(2208988800) << 32, 0), 0);
}

static void instants_survive_the_wire(void **state)
{
	struct prng prng;

	(void)state;
	prng_seed(&prng, 1);
	for (int i = 0; i < 10000; i++) {
		int64_t ns = in_2026_ns +
			     (int64_t)prng_below(&prng, UINT64_C(1) << 60);

		assert_int_equal(ntp_unix_ns(ntp_stamp(ns), in_2026_ns), ns);
	}
}

static void the_next_era_begins_in_2036(void **state)
{
	int64_t turn_ns = ((INT64_C(1) << 32) - 2208988800) * NS_PER_SEC;

	(void)state;
	assert_int_equal(ntp_stamp(turn_ns), 0);
	assert_int_equal(ntp_unix_ns(0, turn_ns - NS_PER_SEC), turn_ns);
	assert_int_equal(ntp_unix_ns(ntp_stamp(turn_ns - 1), turn_ns + 1),
			 turn_ns - 1);
}

static void a_packet_is_what_it_was(void **state)
{
	const struct ntp_packet packet = {
		.leap = 3, .version = 4, .mode = 4, .stratum = 2, .poll = 6,
		.precision = -24, .root_delay_ns = NS_PER_SEC,
		.root_dispersion_ns = NS_PER_SEC / 2, .refid = 0x7f7f0101,
		.reference = 1, .origin = 2, .receive = 3, .transmit = 4,
	};
	uint8_t data[NTP_BYTES], again[NTP_BYTES];
	struct ntp_packet got;

	(void)state;
	ntp_encode(&packet, data);
	assert_int_equal(data[0], 0xe4);
	assert_int_equal(data[5], 1); /* root delay 1.0 s: 0x00010000 */
	assert_int_equal(data[12], 0x7f);
	assert_int_equal(ntp_decode(data, sizeof(data), &got), RFS_ERR_OK);
	assert_int_equal(got.root_delay_ns, NS_PER_SEC);
	assert_int_equal(got.precision, -24);
	ntp_encode(&got, again);
	assert_memory_equal(again, data, sizeof(data));
	assert_int_equal(ntp_decode(data, NTP_BYTES - 1, &got),
			 RFS_ERR_INVALID);
}

static const struct timesync_clock synced = {
	.quality = TIMESYNC_SYNCED,
	.asof_ns = 1000,
	.offset_ns = INT64_C(1790000000000000000),
	.bound_ns = 300000,
	.growth_ppb = 200000,
	.void_after_ns = INT64_MAX,
	.part_delay_ns = 100000,
	.part_drift_ns = 200000,
};
static const struct ntp_identity self = { .stratum = 10, .refid = 0x01020304,
					  .precision = -24 };

static void an_answer_carries_cluster_time_and_its_bound(void **state)
{
	struct ntp_packet question, answer;
	uint8_t data[NTP_BYTES];

	(void)state;
	ntp_question(77, &question);
	ntp_answer(&question, &synced, &self, 2000, 1000 + NS_PER_SEC, 5,
		   &answer);
	ntp_encode(&answer, data);
	assert_int_equal(ntp_decode(data, sizeof(data), &answer), RFS_ERR_OK);
	assert_int_equal(answer.leap, NTP_LEAP_NONE);
	assert_int_equal(answer.mode, NTP_MODE_SERVER);
	assert_int_equal(answer.stratum, 10);
	assert_int_equal(answer.origin, 77);
	assert_int_equal(ntp_unix_ns(answer.receive, in_2026_ns),
			 synced.offset_ns + 2000);
	assert_int_equal(ntp_unix_ns(answer.transmit, in_2026_ns),
			 synced.offset_ns + 1000 + NS_PER_SEC);
	/* 300 us then, and 200 ppm for a second; never rounded down. */
	int64_t distance_ns =
		answer.root_delay_ns / 2 + answer.root_dispersion_ns;
	assert_true(distance_ns >= 500000 && distance_ns < 540000);
}

static void without_a_bound_the_leap_says_so(void **state)
{
	struct timesync_clock clock = synced;
	struct ntp_packet question, answer;

	(void)state;
	ntp_question(77, &question);
	clock.quality = TIMESYNC_DISRUPTED;
	ntp_answer(&question, &clock, &self, 2000, 3000, 5, &answer);
	assert_int_equal(answer.leap, NTP_LEAP_UNKNOWN);
	assert_int_equal(answer.stratum, 0);
	clock.quality = TIMESYNC_SYNCED;
	clock.void_after_ns = 2500;
	ntp_answer(&question, &clock, &self, 2000, 3000, 5, &answer);
	assert_int_equal(answer.leap, NTP_LEAP_UNKNOWN);
}

static void only_clients_are_answered(void **state)
{
	(void)state;
	for (uint8_t mode = 0; mode < 8; mode++)
		for (uint8_t version = 0; version < 8; version++) {
			const struct ntp_packet packet = { .mode = mode,
							   .version = version };

			assert_int_equal(ntp_is_question(&packet),
					 mode == 3 && version >= 1 &&
						 version <= 4);
		}
}

/* A client's view of our own server: what it takes is an exchange that holds
 * the truth. */
static void an_answer_is_an_exchange_with_utc(void **state)
{
	int64_t base_ns = synced.offset_ns - 12345;
	struct ntp_packet question, answer;
	struct timesync_exchange exchange = { .peer = 1 };

	(void)state;
	ntp_question(99, &question);
	ntp_answer(&question, &synced, &self, 2000, 3000, 5, &answer);
	assert_int_equal(ntp_take(&answer, 99, base_ns, in_2026_ns, &exchange),
			 NTP_TAKEN);
	assert_int_equal(exchange.t2_ns, 2000 + 12345);
	assert_int_equal(exchange.t3_ns, 3000 + 12345);
	assert_int_equal(exchange.server_clock.epoch, REFERENCE_EPOCH);
	assert_int_equal(exchange.server_clock.offset_ns, base_ns);
	assert_true(exchange.server_clock.bound_ns >= 300000);
	assert_true(exchange.server_clock.bound_ns < 340000);
	assert_int_equal(exchange.peer, 1);
}

static void wrong_answers_are_not_taken(void **state)
{
	struct ntp_packet question, good, bad;
	struct timesync_exchange exchange;

	(void)state;
	ntp_question(99, &question);
	ntp_answer(&question, &synced, &self, 2000, 3000, 5, &good);
	assert_int_equal(ntp_take(&good, 98, 0, in_2026_ns, &exchange),
			 NTP_FOREIGN);
	bad = good;
	bad.mode = 5;
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_FOREIGN);
	bad = good;
	bad.leap = 3;
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_UNUSABLE);
	bad = good;
	bad.stratum = 16;
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_UNUSABLE);
	bad = good;
	bad.root_dispersion_ns = NS_PER_SEC;
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_UNUSABLE);
	bad = good;
	bad.transmit = bad.receive - (1 << 20);
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_UNUSABLE);
	bad = good;
	bad.stratum = 0;
	bad.refid = 0x52415445;
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_TOO_OFTEN);
	bad.refid = 0x44454e59;
	assert_int_equal(ntp_take(&bad, 99, 0, in_2026_ns, &exchange),
			 NTP_UNWELCOME);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stamps_count_from_1900),
		cmocka_unit_test(instants_survive_the_wire),
		cmocka_unit_test(the_next_era_begins_in_2036),
		cmocka_unit_test(a_packet_is_what_it_was),
		cmocka_unit_test(an_answer_carries_cluster_time_and_its_bound),
		cmocka_unit_test(without_a_bound_the_leap_says_so),
		cmocka_unit_test(only_clients_are_answered),
		cmocka_unit_test(an_answer_is_an_exchange_with_utc),
		cmocka_unit_test(wrong_answers_are_not_taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
