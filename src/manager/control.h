/* Follows the control topic: every command is read, judged by age, done once, answered with a
 * command_result event, and its offset committed after the work. Loop thread. What a manager does
 * not do itself it lets pass. */
#pragma once

#include "livecore/messages.h"
#include "livecore/reader.h"
#include "manager/outbox.h"

struct lc_control;

/* What a command may do: the manager's own functions. Each fills *result with a JSON object of what
 * was done in numbers (left empty: {}) and, when it returns an error, err with what is wrong and
 * what to do. */
struct lc_control_actions {
	enum lc_err (*heartbeat)(void *owner, struct lc_buf *result, struct lc_error *err);
	enum lc_err (*reload)(void *owner, struct lc_buf *result, struct lc_error *err);
	/* Begins to publish bars; all of the followed symbols with codes NULL. When it returns
	 * LC_OK, lc_control_answer() is called once, later; until then no other command is read.
	 * command and codes are borrowed for the call. */
	enum lc_err (*bar_snapshot)(void *owner, const struct lc_control_command *command,
		const struct lc_text *codes, size_t count, struct lc_error *err);
	enum lc_err (*feeder)(void *owner, const char *name, bool start, struct lc_buf *result,
		struct lc_error *err);
};

struct lc_control_setup {
	struct lc_loop *loop;
	const struct lc_kafka_config *kafka;
	const char *topic, *group; /* copied */
	const struct lc_zone *naive_zone;
	int64_t max_age_ms;
	struct lc_outbox *outbox;
	const struct lc_control_actions *actions;
	void *owner;
};

/* All of setup is borrowed but where it says copied. */
enum lc_err lc_control_create(
	const struct lc_control_setup *setup, struct lc_control **out, struct lc_error *err);
void lc_control_set_max_age(struct lc_control *control, int64_t max_age_ms);
/* done is called once, later; the control is gone then. A command that was begun stays unanswered
 * and is not committed: it is done after the next start, unless it is too old by then. */
void lc_control_stop(struct lc_control *control, void (*done)(void *arg), void *arg);

/* One command, as the topic gave it: what the reader calls, and tests. */
void lc_control_handle(struct lc_control *control, const struct lc_reader_message *message);

/* The command that was begun is done: error NULL, or what went wrong; result is a JSON object. */
void lc_control_answer(struct lc_control *control, const char *result, const char *error);

struct lc_reader_stats lc_control_stats(const struct lc_control *control);
