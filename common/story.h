/* The trace a core writes of what it decided; stories and logs read it.
 *
 * A core calls story() with a finished sentence; where it goes is the host's
 * business: the daemon's log at debug level, a story test's buffer, nowhere.
 */
#ifndef RAFTFS_COMMON_STORY_H
#define RAFTFS_COMMON_STORY_H

struct story {
	void (*line)(void *ctx, const char *text); /* NULL: nobody listens */
	void *ctx;
};

void story(const struct story *to, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#endif
