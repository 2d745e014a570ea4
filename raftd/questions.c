/* Questions under way to the leader. */
#include "raftd/questions.h"

#include "common/os/clock.h"

static void answer(struct question *question,
		   const DistributedFs__ControlReply *reply)
{
	question->id = 0;
	control_question_answer(question->held, reply);
}

static void fail(struct question *question, enum rfs_err err,
		 const char *reason)
{
	DistributedFs__ControlReply reply = DISTRIBUTED_FS__CONTROL_REPLY__INIT;

	reply.err = err;
	reply.reason = (char *)reason;
	answer(question, &reply);
}

enum rfs_err questions_pass_on(struct questions *questions,
			       struct control_server *server,
			       struct peers *peers, uint32_t leader,
			       const DistributedFs__ControlRequest *request,
			       const char **reason)
{
	DistributedFs__PeerControl control = DISTRIBUTED_FS__PEER_CONTROL__INIT;
	struct question *question = questions->waiting;

	while (question < questions->waiting + QUESTIONS_MAX &&
	       question->id != 0)
		question++;
	*reason = "too many questions wait for the leader";
	if (question == questions->waiting + QUESTIONS_MAX)
		return RFS_ERR_FULL;
	*reason = "no leader is known";
	if (leader == RAFT_NOBODY)
		return RFS_ERR_NO_QUORUM;
	control.id = ++questions->last_id;
	control.request = (DistributedFs__ControlRequest *)request;
	*reason = "the leader is not connected";
	if (peers_send_frame(peers, leader, FRAME_PEER_CONTROL,
			     &control.base) != RFS_ERR_OK)
		return RFS_ERR_NO_QUORUM;
	question->held = control_server_hold(server);
	*reason = "";
	if (question->held == NULL)
		return RFS_ERR_NOMEM;
	question->id = control.id;
	question->node = leader;
	question->until_raw_ns = clock_raw_ns() + QUESTIONS_LIMIT_NS;
	return RFS_ERR_OK;
}

void questions_done(struct questions *questions, uint32_t node,
		    const DistributedFs__PeerControlDone *done)
{
	for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *question = &questions->waiting[i];

		if (question->id != 0 && question->id == done->id &&
		    question->node == node)
			answer(question, done->reply);
	}
}

void questions_lost(struct questions *questions, uint32_t node)
{
	for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *question = &questions->waiting[i];

		if (question->id != 0 && question->node == node)
			fail(question, RFS_ERR_UNKNOWN,
			     "the link to the leader broke before it answered");
	}
}

void questions_expire(struct questions *questions, int64_t now_raw_ns)
{
	for (uint32_t i = 0; i < QUESTIONS_MAX; i++) {
		struct question *question = &questions->waiting[i];

		if (question->id != 0 && now_raw_ns >= question->until_raw_ns)
			fail(question, RFS_ERR_UNKNOWN,
			     "the leader did not answer in time");
	}
}
