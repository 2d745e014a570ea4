/* A command of the log in words. */
#ifndef RAFTFS_CLIENT_CLI_LOG_WORDS_H
#define RAFTFS_CLIENT_CLI_LOG_WORDS_H

#include "storaged/core/command.h"

#define LOG_WORDS_BYTES 2400 /* two names, each byte escaped */

/* What was asked for: 'create "a" in 1, mode 0644, owner 0:0'. Whether it could
 * be done was decided when it was applied, and is not in the log. Names are
 * quoted, bytes that are no printable ASCII as \xNN. Into text, returned. */
const char *log_words(const struct command *command,
		      char text[LOG_WORDS_BYTES]);

#endif
