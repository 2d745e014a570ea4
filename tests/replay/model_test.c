/* The model agrees with a small true story, and with none of its forgeries. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "tests/replay/model.h"

/* Three nodes, D 1 ms, rho 200 ppm. Node 1 leads term 1 and commits a put by
 * node 2's disk; a read by lease, one by quorum; then node 2 leads term 2
 * after D. Lines are named by their place below. */
static const char *const story[] = {
	/* 0 */ "0 0 cluster 3 1000000 200000 1",
	"0 1 start 0 0 0 0",
	"0 2 start 0 0 0 0",
	"0 3 start 0 0 0 0",
	"10 1 hard 1 1",
	/* 5 */ "10 1 stand 1 0 0",
	"20 2 hard 1 1",
	"20 2 vote 1 1",
	"30 1 lead 1",
	"30 1 append 1 1 1 500 30 1000 first 0 1 0 500",
	/* 10 */ "40 0 begin 1 4 put",
	"50 1 append 2 1 1 520 50 1020 command 4 7 1",
	"60 1 durable 2",
	"60 2 append 1 1 1 500 30 1000 first 0 1 0 500",
	"60 2 append 2 1 1 520 50 1020 command 4 7 1",
	/* 15 */ "70 2 durable 2",
	"70 2 ack 2",
	"80 1 commit 2",
	"80 0 applied 2 4 77",
	"90 0 end 1 77",
	/* 20 */ "100 0 begin 2 4 get",
	"110 1 lease-read 2 4",
	"120 0 end 2 77",
	"130 2 asked 5",
	"140 2 point 5 2 quorum",
	/* 25 */ "150 2 commit 2",
	"200 2 hard 2 2",
	"200 2 stand 2 2 1",
	"210 3 hard 2 2",
	"210 3 vote 2 2",
	/* 30 */ "220 2 lead 2",
	"220 2 append 3 2 2 900 220 5000 first 1 600 900 900",
	"230 2 durable 3",
	"240 2 lease-read 2 4",
	"300 3 append 1 1 1 500 30 1000 first 0 1 0 500",
	/* 35 */ "300 3 append 2 1 1 520 50 1020 command 4 7 1",
	"300 3 append 3 2 2 900 220 5000 first 1 600 900 900",
	"310 3 durable 3",
	"1100000 2 commit 3",
	"1100010 1 stop",
	/* 40 */ "1100020 1 start 1 1 0 0 2 1",
};
#define STORY (sizeof(story) / sizeof(story[0]))

/* More lines that are left out: from, to; to is not. */
static size_t skip_from = STORY, skip_to = STORY;

/* Tell it with the line at `at` told otherwise (NULL: left out); `more` lines
 * are put before it. What the model says, or NULL. */
static const char *told(size_t at, const char *otherwise,
			const char *const *more)
{
	static char verdict[512];
	struct model *model = model_new();
	const char *said = NULL;
	char line[256];

	for (size_t i = 0; i < STORY && !said; i++) {
		for (; i == at && more && *more && !said; more++) {
			snprintf(line, sizeof(line), "%s", *more);
			said = model_line(model, line);
		}
		if (said || (i >= skip_from && i < skip_to) ||
		    (i == at && !otherwise))
			continue;
		snprintf(line, sizeof(line), "%s",
			 i == at ? otherwise : story[i]);
		said = model_line(model, line);
	}
	if (said)
		snprintf(verdict, sizeof(verdict), "%s", said);
	model_free(model);
	return said ? verdict : NULL;
}

static void expect_rule(size_t at, const char *otherwise,
			const char *const *more, const char *rule)
{
	const char *said = told(at, otherwise, more);

	if (!said)
		fail_msg("line %zu forged, nothing said; expected %s", at,
			 rule);
	if (strncmp(said, rule, strlen(rule)) != 0 || said[strlen(rule)] != ':')
		fail_msg("line %zu forged: %s; expected %s", at, said, rule);
}

#define forged(at, otherwise, rule) expect_rule(at, otherwise, NULL, rule)
#define inserted(at, rule, ...)                                                \
	expect_rule(at, story[at], (const char *const[]){__VA_ARGS__, NULL},   \
		    rule)

static void agrees_with_the_true_story(void **state)
{
	const char *said = told(STORY, NULL, NULL);

	(void)state;
	if (said)
		fail_msg("%s", said);
}

static void sees_false_votes_and_leaders(void **state)
{
	(void)state;
	forged(7, NULL, "no-majority");
	forged(6, NULL, "promise");
	forged(28, "210 3 hard 1 2", "promise");
	inserted(8, "two-votes", "20 2 hard 1 3");
	inserted(9, "two-leaders", "30 2 lead 1");
	/* Node 3 asked node 2 with an empty log. */
	inserted(26, "vote-behind", "160 3 hard 2 3", "160 3 stand 2 0 0",
		 "170 2 hard 2 3", "170 2 vote 2 3");
	forged(27, "200 2 stand 2 3 2", "promise");
	/* Its log was damaged, and it votes as if there had been none; it
	 * stands, or says too early that it is mended. */
	inserted(26, "vote-behind", "151 2 stop", "152 2 damaged",
		 "153 2 start 1 1 0 0", "160 3 hard 2 3", "160 3 stand 2 0 0",
		 "170 2 hard 2 3", "170 2 vote 2 3");
	inserted(26, "promise", "151 2 stop", "152 2 damaged",
		 "153 2 start 1 1 0 0", "160 2 hard 2 2", "160 2 stand 2 0 0");
	inserted(26, "promise", "151 2 stop", "152 2 damaged",
		 "153 2 start 1 1 0 0 1 1", "160 2 mended");
}

static void sees_disks_that_forget(void **state)
{
	(void)state;
	inserted(26, "forgets", "160 1 truncate 2");
	inserted(26, "forgets", "160 1 stop", "170 1 start 1 1 0 0 1 1");
	inserted(40, "forgets", "1100015 1 start 0 0 0 0 2 1");
	forged(40, "1100020 1 start 1 1 0 0 2 2", "log-matching");
}

static void sees_logs_that_do_not_match(void **state)
{
	(void)state;
	forged(14, "60 2 append 2 1 1 520 50 1020 command 5 7 1",
	       "log-matching");
	forged(13, "60 2 append 2 1 1 520 50 1020 command 4 7 1", "nonsense");
	forged(31, "220 3 append 1 2 2 900 220 5000 first 1 600 900 900",
	       "not-its-entry");
}

static void sees_commits_that_may_not_be(void **state)
{
	(void)state;
	forged(15, "70 2 durable 1", "promise");
	inserted(12, "commit-majority", "55 1 commit 2");
	inserted(15, "commit-majority", "65 1 commit 2");
	skip_from = 17; /* so that entry 2 is not committed yet */
	skip_to = 26;
	inserted(33, "commit-term", "235 2 commit 2");
	skip_from = skip_to = STORY;
	inserted(38, "C1", "400 2 commit 3");
	inserted(38, "commit-majority", "310 3 truncate 3",
		 "1100000 2 commit 3");
}

/* Node 3 asked for votes of term 2, node 2 led term 3 meanwhile. */
#define TERM_3                                                                 \
	"155 3 append 1 1 1 500 30 1000 first 0 1 0 500",                      \
		"155 3 append 2 1 1 520 50 1020 command 4 7 1",                \
		"156 3 durable 2", "160 3 hard 2 3", "160 3 stand 2 2 1",      \
		"161 1 hard 2 3", "161 1 vote 2 3", "170 2 hard 3 2",          \
		"170 2 stand 3 2 1", "171 3 hard 3 2", "171 3 vote 3 2",       \
		"172 2 lead 3",                                                \
		"172 2 append 3 3 3 900 172 5000 first 1 600 900 900",         \
		"173 2 durable 3",                                             \
		"174 3 append 3 3 3 900 172 5000 first 1 600 900 900",         \
		"175 3 durable 3"

static void takes_a_dead_lease_for_over_only_with_p_and_k(void **state)
{
	static const char *const dies[] = {"350 1 stop", NULL};
	static const char *const dies_early[] = {
		"236 3 append 1 1 1 500 30 1000 first 0 1 0 500",
		"236 3 append 2 1 1 520 50 1020 command 4 7 1",
		"236 3 append 3 2 2 900 220 5000 first 1 600 900 900",
		"236 3 durable 3",
		"237 1 stop",
		"238 2 commit 3",
		NULL};

	(void)state;
	if (told(38, "400 2 commit 3", dies))
		fail_msg("%s", told(38, "400 2 commit 3", dies));
	skip_from = 25; /* K: node 2 knows no commit of term 1 */
	skip_to = 26;
	expect_rule(33, NULL, dies_early, "C1");
	skip_from = skip_to = STORY;
	inserted(26, "late-leader", TERM_3, "180 1 stop", "190 2 commit 3",
		 "195 3 lead 2");
	inserted(26, "C1", TERM_3, "180 1 stop", "185 3 lead 2",
		 "190 2 commit 3");
}

static void sees_reads_that_lease_rules_forbid(void **state)
{
	(void)state;
	forged(21, "110 1 lease-read 1 4", "lease-stale");
	inserted(38, "R1", "1099990 2 lease-read 2 4");
	/* A command of term 1 beyond the commit index, when node 2 leads. */
	inserted(26, "R2", "152 1 append 3 1 1 530 60 1030 command 4 8 1",
		 "153 2 append 3 1 1 530 60 1030 command 4 8 1",
		 "160 2 hard 2 2", "160 2 stand 2 3 1", "170 3 hard 2 2",
		 "170 3 vote 2 2", "180 2 lead 2", "190 2 lease-read 2 3",
		 "190 2 lease-read 2 4");
	inserted(26, "I10", "152 1 append 3 1 1 530 60 1030 relinquish",
		 "153 1 lease-read 2 4");
	forged(24, "140 2 point 5 1 quorum", "read-stale");
	forged(24, "140 2 point 5 1 lease", "read-stale");
}

/* Node 1 sets D to 100 ns after an entry under 1 ms. */
#define SHORTENED                                                              \
	"152 1 append 3 1 1 530 60 1030 setting 100 1000000",                  \
		"153 2 append 3 1 1 530 60 1030 setting 100 1000000"

static void judges_every_entry_by_its_own_setting(void **state)
{
	(void)state;
	/* Turned off, a read needs the quorum though the entry is new. */
	inserted(26, "R1", "152 1 append 3 1 1 530 60 1030 setting 0 1000000",
		 "153 2 append 3 1 1 530 60 1030 setting 0 1000000",
		 "154 1 durable 3", "154 2 durable 3", "155 1 commit 3",
		 "156 1 lease-read 3 4");
	/* Entry 2 is younger than 1 ms when it is made. */
	inserted(26, "setting",
		 "152 1 append 3 1 1 530 60 1030 setting 100 999999");
	/* The last entry is long older than 100 ns, those before are not
	 * older than 1 ms. */
	inserted(26, "C1", SHORTENED, "160 2 hard 2 2", "160 2 stand 2 3 1",
		 "161 3 hard 2 2", "161 3 vote 2 2", "162 2 lead 2",
		 "163 2 append 4 2 2 900 163 5000 first 1 600 900 900",
		 "164 2 durable 4",
		 "300 3 append 1 1 1 500 30 1000 first 0 1 0 500",
		 "300 3 append 2 1 1 520 50 1020 command 4 7 1",
		 "300 3 append 3 1 1 530 60 1030 setting 100 1000000",
		 "300 3 append 4 2 2 900 163 5000 first 1 600 900 900",
		 "310 3 durable 4", "2000 2 commit 4");
}

static void sees_changes_of_voters_out_of_step(void **state)
{
	(void)state;
	/* Node 4 joins the voters of 1, 2, 3. */
	inserted(26, "one-change",
		 "152 1 append 3 1 1 530 60 1030 config 30 0");
	inserted(17, "one-change",
		 "72 1 append 3 1 1 530 60 1030 config 30 14");
	inserted(26, "one-change",
		 "152 1 append 3 1 1 530 60 1030 config 30 14",
		 "153 1 append 4 1 1 540 70 1040 config 30 0");
	/* Two of the four: a majority of those before, not of those to be. */
	inserted(26, "commit-majority",
		 "152 1 append 3 1 1 530 60 1030 config 30 14",
		 "153 2 append 3 1 1 530 60 1030 config 30 14",
		 "154 1 durable 3", "154 2 durable 3", "155 1 commit 3");
	inserted(26, "no-majority",
		 "153 1 append 3 1 1 530 60 1030 config 30 14",
		 "154 2 append 3 1 1 530 60 1030 config 30 14",
		 "160 2 hard 2 2", "160 2 stand 2 3 1", "161 3 hard 2 2",
		 "161 3 vote 2 2", "162 2 lead 2");
}

static void sees_stamps_that_do_not_follow_the_clock(void **state)
{
	(void)state;
	forged(11, "50 1 append 2 1 1 519 50 1020 command 4 7 1", "stamp");
	forged(11, "50 1 append 2 1 1 499 50 1020 command 4 7 1", "stamp");
	forged(11, "50 1 append 2 1 2 520 50 1020 command 4 7 1", "stamp");
	forged(31, "220 2 append 3 2 2 800 220 5000 first 1 600 900 800",
	       "hand-over");
}

static void sees_histories_that_are_not_linearizable(void **state)
{
	(void)state;
	forged(19, "90 0 end 1 78", "history");
	forged(22, "120 0 end 2 0", "history");
	forged(18, "80 0 applied 1 4 77", "nonsense");
	inserted(26, "exactly-once",
		 "152 1 append 3 1 1 530 60 1030 command 4 7 1",
		 "153 2 append 3 1 1 530 60 1030 command 4 7 1",
		 "154 1 durable 3", "154 2 durable 3", "155 1 commit 3",
		 "156 0 applied 3 4 78");
}

static void refuses_lines_that_say_nothing(void **state)
{
	(void)state;
	forged(9, "30 1 dance 1", "nonsense");
	forged(9, "29 1 lead 1", "nonsense");
	forged(9, "30 1 lead x", "nonsense");
	forged(9, "", "nonsense");
	forged(0, "0 0 cluster 99 1 1 1", "nonsense");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(agrees_with_the_true_story),
		cmocka_unit_test(sees_false_votes_and_leaders),
		cmocka_unit_test(sees_disks_that_forget),
		cmocka_unit_test(sees_logs_that_do_not_match),
		cmocka_unit_test(sees_commits_that_may_not_be),
		cmocka_unit_test(takes_a_dead_lease_for_over_only_with_p_and_k),
		cmocka_unit_test(sees_reads_that_lease_rules_forbid),
		cmocka_unit_test(judges_every_entry_by_its_own_setting),
		cmocka_unit_test(sees_changes_of_voters_out_of_step),
		cmocka_unit_test(sees_stamps_that_do_not_follow_the_clock),
		cmocka_unit_test(sees_histories_that_are_not_linearizable),
		cmocka_unit_test(refuses_lines_that_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
