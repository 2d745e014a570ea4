/* When the log says why the clock is not synchronised, and what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "common/units.h"
#include "timesyncd/complaints.h"

struct heard {
	uint32_t lines;
	char all[2048];
};

static void hear(void *ctx, const char *text)
{
	struct heard *heard = ctx;
	size_t used = strlen(heard->all);

	heard->lines++;
	snprintf(heard->all + used, sizeof(heard->all) - used, "%s\n", text);
}

/* Nobody answers: the clock says why it is UNSYNCED. */
static struct timesync *lonely_clock(void)
{
	const struct timesync_config config = {
		.self = 1,
		.peers = {2, 3},
		.peer_count = 2,
		.sync_interval_ns = 60 * NS_PER_SEC,
		.min_peers = 2,
		.max_peers = 5,
		.timeout_ns = NS_PER_SEC,
		.adjustment_rate = 0.1,
		.history_size = 10,
		.max_rate_ppb = 200000,
		.target_bound_ns = NS_PER_MS,
		.void_after_ns = 600 * NS_PER_SEC,
		.max_rtt_ns = 500 * NS_PER_MS,
	};
	struct timesync *timesync = timesync_new(&config, NS_PER_SEC);
	struct timesync_event event = {.type = TIMESYNC_EV_TICK,
				       .raw_ns = NS_PER_SEC};
	struct timesync_effects effects;

	assert_non_null(timesync);
	timesync_step(timesync, &event, &effects);
	for (uint32_t i = 0; i < effects.ask_count; i++) {
		struct timesync_event timeout = {.type = TIMESYNC_EV_TIMEOUT,
						 .raw_ns = 2 * NS_PER_SEC,
						 .peer = effects.ask[i]};
		struct timesync_effects ignored;

		timesync_step(timesync, &timeout, &ignored);
	}
	return timesync;
}

static void it_says_why_after_ten_seconds_and_ever_more_seldom(void **state)
{
	const struct peers_counters none = {0};
	struct timesync *timesync = lonely_clock();
	struct complaints complaints = {0};
	struct heard heard = {0};
	const struct story to = {.line = hear, .ctx = &heard};
	uint32_t times = 0;

	(void)state;
	for (int64_t s = 1; s <= 24 * 3600; s++) {
		uint32_t before = heard.lines;

		complaints_look(&complaints, s * NS_PER_SEC, timesync, &none,
				&to);
		times += heard.lines > before;
		if (s == 10)
			assert_int_equal(times, 0);
		if (s == 11)
			assert_string_equal(
				heard.all,
				"clock UNSYNCED for 10 s: no timeline yet: "
				"nobody carries it\n"
				"node 2: has never answered\n"
				"node 3: has never answered\n");
	}
	/* At 10, 20, ... 5120 s, then 3600 s apart. */
	assert_in_range(times, 30, 34);
	timesync_free(timesync);
}

static void what_was_refused_is_told_with_it(void **state)
{
	const struct peers_counters counters = {.refused_mac = 5,
						.refused_other = 3};
	struct timesync *timesync = lonely_clock();
	struct complaints complaints = {0};
	struct heard heard = {0};
	const struct story to = {.line = hear, .ctx = &heard};

	(void)state;
	for (int64_t s = 1; s <= 11; s++)
		complaints_look(&complaints, s * NS_PER_SEC, timesync,
				&counters, &to);
	assert_non_null(strstr(heard.all, "5 packets refused so far: not "
					  "sealed with the keys"));
	assert_non_null(strstr(heard.all, "3 packets refused so far: from "
					  "addresses, ports or nodes not"));
	timesync_free(timesync);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(
			it_says_why_after_ten_seconds_and_ever_more_seldom),
		cmocka_unit_test(what_was_refused_is_told_with_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
