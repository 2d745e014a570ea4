/* Every command in one table. */
#include "client/cli/usage.h"

#include <string.h>

static const struct usage_command commands[] = {
	{"put", command_put, "[-r] LOCAL... PATH",
	 "copy files into the cluster; - is stdin"},
	{"get", command_get, "[-r] PATH... LOCAL",
	 "copy files out of the cluster; - is stdout"},
	{"cat", command_cat, "PATH...", "write files to stdout"},
	{"ls", command_ls, "[-al] [PATH...]", "list directories"},
	{"stat", command_stat, "PATH...", "show what a name is"},
	{"mkdir", command_mkdir, "[-p] [-m MODE] PATH...", "make directories"},
	{"rm", command_rm, "[-fr] PATH...", "remove names"},
	{"mv", command_mv, "[-n] PATH... PATH", "rename, atomically"},
	{"cp", command_cp, "[-r] PATH... PATH", "copy inside the cluster"},
	{"ln", command_ln, "[-s] TARGET PATH", "make a link"},
	{"df", command_df, "", "show space"},
	{"status", command_status, "[raft]",
	 "is it well, and if not, what to do next; timeouts and why"},
	{"clock", command_clock,
	 "[--json] [--watch]\n"
	 "	       [tracking|sources|sourcestats|selectdata]\n"
	 "	       wait [--bound TIME] [--timeout TIME]\n"
	 "	       history | plot [--svg FILE]",
	 "cluster time: quality, bound, peers, history"},
	{"members", command_members,
	 "[--json]\n"
	 "	       add NAME [--learner] DESCRIPTION\n"
	 "	       replace OLD NAME DESCRIPTION\n"
	 "	       remove NAME | promote NAME | update NAME DESCRIPTION\n"
	 "	       [--no-wait] [--timeout TIME]\n"
	 "	       DESCRIPTION: --config FILE, or [--id N] --address A\n"
	 "	       --raft-port P --storage-port P --time-port P --key KEY",
	 "who is in the cluster, how far each has come; change it"},
	{"leader", command_leader, "[transfer NODE]",
	 "name the leader, or hand leadership over"},
	{"log", command_log, "[--since TIME] [--until TIME] [--follow]",
	 "what was committed, when, by whom"},
	{"metrics", command_metrics, "",
	 "what the daemons of this host count, for Prometheus"},
	{"keygen", command_keygen, "FILE",
	 "make a node key; prints the line for raftfs.conf"},
	{"cluster", command_cluster,
	 "up [--nodes N] [--dir D] [--base-port P]\n"
	 "	       down|status [--dir D]\n"
	 "	       kill NODE [DAEMON] | pause|resume|restart NODE "
	 "[--dir D]\n"
	 "	       add [NODE] | remove NODE [--dir D]",
	 "a cluster on this machine, to try and to develop"},
	{"config", command_config, "check|show FILE",
	 "check a configuration; show it with all defaults"},
};

const struct usage_command *usage_find(const char *name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(commands[i].name, name) == 0)
			return &commands[i];
	return NULL;
}

void usage_print(const char *name, FILE *out)
{
	if (name != NULL && usage_find(name) != NULL) {
		fprintf(out, "usage: raftfs [options] %s %s\n", name,
			usage_find(name)->operands);
		return;
	}
	fprintf(out,
		"usage: raftfs [-s SOCKET | -d DIR | -c CONF] [-t SECONDS] "
		"[--json] COMMAND ...\n\n"
		"  -s SOCKET   a node's files.sock (or several, with commas)\n"
		"  -d DIR      a cluster made by \"raftfs cluster up\"\n"
		"  -c CONF     a configuration; " RAFTFS_CONF " by default\n"
		"  -t SECONDS  time limit of each request (30)\n"
		"  --json      for status clock members leader log stat ls df\n\n");
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		fprintf(out, "  %-8s %s\n", commands[i].name,
			commands[i].purpose);
	fprintf(out, "\nexit: 0 done, healthy; 1 failed, degraded; 2 usage; "
		     "3 no quorum; 4 cannot connect\n");
}
