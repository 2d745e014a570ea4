/* Stories: text in, the conversation that must follow out, compared exactly.
 *
 * A story (tests/stories/{election,handover,lease,membership,replication,repair}/NAME.txt)
 * is blocks of commands, then "----", then the lines the cores tell. Lines are
 * compared byte for byte; RAFTFS_STORY_WRITE=1 writes what was told into the file
 * instead, for a human to read and judge. Commands:
 *
 *	cluster nodes=3 lease_ms=400 [log=64] [window=64]
 *	run ms=500			pass time
 *	propose node=1 [count=1] text=x
 *	read node=1 | page node=1	asked of the core; what storaged sees
 *	cut node=3 | heal node=3	both ways; from=1 to=2: one way
 *	crash node=1 | restart node=1
 *	rot node=1 after=3		while crashed: its disk loses the rest
 *	lost peer=1			all hosts' hint; node=2: only its
 *	death peer=1			the notice; node=2: only to its
 *	lie node=2 peer=3 term=1	to node 2: 3 died leading term 1
 *	rtt ms=2			measured by all of all
 *	clock node=1 quality=synced|unsynced|disrupted
 *	disk node=1 ms=200		from now on a sync takes so long
 *	wrong node=1 ms=9		its page is late by that; does not know
 *	full node=1 | well node=1	its host's word: the disk is full
 *	snapshot node=1
 *	lease node=1 ms=400		its configuration says so now
 *	transfer node=1 to=2
 *	join				one more machine, in no membership yet
 *	filling node=4 on=1		its host still fetches data; on=0: has it
 *	add node=1 member=4 | learn node=1 member=4 | promote node=1 member=4
 *	remove node=1 member=2 | replace node=1 member=4 for=3
 *
 * After each command 10 ms pass, enough for a conversation to end.
 */
#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/units.h"
#include "tests/raftd/cluster.h"

#define STORIES_MAX 128

/* The value of name=value in a command; NULL when it is not there. */
static const char *option(const char *line, const char *name, char value[64])
{
	char pattern[32];
	const char *at;

	snprintf(pattern, sizeof(pattern), " %s=", name);
	at = strstr(line, pattern);
	if (!at || sscanf(at + strlen(pattern), "%63s", value) != 1)
		return NULL;
	return value;
}

static uint32_t number(const char *line, const char *name, uint32_t missing)
{
	char value[64];

	return option(line, name, value) ? (uint32_t)atoi(value) : missing;
}

static struct cluster *command_cluster(const char *line)
{
	return cluster_new(&(struct cluster_options){
		.node_count = number(line, "nodes", 3),
		.lease_ns = number(line, "lease_ms", 0) * NS_PER_MS,
		.log_entries_max = number(line, "log", 64),
		.inflight_entries_max = number(line, "window", 64),
		.max_rate_ppb = 200000,
	});
}

static void command_cut(struct cluster *cluster, const char *line, bool cut)
{
	uint32_t node = number(line, "node", 0);

	if (node)
		cluster_isolate(cluster, node, cut);
	else
		cluster_link(cluster, number(line, "from", 0),
			     number(line, "to", 0), !cut);
}

static void command_clock(struct cluster *cluster, const char *line)
{
	uint32_t node = number(line, "node", 0);
	char quality[64];

	assert_non_null(option(line, "quality", quality));
	if (strcmp(quality, "disrupted") == 0)
		cluster_disrupt(cluster, node);
	else
		cluster_clock(cluster, node, strcmp(quality, "synced") == 0);
}

static void command_propose(struct cluster *cluster, const char *line)
{
	char text[64] = "x";
	uint32_t count = number(line, "count", 1);

	option(line, "text", text);
	while (count--)
		cluster_propose(cluster, number(line, "node", 0), text);
}

static void command_lost(struct cluster *cluster, const char *line,
			 void (*tell)(struct cluster *, uint32_t, uint32_t))
{
	uint32_t peer = number(line, "peer", 0);
	uint32_t only = number(line, "node", 0);

	for (uint32_t i = 1; cluster_has(cluster, i); i++)
		if (i != peer && (only == 0 || i == only) &&
		    cluster_raft(cluster, i))
			tell(cluster, i, peer);
}

/* False: not one that changes the membership. */
static bool command_configure(struct cluster *cluster, const char *verb,
			      const char *line)
{
	static const struct {
		const char *verb;
		enum raft_change change;
	} changes[] = {
		{ "add", RAFT_CHANGE_ADD },
		{ "learn", RAFT_CHANGE_ADD_LEARNER },
		{ "promote", RAFT_CHANGE_PROMOTE },
		{ "remove", RAFT_CHANGE_REMOVE },
		{ "replace", RAFT_CHANGE_REPLACE },
	};

	for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++)
		if (strcmp(verb, changes[i].verb) == 0) {
			cluster_configure(cluster, number(line, "node", 0),
					  changes[i].change,
					  number(line, "member", 0),
					  number(line, "for", 0));
			return true;
		}
	return false;
}

static void command_run(struct cluster **cluster, const char *line)
{
	uint32_t node = number(line, "node", 0);
	char verb[16];

	assert_int_equal(sscanf(line, "%15s", verb), 1);
	if (strcmp(verb, "cluster") == 0) {
		assert_null(*cluster);
		*cluster = command_cluster(line);
		return;
	}
	assert_non_null(*cluster);
	if (strcmp(verb, "run") == 0) {
		cluster_run(*cluster, number(line, "ms", 0) * NS_PER_MS);
		return;
	}
	if (strcmp(verb, "rtt") == 0 || strcmp(verb, "tcp") == 0)
		for (uint32_t i = 1; cluster_has(*cluster, i); i++)
			cluster_rtt(*cluster, i,
				    verb[0] == 't' ? RAFT_RTT_TCP :
						     RAFT_RTT_ANSWERS,
				    number(line, "ms", 0) * NS_PER_MS);
	else if (strcmp(verb, "exchange") == 0)
		cluster_exchange(*cluster, number(line, "ms", 0) * NS_PER_MS);
	else if (strcmp(verb, "propose") == 0)
		command_propose(*cluster, line);
	else if (strcmp(verb, "read") == 0)
		cluster_read(*cluster, node);
	else if (strcmp(verb, "page") == 0)
		cluster_page(*cluster, node);
	else if (strcmp(verb, "cut") == 0 || strcmp(verb, "heal") == 0)
		command_cut(*cluster, line, verb[0] == 'c');
	else if (strcmp(verb, "crash") == 0)
		cluster_crash(*cluster, node);
	else if (strcmp(verb, "restart") == 0)
		cluster_restart(*cluster, node);
	else if (strcmp(verb, "rot") == 0)
		cluster_rot(*cluster, node, number(line, "after", 0));
	else if (strcmp(verb, "lost") == 0)
		command_lost(*cluster, line, cluster_peer_lost);
	else if (strcmp(verb, "lie") == 0)
		cluster_notice(*cluster, node, number(line, "peer", 0),
			       number(line, "term", 0));
	else if (strcmp(verb, "death") == 0)
		command_lost(*cluster, line, cluster_death);
	else if (strcmp(verb, "clock") == 0)
		command_clock(*cluster, line);
	else if (strcmp(verb, "snapshot") == 0)
		cluster_snapshot(*cluster, node);
	else if (strcmp(verb, "lease") == 0)
		cluster_lease(*cluster, node,
			      number(line, "ms", 0) * NS_PER_MS);
	else if (strcmp(verb, "disk") == 0)
		cluster_disk(*cluster, node,
			     number(line, "ms", 0) * NS_PER_MS);
	else if (strcmp(verb, "wrong") == 0)
		cluster_wrong_clock(*cluster, node,
				    -(int64_t)number(line, "ms", 0) *
					    NS_PER_MS);
	else if (strcmp(verb, "full") == 0 || strcmp(verb, "well") == 0)
		cluster_host(*cluster, node,
			     verb[0] == 'f' ? RAFT_UNFIT_DISK_FULL : 0);
	else if (strcmp(verb, "transfer") == 0)
		cluster_transfer(*cluster, node, number(line, "to", 0));
	else if (strcmp(verb, "filling") == 0)
		cluster_filling(*cluster, node, number(line, "on", 1));
	else if (strcmp(verb, "join") == 0)
		cluster_join(*cluster);
	else if (!command_configure(*cluster, verb, line))
		fail_msg("unknown command: %s", line);
	cluster_settle(*cluster);
}

static char *read_whole(const char *path)
{
	FILE *file = fopen(path, "r");
	char *text = NULL;
	size_t room = 0;

	assert_non_null(file);
	assert_true(getdelim(&text, &room, '\0', file) > 0);
	fclose(file);
	return text;
}

/* The story as it happens: the commands of the file, what was told after. */
static char *play(char *text)
{
	struct cluster *cluster = NULL;
	char *told = NULL, *line, *rest = text;
	size_t told_bytes;
	FILE *out = open_memstream(&told, &told_bytes);
	bool answering = false;

	assert_non_null(out);
	while ((line = strsep(&rest, "\n"))) {
		if (!rest && !*line)
			break;
		if (strcmp(line, "----") == 0) {
			char *lines = cluster_take_lines(cluster);

			fprintf(out, "----\n%s", lines);
			free(lines);
			answering = true;
		} else if (!*line) {
			fprintf(out, "\n");
			answering = false;
		} else if (!answering) {
			fprintf(out, "%s\n", line);
			if (*line != '#')
				command_run(&cluster, line);
		}
	}
	fclose(out);
	if (cluster)
		cluster_free(cluster);
	return told;
}

static void the_conversation_is_as_told(void **state)
{
	const char *path = *state;
	char *expected = read_whole(path);
	char *text = strdup(expected);
	char *told = play(text);

	if (getenv("RAFTFS_STORY_WRITE")) {
		FILE *file = fopen(path, "w");

		assert_non_null(file);
		fputs(told, file);
		fclose(file);
	} else {
		assert_string_equal(told, expected);
	}
	free(told);
	free(text);
	free(expected);
}

int main(void)
{
	static const char *const folders[] = { "election", "lease",
					       "membership", "replication",
					       "repair", "handover" };
	static struct CMUnitTest tests[STORIES_MAX];
	size_t count = 0;
	glob_t found = { 0 };
	char pattern[64];
	int failed;

	for (size_t i = 0; i < 6; i++) {
		snprintf(pattern, sizeof(pattern), "tests/stories/%s/*.txt",
			 folders[i]);
		glob(pattern, i ? GLOB_APPEND : 0, NULL, &found);
	}
	for (size_t i = 0; i < found.gl_pathc && count < STORIES_MAX; i++)
		tests[count++] = (struct CMUnitTest){
			.name = found.gl_pathv[i],
			.test_func = the_conversation_is_as_told,
			.initial_state = found.gl_pathv[i],
		};
	if (count == 0) {
		fprintf(stderr, "no stories: run from the top of the tree\n");
		return 1;
	}
	failed = _cmocka_run_group_tests("stories", tests, count, NULL, NULL);
	globfree(&found);
	return failed;
}
