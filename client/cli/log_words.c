/* One phrase per command; exhaustive, so that a new command without words does
 * not compile. */
#include "client/cli/log_words.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

#include "common/check.h"
#include "common/units.h"

struct words {
	char *at;
	size_t left;
};

static void __attribute__((format(printf, 2, 3)))
say(struct words *words, const char *format, ...)
{
	va_list arguments;
	int bytes;

	va_start(arguments, format);
	bytes = vsnprintf(words->at, words->left, format, arguments);
	va_end(arguments);
	CHECK(bytes >= 0 && (size_t)bytes < words->left);
	words->at += bytes;
	words->left -= (size_t)bytes;
}

static void say_name(struct words *words, struct bytes name)
{
	say(words, "\"");
	for (size_t i = 0; i < name.bytes; i++) {
		uint8_t byte = ((const uint8_t *)name.data)[i];

		if (byte == '"' || byte == '\\')
			say(words, "\\%c", byte);
		else if (byte < 0x20 || byte > 0x7e)
			say(words, "\\x%02x", byte);
		else
			say(words, "%c", byte);
	}
	say(words, "\"");
}

/* 'create "a" in 1' */
static void say_place(struct words *words, const struct command *command)
{
	say(words, "%s ", command_name(command->op));
	say_name(words, command->name);
	say(words, " in %" PRIu64, command->ino);
}

static void say_made(struct words *words, const struct command *command)
{
	say_place(words, command);
	if (command->op == COMMAND_SYMLINK) {
		/* A target may be longer than all other words together. */
		say(words, ", target of %zu bytes", command->data.bytes);
	} else {
		say(words, ", mode %04o", command->mode & 07777u);
	}
	say(words, ", owner %u:%u", command->uid, command->gid);
	if (command->op == COMMAND_PUT)
		say(words, ", %" PRIu64 " bytes",
		    command_content_bytes(command));
}

static void say_rename(struct words *words, const struct command *command)
{
	say_place(words, command);
	say(words, command->flags & COMMAND_EXCHANGE ? " <-> " : " -> ");
	say_name(words, command->target_name);
	say(words, " in %" PRIu64, command->target);
}

static void say_attributes(struct words *words, const struct command *command)
{
	uint32_t mask = command->set_mask;

	say(words, "setattr %" PRIu64 ":", command->ino);
	if (mask & COMMAND_SET_MODE)
		say(words, " mode %04o", command->mode & 07777u);
	if (mask & COMMAND_SET_UID)
		say(words, " uid %u", command->uid);
	if (mask & COMMAND_SET_GID)
		say(words, " gid %u", command->gid);
	if (mask & COMMAND_SET_SIZE)
		say(words, " size %" PRIu64, command->size_bytes);
	if (mask & (COMMAND_SET_ATIME | COMMAND_SET_ATIME_NOW))
		say(words, " atime");
	if (mask & (COMMAND_SET_MTIME | COMMAND_SET_MTIME_NOW))
		say(words, " mtime");
}

static void say_write(struct words *words, const struct command *command)
{
	say(words, "write %" PRIu64 ": %" PRIu64 " bytes", command->ino,
	    command_content_bytes(command));
	if (command->flags & COMMAND_APPEND)
		say(words, " at the end");
	else
		say(words, " at %" PRIu64, command->offset);
}

static void say_session(struct words *words, const struct command *command)
{
	char lease[24];

	say(words, "open-session ");
	say_name(words, command->name);
	say(words, " on node %u, lease %s", command->node,
	    units_format_duration(command->lease_ns, lease, sizeof(lease)));
}

static void say_command(struct words *words, const struct command *command)
{
	const char *name = command_name(command->op);

	switch (command->op) {
	case COMMAND_NOOP:
	case COMMAND_RENEW_SESSION:
	case COMMAND_CLOSE_SESSION:
		say(words, "%s", name);
		return;
	case COMMAND_OPEN_SESSION:
		say_session(words, command);
		return;
	case COMMAND_EXPIRE_SESSIONS:
	case COMMAND_EXPIRE_GRANT:
		say(words, "%s", name);
		if (command->target != 0)
			say(words, " %" PRIu64, command->target);
		return;
	case COMMAND_GRANT:
		say(words, "grant %" PRIu64 " chunk ids to node %u",
		    command->length, command->node);
		return;
	case COMMAND_CREATE:
	case COMMAND_MKDIR:
	case COMMAND_MKNOD:
	case COMMAND_SYMLINK:
	case COMMAND_PUT:
		say_made(words, command);
		return;
	case COMMAND_LINK:
		say_place(words, command);
		say(words, " to %" PRIu64, command->target);
		return;
	case COMMAND_UNLINK:
	case COMMAND_RMDIR:
		say_place(words, command);
		return;
	case COMMAND_RENAME:
		say_rename(words, command);
		return;
	case COMMAND_SETATTR:
		say_attributes(words, command);
		return;
	case COMMAND_WRITE:
		say_write(words, command);
		return;
	case COMMAND_SETXATTR:
	case COMMAND_REMOVEXATTR:
		say(words, "%s ", name);
		say_name(words, command->name);
		say(words, " of %" PRIu64, command->ino);
		if (command->op == COMMAND_SETXATTR)
			say(words, ", %zu bytes", command->data.bytes);
		return;
	case COMMAND_OPEN:
	case COMMAND_RELEASE:
		say(words, "%s %" PRIu64, name, command->ino);
		return;
	case COMMAND_FALLOCATE:
		say(words, "%s %" PRIu64 ": %" PRIu64 " bytes at %" PRIu64,
		    command->flags & COMMAND_PUNCH ? "punch" :
		    command->flags & COMMAND_ZERO  ? "zero" :
						     name,
		    command->ino, command->length, command->offset);
		return;
	}
}

const char *log_words(const struct command *command, char text[LOG_WORDS_BYTES])
{
	struct words words = { text, LOG_WORDS_BYTES };

	text[0] = '\0';
	say_command(&words, command);
	return text;
}
