/* raftfs.conf from text to struct config, in three passes.
 *
 *	1. config_scan.c reads every file for faults of form, and for lines
 *	2. libconfuse reads it for values; each is parsed and range-checked
 *	3. here: what is required, and what options demand of one another
 *
 * A pass starts only when the one before found nothing. libconfuse is given
 * text values alone; numbers and units are option_parse()'s, so that every
 * fault can name its line.
 */
#include "common/os/config.h"

#include <confuse.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <sodium.h>

#include "common/check.h"
#include "common/os/config_scan.h"
#include "common/os/config_schema.h"
#include "common/os/keys.h"
#include "common/units.h"

#define FILE_BYTES_MAX (1024 * 1024)
#define SECTIONS_MAX   16
#define OPTIONS_MAX    80

/* libconfuse's error callback has no context, and inside untitled sections no
 * file name either. Set around cfg_parse_buf() alone. */
static struct config_scan *parsing_scan;
static int parsing_file;

static void confuse_error(cfg_t *cfg, const char *format, va_list args)
{
	char reason[OPTION_REASON_MAX];

	vsnprintf(reason, sizeof(reason), format, args);
	config_scan_fault(parsing_scan, parsing_file, cfg->line,
			  cfg->name != NULL && strcmp(cfg->name, "root") != 0 ?
				  cfg->name :
				  "syntax",
			  "%s", reason);
}

/* libconfuse's picture of the schema: every option a string without default,
 * so that what is set can be told from what is not. */
struct confuse_schema {
	cfg_opt_t root[OPTIONS_MAX];
	cfg_opt_t sections[SECTIONS_MAX][OPTIONS_MAX];
};

static void fill_section(cfg_opt_t *opts, const char *section)
{
	int count = 0;

	for (size_t i = 0; i < config_option_count; i++) {
		if (strcmp(config_options[i].section, section) == 0)
			opts[count++] = (cfg_opt_t)CFG_STR(
				config_options[i].name, NULL, CFGF_NONE);
	}
	CHECK(count < OPTIONS_MAX);
	opts[count] = (cfg_opt_t)CFG_END();
}

static void fill_schema(struct confuse_schema *schema)
{
	const char *last = "";
	int top = 0;
	int section = 0;

	fill_section(schema->root, "");
	while (schema->root[top].name != NULL)
		top++;
	for (size_t i = 0; i < config_option_count; i++) {
		const char *name = config_options[i].section;
		bool titled = strcmp(name, CONFIG_NODE_SECTION) == 0;

		if (strcmp(name, last) == 0)
			continue;
		last = name;
		CHECK(section < SECTIONS_MAX && top < OPTIONS_MAX - 1);
		fill_section(schema->sections[section], name);
		schema->root[top++] = (cfg_opt_t)CFG_SEC(
			name, schema->sections[section],
			titled ? CFGF_MULTI | CFGF_TITLE : CFGF_NONE);
		section++;
	}
	schema->root[top] = (cfg_opt_t)CFG_END();
}

/* The value libconfuse read for a mark; NULL when it saw none. */
static const char *confuse_value(cfg_t *cfg, const struct config_scan *scan,
				 const struct config_mark *mark)
{
	const struct option *option = mark->option;
	cfg_t *section = cfg;

	if (mark->node >= 0)
		section = cfg_gettsec(cfg, CONFIG_NODE_SECTION,
				      scan->nodes[mark->node].name);
	else if (option->section[0] != '\0')
		section = cfg_getsec(cfg, option->section);
	return section != NULL ? cfg_getstr(section, option->name) : NULL;
}

static void take_value(struct config_scan *scan, const struct config_mark *mark,
		       const char *text, struct config *config)
{
	char reason[OPTION_REASON_MAX] = "";
	void *base = config;

	if (mark->node >= 0)
		base = &config->nodes[mark->node];
	if (text == NULL)
		config_scan_option_fault(scan, mark->option, mark->node,
					 "not understood by the parser");
	else if (!option_parse(mark->option, text, base, reason))
		config_scan_option_fault(scan, mark->option, mark->node,
					 reason);
}

/* Pass 2 over one file. */
static enum rfs_err parse_file(struct config_scan *scan, int file,
			       const char *text, struct config *config)
{
	struct confuse_schema *schema = calloc(1, sizeof(*schema));
	cfg_t *cfg;
	int result = CFG_SUCCESS;

	if (schema == NULL)
		return RFS_ERR_NOMEM;
	fill_schema(schema);
	cfg = cfg_init(schema->root, CFGF_NONE);
	if (cfg == NULL) {
		free(schema);
		return RFS_ERR_NOMEM;
	}
	cfg_set_error_function(cfg, confuse_error);
	parsing_scan = scan;
	parsing_file = file;
	if (text[0] != '\0')
		result = cfg_parse_buf(cfg, text);
	if (result != CFG_SUCCESS && !scan->bad)
		config_scan_fault(scan, file, 0, "syntax", "cannot be parsed");
	for (int i = 0; result == CFG_SUCCESS && i < scan->mark_count; i++) {
		if (scan->marks[i].file == file)
			take_value(scan, &scan->marks[i],
				   confuse_value(cfg, scan, &scan->marks[i]),
				   config);
	}
	cfg_free(cfg);
	free(schema);
	return RFS_ERR_OK;
}

static void set_defaults(struct config *config)
{
	char reason[OPTION_REASON_MAX];

	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];

		if (option->fallback != NULL)
			CHECK(option_parse(option, option->fallback, config,
					   reason));
	}
}

/* Pass 3: required options; nodes_only: of the node sections. */
static void check_required(struct config_scan *scan, bool nodes_only)
{
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];
		bool per_node =
			strcmp(option->section, CONFIG_NODE_SECTION) == 0;
		int from = per_node ? 0 : -1;
		int to = per_node ? scan->node_count : 0;

		if (!(option->flags & OPTION_REQUIRED) ||
		    (nodes_only && !per_node))
			continue;
		for (int node = from; node < to; node++) {
			if (config_scan_find(scan, option, node) == NULL)
				config_scan_option_fault(
					scan, option, node,
					"required, but not set");
		}
	}
	if (scan->node_count == 0)
		config_scan_fault(scan, 0, 1, "node",
				  "required: one section per node");
}

static void node_clash(struct config_scan *scan, const char *option, uint32_t a,
		       uint32_t b)
{
	bool port = strstr(option, "port") != NULL;
	char reason[OPTION_REASON_MAX];

	snprintf(reason, sizeof(reason), "%s%s%s node \"%s\"",
		 port ? "port already used by" : "already the ",
		 port ? "" : option, port ? "" : " of", scan->nodes[a].name);
	config_scan_option_fault(scan, option_find("node", option), (int)b,
				 reason);
}

/* That names differ, the first pass has seen to. */
static void check_nodes(struct config_scan *scan,
			const struct config_node *nodes)
{
	static const char *const unique[] = { "id", "key", "raft_port",
					      "storage_port", "time_port" };

	for (uint32_t b = 0; b < (uint32_t)scan->node_count; b++) {
		for (uint32_t a = 0; a <= b; a++) {
			for (size_t i = 0;
			     i < sizeof(unique) / sizeof(*unique); i++) {
				if (option_clashes(&nodes[a], &nodes[b],
						   unique[i]))
					node_clash(scan, unique[i], a, b);
			}
		}
	}
}

static void demand(struct config_scan *scan, bool fact, const char *section,
		   const char *name, const char *reason)
{
	if (!fact)
		config_scan_option_fault(scan, option_find(section, name), -1,
					 reason);
}

/* Pass 3: what options demand of one another. */
static void check_together(struct config_scan *scan,
			   const struct config *config)
{
	demand(scan, config->time_sync.min_peers <= config->time_sync.max_peers,
	       "time_sync", "min_peers", "must not exceed time_sync.max_peers");
	demand(scan,
	       config->time_sync.timeout_ns <=
		       config->time_sync.sync_interval_ns,
	       "time_sync", "timeout",
	       "must not exceed time_sync.sync_interval");
	demand(scan,
	       config->time_sync.reference != CONFIG_REFERENCE_NTP ||
		       config->time_sync.servers.count > 0,
	       "time_sync", "servers",
	       "must name a server when time_sync.reference is ntp");
	demand(scan,
	       config->time_sync.reference != CONFIG_REFERENCE_SYSTEM ||
		       !config->time_sync.discipline_system_clock,
	       "time_sync", "discipline_system_clock",
	       "cannot be with time_sync.reference = system: it would follow "
	       "itself");
	demand(scan,
	       config->raft.election_timeout_min_ns <
		       config->raft.election_timeout_max_ns,
	       "raft", "election_timeout_min",
	       "must be below raft.election_timeout_max");
	demand(scan,
	       config->raft.heartbeat_min_ns <
		       config->raft.election_timeout_min_ns,
	       "raft", "heartbeat_min",
	       "must be below raft.election_timeout_min");
	demand(scan,
	       config->raft.snapshot_after_bytes < config->raft.log_bytes_max,
	       "raft", "snapshot_after", "must be below raft.log_bytes_max");
	demand(scan,
	       config->storage.inline_max_bytes <= config->storage.chunk_bytes,
	       "storage", "inline_max", "must not exceed storage.chunk");
	demand(scan, config->storage.chunk_bytes % 4096 == 0, "storage",
	       "chunk", "must be a multiple of 4 KiB");
	demand(scan, config->storage.map_bytes % 4096 == 0, "storage", "map",
	       "must be a multiple of 4 KiB");
	demand(scan,
	       config->supervisor.watchdog_ns == 0 ||
		       config->supervisor.watchdog_ns >= 3 * NS_PER_SEC,
	       "supervisor", "watchdog",
	       "must be 0, or at least 3 s: daemons beat once a second");
	demand(scan,
	       (config->grpc.certificate[0] == '\0') ==
		       (config->grpc.key[0] == '\0'),
	       "grpc", config->grpc.key[0] == '\0' ? "certificate" : "key",
	       "grpc.certificate and grpc.key go together");
	demand(scan, !config->join || config->node_count > 1, "", "join",
	       "needs the node section of a member to ask");
	check_nodes(scan, config->nodes);
}

static int node_order(const void *a, const void *b)
{
	const struct config_node *x = a;
	const struct config_node *y = b;

	return (x->id > y->id) - (x->id < y->id);
}

static void find_self(struct config_scan *scan, struct config *config)
{
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (strcmp(config->nodes[i].name, config->self) == 0) {
			config->self_index = i;
			return;
		}
	}
	config_scan_option_fault(scan, option_find("", "self"), -1,
				 "there is no node section of this name");
}

static void digest_text(crypto_hash_sha256_state *hash, const char *name,
			const char *value)
{
	crypto_hash_sha256_update(hash, (const uint8_t *)name, strlen(name));
	crypto_hash_sha256_update(hash, (const uint8_t *)"=", 1);
	crypto_hash_sha256_update(hash, (const uint8_t *)value, strlen(value));
	crypto_hash_sha256_update(hash, (const uint8_t *)"\n", 1);
}

/* "section.name=value" of one option. */
static void digest_option(crypto_hash_sha256_state *hash,
			  const struct option *option, const void *base)
{
	char name[96];
	char value[OPTION_VALUE_MAX];

	snprintf(name, sizeof(name), "%s.%s", option->section, option->name);
	option_format(option, base, value);
	digest_text(hash, name, value);
}

/* Over the lines of what is agreed, in the schema's order. */
static void make_digest(struct config *config)
{
	crypto_hash_sha256_state hash;

	crypto_hash_sha256_init(&hash);
	digest_text(&hash, "raftfs.conf", "2");
	for (size_t i = 0; i < config_option_count; i++) {
		if (config_options[i].flags & OPTION_AGREED)
			digest_option(&hash, &config_options[i], config);
	}
	crypto_hash_sha256_final(&hash, config->digest);
}

/* Over the lines of each node, ascending by id. */
static void make_nodes_digest(struct config *config)
{
	crypto_hash_sha256_state hash;

	crypto_hash_sha256_init(&hash);
	for (uint32_t n = 0; n < config->node_count; n++) {
		digest_text(&hash, "node", config->nodes[n].name);
		for (size_t i = 0; i < config_option_count; i++) {
			const struct option *option = &config_options[i];

			if (strcmp(option->section, CONFIG_NODE_SECTION) == 0)
				digest_option(&hash, option, &config->nodes[n]);
		}
	}
	crypto_hash_sha256_final(&hash, config->nodes_digest);
}

/* A file's whole text, NUL-terminated, the caller's to free; NULL: told. */
static char *read_text(struct config_scan *scan, int file, int fd)
{
	char *text = malloc(FILE_BYTES_MAX + 1);
	size_t used = 0;
	ssize_t got = 0;

	if (text == NULL) {
		config_scan_fault(scan, file, 0, "", "out of memory");
		return NULL;
	}
	/* pread: the descriptor, and so its offset, may be shared. */
	while (used <= FILE_BYTES_MAX &&
	       (got = pread(fd, text + used, FILE_BYTES_MAX + 1 - used,
			    (off_t)used)) > 0)
		used += (size_t)got;
	if (got < 0)
		config_scan_fault(scan, file, 0, "", "%s", strerror(errno));
	else if (used > FILE_BYTES_MAX)
		config_scan_fault(scan, file, 0, "", "larger than 1 MiB");
	else if (memchr(text, '\0', used) != NULL)
		config_scan_fault(scan, file, 0, "", "not a text file");
	else {
		text[used] = '\0';
		return text;
	}
	free(text);
	return NULL;
}

/* All the files of one configuration, and what was read of them. */
struct load {
	struct config_scan scan;
	char *texts[CONFIG_FILES_MAX];
	bool unreadable;
};

static void load_fd(struct load *load, int fd, const char *path)
{
	int file = config_scan_add_file(&load->scan, path);

	if (file < 0)
		return;
	load->texts[file] = read_text(&load->scan, file, fd);
	if (load->texts[file] == NULL)
		load->unreadable = true;
	else
		config_scan_text(&load->scan, file, load->texts[file]);
}

static void load_path(struct load *load, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	int file;

	if (fd >= 0) {
		load_fd(load, fd, path);
		close(fd);
		return;
	}
	file = config_scan_add_file(&load->scan, path);
	if (file >= 0)
		config_scan_fault(&load->scan, file, 0, "", "%s",
				  strerror(errno));
	load->unreadable = true;
}

static int is_conf(const struct dirent *entry)
{
	size_t length = strlen(entry->d_name);

	return entry->d_name[0] != '.' && length > 5 &&
	       strcmp(entry->d_name + length - 5, ".conf") == 0;
}

/* *.conf of conf.d beside the main file, in the order of their names. */
static void load_conf_d(struct load *load, const char *path)
{
	char dir[CONFIG_PATH_MAX + 8];
	char file[2 * CONFIG_PATH_MAX + 16];
	const char *slash = strrchr(path, '/');
	struct dirent **names = NULL;
	int count;

	snprintf(dir, sizeof(dir), "%.*sconf.d",
		 slash != NULL ? (int)(slash - path) + 1 : 0, path);
	count = scandir(dir, &names, is_conf, alphasort);
	for (int i = 0; i < count; i++) {
		snprintf(file, sizeof(file), "%s/%s", dir, names[i]->d_name);
		load_path(load, file);
		free(names[i]);
	}
	free(names);
}

/* Pass 2 over all files. */
static enum rfs_err parse_files(struct load *load, struct config *config)
{
	struct config_scan *scan = &load->scan;
	enum rfs_err err = RFS_ERR_OK;

	config->node_count = (uint32_t)scan->node_count;
	for (int i = 0; i < scan->node_count; i++)
		snprintf(config->nodes[i].name, CONFIG_NAME_MAX, "%s",
			 scan->nodes[i].name);
	for (int i = 0; i < scan->file_count && err == RFS_ERR_OK; i++)
		err = parse_file(scan, i, load->texts[i], config);
	return err;
}

/* Passes 2 and 3; *config is the caller's scratch. */
static enum rfs_err evaluate(struct load *load, struct config *config)
{
	struct config_scan *scan = &load->scan;
	enum rfs_err err;

	set_defaults(config);
	err = parse_files(load, config);
	if (err != RFS_ERR_OK)
		return err;
	check_required(scan, false);
	if (scan->bad)
		return RFS_ERR_INVALID;
	check_together(scan, config);
	if (scan->bad)
		return RFS_ERR_INVALID;
	qsort(config->nodes, config->node_count, sizeof(config->nodes[0]),
	      node_order);
	find_self(scan, config);
	if (scan->bad)
		return RFS_ERR_INVALID;
	make_digest(config);
	make_nodes_digest(config);
	return RFS_ERR_OK;
}

/* The same for a file of node sections alone. */
static enum rfs_err evaluate_nodes(struct load *load, struct config *config)
{
	struct config_scan *scan = &load->scan;
	enum rfs_err err;

	for (int i = 0; i < scan->mark_count; i++) {
		if (scan->marks[i].node < 0)
			config_scan_option_fault(scan, scan->marks[i].option,
						 -1, "only nodes belong here");
	}
	if (scan->bad)
		return RFS_ERR_INVALID;
	err = parse_files(load, config);
	if (err != RFS_ERR_OK)
		return err;
	check_required(scan, true);
	if (scan->bad)
		return RFS_ERR_INVALID;
	check_nodes(scan, config->nodes);
	if (scan->bad)
		return RFS_ERR_INVALID;
	qsort(config->nodes, config->node_count, sizeof(config->nodes[0]),
	      node_order);
	return RFS_ERR_OK;
}

/* load is freed; *config is written only on RFS_ERR_OK. */
static enum rfs_err finish(struct load *load,
			   enum rfs_err (*evaluation)(struct load *load,
						      struct config *config),
			   const char *path, struct config *config)
{
	struct config *fresh = calloc(1, sizeof(*fresh));
	enum rfs_err err = RFS_ERR_NOMEM;

	if (load->unreadable)
		err = RFS_ERR_IO;
	else if (load->scan.bad)
		err = RFS_ERR_INVALID;
	else if (fresh != NULL)
		err = evaluation(load, fresh);
	if (err == RFS_ERR_OK) {
		snprintf(fresh->path, sizeof(fresh->path), "%s", path);
		*config = *fresh;
	}
	for (int i = 0; i < load->scan.file_count; i++)
		free(load->texts[i]);
	free(fresh);
	free(load);
	return err;
}

static struct load *load_new(const struct config_errors *errors)
{
	struct load *load = calloc(1, sizeof(*load));

	if (load != NULL)
		config_scan_init(&load->scan, errors);
	return load;
}

enum rfs_err config_load(const char *path, const struct config_errors *errors,
			 struct config *config)
{
	struct load *load = load_new(errors);

	if (load == NULL)
		return RFS_ERR_NOMEM;
	if (strlen(path) >= CONFIG_PATH_MAX) {
		config_scan_add_file(&load->scan, path);
		config_scan_fault(&load->scan, 0, 0, "", "path too long");
		load->unreadable = true;
	} else {
		load_path(load, path);
		load_conf_d(load, path);
	}
	return finish(load, evaluate, path, config);
}

enum rfs_err config_load_fd(int fd, const char *path,
			    const struct config_errors *errors,
			    struct config *config)
{
	struct load *load = load_new(errors);

	if (load == NULL)
		return RFS_ERR_NOMEM;
	load_fd(load, fd, path);
	return finish(load, evaluate, path, config);
}

enum rfs_err config_load_members(const char *path,
				 const struct config_errors *errors,
				 struct config_members *members)
{
	struct load *load;
	struct config *config;
	enum rfs_err err = RFS_ERR_NOMEM;

	if (access(path, F_OK) != 0 && errno == ENOENT)
		return RFS_ERR_NOENT;
	load = load_new(errors);
	config = calloc(1, sizeof(*config));
	if (load != NULL && config != NULL) {
		load_path(load, path);
		err = finish(load, evaluate_nodes, path, config);
	} else {
		free(load);
	}
	if (err == RFS_ERR_OK) {
		members->count = config->node_count;
		memcpy(members->nodes, config->nodes, sizeof(members->nodes));
	}
	free(config);
	return err;
}

enum config_standing config_set_members(struct config *config,
					const struct config_members *members)
{
	const struct config_node self = *config_self(config);
	uint32_t count = members->count;
	bool among = false;

	memcpy(config->nodes, members->nodes, sizeof(config->nodes));
	for (uint32_t i = 0; i < count; i++)
		among |= members->nodes[i].id == self.id;
	if (!among && count == CONFIG_NODES_MAX)
		count--; /* one less to be heard of: it is out anyway */
	if (!among)
		config->nodes[count++] = self;
	config->node_count = count;
	qsort(config->nodes, count, sizeof(config->nodes[0]), node_order);
	for (uint32_t i = 0; i < count; i++) {
		if (config->nodes[i].id == self.id)
			config->self_index = i;
	}
	make_nodes_digest(config);
	return among ? CONFIG_STANDING_MEMBER : CONFIG_STANDING_REMOVED;
}

enum rfs_err config_overlay(struct config *config,
			    const struct config_errors *errors,
			    enum config_standing *standing)
{
	char path[CONFIG_PATH_MAX + sizeof(CONFIG_MEMBERS_FILE) + 1];
	struct config_members members;
	enum rfs_err err;

	snprintf(path, sizeof(path), "%s/" CONFIG_MEMBERS_FILE,
		 config->data_dir);
	err = config_load_members(path, errors, &members);
	if (err == RFS_ERR_NOENT)
		*standing = CONFIG_STANDING_NONE;
	else if (err == RFS_ERR_OK)
		*standing = config_set_members(config, &members);
	return err == RFS_ERR_NOENT ? RFS_ERR_OK : err;
}

const struct config_node *config_self(const struct config *config)
{
	CHECK(config->self_index < config->node_count);
	return &config->nodes[config->self_index];
}

const struct config_node *config_node(const struct config *config, uint32_t id)
{
	for (uint32_t i = 0; i < config->node_count; i++) {
		if (config->nodes[i].id == id)
			return &config->nodes[i];
	}
	return NULL;
}

static bool same_value(const struct option *option, const void *a,
		       const void *b)
{
	char x[OPTION_VALUE_MAX];
	char y[OPTION_VALUE_MAX];

	option_format(option, a, x);
	option_format(option, b, y);
	return strcmp(x, y) == 0;
}

const char *config_reload_blocker(const struct config *a,
				  const struct config *b)
{
	static char name[96];

	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];

		if (!(option->flags & (OPTION_FIXED | OPTION_AGREED)) ||
		    strcmp(option->section, CONFIG_NODE_SECTION) == 0 ||
		    same_value(option, a, b))
			continue;
		snprintf(name, sizeof(name), "%s%s%s", option->section,
			 option->section[0] != '\0' ? "." : "", option->name);
		return name;
	}
	return NULL;
}

/* base: a struct config, or with a title one struct config_node. */
static void print_section(const char *section, const char *title,
			  const void *base, FILE *out)
{
	char value[OPTION_VALUE_MAX];
	bool top = section[0] == '\0';

	if (!top)
		fprintf(out, "%s%s%s%s {\n", section,
			title != NULL ? " \"" : "", title != NULL ? title : "",
			title != NULL ? "\"" : "");
	for (size_t i = 0; i < config_option_count; i++) {
		const struct option *option = &config_options[i];

		if (strcmp(option->section, section) != 0)
			continue;
		option_format(option, base, value);
		fprintf(out, "%s%s = %s\n", top ? "" : "\t", option->name,
			value);
	}
	if (!top)
		fprintf(out, "}\n");
}

void config_print(const struct config *config, void *out_file)
{
	const char *last = NULL;

	for (size_t i = 0; i < config_option_count; i++) {
		const char *section = config_options[i].section;

		if (last != NULL && strcmp(section, last) == 0)
			continue;
		last = section;
		if (strcmp(section, CONFIG_NODE_SECTION) != 0) {
			print_section(section, NULL, config, out_file);
			continue;
		}
		config_print_members(config->nodes, config->node_count,
				     out_file);
	}
}

void config_print_members(const struct config_node *nodes, uint32_t count,
			  void *out_file)
{
	for (uint32_t n = 0; n < count; n++)
		print_section(CONFIG_NODE_SECTION, nodes[n].name, &nodes[n],
			      out_file);
}
