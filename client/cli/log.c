/* raftfs log: what was committed, when and how surely, by whom.
 *
 * A raftd answers in pages from its memory; any node's will do, for what is
 * committed is the same everywhere. A session is named by the index of the entry
 * that opened it, so who is behind it stands in the log too, while that is not
 * compacted.
 */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "client/cli/ask.h"
#include "client/cli/cli.h"
#include "client/cli/json.h"
#include "client/cli/log_words.h"
#include "client/cli/show.h"
#include "client/cli/when.h"
#include "common/os/clock.h"
#include "common/units.h"
#include "proto/sockets.h"

#define SESSIONS_KEPT 64
#define WHO_BYTES     (COMMAND_LABEL_MAX + 64)

struct log_options {
	struct when since;
	struct when until;
	bool has_since;
	bool has_until;
	bool follow;
};

struct log_reader {
	const struct cli *cli;
	const struct ask_node *node; /* who answers */
	int64_t since_ns;
	int64_t until_ns;
	struct json json;
	struct {
		uint64_t session; /* 0: free */
		char who[WHO_BYTES];
	} sessions[SESSIONS_KEPT];
};

/* Owned by the caller, to ask_free(); NULL: no answer. */
static DistributedFs__ControlReply *fetch(const struct ask_node *node,
					  uint64_t from_index, int64_t since_ns,
					  uint32_t entries_max)
{
	DistributedFs__ControlRequest request =
		DISTRIBUTED_FS__CONTROL_REQUEST__INIT;
	DistributedFs__ControlReply *reply = NULL;

	request.kind = DISTRIBUTED_FS__CONTROL_KIND__CONTROL_LOG;
	request.from_index = from_index;
	request.since_ns = since_ns;
	request.entries_max = entries_max;
	if (ask(node->run_dir, SOCKETS_RAFTD, &request, &reply) ==
		    RFS_ERR_OK &&
	    reply->log != NULL)
		return reply;
	ask_free(reply);
	return NULL;
}

/* ---- who --------------------------------------------------------------- */

static void look_up_session(const struct log_reader *reader, uint64_t session,
			    char who[WHO_BYTES])
{
	DistributedFs__ControlReply *reply =
		fetch(reader->node, session, INT64_MIN, 1);
	const DistributedFs__RaftLogEntry *entry =
		reply != NULL && reply->log->n_entries == 1
			? reply->log->entries[0]
			: NULL;
	struct command command;

	who[0] = '\0';
	if (entry != NULL && entry->index == session &&
	    command_decode(entry->command.data, entry->command.len, &command) ==
		    RFS_ERR_OK &&
	    command.op == COMMAND_OPEN_SESSION)
		snprintf(who, WHO_BYTES, "%.*s on node %u",
			 (int)command.name.bytes,
			 (const char *)command.name.data, command.node);
	ask_free(reply);
}

/* "uid 1000 on node 2"; "" when that is compacted. */
static const char *who_is(struct log_reader *reader, uint64_t session)
{
	size_t slot = session % SESSIONS_KEPT;

	if (reader->sessions[slot].session != session) {
		reader->sessions[slot].session = session;
		look_up_session(reader, session, reader->sessions[slot].who);
	}
	return reader->sessions[slot].who;
}

/* ---- one entry --------------------------------------------------------- */

static const char *words_of(const DistributedFs__RaftLogEntry *entry,
			    struct command *command,
			    char text[LOG_WORDS_BYTES])
{
	memset(command, 0, sizeof(*command));
	if (strcmp(entry->kind, "leader") == 0)
		return "a leader begins its term";
	if (strcmp(entry->kind, "lease") == 0)
		return "renews the lease for readers";
	if (strcmp(entry->kind, "relinquish") == 0)
		return "the leader gives its lease up";
	if (strcmp(entry->kind, "command") != 0) {
		snprintf(text, LOG_WORDS_BYTES, "%s%s%s", entry->kind,
			 entry->text[0] != '\0' ? ": " : "", entry->text);
		return text;
	}
	if (command_decode(entry->command.data, entry->command.len, command) !=
	    RFS_ERR_OK)
		return "a command this program does not know";
	return log_words(command, text);
}

static void print_text(const DistributedFs__RaftLogEntry *entry,
		       uint64_t session, const char *who, const char *words)
{
	char time_text[SHOW_TIME_BYTES], error[24] = "?";

	if (entry->error_ns >= 0)
		units_format_duration(entry->error_ns, error, sizeof(error));
	printf("%10" PRIu64 " %5" PRIu64 "  %s  %9s  %s", entry->index,
	       entry->term, show_time(entry->ts_ns, time_text), error, words);
	if (session != 0)
		printf(", by session %" PRIu64, session);
	if (who[0] != '\0')
		printf(" (%s)", who);
	printf("\n");
}

static void print_json(struct json *json,
		       const DistributedFs__RaftLogEntry *entry,
		       uint64_t session, const char *who, const char *words,
		       const struct command *command)
{
	json_open(json, NULL, '{');
	json_uint(json, "index", entry->index);
	json_uint(json, "term", entry->term);
	json_uint(json, "epoch", entry->epoch);
	json_int(json, "ts_ns", entry->ts_ns);
	if (entry->error_ns < 0)
		json_text(json, "error_ns", NULL);
	else
		json_int(json, "error_ns", entry->error_ns);
	json_text(json, "kind", entry->kind);
	if (strcmp(entry->kind, "command") == 0)
		json_text(json, "op", command_name(command->op));
	if (session != 0)
		json_uint(json, "session", session);
	if (who[0] != '\0')
		json_text(json, "who", who);
	if (command->ino != 0)
		json_uint(json, "ino", command->ino);
	json_uint(json, "bytes", command_content_bytes(command));
	json_text(json, "text", words);
	json_close(json, '}');
	json_init(json, stdout);
}

static void print_entry(struct log_reader *reader,
			const DistributedFs__RaftLogEntry *entry)
{
	char text[LOG_WORDS_BYTES];
	struct command command;
	const char *words = words_of(entry, &command, text);
	const char *who =
		command.session != 0 ? who_is(reader, command.session) : "";

	if (reader->cli->json)
		print_json(&reader->json, entry, command.session, who, words,
			   &command);
	else
		print_text(entry, command.session, who, words);
}

/* ---- all of them ------------------------------------------------------- */

/* Everything from *next on that is there; moves it. Past `until` it ends the
 * listing: true. A raftd that stops answering is one, too, with *status. */
static bool print_pages(struct log_reader *reader, uint64_t *next, int *status)
{
	bool done = false, more = true;

	while (more && !done) {
		DistributedFs__ControlReply *reply =
			fetch(reader->node, *next, reader->since_ns, 0);

		if (reply == NULL) {
			fprintf(stderr, "raftfs: %s: raftd does not answer\n",
				ask_name(reader->node));
			*status = CLI_UNREACHABLE;
			return true;
		}
		for (size_t i = 0; i < reply->log->n_entries && !done; i++) {
			done = reply->log->entries[i]->ts_ns > reader->until_ns;
			if (!done)
				print_entry(reader, reply->log->entries[i]);
		}
		*next = reply->log->next_index;
		more = *next <= reply->log->commit_index;
		ask_free(reply);
	}
	return done;
}

static int list(struct log_reader *reader, uint64_t next, bool follow)
{
	const struct timespec pause = {.tv_nsec = 200 * NS_PER_MS};
	int status = CLI_OK;

	json_init(&reader->json, stdout);
	if (!reader->cli->json)
		printf("%10s %5s  %-35s  %9s  %s\n", "index", "term", "time",
		       "error", "what");
	while (!print_pages(reader, &next, &status) && follow) {
		if (fflush(stdout) != 0)
			return CLI_FAILED;
		nanosleep(&pause, NULL);
	}
	return status;
}

/* Of what was asked for, what is gone. */
static void tell_compacted(const struct log_reader *reader,
			   const DistributedFs__RaftLog *head)
{
	char text[SHOW_TIME_BYTES];

	if (head->first_index <= 1 || head->base_ts_ns < reader->since_ns)
		return;
	fprintf(stderr,
		"raftfs: %s: entries up to %" PRIu64
		" (%s) are compacted: only what they made is kept\n",
		ask_name(reader->node), head->first_index - 1,
		show_time(head->base_ts_ns, text));
}

static int64_t resolve_ns(const struct when *when, int64_t now_ns)
{
	return when->relative ? now_ns + when->ns : when->ns;
}

/* Times ago are on the cluster's clock, as stamps are. */
static int begin(struct log_reader *reader, const struct log_options *options,
		 const DistributedFs__RaftLog *head)
{
	int64_t now_ns = head->now_ns;

	if (now_ns == 0)
		now_ns = clock_wall_ns();
	if (head->now_ns == 0 &&
	    ((options->has_since && options->since.relative) ||
	     (options->has_until && options->until.relative)))
		fprintf(stderr,
			"raftfs: %s: cluster time is not known: times ago are "
			"by the wall clock\n",
			ask_name(reader->node));
	reader->since_ns = options->has_since
				   ? resolve_ns(&options->since, now_ns)
				   : INT64_MIN;
	reader->until_ns = options->has_until
				   ? resolve_ns(&options->until, now_ns)
				   : INT64_MAX;
	tell_compacted(reader, head);
	return list(reader, head->first_index, options->follow);
}

static int run(const struct cli *cli, const struct log_options *options)
{
	struct log_reader reader = {.cli = cli};
	struct ask_nodes nodes;
	int status = ask_find(cli, &nodes);

	if (status != CLI_OK)
		return status;
	for (size_t i = 0; i < nodes.count; i++) {
		DistributedFs__ControlReply *head =
			fetch(&nodes.node[i], 0, INT64_MIN, 1);

		if (head == NULL)
			continue;
		reader.node = &nodes.node[i];
		status = begin(&reader, options, head->log);
		ask_free(head);
		return status;
	}
	fprintf(stderr, "raftfs: cannot connect: no raftd answers in %s\n",
		nodes.node[0].run_dir);
	return CLI_UNREACHABLE;
}

/* -1: go on; else the exit code. */
static int parse(struct cli *cli, int argc, char **argv,
		 struct log_options *options)
{
	static const struct option longs[] = {
		{"json", no_argument, NULL, 'j'},
		{"help", no_argument, NULL, 'h'},
		{"since", required_argument, NULL, 's'},
		{"until", required_argument, NULL, 'u'},
		{"follow", no_argument, NULL, 'f'},
		{NULL, 0, NULL, 0},
	};
	enum rfs_err err = RFS_ERR_OK;
	int letter;

	optind = 0;
	opterr = 0;
	while ((letter = getopt_long(argc, argv, "hf", longs, NULL)) != -1) {
		if (letter == 'j')
			cli->json = true;
		else if (letter == 'f')
			options->follow = true;
		else if (letter == 's' || letter == 'u')
			err = when_parse(optarg, letter == 's'
							 ? &options->since
							 : &options->until);
		else
			return letter == 'h' ? cli_help("log")
					     : cli_usage("log",
							 "log: cannot use %s",
							 argv[optind - 1]);
		if (err != RFS_ERR_OK)
			return cli_usage("log", "log: %s: not a time", optarg);
		options->has_since |= letter == 's';
		options->has_until |= letter == 'u';
	}
	if (optind < argc)
		return cli_usage("log", "log: takes no operand");
	return -1;
}

int command_log(struct cli *cli, int argc, char **argv)
{
	struct log_options options = {0};
	int status = parse(cli, argc, argv, &options);

	return status >= 0 ? status : run(cli, &options);
}
