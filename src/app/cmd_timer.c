/* livecore timer: the timer role alone, and what a person asks of its rules. */
#include "app/commands.h"
#include "app/http_api.h"
#include "app/timer_part.h"
#include "app/tool.h"
#include "livecore/embedded_broker.h"
#include "timer/listen.h"
#include "timer/plan.h"

#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX (64 * 1024)
#define BODY_MAX ((size_t)1024 * 1024)
#define SEND_MS 15000

static const struct lc_usage usage = {"timer", "",
	"Sends the commands of the rules file (timer.rules) at their times. SIGHUP and the reload "
	"command read the rules again, SIGTERM\n"
	"stops. --list only shows the rules and their next times; --run sends one command now."};

/* --- --list --- */

static void print_time(int64_t ns, const struct timer_rules *rules)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	char local[LC_TIME_TEXT_MAX], utc[LC_TIME_TEXT_MAX];
	size_t len = lc_time_format(ns, LC_TIME_OFFSET, rules->zone, local);
	lc_time_format(ns, LC_TIME_UTC, NULL, utc);
	struct lc_civil civil = lc_civil_from_ns(rules->zone, ns);
	/* Without the microseconds: 19 of the time, then the offset. */
	printf("  %s %.19s%.*s   %.19sZ\n", days[civil.weekday], local, (int)(len - 26), local + 26,
		utc);
}

static void print_rule(const struct timer_rules *rules, const struct timer_rule *rule,
	const struct lc_calendar *calendar, int64_t now_ns)
{
	printf("\n%s: %s -> %s", rule->name, rule->cron_text, rule->command);
	if (strcmp(rule->params, "{}") != 0) {
		printf(" %s", rule->params);
	}
	if (rule->market >= 0) {
		printf(", on trading days of %s", lc_market_name((enum lc_market)rule->market));
	}
	printf("%s\n", rule->enabled ? "" : " (off)");
	if (rule->description[0]) {
		printf("  %s\n", rule->description);
	}
	int64_t at_ns = now_ns;
	for (int i = 0; i < 5 && rule->enabled; i++) {
		at_ns = timer_plan_next(rules, rule, calendar, at_ns);
		if (at_ns == INT64_MAX) {
			puts(i ? "  and never again" : "  never");
			return;
		}
		print_time(at_ns, rules);
	}
}

static int list(const struct timer_rules *rules, const struct lc_config *config, int64_t now_ns)
{
	const struct lc_calendar_config *settings = lc_config_section(config, "calendar");
	struct lc_calendar *calendar;
	struct lc_error err;
	if (lc_calendar_open(settings->always_open, settings->dir, NULL, &calendar, &err) !=
		LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	printf("%s: %zu rules, times of %s, then UTC\n%s\nmisfire_grace %" PRId64
	       " s, coalesce %s\n",
		rules->path, rules->count, rules->zone_name, timer_rules_numbering(rules),
		rules->grace_ms / 1000, rules->coalesce ? "yes" : "no");
	for (size_t i = 0; i < rules->count; i++) {
		print_rule(rules, &rules->items[i], calendar, now_ns);
	}
	lc_calendar_destroy(calendar);
	return LC_EXIT_OK;
}

/* --- --run --- */

static int send_now(struct lc_tool *tool, const struct timer_rules *rules, const char *name)
{
	const struct timer_rule *rule = timer_rules_find(rules, name);
	const char *topic = lc_process_topics(&tool->process)->control;
	struct lc_tool_place place = {0};
	struct lc_error err;
	struct lc_buf body;
	char id[TIMER_ID_MAX + 32], time[LC_TIME_TEXT_MAX];
	int64_t now_ns = lc_loop_wall_ns(tool->process.loop);
	if (!rule) {
		fprintf(stderr,
			"livecore: there is no rule \"%s\" in %s; livecore timer --list shows "
			"them\n",
			name, rules->path);
		return LC_EXIT_USAGE;
	}
	/* With the fraction it is none of the scheduled ids: it does not stand for one of them. */
	size_t len = lc_time_format(now_ns, LC_TIME_UTC, NULL, time);
	snprintf(id, sizeof id, "%s@%.*s", rule->name, (int)len, time);
	lc_buf_init(&body, BODY_MAX);
	lc_control_command_encode(
		&tool->context, rule->command, id, "task_timer", rule->fields, now_ns, &body);
	const struct lc_message message = {.topic = topic,
		.key = id,
		.key_len = strlen(id),
		.value = body.data,
		.value_len = body.len};
	enum lc_err rc = body.failed ? lc_error_set(&err, LC_ERR_TOO_LARGE,
					       "the command does not fit into a message")
				     : lc_tool_publish(tool, &message, SEND_MS, &place, &err);
	lc_buf_finish(&body);
	if (rc != LC_OK) {
		return lc_tool_failed(&err);
	}
	printf("sent %s: request_id=%s topic=%s partition=%d offset=%lld\n", rule->command, id,
		topic, place.partition, (long long)place.offset);
	return LC_EXIT_OK;
}

/* --- the tools' part --- */

static int load_rules(const struct lc_process *process, struct timer_rules **out)
{
	char path[4096];
	struct lc_buf errors;
	lc_timer_rules_path(process, process->config, path, sizeof path);
	if (path[0] == '\0') {
		fputs("livecore: timer.rules is not set: name the rules file in the settings file, "
		      "with --rules FILE, or in LIVECORE_TIMER_RULES\n",
			stderr);
		return LC_EXIT_USAGE;
	}
	lc_buf_init(&errors, ERRORS_MAX);
	enum lc_err rc = timer_rules_load(path, out, &errors);
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	return rc == LC_OK ? -1 : rc == LC_ERR_INVALID ? LC_EXIT_USAGE : LC_EXIT_FAILED;
}

static int run_tool(struct lc_tool *tool, bool list_only, const char *name)
{
	struct timer_rules *rules = NULL;
	int rc = lc_tool_open(tool, !list_only);
	rc = rc >= 0 ? rc : load_rules(&tool->process, &rules);
	if (rc < 0) {
		rc = list_only ? list(rules, tool->process.config,
					 lc_loop_wall_ns(tool->process.loop))
			       : send_now(tool, rules, name);
	}
	timer_rules_destroy(rules);
	lc_tool_close(tool);
	return rc;
}

/* --- the role --- */

struct serving {
	struct lc_process *process;
	struct lc_timer_part part;
	struct timer_listen *listen;
	struct lc_api *api;
	bool stopping;
	int closing;
};

static void on_part_gone(void *arg)
{
	struct serving *serving = arg;
	if (--serving->closing == 0) {
		lc_loop_stop(serving->process->loop);
	}
}

static void on_stopped(void *arg)
{
	struct serving *serving = arg;
	lc_log(serving->process->log, LC_LOG_INFO, "timer", "stopped");
	if (serving->listen) {
		serving->closing++;
		timer_listen_stop(serving->listen, on_part_gone, serving);
		serving->listen = NULL;
	}
	if (serving->api) {
		serving->closing++;
		lc_api_destroy(serving->api, on_part_gone, serving);
		serving->api = NULL;
	}
	on_part_gone(serving);
}

static void on_stop_signal(void *arg, int signo)
{
	struct serving *serving = arg;
	const struct lc_shutdown_config *shutdown = lc_config_section(
		serving->part.config, "shutdown");
	lc_log(serving->process->log, LC_LOG_INFO, "app", "signal",
		LC_S("name", signo == SIGTERM ? "SIGTERM" : "SIGINT"));
	if (serving->stopping && !serving->part.timer) {
		_Exit(128 + signo);
	}
	serving->closing = 1;
	serving->stopping = true;
	lc_timer_part_stop(&serving->part, shutdown->timeout, on_stopped, serving);
}

static enum lc_err on_reload(void *arg, struct lc_buf *errors)
{
	struct serving *serving = arg;
	struct lc_config *fresh = lc_process_reload(serving->process, errors);
	enum lc_err rc = fresh ? lc_timer_part_reload(&serving->part, fresh, errors)
			       : LC_ERR_INVALID;
	if (rc == LC_OK) {
		const struct lc_log_config *log = lc_config_section(fresh, "log");
		struct lc_error err;
		lc_log_set_json(serving->process->log, log->format == 1);
		lc_log_set_levels(serving->process->log, log->level, &err);
	} else {
		lc_log(serving->process->log, LC_LOG_ERROR, "timer", "reload_failed",
			LC_S("error", lc_buf_text(errors)),
			LC_S("effect", "the rules before stay"));
	}
	lc_config_destroy(fresh);
	return rc;
}

static void on_reload_signal(void *arg, int signo)
{
	struct serving *serving = arg;
	struct lc_buf errors;
	(void)signo;
	if (serving->stopping) {
		return;
	}
	lc_buf_init(&errors, ERRORS_MAX);
	on_reload(serving, &errors);
	lc_buf_finish(&errors);
}

static enum lc_ready on_ready(void *arg, struct lc_buf *out)
{
	struct serving *serving = arg;
	if (!serving->part.timer) {
		lc_buf_puts(out, "{\"status\":\"stopping\"}");
		return LC_NOT_READY;
	}
	struct lc_task_timer_stats stats = lc_task_timer_stats(serving->part.timer);
	lc_buf_printf(out,
		"{\"status\":\"%s\",\"rules\":%zu,\"enabled\":%zu,\"waiting\":%zu,\"sent\":%" PRIu64
		",\"expired\":%" PRIu64 ",\"failed\":%" PRIu64 ",\"missed\":%" PRIu64 "}",
		stats.kafka_away ? "not_ready" : "ready", stats.rules, stats.enabled, stats.waiting,
		stats.sent, stats.expired, stats.failed, stats.missed);
	return stats.kafka_away ? LC_NOT_READY : LC_READY;
}

/* A `run` on the same machine may have the port: that is no reason to send no commands. */
static void open_http(struct serving *serving)
{
	const struct lc_http_config *http = lc_config_section(serving->process->config, "http");
	struct lc_log *log = serving->process->log;
	struct lc_error err;
	if (!http->enabled) {
		return;
	}
	if (lc_api_create(serving->process->loop, http->address, &serving->api, &err) != LC_OK) {
		lc_log(log, LC_LOG_WARN, "http", "not_listening", LC_S("address", http->address),
			LC_S("error", err.text));
		return;
	}
	lc_api_set_ready(serving->api, on_ready, serving);
	lc_log(log, LC_LOG_INFO, "http", "listening", LC_S("address", http->address),
		LC_I("port", lc_api_port(serving->api)));
}

static int open_listen(struct serving *serving)
{
	const struct lc_topics_config *topics = lc_config_section(serving->part.config, "topics");
	const struct lc_control_config *control = lc_config_section(
		serving->part.config, "control");
	const struct timer_listen_options options = {
		.kafka = &serving->part.kafka,
		.control = topics->control,
		.events = topics->events,
		.context = &serving->part.context,
		.max_age_ms = control->max_age,
		.reload = on_reload,
		.arg = serving,
	};
	struct lc_error err;
	if (timer_listen_create(serving->process->loop, &options, &serving->listen, &err) !=
		LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	return -1;
}

static int listen_signals(struct serving *serving)
{
	struct lc_loop *loop = serving->process->loop;
	enum lc_err rc = lc_loop_on_signal(loop, SIGTERM, on_stop_signal, serving);
	rc = rc ? rc : lc_loop_on_signal(loop, SIGINT, on_stop_signal, serving);
	rc = rc ? rc : lc_loop_on_signal(loop, SIGHUP, on_reload_signal, serving);
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: signals: %s\n", lc_err_text(rc));
		return LC_EXIT_FAILED;
	}
	return -1;
}

static int serve(struct lc_process *process, const char *brokers)
{
	struct serving serving = {.process = process};
	int rc = lc_timer_part_start(&serving.part, process, brokers);
	rc = rc >= 0 ? rc : open_listen(&serving);
	rc = rc >= 0 ? rc : listen_signals(&serving);
	if (rc < 0) {
		open_http(&serving);
	} else if (serving.part.timer) {
		serving.closing = 1; /* it could not start whole: take down what did */
		serving.stopping = true;
		lc_timer_part_stop(&serving.part, 0, on_stopped, &serving);
	}
	if (serving.part.timer) {
		lc_loop_run(process->loop);
	}
	lc_timer_part_finish(&serving.part);
	return rc < 0 ? LC_EXIT_OK : rc;
}

static int run_role(struct lc_process *process, bool embedded)
{
	struct lc_embedded_broker *broker = NULL;
	struct timer_rules *rules = NULL;
	struct lc_error err;
	int rc = lc_process_load(process);
	rc = rc >= 0 ? rc : load_rules(process, &rules);
	timer_rules_destroy(rules);
	rc = rc >= 0 || embedded ? rc : lc_process_need_kafka(process);
	rc = rc >= 0 ? rc : lc_process_start(process);
	if (rc < 0 && embedded &&
		lc_embedded_broker_create(lc_process_kafka(process), lc_process_topics(process),
			&broker, &err) != LC_OK) {
		fprintf(stderr, "livecore: embedded broker: %s\n", err.text);
		rc = LC_EXIT_FAILED;
	}
	if (rc < 0 && broker) {
		lc_log(process->log, LC_LOG_WARN, "kafka", "embedded_broker",
			LC_S("address", lc_embedded_broker_address(broker)),
			LC_S("note",
				"for development: only who knows this address hears the commands"));
	}
	if (rc < 0) {
		rc = serve(process, broker ? lc_embedded_broker_address(broker) : NULL);
	}
	lc_embedded_broker_destroy(broker);
	lc_process_finish(process);
	return rc;
}

/* --- arguments --- */

/* --rules FILE is short for --set timer.rules=FILE. */
static int take_rules(struct lc_texts *sets, const char *rules, char *set, size_t size)
{
	if (!rules) {
		return -1;
	}
	char absolute[4096] = "";
	/* What is typed at a prompt is meant from where one stands. */
	if (rules[0] != '/' && getcwd(absolute, sizeof absolute - 1)) {
		strcat(absolute, "/");
	}
	int len = snprintf(set, size, "timer.rules=%s%s", absolute, rules);
	if (len < 0 || (size_t)len >= size || sets->count == LC_TEXTS_MAX) {
		return lc_args_wrong(&usage, "--rules is too long, or --set is given too often");
	}
	sets->items[sets->count++] = set;
	return -1;
}

int lc_command_timer(int argc, char **argv)
{
	struct lc_tool tool = {0};
	const char *rules = NULL, *name = NULL;
	char rules_set[8192];
	bool list_only = false, embedded = false;
	const struct lc_option options[] = {
		{"list", LC_OPTION_FLAG, &list_only, NULL,
			"show each rule and its next five times"},
		{"run", LC_OPTION_TEXT, &name, "NAME",
			"send this rule's command now, and say where it went"},
		{"rules", LC_OPTION_TEXT, &rules, "FILE",
			"rules file, instead of timer.rules of the settings"},
		{"embedded", LC_OPTION_FLAG, &embedded, NULL,
			"a broker of its own, in memory, instead of kafka.brokers (development)"},
		LC_TOOL_OPTIONS(&tool),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 1) {
		return lc_args_wrong(&usage, "timer takes no arguments, not \"%s\"", argv[1]);
	}
	if (list_only + (name != NULL) + embedded > 1) {
		return lc_args_wrong(&usage, "--list, --run and --embedded exclude each other");
	}
	rc = take_rules(&tool.process.sets, rules, rules_set, sizeof rules_set);
	if (rc >= 0) {
		return rc;
	}
	if (list_only || name) {
		return run_tool(&tool, list_only, name);
	}
	rc = lc_tool_take_brokers(&tool);
	return rc >= 0 ? rc : run_role(&tool.process, embedded);
}
