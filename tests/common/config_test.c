/* raftfs.conf: what is accepted, what it comes to, and what each fault says. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/os/config.h"
#include "common/os/keys.h"
#include "common/units.h"

#define K1 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE="
#define K2 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAI="
#define K3 "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAM="

#define NODE(name, id, base, key)                                              \
	"node \"" name "\" {\n\tid = " id "\n\taddress = \"127.0.0.1\"\n"      \
	"\traft_port = " base "1\n\tstorage_port = " base "2\n"                \
	"\ttime_port = " base "3\n\tkey = \"" key "\"\n}\n"
#define NODES                                                                  \
	NODE("n1", "1", "710", K1)                                             \
	NODE("n2", "2", "720", K2) NODE("n3", "3", "730", K3)
#define HEAD "self = n2\ncluster { id = \"test\" }\n"

/* All error lines of one load, joined by newlines. */
static char told[8192];

static void collect(void *ctx, const char *text)
{
	(void)ctx;
	strncat(told, text, sizeof(told) - strlen(told) - 1);
	strncat(told, "\n", sizeof(told) - strlen(told) - 1);
}

static enum rfs_err load(const char *text, struct config *config)
{
	const struct config_errors errors = { collect, NULL };
	int fd = memfd_create("conf", MFD_CLOEXEC);
	enum rfs_err err;

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), strlen(text));
	told[0] = '\0';
	err = config_load_fd(fd, "a.conf", &errors, config);
	close(fd);
	return err;
}

/* Loading text fails, and some line says exactly this. */
static void refuses(const char *text, const char *line)
{
	static struct config config;
	char wanted[512];
	size_t length;

	memset(&config, 0x5a, sizeof(config));
	assert_int_equal(load(text, &config), RFS_ERR_INVALID);
	assert_int_equal(config.node_count, 0x5a5a5a5a); /* untouched */
	length = (size_t)snprintf(wanted, sizeof(wanted), "%s\n", line);
	for (const char *at = told; at != NULL; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (strncmp(at, wanted, length) == 0)
			return;
	}
	fail_msg("wanted: %s\ngot:\n%s", line, told);
}

static void a_minimal_file_gets_the_defaults(void **state)
{
	static struct config c;

	(void)state;
	assert_int_equal(load(HEAD NODES, &c), RFS_ERR_OK);
	assert_string_equal(told, "");
	assert_string_equal(c.self, "n2");
	assert_int_equal(c.node_count, 3);
	assert_int_equal(config_self(&c)->id, 2);
	assert_int_equal(config_self(&c)->time_port, 7203);
	assert_ptr_equal(config_node(&c, 3), &c.nodes[2]);
	assert_null(config_node(&c, 4));
	assert_string_equal(c.data_dir, "/var/lib/raftfs");
	assert_int_equal(c.time_sync.sync_interval_ns, 60 * NS_PER_SEC);
	assert_int_equal(c.time_sync.min_peers, 3);
	assert_int_equal(c.time_sync.max_peers, 5);
	assert_int_equal(c.time_sync.timeout_ns, NS_PER_SEC);
	assert_true(c.time_sync.drift_threshold == 0.1);
	assert_true(c.time_sync.adjustment_rate == 0.1);
	assert_int_equal(c.time_sync.history_size, 10);
	assert_int_equal(c.time_sync.burst, 1);
	assert_int_equal(c.raft.lease_ns, 50 * NS_PER_MS);
	assert_int_equal(c.raft.segment_bytes, 16 * MIB);
	assert_int_equal(c.raft.snapshot_after_entries, 100000);
	assert_int_equal(c.raft.scrub_interval_ns, 3600 * NS_PER_SEC);
	assert_int_equal(c.storage.map_bytes, 64 * GIB);
	assert_true(c.supervisor.cgroups);
	assert_int_equal(c.supervisor.restarts_max, 10);
	assert_int_equal(c.log_level, LOG_LEVEL_NOTICE);
}

static void units_and_quotes_are_understood(void **state)
{
	static struct config c;

	(void)state;
	assert_int_equal(
		load("# comment\n" HEAD NODES
		     "raft {\n lease = 0.25s // leases\n segment = '8 MiB'\n}\n"
		     "/* two\nlines */ supervisor { bpf = off cgroups=no }\n"
		     "log { level = debug }",
		     &c),
		RFS_ERR_OK);
	assert_int_equal(c.raft.lease_ns, 250 * NS_PER_MS);
	assert_int_equal(c.raft.segment_bytes, 8 * MIB);
	assert_false(c.supervisor.bpf);
	assert_false(c.supervisor.cgroups);
	assert_int_equal(c.log_level, LOG_LEVEL_DEBUG);
}

static void nodes_are_ordered_by_id(void **state)
{
	static struct config c;

	(void)state;
	assert_int_equal(
		load("self = b\ncluster { id = x }\n" NODE("a", "9", "710", K1)
			     NODE("b", "4", "720", K2),
		     &c),
		RFS_ERR_OK);
	assert_string_equal(c.nodes[0].name, "b");
	assert_int_equal(c.nodes[0].id, 4);
	assert_int_equal(c.self_index, 0);
}

static void an_unterminated_section_is_refused(void **state)
{
	(void)state;
	refuses(HEAD NODES "raft {\n lease = 1s\n",
		"a.conf:27: raft: section is never closed");
	refuses(HEAD "raft {\n lease = 1s\n" NODES,
		"a.conf:5: raft: a section inside a section: is a '}' missing "
		"above?");
}

static void a_repeated_option_is_refused(void **state)
{
	(void)state;
	refuses(HEAD "self = n1\n" NODES,
		"a.conf:3: self: already set at a.conf:1");
	refuses(HEAD NODES "raft { lease = 1s\n lease = 2s }",
		"a.conf:28: raft.lease: already set at a.conf:27");
	refuses(HEAD "node n1 {\n id = 1\n id = 2\n}",
		"a.conf:5: node \"n1\".id: already set at a.conf:4");
}

static void a_repeated_section_is_refused(void **state)
{
	(void)state;
	refuses(HEAD NODES "raft { lease = 1s }\nraft { segment = 8MiB }",
		"a.conf:28: raft: section already opened at line 27");
	refuses(HEAD NODES NODE("n1", "4", "740", K1),
		"a.conf:27: node: \"n1\" already described at a.conf:3");
}

static void unknown_names_are_refused_with_a_hint(void **state)
{
	(void)state;
	refuses(HEAD NODES "raft { leese = 1s }",
		"a.conf:27: raft: unknown option \"leese\"; is it \"lease\"?");
	refuses(HEAD NODES "rft { lease = 1s }",
		"a.conf:27: rft: unknown section; is it \"raft\"?");
	refuses(HEAD NODES "lease = 1s",
		"a.conf:27: lease: does not belong here but in section raft");
	refuses(HEAD NODES "xyzzy = 1s",
		"a.conf:27: xyzzy: unknown option \"xyzzy\"");
}

static void what_is_required_is_named(void **state)
{
	(void)state;
	refuses("cluster { id = x }\n" NODES,
		"a.conf:1: self: required, but not set");
	refuses("self = n1\n\ncluster {\n}\n" NODES,
		"a.conf:3: cluster.id: required, but not set");
	refuses(HEAD "node n2 { id = 1 }",
		"a.conf:3: node \"n2\".raft_port: required, but not set");
	refuses(HEAD, "a.conf:1: node: required: one section per node");
	refuses("", "a.conf:1: node: required: one section per node");
}

static void values_out_of_range_name_the_range(void **state)
{
	(void)state;
	refuses(HEAD NODES "raft {\n lease = 2h\n}",
		"a.conf:28: raft.lease: must be from 0 ns to 60.00 s");
	refuses(HEAD NODES "time_sync {\n history_size = 65\n}",
		"a.conf:28: time_sync.history_size: must be from 1 to 64");
	refuses(HEAD NODES "time_sync {\n history_size = -1\n}",
		"a.conf:28: time_sync.history_size: must be a whole number");
	refuses(HEAD NODES "time_sync {\n history_size = "
			   "99999999999999999999999\n}",
		"a.conf:28: time_sync.history_size: must be from 1 to 64");
	refuses(HEAD NODES "time_sync {\n adjustment_rate = nan\n}",
		"a.conf:28: time_sync.adjustment_rate: must be a number");
	refuses(HEAD NODES "raft {\n segment = 4MiB\n}",
		"a.conf:28: raft.segment: must be from 8.0 MiB to 1.0 GiB");
	refuses(HEAD NODES "raft {\n segment = 5 parsecs\n}",
		"a.conf:28: raft: expected: option = value");
	refuses(HEAD NODES "raft {\n segment = 5parsecs\n}",
		"a.conf:28: raft.segment: must be a size: a number and B, KiB, "
		"MiB, GiB, TiB, KB, MB, GB or TB");
	refuses(HEAD NODES "run_dir = run",
		"a.conf:27: run_dir: must be an absolute path");
	refuses(HEAD "node n1 {\n raft_port = 65536\n}",
		"a.conf:4: node \"n1\".raft_port: must be from 1 to 65535");
	refuses(HEAD "node n1 {\n key = \"short\"\n}",
		"a.conf:4: node \"n1\".key: must be a public key as printed by "
		"raftfs keygen (44 characters)");
	refuses(HEAD "node n1 {\n address = example.org\n}",
		"a.conf:4: node \"n1\".address: must be a numeric IPv4 or IPv6 "
		"address");
	refuses(HEAD "node n1 {\n address = 0.0.0.0\n}",
		"a.conf:4: node \"n1\".address: must be an address peers can "
		"reach");
}

static void options_that_contradict_each_other_are_refused(void **state)
{
	(void)state;
	refuses(HEAD NODES "time_sync {\n min_peers = 6\n}",
		"a.conf:28: time_sync.min_peers: must not exceed "
		"time_sync.max_peers");
	refuses(HEAD NODES "raft {\n election_timeout_max = 50ms\n}",
		"a.conf:27: raft.election_timeout_min: must be below "
		"raft.election_timeout_max");
	refuses(HEAD NODES "supervisor {\n watchdog = 2s\n}",
		"a.conf:28: supervisor.watchdog: must be 0, or at least 3 s: "
		"daemons beat once a second");
	refuses("self = n9\ncluster { id = x }\n" NODES,
		"a.conf:1: self: there is no node section of this name");
	refuses(HEAD NODE("n1", "1", "710", K1) NODE("n2", "1", "720", K2),
		"a.conf:12: node \"n2\".id: already the id of node \"n1\"");
	refuses(HEAD NODE("n1", "1", "710", K1) NODE("n2", "2", "720", K1),
		"a.conf:17: node \"n2\".key: already the key of node \"n1\"");
	refuses(HEAD NODE("n1", "1", "710", K1) NODE("n2", "2", "710", K2),
		"a.conf:16: node \"n2\".time_port: port already used by node "
		"\"n1\"");
}

static void broken_syntax_names_its_line(void **state)
{
	(void)state;
	refuses("self = \"n1\n", "a.conf:1: syntax: quote is never closed on "
				 "its line");
	refuses("self = n1\n/* never", "a.conf:2: syntax: comment is never "
				       "closed");
	refuses("self = n1;\n", "a.conf:1: syntax: no ';' here: one option per "
				"line is enough");
	refuses("self\n= n1\n}\n", "a.conf:3: syntax: '}' closes nothing");
	refuses("self = {\n", "a.conf:1: self: a value must follow '='");
	refuses("raft { lease }\n", "a.conf:1: raft: expected: option = value");
	refuses("self += n1\n", "a.conf:1: syntax: quote values with such "
				"characters");
	refuses("\ninclude(\"b.conf\")\n",
		"a.conf:2: syntax: include() is not supported: put files into "
		"conf.d beside this one");
	refuses("self = \"${HOME}\"\n", "a.conf:1: syntax: ${...} is not "
					"replaced here");
	refuses("raft 5 { }\n", "a.conf:1: raft: takes no title");
	refuses("node { }\n", "a.conf:1: node: needs a name: node \"n1\" "
			      "{ ... }");
}

static void every_fault_of_a_pass_is_told(void **state)
{
	(void)state;
	refuses(HEAD NODES "raft { lease = x\n segment = y }\n",
		"a.conf:27: raft.lease: must be a duration: a number and ns, "
		"us, ms, s, min, h or d");
	assert_non_null(strstr(told, "a.conf:28: raft.segment: "));
}

static void more_nodes_than_fit_are_refused(void **state)
{
	char text[4096] = HEAD;

	(void)state;
	for (int i = 0; i <= CONFIG_NODES_MAX; i++)
		snprintf(text + strlen(text), sizeof(text) - strlen(text),
			 "node x%d { id = %d }\n", i, i + 1);
	refuses(text, "a.conf:12: node: more than 9 nodes");
}

/* Any cut of a good file is refused or good; never a crash, never a partial
 * result. (Comments and whole sections may be cut off without harm.) */
static void every_prefix_is_answered(void **state)
{
	static const char whole[] = HEAD NODES "raft { lease = \"1s\" }\n";
	static struct config c;
	char text[sizeof(whole)];
	int good = 0;

	(void)state;
	for (size_t length = 0; length < sizeof(whole); length++) {
		memcpy(text, whole, length);
		text[length] = '\0';
		if (load(text, &c) == RFS_ERR_OK)
			good++;
		else
			assert_true(told[0] != '\0');
	}
	/* After node n2's closing brace and newline; after n3's; at the end. */
	assert_int_equal(good, 6);
}

static void printing_reads_back_the_same(void **state)
{
	static struct config a;
	static struct config b;
	char *text = NULL;
	size_t bytes = 0;
	FILE *out;

	(void)state;
	assert_int_equal(load(HEAD NODES "raft { lease = 123456789ns }\n"
					 "time_sync { drift_threshold = 0.3 }\n"
					 "supervisor { user = \"nobody\" }",
			      &a),
			 RFS_ERR_OK);
	out = open_memstream(&text, &bytes);
	config_print(&a, out);
	fclose(out);
	assert_int_equal(load(text, &b), RFS_ERR_OK);
	free(text);
	assert_memory_equal(&a, &b, sizeof(a));
}

static void the_digest_covers_what_nodes_must_agree_on(void **state)
{
	static struct config a;
	static struct config b;

	(void)state;
	assert_int_equal(load(HEAD NODES, &a), RFS_ERR_OK);
	assert_int_equal(load("self = n1\ndata_dir = /x\ncluster { id = test "
			      "}\n" NODES "log { level = info }",
			      &b),
			 RFS_ERR_OK);
	assert_memory_equal(a.digest, b.digest, sizeof(a.digest));
	assert_int_equal(load(HEAD NODES "raft { lease = 151ms }", &b),
			 RFS_ERR_OK);
	assert_memory_equal(a.digest, b.digest, sizeof(a.digest));
	assert_int_equal(load(HEAD NODES "storage { chunk = 512KiB }", &b),
			 RFS_ERR_OK);
	assert_memory_not_equal(a.digest, b.digest, sizeof(a.digest));
	assert_memory_equal(a.nodes_digest, b.nodes_digest, 32);
	assert_int_equal(load(HEAD NODE("n1", "1", "710", K1)
				      NODE("n2", "2", "720", K2),
			      &b),
			 RFS_ERR_OK);
	assert_memory_equal(a.digest, b.digest, sizeof(a.digest));
	assert_memory_not_equal(a.nodes_digest, b.nodes_digest, 32);
}

static void a_reload_may_not_change_what_is_fixed(void **state)
{
	static struct config a;
	static struct config b;

	(void)state;
	assert_int_equal(load(HEAD NODES, &a), RFS_ERR_OK);
	assert_int_equal(load(HEAD NODES "log { level = debug }", &b),
			 RFS_ERR_OK);
	assert_null(config_reload_blocker(&a, &b));
	assert_int_equal(load(HEAD NODES "data_dir = /x", &b), RFS_ERR_OK);
	assert_string_equal(config_reload_blocker(&a, &b), "data_dir");
	assert_int_equal(load(HEAD NODES "raft { lease = 1s }", &b),
			 RFS_ERR_OK);
	assert_null(config_reload_blocker(&a, &b)); /* the log carries it */
	assert_int_equal(load(HEAD NODES "storage { chunk = 512KiB }", &b),
			 RFS_ERR_OK);
	assert_string_equal(config_reload_blocker(&a, &b), "storage.chunk");
	assert_int_equal(load(HEAD NODE("n1", "1", "710", K1)
				      NODE("n2", "2", "720", K2) "join = true",
			      &b),
			 RFS_ERR_OK);
	assert_null(config_reload_blocker(&a, &b)); /* nodes come and go */
}

static void the_grpc_face_is_off_until_it_has_a_port(void **state)
{
	static struct config off;
	static struct config on;

	(void)state;
	assert_int_equal(load(HEAD NODES, &off), RFS_ERR_OK);
	assert_int_equal(off.grpc.port, 0);
	assert_string_equal(off.grpc.address, "127.0.0.1");
	assert_int_equal(load(HEAD NODES
			      "grpc {\n port = 7447\n certificate = \"/c\"\n"
			      " key = \"/k\"\n client_ca = \"\"\n}",
			      &on),
			 RFS_ERR_OK);
	assert_int_equal(on.grpc.port, 7447);
	assert_string_equal(on.grpc.key, "/k");
	assert_null(config_reload_blocker(&off, &on));
	refuses(HEAD NODES "grpc {\n certificate = \"/c\"\n}",
		"a.conf:28: grpc.certificate: grpc.certificate and grpc.key go "
		"together");
	refuses(HEAD NODES "grpc {\n key = \"/k\"\n}",
		"a.conf:28: grpc.key: grpc.certificate and grpc.key go "
		"together");
	refuses(HEAD NODES "grpc {\n key = \"k.pem\"\n}",
		"a.conf:28: grpc.key: must be an absolute path");
	refuses(HEAD NODES "grpc {\n address = \"0.0.0.0\"\n}",
		"a.conf:28: grpc.address: must be an address peers can reach");
}

static void a_node_that_joins_needs_somebody_to_ask(void **state)
{
	static struct config c;

	(void)state;
	refuses(HEAD "join = true\n" NODE("n2", "2", "720", K2),
		"a.conf:3: join: needs the node section of a member to ask");
	assert_int_equal(load(HEAD "join = true\n" NODES, &c), RFS_ERR_OK);
	assert_true(c.join);
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[256];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

static int make_dir(void **state)
{
	static char dir[40];

	strcpy(dir, "/tmp/raftfs-members-XXXXXX");
	*state = mkdtemp(dir);
	return *state == NULL;
}

static int remove_dir(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -r %s", (char *)*state);
	return system(command);
}

static enum rfs_err load_members(const char *dir, const char *text,
				 struct config_members *members)
{
	const struct config_errors errors = { collect, NULL };
	char path[256];

	put(dir, "members.conf", text);
	snprintf(path, sizeof(path), "%s/members.conf", dir);
	told[0] = '\0';
	return config_load_members(path, &errors, members);
}

static void members_stand_for_the_node_sections(void **state)
{
	const char *dir = *state;
	static struct config c;
	static struct config_members members;
	char *text;
	size_t bytes;
	FILE *out;
	enum config_standing standing;

	assert_int_equal(load(HEAD NODES, &c), RFS_ERR_OK);
	snprintf(c.data_dir, sizeof(c.data_dir), "%s", dir);
	assert_int_equal(config_overlay(&c, NULL, &standing), RFS_ERR_OK);
	assert_int_equal(standing, CONFIG_STANDING_NONE);
	assert_int_equal(c.node_count, 3);

	assert_int_equal(load_members(dir,
				      NODE("n7", "7", "770", K1)
					      NODE("n2", "2", "720", K2),
				      &members),
			 RFS_ERR_OK);
	out = open_memstream(&text, &bytes);
	config_print_members(members.nodes, members.count, out);
	fclose(out);
	put(dir, "members.conf", text);
	free(text);
	assert_int_equal(config_overlay(&c, NULL, &standing), RFS_ERR_OK);
	assert_int_equal(standing, CONFIG_STANDING_MEMBER);
	assert_int_equal(c.node_count, 2);
	assert_int_equal(config_self(&c)->id, 2);
	assert_string_equal(config_node(&c, 7)->name, "n7");
}

static void who_is_no_member_keeps_its_own_section(void **state)
{
	const char *dir = *state;
	static struct config c;
	static struct config_members members;

	assert_int_equal(load(HEAD NODES, &c), RFS_ERR_OK);
	assert_int_equal(load_members(dir,
				      NODE("n1", "1", "710", K1)
					      NODE("n7", "7", "770", K3),
				      &members),
			 RFS_ERR_OK);
	assert_int_equal(config_set_members(&c, &members),
			 CONFIG_STANDING_REMOVED);
	assert_int_equal(c.node_count, 3);
	assert_string_equal(config_self(&c)->name, "n2");
	assert_int_equal(c.self_index, 1);
}

static void a_damaged_members_file_is_told_and_not_used(void **state)
{
	const char *dir = *state;
	const struct config_errors errors = { collect, NULL };
	static struct config c;
	static struct config_members members;
	enum config_standing standing;

	assert_int_equal(load_members(dir, HEAD NODES, &members),
			 RFS_ERR_INVALID);
	assert_non_null(strstr(told, "members.conf:1: self: only nodes belong "
				     "here"));
	assert_int_equal(load_members(dir,
				      NODE("n1", "1", "710", K1)
					      NODE("n2", "1", "720", K2),
				      &members),
			 RFS_ERR_INVALID);
	assert_non_null(strstr(told, "already the id of node \"n1\""));
	assert_int_equal(load(HEAD NODES, &c), RFS_ERR_OK);
	snprintf(c.data_dir, sizeof(c.data_dir), "%s", dir);
	assert_int_equal(config_overlay(&c, &errors, &standing), RFS_ERR_INVALID);
	assert_int_equal(c.node_count, 3);
}

static void conf_d_adds_and_may_not_contradict(void **state)
{
	const struct config_errors errors = { collect, NULL };
	static struct config c;
	char dir[] = "/tmp/raftfs-config-XXXXXX";
	char path[64];
	char wanted[256];

	(void)state;
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/conf.d", dir);
	assert_int_equal(mkdir(path, 0700), 0);
	put(dir, "raftfs.conf", HEAD NODES "raft { lease = 1s }\n");
	put(path, "10-raft.conf", "\nraft { segment = 9MiB }\n");
	put(path, "ignored.txt", "}");
	snprintf(path, sizeof(path), "%s/raftfs.conf", dir);
	assert_int_equal(config_load(path, &errors, &c), RFS_ERR_OK);
	assert_int_equal(c.raft.lease_ns, NS_PER_SEC);
	assert_int_equal(c.raft.segment_bytes, 9 * MIB);

	snprintf(path, sizeof(path), "%s/conf.d", dir);
	put(path, "20-raft.conf", "\n\nraft { lease = 2s }\n");
	snprintf(path, sizeof(path), "%s/raftfs.conf", dir);
	told[0] = '\0';
	assert_int_equal(config_load(path, &errors, &c), RFS_ERR_INVALID);
	snprintf(wanted, sizeof(wanted),
		 "%s/conf.d/20-raft.conf:3: raft.lease: already set at %s:27\n",
		 dir, path);
	assert_string_equal(told, wanted);

	snprintf(path, sizeof(path), "rm -r %s", dir);
	assert_int_equal(system(path), 0);
}

static void ntp_servers_are_numeric_addresses_with_ports(void **state)
{
	static struct config c;
	const struct config_servers *servers = &c.time_sync.servers;

	(void)state;
	assert_int_equal(load(HEAD NODES
			      "time_sync { reference = \"ntp\" servers = "
			      "\"192.0.2.1 192.0.2.2:1123, 2001:db8::1 "
			      "[2001:DB8::2]:99\" serve_ntp = 123 }",
			      &c),
			 RFS_ERR_OK);
	assert_int_equal(c.time_sync.reference, CONFIG_REFERENCE_NTP);
	assert_int_equal(c.time_sync.serve_ntp, 123);
	assert_int_equal(servers->count, 4);
	assert_string_equal(servers->list[0].address, "192.0.2.1");
	assert_int_equal(servers->list[0].port, 123);
	assert_int_equal(servers->list[1].port, 1123);
	assert_string_equal(servers->list[2].address, "2001:db8::1");
	assert_string_equal(servers->list[3].address, "2001:db8::2");
	assert_int_equal(servers->list[3].port, 99);
}

static void servers_that_cannot_be_are_refused(void **state)
{
	static struct config c;
	static const char *const wrong[] = {
		"time.example.net", "192.0.2.1:0", "192.0.2.1:123x",
		"[2001:db8::1", "1.1.1.1 1.1.1.2 1.1.1.3 1.1.1.4 1.1.1.5",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(*wrong); i++) {
		char text[4096];

		snprintf(text, sizeof(text), "%s time_sync { servers = \"%s\" }",
			 HEAD NODES, wrong[i]);
		assert_int_equal(load(text, &c), RFS_ERR_INVALID);
	}
	assert_int_equal(load(HEAD NODES "time_sync { reference = \"ntp\" }",
			      &c),
			 RFS_ERR_INVALID);
	assert_non_null(strstr(told, "servers"));
	assert_int_equal(load(HEAD NODES "time_sync { reference = \"sun\" }",
			      &c),
			 RFS_ERR_INVALID);
}

/* The sample that is installed: good as it is, and what it shows commented out
 * are the defaults, all of them. Run from the top of the source tree. */
static void the_sample_shows_the_defaults(void **state)
{
	static struct config plain;
	static struct config shown;
	char text[16384] = "";
	FILE *file = fopen("contrib/raftfs.conf", "r");
	int count = 0;

	(void)state;
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	assert_int_equal(load(text, &plain), RFS_ERR_OK);
	for (char *at = text; (at = strchr(at, '#')) != NULL; at++) {
		if (at[1] == ' ' || at[1] == '\n')
			continue;
		*at = ' ';
		count++;
	}
	assert_int_equal(load(text, &shown), RFS_ERR_OK);
	assert_memory_equal(&plain, &shown, sizeof(plain));
	assert_int_equal(count, 49);
}

static void a_missing_file_is_an_io_error(void **state)
{
	const struct config_errors errors = { collect, NULL };
	static struct config c;

	(void)state;
	told[0] = '\0';
	assert_int_equal(config_load("/nonexistent/a.conf", &errors, &c),
			 RFS_ERR_IO);
	assert_string_equal(told, "/nonexistent/a.conf: No such file or "
				  "directory\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_minimal_file_gets_the_defaults),
		cmocka_unit_test(units_and_quotes_are_understood),
		cmocka_unit_test(nodes_are_ordered_by_id),
		cmocka_unit_test(an_unterminated_section_is_refused),
		cmocka_unit_test(the_grpc_face_is_off_until_it_has_a_port),
		cmocka_unit_test(a_repeated_option_is_refused),
		cmocka_unit_test(a_repeated_section_is_refused),
		cmocka_unit_test(unknown_names_are_refused_with_a_hint),
		cmocka_unit_test(what_is_required_is_named),
		cmocka_unit_test(values_out_of_range_name_the_range),
		cmocka_unit_test(
			options_that_contradict_each_other_are_refused),
		cmocka_unit_test(broken_syntax_names_its_line),
		cmocka_unit_test(every_fault_of_a_pass_is_told),
		cmocka_unit_test(more_nodes_than_fit_are_refused),
		cmocka_unit_test(every_prefix_is_answered),
		cmocka_unit_test(printing_reads_back_the_same),
		cmocka_unit_test(the_digest_covers_what_nodes_must_agree_on),
		cmocka_unit_test(a_reload_may_not_change_what_is_fixed),
		cmocka_unit_test(a_node_that_joins_needs_somebody_to_ask),
		cmocka_unit_test_setup_teardown(
			members_stand_for_the_node_sections, make_dir,
			remove_dir),
		cmocka_unit_test_setup_teardown(
			who_is_no_member_keeps_its_own_section, make_dir,
			remove_dir),
		cmocka_unit_test_setup_teardown(
			a_damaged_members_file_is_told_and_not_used, make_dir,
			remove_dir),
		cmocka_unit_test(conf_d_adds_and_may_not_contradict),
		cmocka_unit_test(ntp_servers_are_numeric_addresses_with_ports),
		cmocka_unit_test(servers_that_cannot_be_are_refused),
		cmocka_unit_test(the_sample_shows_the_defaults),
		cmocka_unit_test(a_missing_file_is_an_io_error),
	};

	keys_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
