#include "app/tool.h"

#include "livecore/http_client.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SLOW_MS 2000 /* a person who waits longer is told for what */

struct publishing {
	struct lc_tool *tool;
	struct lc_tool_place *place;
	struct lc_error err;
	bool answered;
};

struct waiting {
	struct lc_tool *tool;
	bool over;
};

struct fetch {
	struct lc_tool *tool;
	struct lc_buf *body;
	struct lc_error err;
	int status;
	bool answered;
};

static void on_signal(void *arg, int signo)
{
	struct lc_tool *tool = arg;
	(void)signo;
	if (tool->interrupted) {
		_Exit(130); /* asked twice: at once */
	}
	tool->interrupted = true;
	lc_tool_wake(tool);
}

static void on_wait_over(void *arg)
{
	struct waiting *waiting = arg;
	waiting->over = true;
	lc_tool_wake(waiting->tool);
}

static void on_published(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct publishing *publishing = arg;
	publishing->answered = true;
	publishing->err.code = LC_OK;
	if (err) {
		publishing->err = *err;
	}
	*publishing->place = (struct lc_tool_place){partition, offset};
	lc_tool_wake(publishing->tool);
}

static void on_fetched(void *arg, const struct lc_http_answer *answer)
{
	struct fetch *fetch = arg;
	fetch->answered = true;
	fetch->err = answer->err;
	fetch->status = answer->status;
	lc_buf_append(fetch->body, answer->body, answer->body_len);
	lc_tool_wake(fetch->tool);
}

/* --- opening --- */

/* A person at a prompt wants the answer, not how Kafka was reached; who sets log.level wants
 * both. */
static void quieten(struct lc_process *process)
{
	const struct lc_log_config *log = lc_config_section(process->config, "log");
	if (strcmp(log->level, "info") == 0) {
		lc_log_set_levels(process->log, "error", NULL);
	}
}

int lc_tool_take_brokers(struct lc_tool *tool)
{
	struct lc_texts *sets = &tool->process.sets;
	if (!tool->brokers) {
		return -1;
	}
	int len = snprintf(
		tool->brokers_set, sizeof tool->brokers_set, "kafka.brokers=%s", tool->brokers);
	if ((size_t)len >= sizeof tool->brokers_set || sets->count == LC_TEXTS_MAX) {
		fputs("livecore: --brokers is too long, or --set is given too often\n", stderr);
		return LC_EXIT_USAGE;
	}
	sets->items[sets->count++] = tool->brokers_set;
	return -1;
}

int lc_tool_open(struct lc_tool *tool, bool kafka)
{
	struct lc_process *process = &tool->process;
	int rc = lc_tool_take_brokers(tool);
	rc = rc >= 0 ? rc : lc_process_load(process);
	rc = process->lenient && process->config ? -1 : rc;
	rc = rc >= 0 || !kafka ? rc : lc_process_need_kafka(process);
	rc = rc >= 0 ? rc : lc_process_start(process);
	if (rc >= 0) {
		return rc;
	}
	quieten(process);
	const struct lc_time_config *time = lc_config_section(process->config, "time");
	struct lc_error err;
	if (lc_zone_load(time->naive_zone, &tool->naive_zone, &err) != LC_OK) {
		fprintf(stderr, "livecore: time.naive_zone: %s\n", err.text);
		return LC_EXIT_USAGE;
	}
	char host[sizeof tool->host] = "";
	bool named = gethostname(host, sizeof host - 1) == 0;
	snprintf(tool->host, sizeof tool->host, "%s", named ? host : "unknown");
	tool->context = (struct lc_message_context){
		.time_format = (enum lc_time_format)time->format,
		.naive_zone = tool->naive_zone,
		.node_id = tool->host,
		.stream = "tool"};
	if (lc_loop_on_signal(process->loop, SIGINT, on_signal, tool) != LC_OK ||
		lc_loop_on_signal(process->loop, SIGTERM, on_signal, tool) != LC_OK) {
		fputs("livecore: cannot start: out of memory or file descriptors\n", stderr);
		return LC_EXIT_FAILED;
	}
	return -1;
}

void lc_tool_close(struct lc_tool *tool)
{
	lc_zone_destroy(tool->naive_zone);
	lc_process_finish(&tool->process);
}

/* --- waiting --- */

bool lc_tool_wait(struct lc_tool *tool, int64_t timeout_ms)
{
	struct waiting waiting = {.tool = tool};
	struct lc_timer *timer = NULL;
	if (tool->interrupted || timeout_ms == 0) {
		return false;
	}
	if (timeout_ms > 0) {
		if (lc_timer_create(tool->process.loop, on_wait_over, &waiting, &timer) != LC_OK) {
			return false;
		}
		lc_timer_start(timer, timeout_ms, 0);
	}
	tool->waiting = true;
	lc_loop_run(tool->process.loop);
	tool->waiting = false;
	lc_timer_destroy(timer);
	return !waiting.over && !tool->interrupted;
}

void lc_tool_wake(struct lc_tool *tool)
{
	if (tool->waiting) {
		lc_loop_stop(tool->process.loop);
	}
}

/* What is being taken down must be waited for, whatever Ctrl-C says: its memory is in use until
 * then. */
static void wait_until_gone(struct waiting *waiting)
{
	while (!waiting->over) {
		waiting->tool->waiting = true;
		lc_loop_run(waiting->tool->process.loop);
		waiting->tool->waiting = false;
	}
}

void lc_tool_stop_reader(struct lc_tool *tool, struct lc_reader *reader)
{
	struct waiting waiting = {.tool = tool};
	if (reader) {
		lc_reader_stop(reader, on_wait_over, &waiting);
		wait_until_gone(&waiting);
	}
}

enum lc_err lc_tool_publish(struct lc_tool *tool, const struct lc_message *message,
	int64_t timeout_ms, struct lc_tool_place *out, struct lc_error *err)
{
	struct publishing publishing = {.tool = tool, .place = out};
	struct lc_publish *publish;
	enum lc_err rc = lc_publish_once(tool->process.loop, lc_process_kafka(&tool->process),
		message, timeout_ms, on_published, &publishing, &publish, err);
	if (rc != LC_OK) {
		return rc;
	}
	if (!lc_tool_wait(tool, SLOW_MS) && !tool->interrupted && isatty(STDERR_FILENO)) {
		fprintf(stderr, "waiting for Kafka at %s, up to %lld s\n",
			lc_process_kafka(&tool->process)->brokers, (long long)(timeout_ms / 1000));
	}
	while (!publishing.answered && !tool->interrupted) {
		lc_tool_wait(tool, -1);
	}
	if (!publishing.answered) {
		lc_publish_cancel(publish);
		return lc_error_set(err, LC_ERR_CANCELLED,
			"interrupted: it is not known whether Kafka has the message");
	}
	if (publishing.err.code != LC_OK) {
		return lc_error_set(err, publishing.err.code,
			"Kafka did not take the message for %.80s: %s", message->topic,
			publishing.err.text);
	}
	return LC_OK;
}

int lc_tool_failed(const struct lc_error *err)
{
	char text[512];
	fprintf(stderr, "livecore: %s\n",
		lc_kafka_explain(err->code, err->text, text, sizeof text));
	return LC_EXIT_FAILED;
}

/* --- HTTP --- */

/* http.address is where the server listens; "any address" is reached over loopback. */
static enum lc_err base_url(
	const struct lc_tool *tool, const char *url, char *out, size_t size, struct lc_error *err)
{
	const struct lc_http_config *http = lc_config_section(tool->process.config, "http");
	if (url) {
		size_t len = strlen(url);
		while (len > 0 && url[len - 1] == '/') {
			len--;
		}
		bool bare = strstr(url, "://") == NULL;
		snprintf(out, size, "%s%.*s", bare ? "http://" : "", (int)len, url);
		return LC_OK;
	}
	const char *colon = strrchr(http->address, ':');
	if (!http->enabled || !colon || strcmp(colon, ":0") == 0) {
		return lc_error_set(err, LC_ERR_INVALID,
			"%s: say where it listens with --url http://HOST:PORT",
			http->enabled ? "http.address has no fixed port"
				      : "http.enabled is false in these settings");
	}
	size_t host_len = (size_t)(colon - http->address);
	bool any = host_len == 0 || (host_len == 7 && memcmp(http->address, "0.0.0.0", 7) == 0);
	bool any6 = host_len == 4 && memcmp(http->address, "[::]", 4) == 0;
	if (any || any6) {
		snprintf(out, size, "http://%s%s", any6 ? "[::1]" : "127.0.0.1", colon);
	} else {
		snprintf(out, size, "http://%s", http->address);
	}
	return LC_OK;
}

static enum lc_err explain(const struct fetch *fetch, const char *url, struct lc_error *err)
{
	if (fetch->err.code == LC_ERR_REFUSED) {
		return lc_error_set(err, LC_ERR_REFUSED,
			"nothing answers at %.150s: is livecore running? --url names another "
			"address",
			url);
	}
	return lc_error_set(err, fetch->err.code, "%.120s: %.120s", url, fetch->err.text);
}

enum lc_err lc_tool_get(struct lc_tool *tool, const char *url, const char *path, int64_t timeout_ms,
	int *status, struct lc_buf *body, struct lc_error *err)
{
	char base[1024], whole[1200];
	struct fetch fetch = {.tool = tool, .body = body};
	struct waiting gone = {.tool = tool};
	struct lc_http *http;
	enum lc_err rc = base_url(tool, url, base, sizeof base, err);
	rc = rc ? rc
		: lc_http_create(
			  tool->process.loop, &(struct lc_http_client_options){0}, &http, err);
	if (rc != LC_OK) {
		return rc;
	}
	snprintf(whole, sizeof whole, "%s%s", base, path);
	const struct lc_http_options options = {
		.url = whole, .timeout_ms = timeout_ms, .connect_timeout_ms = timeout_ms};
	rc = lc_http_send(http, &options, on_fetched, &fetch, NULL, err);
	while (rc == LC_OK && !fetch.answered && !tool->interrupted) {
		lc_tool_wait(tool, -1);
	}
	lc_http_destroy(http, on_wait_over, &gone);
	wait_until_gone(&gone);
	if (rc == LC_OK && fetch.err.code != LC_OK) {
		rc = explain(&fetch, base, err);
	}
	*status = fetch.status;
	return rc;
}

const struct lc_value *lc_tool_reason(const struct lc_value *check)
{
	static const char *const keys[] = {"reason", "session", "state"};
	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		const struct lc_value *found = lc_value_find(check, keys[i]);
		if (found && found->type == LC_VALUE_STRING && found->len > 0) {
			return found;
		}
	}
	return NULL;
}
