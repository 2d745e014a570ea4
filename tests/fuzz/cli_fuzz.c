/* Fuzz target: any words as the arguments of a raftfs(1) command, in a place
 * where no cluster is. Whatever they are, the command ends with one of its
 * exit codes; and a time that is understood is told from one that is not.
 * libFuzzer's entry point. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/cli/cli.h"
#include "client/cli/usage.h"
#include "client/cli/when.h"
#include "common/os/keys.h"
#include "common/units.h"
#include "tests/fuzz/scratch.h"

#define WORDS_MAX 32
#define BYTES_MAX 4096

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes);

/* Those that do not touch this host's files or processes before they have
 * found a cluster. */
static const char *const commands[] = {
	"ls",	  "stat",   "mkdir", "rm",	"mv",	  "cp",	 "ln",
	"cat",	  "df",	    "log",   "status",	"clock",  "members",
	"leader",
};
static char nowhere[256];

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	keys_init();
	snprintf(nowhere, sizeof(nowhere), "%s/absent.sock", scratch_dir());
	if (freopen("/dev/null", "w", stdout) == NULL)
		abort();
	return 0;
}

/* Words end at a NUL byte, as those of a program do. */
static int split(char *text, size_t bytes, char *words[WORDS_MAX + 1])
{
	char *end = text + bytes;
	int count = 0;

	while (text < end && count < WORDS_MAX) {
		words[count++] = text;
		text += strlen(text) + 1;
	}
	words[count] = NULL;
	return count;
}

/* Looks again and again, by design, until it is interrupted. */
static int never_ends(char **words)
{
	for (; *words != NULL; words++)
		if (strncmp(*words, "--w", 3) == 0)
			return 1;
	return 0;
}

static void parse_word(const char *word)
{
	struct when when = {.relative = true, .ns = 1};
	int64_t ns = -1;

	if (when_parse(word, &when) == RFS_ERR_OK &&
	    (when.relative ? when.ns > 0 : when.ns == INT64_MIN))
		abort();
	if (units_parse_duration(word, &ns) == RFS_ERR_OK && ns < 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static char text[BYTES_MAX + 1];
	char *words[WORDS_MAX + 2];
	struct cli cli = {.where = nowhere, .timeout_ns = NS_PER_MS};
	int count, status;

	if (bytes == 0 || bytes > BYTES_MAX)
		return 0;
	memcpy(text, data + 1, bytes - 1);
	text[bytes - 1] = '\0';
	words[0] = (char *)(uintptr_t)
		commands[data[0] % (sizeof(commands) / sizeof(commands[0]))];
	count = split(text, bytes - 1, words + 1) + 1;
	for (int i = 1; i < count; i++)
		parse_word(words[i]);
	if (never_ends(words))
		return 0;
	status = usage_find(words[0])->run(&cli, count, words);
	if (status < -1 || status > CLI_UNREACHABLE)
		abort();
	raftfs_close(cli.fs);
	return 0;
}
