/* members add, remove, replace, promote, update: one change, seen through.
 *
 * Any node is asked; it asks the leader. What was asked for is there for good
 * once the entry it became is committed and no two sets rule any more; until
 * then we look on, unless told not to wait.
 */
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/cli/cli.h"
#include "client/cli/members.h"
#include "client/cli/status.h"
#include "common/os/clock.h"
#include "common/os/config.h"
#include "common/os/keys.h"
#include "common/units.h"

#define LOOK_NS	      (200 * NS_PER_MS)
#define PROGRESS_BYTES 256
#define KIND(name)    DISTRIBUTED_FS__MEMBER_CHANGE_KIND__MEMBER_##name
#define CONTROL(name) DISTRIBUTED_FS__CONTROL_KIND__CONTROL_##name

struct change {
	struct cli *cli;
	const char *verb; /* "add" */
	DistributedFs__MemberChangeKind kind;
	const char *name;     /* whom it is about */
	const char *replaces; /* or NULL */
	const char *config_file;
	struct config_node node; /* id 0: the next free one */
	bool described;		 /* by options, in part or in full */
	bool no_wait;
	int64_t timeout_ns; /* 0: for as long as it takes */
	struct ask_nodes nodes;

	/* Once it was asked for. */
	uint32_t id;
	uint32_t replaces_id;
	uint64_t entry;
	uint64_t entry_term;
	char said[PROGRESS_BYTES]; /* progress as last told */
};

/* --- how the new node is described --- */

static void print_fault(void *ctx, const char *text)
{
	(void)ctx;
	fprintf(stderr, "raftfs: %s\n", text);
}

/* Its own configuration says it all. */
static int read_description(struct change *change)
{
	const struct config_errors errors = {print_fault, NULL};
	struct config *config = calloc(1, sizeof(*config));
	const char *path = change->config_file;
	int status = CLI_FAILED;

	if (config == NULL)
		return cli_fail(path, RFS_ERR_NOMEM);
	if (config_load(path, &errors, config) != RFS_ERR_OK)
		goto out;
	if (strcmp(config->self, change->name) != 0) {
		fprintf(stderr, "raftfs: %s: is the configuration of \"%s\"\n",
			path, config->self);
		goto out;
	}
	if (!config->join && change->kind != KIND(ABOUT)) {
		fprintf(stderr,
			"raftfs: %s: without \"join = true\" %s would start a "
			"cluster, not join one\n",
			path, config->self);
		goto out;
	}
	change->node = *config_self(config);
	status = CLI_OK;
out:
	free(config);
	return status;
}

static int check_description(struct change *change)
{
	struct config_node node = change->node;
	const char *fault;

	snprintf(change->node.name, sizeof(change->node.name), "%s",
		 change->name);
	node = change->node;
	if (node.id == 0)
		node.id = 1; /* the leader will give it one */
	fault = config_node_fault(&node);
	if (fault == NULL)
		return CLI_OK;
	return cli_usage("members",
			 "members %s: %s: %s (or give its --config FILE)",
			 change->verb, change->name, fault);
}

static bool parse_port(const char *text, uint16_t *port)
{
	char *end;
	long value = strtol(text, &end, 10);

	*port = (uint16_t)value;
	return end != text && *end == '\0' && value > 0 && value <= UINT16_MAX;
}

static bool take_field(struct change *change, int letter, const char *value)
{
	struct config_node *node = &change->node;
	char *end;
	long id;

	change->described = true;
	switch (letter) {
	case 'i':
		id = strtol(value, &end, 10);
		node->id = (uint32_t)id;
		return *end == '\0' && id > 0 && id <= UINT32_MAX;
	case 'a':
		return snprintf(node->address, sizeof(node->address), "%s",
				value) < (int)sizeof(node->address);
	case 'r':
		return parse_port(value, &node->raft_port);
	case 's':
		return parse_port(value, &node->storage_port);
	case 't':
		return parse_port(value, &node->time_port);
	default:
		return keys_public_parse(value, node->key) == RFS_ERR_OK;
	}
}

/* --- the command line --- */

static int parse(struct change *change, int *argc, char ***argv)
{
	static const struct option longs[] = {
		{"config", required_argument, NULL, 'c'},
		{"id", required_argument, NULL, 'i'},
		{"address", required_argument, NULL, 'a'},
		{"raft-port", required_argument, NULL, 'r'},
		{"storage-port", required_argument, NULL, 's'},
		{"time-port", required_argument, NULL, 't'},
		{"key", required_argument, NULL, 'k'},
		{"learner", no_argument, NULL, 'l'},
		{"no-wait", no_argument, NULL, 'n'},
		{"timeout", required_argument, NULL, 'T'},
		{"help", no_argument, NULL, 'h'},
		{NULL, 0, NULL, 0},
	};
	int letter;
	bool good;

	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(*argc, *argv, "h", longs, NULL)) != -1) {
		good = letter != '?';
		if (letter == 'h')
			return cli_help("members") == CLI_OK ? -1 : CLI_FAILED;
		if (letter == 'c')
			change->config_file = optarg;
		else if (letter == 'l' && change->kind == KIND(ADD))
			change->kind = KIND(ADD_LEARNER);
		else if (letter == 'n')
			change->no_wait = true;
		else if (letter == 'T')
			good = units_parse_duration(optarg,
						    &change->timeout_ns) ==
			       RFS_ERR_OK;
		else if (good)
			good = letter != 'l' &&
			       take_field(change, letter, optarg);
		if (!good)
			return cli_usage("members", "members %s: cannot use %s",
					 change->verb, (*argv)[optind - 1]);
	}
	*argc -= optind;
	*argv += optind;
	return CLI_OK;
}

static bool wants_description(const struct change *change)
{
	return change->kind != KIND(REMOVE) && change->kind != KIND(PROMOTE);
}

static int find_kind(struct change *change)
{
	static const struct {
		const char *verb;
		DistributedFs__MemberChangeKind kind;
	} verbs[] = {
		{"add", KIND(ADD)},	    {"remove", KIND(REMOVE)},
		{"replace", KIND(REPLACE)}, {"promote", KIND(PROMOTE)},
		{"update", KIND(ABOUT)},
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++) {
		if (strcmp(verbs[i].verb, change->verb) != 0)
			continue;
		change->kind = verbs[i].kind;
		return CLI_OK;
	}
	return cli_usage("members", "members: cannot \"%s\"", change->verb);
}

static int take_operands(struct change *change, int argc, char **argv)
{
	bool replace = change->kind == KIND(REPLACE);

	if (argc != (replace ? 2 : 1))
		return cli_usage("members", "members %s: %s", change->verb,
				 replace ? "whom, and by whom?" : "whom?");
	change->name = argv[argc - 1];
	change->replaces = replace ? argv[0] : NULL;
	if (!wants_description(change))
		return change->described || change->config_file != NULL ?
			       cli_usage("members",
					 "members %s: a name is enough",
					 change->verb) :
			       CLI_OK;
	if (change->config_file != NULL && change->described)
		return cli_usage("members",
				 "members %s: --config says it all already",
				 change->verb);
	return change->config_file != NULL ? read_description(change) :
					     check_description(change);
}

/* --- looking on --- */

static enum rfs_err look(struct change *change,
			 DistributedFs__ControlReply **reply)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	enum rfs_err err;

	request.kind = CONTROL(MEMBERS);
	err = members_ask(&change->nodes, &request, change->cli->timeout_ns,
			  reply);
	if (err == RFS_ERR_OK && (*reply)->members == NULL)
		err = RFS_ERR_INVALID;
	return err;
}

static const DistributedFs__MemberStatus *
by_id(const DistributedFs__MembersStatus *members, uint32_t id)
{
	for (size_t i = 0; i < members->n_members; i++)
		if (members->members[i]->node == id)
			return members->members[i];
	return NULL;
}

static bool is_over(const struct change *change,
		    const DistributedFs__MembersStatus *members)
{
	const DistributedFs__MemberStatus *member = by_id(members, change->id);

	/* What is committed is so for good, whoever knows it. */
	if (members->index < change->entry || members->joint ||
	    !members->committed)
		return false;
	if (change->kind == KIND(REMOVE))
		return member == NULL;
	if (change->kind == KIND(REPLACE) &&
	    by_id(members, change->replaces_id) != NULL)
		return false;
	return member != NULL &&
	       (member->voter || change->kind == KIND(ADD_LEARNER) ||
		change->kind == KIND(ABOUT));
}

/* A new leader had not heard of it: the entry it became is another's now. */
static bool is_lost(const struct change *change,
		    const DistributedFs__MembersStatus *members)
{
	return members->committed && members->term > change->entry_term &&
	       members->commit_index >= change->entry &&
	       members->index < change->entry;
}

static void progress_text(const DistributedFs__MembersStatus *members,
			  const DistributedFs__MemberStatus *member,
			  char text[PROGRESS_BYTES])
{
	const char *name = members_name(member);
	const char *kind = members_kind(members, member);

	if (!member->connected)
		snprintf(text, PROGRESS_BYTES, "%s: %s, not connected%s%s",
			 name, kind, member->refused[0] != '\0' ? ": " : "",
			 member->refused);
	else if (member->snapshotting && member->snapshot_bytes > 0)
		snprintf(text, PROGRESS_BYTES, "%s: %s, snapshot %" PRIu64 " %%", name,
			 kind,
			 100 * member->snapshot_sent / member->snapshot_bytes);
	else if (member->snapshotting)
		snprintf(text, PROGRESS_BYTES, "%s: %s, snapshot", name, kind);
	else if (member->filling)
		snprintf(text, PROGRESS_BYTES, "%s: %s, fetches data", name,
			 kind);
	else if (member->match_index < members->commit_index)
		snprintf(text, PROGRESS_BYTES, "%s: %s, log %" PRIu64 " %%", name, kind,
			 100 * member->match_index / members->commit_index);
	else
		snprintf(text, PROGRESS_BYTES, "%s: %s, caught up", name, kind);
}

/* One line that changes on a terminal, else one line for each change. */
static void tell_progress(struct change *change,
			  const DistributedFs__MembersStatus *members)
{
	const DistributedFs__MemberStatus *member = by_id(members, change->id);
	char text[sizeof(change->said)];

	if (members->joint)
		snprintf(text, sizeof(text),
			 "%s: old and new voters agree on it", change->name);
	else if (!members->committed)
		snprintf(text, sizeof(text), "%s: waits for a majority",
			 change->name);
	else if (member != NULL)
		progress_text(members, member, text);
	else
		return;
	if (strcmp(text, change->said) == 0)
		return;
	if (isatty(STDERR_FILENO))
		fprintf(stderr, "\r%-79s", text);
	else
		fprintf(stderr, "%s\n", text);
	snprintf(change->said, sizeof(change->said), "%s", text);
}

static void end_progress(const struct change *change)
{
	if (change->said[0] != '\0' && isatty(STDERR_FILENO))
		fprintf(stderr, "\r%-79s\r", "");
}

enum outcome { UNDER_WAY, OVER, LOST, UNSEEN };

/* One look. UNSEEN: nobody could tell, for reasons that may pass. */
static enum outcome look_once(struct change *change)
{
	DistributedFs__ControlReply *reply;
	enum outcome outcome = UNSEEN;

	if (look(change, &reply) == RFS_ERR_OK) {
		outcome = is_over(change, reply->members) ? OVER
			  : is_lost(change, reply->members) ? LOST
							    : UNDER_WAY;
		if (outcome == UNDER_WAY)
			tell_progress(change, reply->members);
	}
	ask_free(reply);
	return outcome;
}

static int give_up(const struct change *change, const char *why)
{
	fprintf(stderr, "raftfs: members %s %s: %s\n", change->verb,
		change->name, why);
	return CLI_FAILED;
}

static int see_through(struct change *change)
{
	const struct timespec nap = {.tv_nsec = LOOK_NS};
	int64_t until_ns = clock_raw_ns() + change->timeout_ns;
	int64_t seen_ns = clock_raw_ns();
	enum outcome outcome = look_once(change);
	bool late = false;

	while ((outcome == UNDER_WAY || outcome == UNSEEN) && !late) {
		nanosleep(&nap, NULL);
		outcome = look_once(change);
		if (outcome != UNSEEN)
			seen_ns = clock_raw_ns();
		late = (change->timeout_ns > 0 && clock_raw_ns() > until_ns) ||
		       clock_raw_ns() - seen_ns > change->cli->timeout_ns;
	}
	end_progress(change);
	if (outcome == OVER)
		return CLI_OK;
	if (outcome == LOST)
		return give_up(change, "a new leader had not heard of it: "
				       "nothing was changed");
	return give_up(change,
		       outcome == UNSEEN ?
			       "begun, but there is no leader that tells "
			       "more: raftfs members" :
			       "not done in time; it goes on: raftfs members");
}

/* --- asking for it --- */

static void describe(const struct config_node *node,
		     DistributedFs__Member *about)
{
	distributed_fs__member__init(about);
	about->name = (char *)node->name;
	about->address = (char *)node->address;
	about->raft_port = node->raft_port;
	about->storage_port = node->storage_port;
	about->time_port = node->time_port;
	about->key.data = (uint8_t *)node->key;
	about->key.len = sizeof(node->key);
}

static int no_such(const struct change *change, const char *name)
{
	fprintf(stderr, "raftfs: members %s: there is no member \"%s\"\n",
		change->verb, name);
	return CLI_FAILED;
}

/* Names to ids, by the members there are. */
static int resolve(struct change *change,
		   const DistributedFs__MembersStatus *members)
{
	const DistributedFs__MemberStatus *member;

	if (change->replaces != NULL) {
		member = members_find(members, change->replaces);
		if (member == NULL)
			return no_such(change, change->replaces);
		change->replaces_id = member->node;
	}
	change->id = change->node.id;
	if (change->kind == KIND(ADD) || change->kind == KIND(ADD_LEARNER) ||
	    change->kind == KIND(REPLACE)) {
		if (change->id == 0)
			change->id = members->last_id + 1;
		return CLI_OK;
	}
	member = members_find(members, change->name);
	if (member == NULL)
		return no_such(change, change->name);
	change->id = member->node;
	return CLI_OK;
}

static int request(struct change *change)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__MemberChange wanted = DISTRIBUTED_FS__MEMBER_CHANGE__INIT;
	DistributedFs__ControlReply *reply;
	DistributedFs__Member about;
	enum rfs_err err;
	char what[CONFIG_NAME_MAX + 32];
	int status = CLI_OK;

	describe(&change->node, &about);
	wanted.kind = change->kind;
	wanted.node = change->id;
	wanted.replaces = change->replaces_id;
	if (wants_description(change))
		wanted.about = &about;
	request.kind = CONTROL(CONFIGURE);
	request.change = &wanted;
	err = members_ask(&change->nodes, &request, change->cli->timeout_ns,
			  &reply);
	snprintf(what, sizeof(what), "members %s %.31s", change->verb,
		 change->name);
	if (err == RFS_ERR_OK && reply->members != NULL) {
		change->entry = reply->members->entry;
		change->entry_term = reply->members->entry_term;
	} else {
		status = members_fail(what, err, reply);
	}
	ask_free(reply);
	return status;
}

static void tell_done(const struct change *change)
{
	static const char *const done[] = {
		[KIND(ADD)] = "is a member and votes",
		[KIND(ADD_LEARNER)] = "is a member, a learner",
		[KIND(PROMOTE)] = "votes",
		[KIND(REMOVE)] = "is no member any more",
		[KIND(REPLACE)] = "votes in the place of",
		[KIND(ABOUT)] = "is reached by its new description",
	};

	printf("%s (id %u) %s%s%s\n", change->name, change->id,
	       done[change->kind], change->replaces != NULL ? " " : "",
	       change->replaces != NULL ? change->replaces : "");
}

static int run(struct change *change)
{
	DistributedFs__ControlReply *reply;
	enum rfs_err err = look(change, &reply);
	int status = CLI_OK;

	if (err != RFS_ERR_OK)
		status = members_fail("members", err, reply);
	else
		status = resolve(change, reply->members);
	ask_free(reply);
	if (status == CLI_OK)
		status = request(change);
	if (status != CLI_OK)
		return status;
	if (change->no_wait) {
		printf("log entry %" PRIu64 "; %s will have id %u\n",
		       change->entry, change->name, change->id);
		return CLI_OK;
	}
	status = see_through(change);
	if (status == CLI_OK)
		tell_done(change);
	return status;
}

static int run_with_nodes(struct change *change)
{
	int status = ask_find(change->cli, &change->nodes);

	if (status != CLI_OK)
		return status;
	status = run(change);
	ask_nodes_free(&change->nodes);
	return status;
}

int members_change(struct cli *cli, int argc, char **argv)
{
	struct change *change = calloc(1, sizeof(*change));
	int status;

	if (change == NULL)
		return cli_fail("members", RFS_ERR_NOMEM);
	change->cli = cli;
	change->verb = argv[0];
	status = find_kind(change);
	if (status == CLI_OK)
		status = parse(change, &argc, &argv);
	if (status == CLI_OK)
		status = take_operands(change, argc, argv);
	if (status == CLI_OK)
		status = run_with_nodes(change);
	free(change);
	return status;
}

int members_add_node(struct cli *cli, const struct config_node *node)
{
	struct change change = {
		.cli = cli,
		.verb = "add",
		.kind = KIND(ADD),
		.name = node->name,
		.node = *node,
	};

	return run_with_nodes(&change);
}

int members_remove_node(struct cli *cli, const char *name)
{
	struct change change = {
		.cli = cli,
		.verb = "remove",
		.kind = KIND(REMOVE),
		.name = name,
	};

	return run_with_nodes(&change);
}
