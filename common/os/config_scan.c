/* The pre-check of raftfs.conf: one pass of a small recursive-descent reader.
 *
 * A fault of syntax ends the file's reading (what follows would be guesswork);
 * a fault of meaning (unknown, repeated) is told and reading goes on.
 */
#include "common/os/config_scan.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "common/check.h"

/* The reader's place in one file. */
struct cursor {
	struct config_scan *scan;
	int file;
	int line;
	const char *at;
	char section[CONFIG_NAME_MAX]; /* "" at top level */
	int node;		       /* index, -1 outside of node sections */
	bool skip; /* in an unknown section: read, but record nothing */
	bool mute; /* only looking ahead */
};

enum token {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_QUOTED,
	TOKEN_EQUALS,
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_BAD, /* already told */
};

void config_scan_init(struct config_scan *scan,
		      const struct config_errors *errors)
{
	memset(scan, 0, sizeof(*scan));
	scan->errors = errors;
}

void config_scan_fault(struct config_scan *scan, int file, int line,
		       const char *where, const char *format, ...)
{
	char reason[OPTION_REASON_MAX + 128];
	char text[CONFIG_PATH_MAX + 512];
	char place[16] = "";
	va_list args;

	va_start(args, format);
	vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (line > 0)
		snprintf(place, sizeof(place), "%d:", line);
	snprintf(text, sizeof(text), "%s:%s %s%s%s", scan->files[file], place,
		 where, where[0] != '\0' ? ": " : "", reason);
	scan->bad = true;
	if (scan->errors != NULL && scan->errors->line != NULL)
		scan->errors->line(scan->errors->ctx, text);
}

/* "raft.lease", "self", or: node "n1".key */
static void option_label(const struct config_scan *scan,
			 const struct option *option, int node, char *label,
			 size_t size)
{
	if (node >= 0)
		snprintf(label, size, "node \"%s\".%s", scan->nodes[node].name,
			 option->name);
	else
		snprintf(label, size, "%s%s%s", option->section,
			 option->section[0] != '\0' ? "." : "", option->name);
}

static const struct config_place *find_section(const struct config_scan *scan,
					       const char *name)
{
	for (int i = 0; i < scan->section_count; i++) {
		if (strcmp(scan->sections[i].name, name) == 0)
			return &scan->sections[i];
	}
	return NULL;
}

void config_scan_option_fault(struct config_scan *scan,
			      const struct option *option, int node,
			      const char *reason)
{
	char label[128];
	const struct config_mark *mark = config_scan_find(scan, option, node);
	const struct config_place *place =
		node >= 0 ? &scan->nodes[node] :
			    find_section(scan, option->section);
	int file = 0;
	int line = 1;

	if (mark != NULL) {
		file = mark->file;
		line = mark->line;
	} else if (place != NULL) {
		file = place->file;
		line = place->line;
	}
	option_label(scan, option, node, label, sizeof(label));
	config_scan_fault(scan, file, line, label, "%s", reason);
}

const struct config_mark *config_scan_find(const struct config_scan *scan,
					   const struct option *option,
					   int node)
{
	for (int i = 0; i < scan->mark_count; i++) {
		if (scan->marks[i].option == option &&
		    scan->marks[i].node == node)
			return &scan->marks[i];
	}
	return NULL;
}

int config_scan_add_file(struct config_scan *scan, const char *path)
{
	if (scan->file_count == CONFIG_FILES_MAX) {
		config_scan_fault(scan, 0, 0, "conf.d", "more than %d files",
				  CONFIG_FILES_MAX - 1);
		return -1;
	}
	snprintf(scan->files[scan->file_count], CONFIG_PATH_MAX, "%s", path);
	return scan->file_count++;
}

static enum token syntax(struct cursor *c, const char *reason)
{
	if (!c->mute)
		config_scan_fault(c->scan, c->file, c->line,
				  c->section[0] != '\0' ? c->section : "syntax",
				  "%s", reason);
	return TOKEN_BAD;
}

/* Past blanks and comments; false when a comment never ends. */
static bool skip_blanks(struct cursor *c)
{
	for (;; c->at++) {
		if (*c->at == '#' || (c->at[0] == '/' && c->at[1] == '/')) {
			c->at += strcspn(c->at, "\n");
		} else if (c->at[0] == '/' && c->at[1] == '*') {
			const char *end = strstr(c->at + 2, "*/");

			if (end == NULL)
				return syntax(c, "comment is never closed") !=
				       TOKEN_BAD;
			for (; c->at < end + 1; c->at++)
				c->line += *c->at == '\n';
			continue;
		}
		if (*c->at == '\n')
			c->line++;
		else if (*c->at != ' ' && *c->at != '\t' && *c->at != '\r')
			return true;
	}
}

static enum token quoted(struct cursor *c, char *text, size_t size)
{
	char quote = *c->at++;
	const char *start = c->at;
	size_t length;

	for (; *c->at != quote; c->at++) {
		if (*c->at == '\0' || *c->at == '\n')
			return syntax(c, "quote is never closed on its line");
		if (c->at[0] == '$' && c->at[1] == '{')
			return syntax(c, "${...} is not replaced here");
		if (*c->at == '\\')
			return syntax(c, "no backslashes in quotes");
	}
	length = (size_t)(c->at++ - start);
	if (length >= size)
		return syntax(c, "value is too long");
	memcpy(text, start, length);
	text[length] = '\0';
	return TOKEN_QUOTED;
}

static enum token word(struct cursor *c, char *text, size_t size)
{
	const char *start = c->at;
	size_t length;

	while (isalnum((unsigned char)*c->at) ||
	       (*c->at != '\0' && strchr("_.:-", *c->at) != NULL) ||
	       (*c->at == '/' && c->at[1] != '/' && c->at[1] != '*'))
		c->at++;
	length = (size_t)(c->at - start);
	if (*c->at == '(')
		return syntax(c, "include() is not supported: put files into "
				 "conf.d beside this one");
	if (*c->at != '\0' && strchr(" \t\r\n#={}", *c->at) == NULL)
		return syntax(
			c,
			*c->at == ';' ?
				"no ';' here: one option per line is enough" :
				"quote values with such characters");
	if (length >= size)
		return syntax(c, "value is too long");
	memcpy(text, start, length);
	text[length] = '\0';
	return TOKEN_WORD;
}

static enum token next(struct cursor *c, char *text, size_t size)
{
	text[0] = '\0';
	if (!skip_blanks(c))
		return TOKEN_BAD;
	switch (*c->at) {
	case '\0':
		return TOKEN_END;
	case '=':
		c->at++;
		return TOKEN_EQUALS;
	case '{':
		c->at++;
		return TOKEN_OPEN;
	case '}':
		c->at++;
		return TOKEN_CLOSE;
	case '"':
	case '\'':
		return quoted(c, text, size);
	default:
		return word(c, text, size);
	}
}

/* The token after this one, unread. */
static enum token peek(const struct cursor *c)
{
	struct cursor copy = *c;
	char text[512];

	copy.mute = true;
	return next(&copy, text, sizeof(text));
}

static void record_unknown(struct cursor *c, const char *name, int line)
{
	const char *near = option_nearest(c->section, name, false);
	bool dot = c->section[0] != '\0';

	for (size_t i = 0; near == NULL && i < config_option_count; i++) {
		if (strcmp(config_options[i].name, name) != 0)
			continue;
		config_scan_fault(c->scan, c->file, line, name,
				  "does not belong here but in %s%s",
				  config_options[i].section[0] != '\0' ?
					  "section " :
					  "no section",
				  config_options[i].section);
		return;
	}
	config_scan_fault(c->scan, c->file, line, dot ? c->section : name,
			  "unknown option \"%s\"%s%s%s", name,
			  near != NULL ? "; is it \"" : "",
			  near != NULL ? near : "", near != NULL ? "\"?" : "");
}

static void record_option(struct cursor *c, const char *name, int line)
{
	const struct option *option = option_find(c->section, name);
	const struct config_mark *before;
	char label[128];

	if (option == NULL) {
		record_unknown(c, name, line);
		return;
	}
	before = config_scan_find(c->scan, option, c->node);
	option_label(c->scan, option, c->node, label, sizeof(label));
	if (before != NULL) {
		config_scan_fault(c->scan, c->file, line, label,
				  "already set at %s:%d",
				  c->scan->files[before->file], before->line);
		return;
	}
	CHECK(c->scan->mark_count < CONFIG_MARKS_MAX);
	c->scan->marks[c->scan->mark_count++] =
		(struct config_mark){ option, c->node, c->file, line };
}

static bool read_option(struct cursor *c, const char *name)
{
	char value[512];
	enum token token;
	int line = c->line;

	if (next(c, value, sizeof(value)) != TOKEN_EQUALS)
		return false;
	if (!c->skip)
		record_option(c, name, line);
	token = next(c, value, sizeof(value));
	if (token == TOKEN_BAD)
		return false;
	if (token != TOKEN_WORD && token != TOKEN_QUOTED) {
		config_scan_fault(c->scan, c->file, line, name,
				  "a value must follow '='");
		return false;
	}
	return true;
}

/* An untitled section may be opened again in another file, never twice in
 * one: libconfuse would forget the first without a word. */
static void open_untitled(struct cursor *c, const char *name)
{
	struct config_scan *scan = c->scan;
	struct config_place *place =
		(struct config_place *)find_section(scan, name);

	if (place != NULL && place->file == c->file)
		config_scan_fault(scan, c->file, c->line, name,
				  "section already opened at line %d",
				  place->line);
	if (place == NULL) {
		CHECK(scan->section_count < 16);
		place = &scan->sections[scan->section_count++];
		snprintf(place->name, sizeof(place->name), "%.31s", name);
	}
	place->file = c->file;
	place->line = c->line;
}

static void open_node(struct cursor *c, const char *title)
{
	struct config_scan *scan = c->scan;

	for (int i = 0; i < scan->node_count; i++) {
		if (strcmp(scan->nodes[i].name, title) != 0)
			continue;
		config_scan_fault(scan, c->file, c->line, "node",
				  "\"%s\" already described at %s:%d", title,
				  scan->files[scan->nodes[i].file],
				  scan->nodes[i].line);
		c->skip = true;
		return;
	}
	if (!option_is_title(title) || scan->node_count == CONFIG_NODES_MAX) {
		if (title[0] == '\0')
			config_scan_fault(scan, c->file, c->line, "node",
					  "needs a name: node \"n1\" { ... }");
		else if (!option_is_title(title))
			config_scan_fault(scan, c->file, c->line, "node",
					  "a name is at most %d letters, "
					  "digits, '.', '_' and '-'",
					  CONFIG_NAME_MAX - 1);
		else
			config_scan_fault(scan, c->file, c->line, "node",
					  "more than %d nodes",
					  CONFIG_NODES_MAX);
		c->skip = true;
		return;
	}
	c->node = scan->node_count++;
	snprintf(scan->nodes[c->node].name, CONFIG_NAME_MAX, "%.31s", title);
	scan->nodes[c->node].file = c->file;
	scan->nodes[c->node].line = c->line;
}

static void open_section(struct cursor *c, const char *name, const char *title)
{
	const char *near;

	snprintf(c->section, sizeof(c->section), "%.31s", name);
	c->node = -1;
	c->skip = !option_section_exists(name);
	if (c->skip) {
		near = option_nearest("", name, true);
		config_scan_fault(c->scan, c->file, c->line, name,
				  "unknown section%s%s%s",
				  near != NULL ? "; is it \"" : "",
				  near != NULL ? near : "",
				  near != NULL ? "\"?" : "");
	} else if (strcmp(name, CONFIG_NODE_SECTION) == 0) {
		open_node(c, title);
	} else if (title[0] != '\0') {
		config_scan_fault(c->scan, c->file, c->line, name,
				  "takes no title");
		c->skip = true;
	} else {
		open_untitled(c, name);
	}
}

static bool read_section(struct cursor *c, const char *name, const char *title)
{
	char text[512];
	enum token token;
	int opened = c->line;

	open_section(c, name, title);
	for (;;) {
		token = next(c, text, sizeof(text));
		if (token == TOKEN_CLOSE)
			break;
		if (token == TOKEN_END) {
			config_scan_fault(c->scan, c->file, opened, name,
					  "section is never closed");
			return false;
		}
		if (token == TOKEN_BAD)
			return false;
		if (token != TOKEN_WORD || peek(c) != TOKEN_EQUALS) {
			syntax(c, option_section_exists(text) ?
					  "a section inside a section: is a "
					  "'}' missing above?" :
					  "expected: option = value");
			return false;
		}
		if (!read_option(c, text))
			return false;
	}
	c->section[0] = '\0';
	c->node = -1;
	c->skip = false;
	return true;
}

/* name = value, name {, or name title { at top level. */
static bool read_item(struct cursor *c, const char *name)
{
	char title[512] = "";
	char text[512];
	enum token token = peek(c);

	if (token == TOKEN_EQUALS)
		return read_option(c, name);
	if (token == TOKEN_WORD || token == TOKEN_QUOTED)
		next(c, title, sizeof(title));
	token = next(c, text, sizeof(text));
	if (token == TOKEN_OPEN)
		return read_section(c, name, title);
	if (token != TOKEN_BAD)
		config_scan_fault(c->scan, c->file, c->line, name,
				  "expected: option = value, or section "
				  "{ ... }");
	return false;
}

void config_scan_text(struct config_scan *scan, int file, const char *text)
{
	struct cursor c = {
		.scan = scan, .file = file, .line = 1, .at = text, .node = -1
	};
	char name[512];
	enum token token;

	while ((token = next(&c, name, sizeof(name))) == TOKEN_WORD) {
		if (!read_item(&c, name))
			return;
	}
	if (token == TOKEN_CLOSE)
		syntax(&c, "'}' closes nothing");
	else if (token != TOKEN_END && token != TOKEN_BAD)
		syntax(&c, "expected: option = value, or section { ... }");
}
