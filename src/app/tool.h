/* What the tools share: a quiet process whose loop runs only while something is waited for, so that
 * a tool reads from top to bottom. Ctrl-C ends every wait. Loop thread; nothing here stays after
 * lc_tool_close(). */
#pragma once

#include "app/printable.h"
#include "app/process.h"
#include "livecore/messages.h"
#include "livecore/reader.h"
#include "livecore/sender.h"

struct lc_tool {
	struct lc_process process;
	const char *brokers; /* --brokers: short for --set kafka.brokers=… */
	char brokers_set[1024];
	struct lc_message_context context; /* for what the tool sends */
	struct lc_zone *naive_zone;
	char host[65];    /* this machine, as node_id */
	bool interrupted; /* Ctrl-C or SIGTERM */
	bool waiting;     /* the loop runs */
};

/* The options of a tool that talks to Kafka; to be listed in its table. */
#define LC_TOOL_OPTIONS(tool)                                       \
	{"brokers", LC_OPTION_TEXT, &(tool)->brokers, "HOST:PORT",  \
		"Kafka, instead of kafka.brokers of the settings"}, \
		LC_PROCESS_OPTIONS(&(tool)->process)

/* Settings, log (only what went wrong, unless log.level is set), loop and signals. Returns -1, or
 * the exit code after having said why. kafka: kafka.brokers must be set. Call lc_tool_close() in
 * any case. */
int lc_tool_open(struct lc_tool *tool, bool kafka);
void lc_tool_close(struct lc_tool *tool);
/* Makes a setting of --brokers; lc_tool_open() does it by itself. Returns -1, or the exit code. */
int lc_tool_take_brokers(struct lc_tool *tool);

/* Runs the loop until lc_tool_wake(), at most timeout_ms (negative: for ever). False when it was
 * interrupted or the time is over. */
bool lc_tool_wait(struct lc_tool *tool, int64_t timeout_ms);
void lc_tool_wake(struct lc_tool *tool);

/* Publishes and waits for Kafka's answer. What failed is said in err. */
struct lc_tool_place {
	int32_t partition;
	int64_t offset;
};
enum lc_err lc_tool_publish(struct lc_tool *tool, const struct lc_message *message,
	int64_t timeout_ms, struct lc_tool_place *out, struct lc_error *err);

/* Says on stderr what failed and, of an error of Kafka's, what to do. Returns the exit code. */
int lc_tool_failed(const struct lc_error *err);

/* Stops a reader and waits until it is gone. NULL: nothing to do. */
void lc_tool_stop_reader(struct lc_tool *tool, struct lc_reader *reader);

/* GETs a page of a livecore: path under url, or under http.address when url is NULL. body is
 * appended to. LC_OK: an HTTP answer came, whatever its status; else err says what to do. */
enum lc_err lc_tool_get(struct lc_tool *tool, const char *url, const char *path, int64_t timeout_ms,
	int *status, struct lc_buf *body, struct lc_error *err);

/* Why one check of /readyz failed: its reason, else what its market's session or its feeder's state
 * is; NULL: it does not say. */
const struct lc_value *lc_tool_reason(const struct lc_value *check);
