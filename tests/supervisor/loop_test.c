/* The real supervisor over real processes: stand-ins for the three daemons.
 *
 * This program is all of them: called as raftfs-timesyncd, raftfs-raftd or
 * raftfs-storaged it is a stand-in that does what a daemon owes its supervisor
 * and writes every event as a line to <dir>/log; <dir>/NAME.mode makes it
 * misbehave. Called as itself it runs the tests, each with a fresh directory
 * that holds a copy of the supervisor beside the stand-ins. No test asserts on
 * time; waiting ends after WAIT_MS with a failure.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "common/os/clock.h"
#include "common/os/config.h"
#include "common/os/keys.h"
#include "common/os/process.h"
#include "proto/conn.h"
#include "proto/control.pb-c.h"
#include "proto/death.h"
#include "proto/handout.h"
#include "shm/clockpage.h"
#include "shm/conspage.h"
#include "shm/page.h"

#define WAIT_MS	 15000
#define DIR_VAR	 "RAFTFS_TEST_DIR"
#define TERM_LED 7

/* ---- the stand-in ---- */

static const char *own_name; /* "raftd" */

static void put_line(const char *format, ...)
	__attribute__((format(printf, 1, 2)));

static void put_line(const char *format, ...)
{
	char path[256];
	char line[256];
	va_list args;
	int used = snprintf(line, sizeof(line), "%s ", own_name);
	int fd;

	va_start(args, format);
	used += vsnprintf(line + used, sizeof(line) - (size_t)used, format,
			  args);
	va_end(args);
	line[used++] = '\n';
	snprintf(path, sizeof(path), "%s/log", getenv(DIR_VAR));
	fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, line, (size_t)used) != used)
		_exit(99);
	close(fd);
}

static bool mode_is(const char *mode)
{
	char path[256];
	char text[32] = "";
	int fd;

	snprintf(path, sizeof(path), "%s/%s.mode", getenv(DIR_VAR), own_name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	if (read(fd, text, sizeof(text) - 1) < 0)
		_exit(99);
	close(fd);
	return strcmp(text, mode) == 0;
}

static int count_descriptors(void)
{
	int count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static void write_page(const struct handout *handout, int fd)
{
	bool cons = handout->kind == HANDOUT_CONS_WRITER;
	const struct cons_sample sample = {
		.term = TERM_LED,
		.role = CONSPAGE_LEADER,
		.lease_valid = true,
		.incarnation = (uint64_t)getpid(),
	};
	void *map;

	if (page_map_writer(fd, cons ? CONSPAGE_MAGIC : CLOCKPAGE_MAGIC,
			    cons ? CONSPAGE_VERSION : CLOCKPAGE_VERSION,
			    &map) != RFS_ERR_OK ||
	    page_seal(fd) != RFS_ERR_OK)
		put_line("fault: cannot take its page");
	else if (cons)
		conspage_write(map, &sample);
}

static void read_page(const struct handout *handout, int fd)
{
	static const struct conspage *cons;
	bool is_cons = handout->kind == HANDOUT_CONS_READER;
	const void *map;

	if (mmap(NULL, PAGE_BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0) !=
	    MAP_FAILED)
		put_line("fault: a reader may write");
	if (page_map_reader(fd, is_cons ? CONSPAGE_MAGIC : CLOCKPAGE_MAGIC,
			    is_cons ? CONSPAGE_VERSION : CLOCKPAGE_VERSION,
			    &map) != RFS_ERR_OK) {
		put_line("fault: cannot map a page");
		return;
	}
	if (!is_cons)
		return;
	if (cons != NULL)
		put_line("the page before is revoked=%u",
			 atomic_load(&cons->head.revoked));
	cons = map;
}

static void read_config(int fd)
{
	static struct config config;

	if (config_load_fd(fd, "handed", NULL, &config) != RFS_ERR_OK)
		put_line("fault: cannot read its configuration");
	else
		put_line("is of node %s of %u", config.self,
			 config.node_count);
	if (write(fd, "x", 1) >= 0)
		put_line("fault: may change its configuration");
}

/* False: the supervisor is gone. */
static bool take_handout(void)
{
	struct handout handout;
	int fd;
	enum rfs_err err = handout_receive(HANDOUT_FD, &handout, &fd);

	if (err == RFS_ERR_CLOSED)
		return false;
	if (err != RFS_ERR_OK) {
		put_line("fault: handout: %s", rfs_err_name(err));
		return true;
	}
	put_line("handout %u generation %" PRIu64, handout.kind,
		 handout.generation);
	if (handout.kind == HANDOUT_CONFIG)
		read_config(fd);
	else if (handout.kind == HANDOUT_CLOCK_WRITER ||
		 handout.kind == HANDOUT_CONS_WRITER)
		write_page(&handout, fd);
	else if (handout.kind == HANDOUT_CLOCK_READER ||
		 handout.kind == HANDOUT_CONS_READER)
		read_page(&handout, fd);
	else if (handout.kind == HANDOUT_START && !mode_is("silent"))
		process_notify("READY=1\nSTATUS=stands in");
	if (fd >= 0 && handout.kind != HANDOUT_LINK)
		close(fd);
	return true;
}

static void serve(int signal_fd)
{
	struct pollfd polls[2] = { { HANDOUT_FD, POLLIN, 0 },
				   { signal_fd, POLLIN, 0 } };

	for (;;) {
		if (poll(polls, 2, 50) < 0)
			_exit(99);
		if (polls[1].revents != 0 && !mode_is("deaf")) {
			put_line("was told to stop");
			return;
		}
		if (polls[0].revents != 0 && !take_handout()) {
			put_line("sees its supervisor gone");
			return;
		}
		if (mode_is("wrote members"))
			process_notify("WATCHDOG=1\nX_MEMBERS=17");
		else if (!mode_is("hung"))
			process_notify("WATCHDOG=1");
	}
}

static int stand_in(void)
{
	sigset_t set;
	int open_count = count_descriptors();

	put_line("starts pid %d", (int)getpid());
	put_line("at %" PRId64, clock_raw_ns());
	if (open_count != 4)
		put_line("fault: %d descriptors open", open_count);
	if (mode_is("crash"))
		return 3;
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	serve(signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK));
	return 0;
}

/* ---- the tests' world ---- */

struct world {
	char dir[64];
	char config[128];
	struct node_key keys[3];
	int peer_fd;   /* UDP, where node n2's raftd would listen */
	int notify_fd; /* as the init system */
	uint16_t peer_port;
	pid_t supervisor; /* 0: not running */
	int status;	  /* of the last one */
	char heard[8192]; /* all that the init system was told */
};

static char *read_file(const struct world *w, const char *name)
{
	static char text[1 << 18];
	char path[128];
	ssize_t got = 0;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0) {
		got = read(fd, text, sizeof(text) - 1);
		close(fd);
	}
	text[got > 0 ? got : 0] = '\0';
	return text;
}

static void write_file(const struct world *w, const char *name,
		       const char *text)
{
	char path[128];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", w->dir, name);
	file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	assert_int_equal(fclose(file), 0);
}

/* The section of node `i` + 1, of n2 where the death notices are read. */
static int node_text(const struct world *w, int i, char *text, size_t size)
{
	char key[KEY_TEXT_BYTES];

	keys_public_text(w->keys[i].public_key, key);
	return snprintf(text, size,
			"node n%d {\n id = %d\n address = 127.0.0.1\n"
			" raft_port = %d\n storage_port = %d\n"
			" time_port = %d\n key = \"%s\"\n}\n",
			i + 1, i + 1, i == 1 ? w->peer_port : 100 + i, 200 + i,
			300 + i, key);
}

static void write_config(const struct world *w, const char *more)
{
	char text[4096];
	int used;

	used = snprintf(text, sizeof(text),
			"self = n1\ncluster { id = test }\n"
			"data_dir = \"%s/data\"\nrun_dir = \"%s/run\"\n"
			"key_file = \"%s/node.key\"\n%s\n",
			w->dir, w->dir, w->dir, more);
	for (int i = 0; i < 3; i++)
		used += node_text(w, i, text + used,
				  sizeof(text) - (size_t)used);
	write_file(w, "raftfs.conf", text);
}

/* What raftd writes: nodes first + 1 to last + 1. */
static void write_members(const struct world *w, int first, int last)
{
	char text[4096];
	int used = 0;

	for (int i = first; i <= last; i++)
		used += node_text(w, i, text + used,
				  sizeof(text) - (size_t)used);
	write_file(w, "data/members.conf", text);
}

/* Cgroups off: tests of one host must not meet in them, but for the one test
 * that is about them. */
#define PLAIN "supervisor { cgroups = no bpf = no stop_timeout = 500ms }\n"

static void start_with(struct world *w, const char *option)
{
	char path[128];
	char stderr_path[128];

	snprintf(path, sizeof(path), "%s/raftfs-supervisor", w->dir);
	snprintf(stderr_path, sizeof(stderr_path), "%s/stderr", w->dir);
	w->supervisor = fork();
	assert_true(w->supervisor >= 0);
	if (w->supervisor == 0) {
		int fd = open(stderr_path, O_WRONLY | O_CREAT | O_APPEND, 0600);

		if (fd < 0 || dup2(fd, 2) < 0)
			_exit(98);
		close(fd);
		execl(path, path, "-c", w->config, option, (char *)NULL);
		_exit(98);
	}
}

static void start(struct world *w)
{
	start_with(w, NULL);
}

static int waited_ms;

static void nap(void)
{
	usleep(5000);
	waited_ms += 5;
}

static void wait_line_count(const struct world *w, const char *file,
			    const char *text, int count)
{
	int found = 0;

	for (waited_ms = 0; waited_ms < WAIT_MS; nap()) {
		const char *at = read_file(w, file);

		found = 0;
		while ((at = strstr(at, text)) != NULL) {
			found++;
			at += strlen(text);
		}
		if (found >= count)
			return;
	}
	fail_msg("waited in vain for %d x \"%s\" in %s:\n%s\nstderr:\n%.4000s",
		 count, text, file, read_file(w, file), read_file(w, "stderr"));
}

static void wait_line(const struct world *w, const char *text)
{
	wait_line_count(w, "log", text, 1);
}

static void hear(struct world *w)
{
	size_t used = strlen(w->heard);
	ssize_t got = recv(w->notify_fd, w->heard + used,
			   sizeof(w->heard) - used - 2, MSG_DONTWAIT);

	if (got > 0)
		memcpy(w->heard + used + got, "\n", 2);
}

static void wait_heard(struct world *w, const char *text)
{
	for (waited_ms = 0; waited_ms < WAIT_MS; nap()) {
		for (int i = 0; i < 20; i++)
			hear(w);
		if (strstr(w->heard, text) != NULL)
			return;
	}
	fail_msg("the init system never heard \"%s\" but:\n%s\nstderr:\n%s",
		 text, w->heard, read_file(w, "stderr"));
}

/* The pid of the latest start of a child, or of its nth (from 1). */
static pid_t child_pid(const struct world *w, const char *name, int nth)
{
	char text[64];
	const char *at;
	pid_t pid = 0;

	snprintf(text, sizeof(text), "%s starts pid ", name);
	wait_line_count(w, "log", text, nth > 0 ? nth : 1);
	at = read_file(w, "log");
	for (int i = 0; (nth == 0 || i < nth) && at != NULL; i++) {
		at = strstr(at, text);
		if (at == NULL)
			break;
		at += strlen(text);
		pid = atoi(at);
	}
	return pid;
}

static void wait_supervisor(struct world *w)
{
	for (waited_ms = 0; waited_ms < WAIT_MS; nap()) {
		if (waitpid(w->supervisor, &w->status, WNOHANG) ==
		    w->supervisor) {
			w->supervisor = 0;
			return;
		}
	}
	fail_msg("the supervisor does not exit:\n%s", read_file(w, "stderr"));
}

static void stop(struct world *w)
{
	kill(w->supervisor, SIGTERM);
	wait_supervisor(w);
}

static void no_faults(const struct world *w)
{
	const char *fault = strstr(read_file(w, "log"), "fault:");

	if (fault != NULL)
		fail_msg("a stand-in found: %.100s", fault);
}

static void open_sockets(struct world *w)
{
	struct sockaddr_in in = { .sin_family = AF_INET };
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	socklen_t bytes = sizeof(in);

	in.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	w->peer_fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->peer_fd, (void *)&in, sizeof(in)), 0);
	assert_int_equal(getsockname(w->peer_fd, (void *)&in, &bytes), 0);
	w->peer_port = ntohs(in.sin_port);
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/init", w->dir);
	w->notify_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(w->notify_fd, (void *)&un, sizeof(un)), 0);
	setenv("NOTIFY_SOCKET", un.sun_path, 1);
}

static void link_program(const struct world *w, const char *name)
{
	char from[512];
	char to[128];
	ssize_t length = readlink("/proc/self/exe", from, sizeof(from) - 1);

	assert_true(length > 0);
	from[length] = '\0';
	snprintf(to, sizeof(to), "%s/%s", w->dir, name);
	assert_int_equal(symlink(from, to), 0);
}

/* A copy: the supervisor looks beside its real self for its children. */
static void copy_supervisor(const struct world *w)
{
	char self[512];
	char command[1200];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);

	assert_true(length > 0);
	self[length] = '\0';
	*strrchr(self, '/') = '\0';
	snprintf(command, sizeof(command), "cp '%s/../../raftfs-supervisor' %s",
		 self, w->dir);
	assert_int_equal(system(command), 0);
}

static int set_up(void **state)
{
	struct world *w = calloc(1, sizeof(*w));
	char key_path[128];

	assert_non_null(w);
	strcpy(w->dir, "/tmp/raftfs-sup-XXXXXX");
	assert_non_null(mkdtemp(w->dir));
	setenv(DIR_VAR, w->dir, 1);
	snprintf(w->config, sizeof(w->config), "%s/raftfs.conf", w->dir);
	snprintf(key_path, sizeof(key_path), "%s/node.key", w->dir);
	for (int i = 0; i < 3; i++)
		assert_int_equal(keys_generate(&w->keys[i]), RFS_ERR_OK);
	assert_int_equal(keys_save(key_path, &w->keys[0]), RFS_ERR_OK);
	open_sockets(w);
	write_config(w, PLAIN);
	copy_supervisor(w);
	link_program(w, "raftfs-timesyncd");
	link_program(w, "raftfs-raftd");
	link_program(w, "raftfs-storaged");
	*state = w;
	return 0;
}

static int tear_down(void **state)
{
	struct world *w = *state;
	char command[128];

	if (w->supervisor > 0) {
		kill(w->supervisor, SIGKILL); /* its children follow */
		waitpid(w->supervisor, NULL, 0);
	}
	close(w->peer_fd);
	close(w->notify_fd);
	snprintf(command, sizeof(command), "rm -rf %s", w->dir);
	if (system(command) != 0)
		return -1;
	free(w);
	return 0;
}

/* ---- what is promised ---- */

static void children_start_in_order_and_the_node_becomes_ready(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	assert_true(child_pid(w, "timesyncd", 1) < child_pid(w, "raftd", 1));
	assert_true(child_pid(w, "raftd", 1) < child_pid(w, "storaged", 1));
	wait_heard(w, "STATUS=timesyncd ready, raftd ready, storaged ready");
	stop(w);
	assert_int_equal(w->status, 0);
	no_faults(w);
}

/* Where text first stands in the log; fails when nowhere. */
static long at(const struct world *w, const char *text)
{
	const char *log = read_file(w, "log");
	const char *found = strstr(log, text);

	if (found == NULL)
		fail_msg("no \"%s\" in:\n%s", text, log);
	return found - log;
}

static void each_child_is_handed_what_it_needs(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	/* configuration first, start last */
	assert_true(at(w, "raftd handout 1 generation 1") <
		    at(w, "raftd handout 4 generation 1"));
	assert_true(at(w, "raftd handout 3 generation 1") <
		    at(w, "raftd handout 7 "));
	assert_true(at(w, "raftd handout 4 generation 1") <
		    at(w, "raftd handout 7 "));
	assert_true(at(w, "timesyncd handout 2 generation 1") <
		    at(w, "timesyncd handout 7 "));
	wait_line(w, "timesyncd handout 5 generation 1");
	assert_true(at(w, "storaged handout 3 generation 1") <
		    at(w, "storaged handout 7 "));
	assert_true(at(w, "storaged handout 5 generation 1") <
		    at(w, "storaged handout 7 "));
	assert_true(at(w, "storaged handout 6 generation 1") <
		    at(w, "storaged handout 7 "));
	wait_line(w, "raftd handout 6 generation 1");
	at(w, "storaged is of node n1");
	stop(w);
	no_faults(w);
}

static void a_killed_child_comes_back_with_new_pages(void **state)
{
	struct world *w = *state;
	pid_t before;

	start(w);
	wait_heard(w, "READY=1");
	before = child_pid(w, "timesyncd", 1);
	assert_int_equal(kill(before, SIGKILL), 0);
	assert_true(child_pid(w, "timesyncd", 2) != before);
	wait_line(w, "timesyncd handout 2 generation 2");
	wait_line(w, "raftd handout 3 generation 2");
	wait_line(w, "storaged handout 3 generation 2");
	stop(w);
	no_faults(w);
	/* nobody else was disturbed */
	assert_null(strstr(read_file(w, "log"), "storaged handout 6 "
						"generation 2"));
}

static void raftds_death_revokes_its_page_and_tells_the_peers(void **state)
{
	struct world *w = *state;
	uint8_t image[256];
	struct death death;
	pid_t raftd;
	ssize_t got;

	start(w);
	wait_heard(w, "READY=1");
	raftd = child_pid(w, "raftd", 1);
	assert_int_equal(kill(raftd, SIGKILL), 0);
	assert_int_equal(
		poll(&(struct pollfd){ w->peer_fd, POLLIN, 0 }, 1, WAIT_MS), 1);
	got = recv(w->peer_fd, image, sizeof(image), 0);
	assert_int_equal(
		death_decode(image, (size_t)got, w->keys[0].public_key, &death),
		RFS_ERR_OK);
	assert_int_equal(death.node, 1);
	assert_int_equal(death.incarnation, raftd);
	assert_int_equal(death.term_led, TERM_LED);
	wait_line(w, "storaged the page before is revoked=1");
	wait_line(w, "timesyncd the page before is revoked=1");
	wait_line(w, "storaged handout 6 generation 2");
	wait_line(w, "raftd handout 6 generation 2");
	stop(w);
	no_faults(w);
}

static void what_dies_too_often_is_held_until_asked_for(void **state)
{
	struct world *w = *state;
	pid_t timesyncd;

	write_config(w, "supervisor { cgroups = no bpf = no restarts = 3 }");
	write_file(w, "raftd.mode", "crash");
	start(w);
	wait_heard(w, "raftd held, storaged ready");
	timesyncd = child_pid(w, "timesyncd", 0);
	/* the first start and three restarts */
	child_pid(w, "raftd", 4);
	wait_line_count(w, "stderr", "degraded: timesyncd ready, raftd held",
			1);
	assert_null(strstr(w->heard, "READY=1"));
	write_file(w, "raftd.mode", "");
	kill(w->supervisor, SIGHUP);
	wait_heard(w, "READY=1");
	assert_int_equal(child_pid(w, "timesyncd", 0), timesyncd);
	stop(w);
	no_faults(w);
}

static void reload_hands_out_a_good_configuration(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	write_config(w, PLAIN "log { level = info }");
	kill(w->supervisor, SIGHUP);
	wait_line(w, "timesyncd handout 1 generation 2");
	wait_line(w, "raftd handout 1 generation 2");
	wait_line(w, "storaged handout 1 generation 2");
	wait_line_count(w, "stderr", "configuration reloaded", 1);
	stop(w);
	no_faults(w);
}

static void reload_refuses_a_bad_configuration_whole(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	write_config(w, PLAIN "log { level = infoo }\n raft { lease = 9s");
	kill(w->supervisor, SIGHUP);
	wait_line_count(w, "stderr", "reload refused", 1);
	wait_line_count(w, "stderr", "raft: a section inside a section", 1);
	write_config(w, PLAIN "raft { segment = 9MiB }");
	kill(w->supervisor, SIGHUP);
	wait_line_count(w, "stderr", "reload refused", 2);
	wait_line_count(w, "stderr",
			"raft.segment: cannot change without a restart", 1);
	stop(w);
	assert_null(strstr(read_file(w, "log"), "handout 1 generation 2"));
	no_faults(w);
}

static void members_that_raftd_wrote_are_handed_to_all(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	wait_line(w, "timesyncd is of node n1 of 3");
	write_members(w, 0, 1);
	write_file(w, "raftd.mode", "wrote members");
	wait_line(w, "timesyncd is of node n1 of 2");
	wait_line(w, "raftd is of node n1 of 2");
	wait_line(w, "storaged is of node n1 of 2");
	wait_line(w, "storaged handout 1 generation 2");
	stop(w);

	/* They rule from the start on, and a reload does not bring the old
	 * ones back. */
	start(w);
	wait_line_count(w, "log", "storaged is of node n1 of 2", 2);
	write_config(w, PLAIN "log { level = info }");
	kill(w->supervisor, SIGHUP);
	wait_line_count(w, "log", "storaged is of node n1 of 2", 3);
	stop(w);
	assert_null(strstr(read_file(w, "log"), "generation 3"));
	no_faults(w);
}

static void who_is_no_member_is_told_so_and_goes_on(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	write_members(w, 1, 2);
	write_file(w, "raftd.mode", "wrote members");
	wait_line_count(w, "stderr", "this node was removed from the cluster",
			1);
	wait_line(w, "storaged is of node n1 of 3");
	stop(w);
	no_faults(w);
}

static void a_reload_does_not_change_whom_a_cluster_starts_with(void **state)
{
	struct world *w = *state;
	char text[4096];
	int used;

	start(w);
	wait_heard(w, "READY=1");
	used = snprintf(text, sizeof(text), "%s", read_file(w, "raftfs.conf"));
	*strstr(text, "node n3") = '\0';
	assert_true(used > 0);
	write_file(w, "raftfs.conf", text);
	kill(w->supervisor, SIGHUP);
	wait_line_count(w, "stderr", "reload refused", 1);
	wait_line_count(w, "stderr", "come and go by \"raftfs members\" alone",
			1);
	stop(w);
	no_faults(w);
}

static void children_stop_in_order_when_told(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	stop(w);
	assert_int_equal(w->status, 0);
	wait_heard(w, "STOPPING=1");
	assert_true(at(w, "storaged was told to stop") <
		    at(w, "raftd was told to stop"));
	assert_true(at(w, "raftd was told to stop") <
		    at(w, "timesyncd was told to stop"));
	no_faults(w);
}

static void a_child_deaf_to_term_is_killed(void **state)
{
	struct world *w = *state;

	write_file(w, "raftd.mode", "deaf");
	start(w);
	wait_heard(w, "READY=1");
	stop(w);
	assert_int_equal(w->status, 0);
	wait_line_count(w, "stderr", "raftd: does not stop; killing it", 1);
	at(w, "timesyncd was told to stop");
}

static void a_child_without_heartbeat_is_replaced(void **state)
{
	struct world *w = *state;

	write_config(w, "supervisor { cgroups = no bpf = no watchdog = 3s }");
	start(w);
	wait_heard(w, "READY=1");
	write_file(w, "storaged.mode", "hung");
	child_pid(w, "storaged", 2);
	wait_line_count(w, "stderr", "storaged: no heartbeat; aborting it", 1);
	wait_line_count(w, "stderr", "storaged died: signal 6", 1);
	stop(w);
	no_faults(w);
}

static void gone(const struct world *w, const char *name)
{
	pid_t pid = child_pid(w, name, 0);

	for (waited_ms = 0; waited_ms < WAIT_MS; nap()) {
		if (kill(pid, 0) != 0 && errno == ESRCH)
			return;
	}
	fail_msg("%s (pid %d) outlives its supervisor", name, (int)pid);
}

static void no_child_outlives_a_killed_supervisor(void **state)
{
	struct world *w = *state;

	start(w);
	wait_heard(w, "READY=1");
	kill(w->supervisor, SIGKILL);
	wait_supervisor(w);
	gone(w, "timesyncd");
	gone(w, "raftd");
	gone(w, "storaged");
	/* and the next one is not in the way of anything left behind */
	w->heard[0] = '\0';
	start(w);
	wait_heard(w, "READY=1");
	stop(w);
	no_faults(w);
}

static void a_second_supervisor_is_refused(void **state)
{
	struct world *w = *state;
	char expected[64];
	pid_t first;

	start(w);
	wait_heard(w, "READY=1");
	first = w->supervisor;
	start(w);
	wait_supervisor(w);
	assert_int_equal(WEXITSTATUS(w->status), 1);
	snprintf(expected, sizeof(expected),
		 "another supervisor (pid %d) holds", (int)first);
	wait_line_count(w, "stderr", expected, 1);
	w->supervisor = first;
	stop(w);
	no_faults(w);
}

static void a_stranger_cannot_speak_for_a_child(void **state)
{
	struct world *w = *state;
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	write_config(w, PLAIN "log { level = debug }");
	write_file(w, "raftd.mode", "silent");
	start(w);
	wait_heard(w, "timesyncd ready, raftd starting, storaged ready");
	snprintf(un.sun_path, sizeof(un.sun_path), "%s/run/notify.sock",
		 w->dir);
	assert_int_equal(sendto(fd, "READY=1", 7, 0, (void *)&un, sizeof(un)),
			 7);
	close(fd);
	wait_line_count(w, "stderr", "notify: dropped one from pid", 1);
	stop(w);
	assert_null(strstr(w->heard, "READY=1"));
	no_faults(w);
}

static void a_key_of_another_node_is_refused(void **state)
{
	struct world *w = *state;
	struct node_key key = w->keys[0];

	w->keys[0] = w->keys[1];
	assert_int_equal(keys_generate(&w->keys[1]), RFS_ERR_OK);
	write_config(w, PLAIN);
	w->keys[0] = key;
	start(w);
	wait_supervisor(w);
	assert_int_equal(WEXITSTATUS(w->status), 1);
	wait_line_count(w, "stderr", "not the key that", 1);
}

static void checking_prints_ok_or_the_fault(void **state)
{
	struct world *w = *state;

	start_with(w, "-t");
	wait_supervisor(w);
	assert_int_equal(w->status, 0);
	write_config(w, "raft { leese = 1s }");
	start_with(w, "-t");
	wait_supervisor(w);
	assert_int_equal(WEXITSTATUS(w->status), 1);
	wait_line_count(w, "stderr",
			"raftfs.conf:6: raft: unknown option "
			"\"leese\"; is it \"lease\"?",
			1);
}

static void in_the_background_it_goes_on(void **state)
{
	struct world *w = *state;
	char pid_text[32];
	pid_t pid;

	start_with(w, "-d");
	wait_supervisor(w);
	assert_int_equal(w->status, 0);
	wait_heard(w, "READY=1");
	snprintf(pid_text, sizeof(pid_text), "%s",
		 read_file(w, "run/supervisor.pid"));
	pid = atoi(pid_text);
	assert_true(pid > 1);
	assert_int_equal(getsid(pid), pid);
	assert_int_equal(kill(pid, SIGTERM), 0);
	wait_heard(w, "timesyncd down, raftd down, storaged down");
	no_faults(w);
}

/* One request, one reply, over the control socket; freed by the caller. */
static DistributedFs__ControlReply *ask(const struct world *w)
{
	static uint8_t buffer[65536];
	struct sockaddr_un un = { .sun_family = AF_UNIX };
	const struct frame_head head = { 0, FRAME_CONTROL_REQUEST,
					 FRAME_VERSION };
	struct frame_head got;
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	size_t used = 0;
	ssize_t bytes;

	snprintf(un.sun_path, sizeof(un.sun_path), "%s/run/supervisor.ctl",
		 w->dir);
	assert_int_equal(connect(fd, (void *)&un, sizeof(un)), 0);
	frame_head_encode(&head, buffer); /* status is all zeros: no body */
	assert_int_equal(write(fd, buffer, FRAME_HEAD_BYTES), FRAME_HEAD_BYTES);
	do {
		bytes = read(fd, buffer + used, sizeof(buffer) - used);
		assert_true(bytes > 0);
		used += (size_t)bytes;
	} while (used < FRAME_HEAD_BYTES ||
		 frame_head_decode(buffer, &got) != RFS_ERR_OK ||
		 used < FRAME_HEAD_BYTES + got.body_bytes);
	close(fd);
	assert_int_equal(got.type, FRAME_CONTROL_REPLY);
	return distributed_fs__control_reply__unpack(NULL, got.body_bytes,
						     buffer + FRAME_HEAD_BYTES);
}

static void status_tells_of_each_child(void **state)
{
	struct world *w = *state;
	DistributedFs__ControlReply *reply;

	start(w);
	wait_heard(w, "READY=1");
	kill(child_pid(w, "storaged", 1), SIGKILL);
	child_pid(w, "storaged", 2);
	wait_line_count(w, "log", "storaged handout 7 ", 2);
	reply = ask(w);
	assert_non_null(reply);
	assert_int_equal(reply->err, 0);
	assert_string_equal(reply->supervisor->node, "n1");
	assert_int_equal(reply->supervisor->pid, w->supervisor);
	assert_int_equal(reply->supervisor->n_children, 3);
	assert_string_equal(reply->supervisor->children[0]->state, "ready");
	assert_string_equal(reply->supervisor->children[0]->status,
			    "stands in");
	assert_int_equal(reply->supervisor->children[1]->pid,
			 child_pid(w, "raftd", 1));
	assert_int_equal(reply->supervisor->children[2]->pid,
			 child_pid(w, "storaged", 2));
	assert_int_equal(reply->supervisor->children[2]->restarts, 1);
	assert_string_equal(reply->supervisor->children[2]->last_exit,
			    "signal 9 (Killed)");
	assert_true(reply->supervisor->children[2]->uptime_ns > 0);
	assert_int_equal(reply->supervisor->clock_generation, 1);
	distributed_fs__control_reply__free_unpacked(reply, NULL);
	stop(w);
	no_faults(w);
}

/* Where cgroup2 is to be had, each child is born in a directory of its own;
 * where not, one line says so and the node is ready all the same. */
static void children_are_born_in_their_cgroups_or_a_line_says_why(void **state)
{
	struct world *w = *state;
	char path[64];
	char text[4096] = "";
	FILE *file;

	write_config(w, "supervisor { bpf = no }");
	start(w);
	wait_heard(w, "READY=1");
	snprintf(path, sizeof(path), "/proc/%d/cgroup",
		 (int)child_pid(w, "raftd", 1));
	file = fopen(path, "r");
	assert_non_null(file);
	assert_true(fread(text, 1, sizeof(text) - 1, file) > 0);
	fclose(file);
	if (strstr(read_file(w, "stderr"), "no cgroups (") == NULL) {
		const char *line = strstr(text, "/raftfs/n1");

		assert_non_null(line);
		assert_non_null(strstr(line, "/raftd\n"));
	}
	stop(w);
	no_faults(w);
}

int main(int argc, char **argv)
{
	const char *name = strrchr(argv[0], '/');
#define WORLD(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
	const struct CMUnitTest tests[] = {
		WORLD(children_start_in_order_and_the_node_becomes_ready),
		WORLD(each_child_is_handed_what_it_needs),
		WORLD(a_killed_child_comes_back_with_new_pages),
		WORLD(raftds_death_revokes_its_page_and_tells_the_peers),
		WORLD(what_dies_too_often_is_held_until_asked_for),
		WORLD(reload_hands_out_a_good_configuration),
		WORLD(reload_refuses_a_bad_configuration_whole),
		WORLD(members_that_raftd_wrote_are_handed_to_all),
		WORLD(who_is_no_member_is_told_so_and_goes_on),
		WORLD(a_reload_does_not_change_whom_a_cluster_starts_with),
		WORLD(children_stop_in_order_when_told),
		WORLD(a_child_deaf_to_term_is_killed),
		WORLD(a_child_without_heartbeat_is_replaced),
		WORLD(no_child_outlives_a_killed_supervisor),
		WORLD(a_second_supervisor_is_refused),
		WORLD(a_stranger_cannot_speak_for_a_child),
		WORLD(a_key_of_another_node_is_refused),
		WORLD(checking_prints_ok_or_the_fault),
		WORLD(in_the_background_it_goes_on),
		WORLD(status_tells_of_each_child),
		WORLD(children_are_born_in_their_cgroups_or_a_line_says_why),
	};

	(void)argc;
	name = name != NULL ? name + 1 : argv[0];
	keys_init();
	if (strncmp(name, "raftfs-", 7) == 0) {
		own_name = name + 7;
		return stand_in();
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
