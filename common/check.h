/* CHECK(): an assertion that stays in every build.
 *
 * A failed CHECK is a bug of ours, never an input: it reports and aborts, and
 * the supervisor restarts the process. One fact per CHECK.
 */
#ifndef RAFTFS_COMMON_CHECK_H
#define RAFTFS_COMMON_CHECK_H

#define CHECK(fact)                                                            \
	((fact) ? (void)0 : check_failed(__FILE__, __LINE__, #fact))

/* Called before abort(), to leave a last line in the log. Process-wide; set
 * once by a shell's main. NULL (the default) stays silent. */
extern void (*check_report)(const char *file, int line, const char *fact);

void check_failed(const char *file, int line, const char *fact)
	__attribute__((noreturn));

#endif
