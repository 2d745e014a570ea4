/* Which handler serves which event, and in which process it runs. */
#ifndef RAFTFS_TESTS_SIM_EVENTS_H
#define RAFTFS_TESTS_SIM_EVENTS_H

struct world;
struct event;

/* Serve it, keep it for later (process paused) or drop it (process dead). */
void events_serve(struct world *world, struct event *event);

#endif
