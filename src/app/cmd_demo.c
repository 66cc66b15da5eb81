/* livecore demo: the whole on one machine. The vendors are simulators, processes of their own that
 * speak the vendors' protocols on loopback; Kafka is librdkafka's mock cluster, or the broker that
 * --brokers names; the manager is the real one. */
#include "app/commands.h"
#include "app/demo.h"
#include "livecore/embedded_broker.h"
#include "livecore/messages.h"
#include "livecore/sender.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PUBLISH_TIMEOUT_MS 30000
#define SHUTDOWN_MS "1500ms" /* Ctrl-C ends the demo within 2 s */
#define LEAVE_MS 300         /* after it, also when Kafka's client does not end */
#define REMOVE_TRIES 5

static const struct lc_usage usage = {"demo", "",
	"Shows the whole on this machine: a simulator of each vendor, an embedded Kafka broker, "
	"and the manager between them. On a\n"
	"terminal a live table, elsewhere a key=value line a second. Ctrl-C ends it, with "
	"everything acknowledged.\n"
	"The embedded broker keeps what is published in memory (about 1 MB a minute, at most 5 MB "
	"a partition)."};

static const char *const walk_symbols[] = {"AAPL", "MSFT", "NVDA", "TSLA", "AMZN", "IBM", "KO",
	"BRK.B", "600000.SH", "600519.SH", "601318.SH", "688981.SH", "510300.SH", "000001.SZ",
	"000858.SZ", "300750.SZ", "920489.BJ", "00700.HK", "09988.HK", "03690.HK", "00005.HK"};
static const char *const tape_symbols[] = {"IBM", "688293.SH", "00700.HK"};

struct demo {
	/* Its sets: the demo's own, then those of the command line, which win. */
	struct lc_process process;
	struct lc_texts user_sets;
	struct lc_service service;
	struct lc_demo_sims sims;
	struct lc_embedded_broker *broker;
	struct lc_demo_view *view;
	struct lc_publish *publish;
	struct lc_timer *end_timer;
	const char *brokers; /* --brokers, or the embedded one's address */
	const char *speed, *tape_dir;
	int64_t for_ms; /* below 0: until it is told to */
	int64_t start_ms;
	bool json, tape;
	char state_dir[512], state_set[544];
	char topic[256]; /* of prices */
};

/* --- what is followed --- */

static void on_published(void *arg, const struct lc_error *err, int32_t partition, int64_t offset)
{
	struct demo *demo = arg;
	(void)partition;
	(void)offset;
	demo->publish = NULL;
	if (err && err->code != LC_OK) {
		fprintf(stderr, "livecore: the demo's interest did not reach Kafka: %s\n",
			err->text);
		lc_service_stop(&demo->service);
	}
}

/* The demo is a user like any other: its portfolio says on Kafka what it follows. */
static enum lc_err follow(struct demo *demo, struct lc_error *err)
{
	const struct lc_message_context context = {
		.time_format = LC_TIME_UTC, .node_id = "demo", .stream = "demo"};
	const char *const *symbols = demo->tape ? tape_symbols : walk_symbols;
	size_t count = demo->tape ? sizeof tape_symbols / sizeof *tape_symbols
				  : sizeof walk_symbols / sizeof *walk_symbols;
	const struct lc_clock clock = {0};
	struct lc_buf body;
	lc_buf_init(&body, 64 * 1024);
	lc_interest_update_encode(&context, "demo", LC_INTEREST_REPLACE, symbols, count,
		lc_clock_wall_ns(&clock), &body);
	const struct lc_message message = {.topic = lc_process_topics(&demo->process)->interest,
		.key = "demo",
		.key_len = 4,
		.value = body.data,
		.value_len = body.len};
	struct lc_kafka_config kafka = *lc_process_kafka(&demo->process);
	char brokers[256];
	snprintf(brokers, sizeof brokers, "%s", demo->brokers);
	kafka.brokers = brokers;
	enum lc_err rc = lc_publish_once(demo->process.loop, &kafka, &message, PUBLISH_TIMEOUT_MS,
		on_published, demo, &demo->publish, err);
	lc_buf_finish(&body);
	return rc;
}

/* --- settings --- */

static const char *const demo_environ[] = {
	"LIVECORE_ALPACA_KEY=demo-key", "LIVECORE_ALPACA_SECRET=demo-secret", NULL};

static void set(struct demo *demo, const char *text)
{
	if (demo->process.sets.count < LC_TEXTS_MAX) {
		demo->process.sets.items[demo->process.sets.count++] = text;
	}
}

/* Also when the demo has more to say: what the command line sets is said again behind it, and
 * wins. */
static int load(struct demo *demo)
{
	struct lc_buf errors;
	for (size_t i = 0; i < demo->user_sets.count; i++) {
		set(demo, demo->user_sets.items[i]);
	}
	lc_config_destroy(demo->process.config);
	demo->process.sections = lc_settings_sections(&demo->process.section_count);
	lc_buf_init(&errors, 64 * 1024);
	demo->process.config = lc_process_reload(&demo->process, &errors);
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	return demo->process.config ? -1 : LC_EXIT_USAGE;
}

static int make_state_dir(struct demo *demo)
{
	const char *where = getenv("TMPDIR");
	where = where && *where ? where : "/tmp";
	snprintf(demo->state_dir, sizeof demo->state_dir, "%s/livecore-demo.XXXXXX", where);
	if (!mkdtemp(demo->state_dir)) {
		fprintf(stderr, "livecore: cannot make a directory in %s: %s\n", where,
			strerror(errno));
		return LC_EXIT_FAILED;
	}
	return -1;
}

static int configure(struct demo *demo)
{
	snprintf(demo->state_set, sizeof demo->state_set, "state.dir=%s", demo->state_dir);
	demo->process.environ = demo_environ;
	set(demo, demo->state_set);
	set(demo, "node.id=demo");
	set(demo, "journal.enabled=false"); /* its broker is in memory as well */
	set(demo, "http.address=127.0.0.1:0");
	set(demo, "shutdown.timeout=" SHUTDOWN_MS);
	set(demo, "eastmoney.poll_interval=500ms");
	set(demo, "fushu.poll_interval=1s");
	set(demo, "tencent.poll_interval=1s");
	set(demo, "routing.feeders=alpaca,eastmoney,fushu,tencent");
	set(demo, "kafka.fetch_wait=20ms");
	set(demo, isatty(STDOUT_FILENO) && !demo->json ? "log.level=off" : "log.level=warn");
	if (demo->brokers) {
		/* The embedded broker has them from the start. */
		set(demo, "kafka.create_topics=true");
	}
	if (!demo->tape) {
		set(demo, "calendar.always_open=true");
	}
	return load(demo);
}

/* --- running --- */

static void on_sims_ready(void *arg)
{
	struct demo *demo = arg;
	lc_loop_stop(demo->process.loop);
}

static void on_time_over(void *arg)
{
	struct demo *demo = arg;
	lc_service_stop(&demo->service);
}

static void on_stopped(void *arg)
{
	struct demo *demo = arg;
	lc_demo_view_destroy(demo->view);
	demo->view = NULL;
	if (demo->json) {
		lc_demo_print_json(&demo->service);
	} else {
		const struct lc_manager_totals *totals = &demo->service.totals;
		printf("ended: published=%llu acknowledged=%llu unacknowledged=%llu dropped=%llu "
		       "reconnects=%llu\n",
			(unsigned long long)totals->published,
			(unsigned long long)totals->acknowledged,
			(unsigned long long)totals->unacknowledged,
			(unsigned long long)totals->dropped,
			(unsigned long long)totals->reconnects);
	}
}

static void on_ended(void *arg)
{
	struct demo *demo = arg;
	lc_timer_destroy(demo->end_timer);
	if (demo->publish) {
		lc_publish_cancel(demo->publish);
	}
	lc_demo_sims_stop(&demo->sims);
	lc_loop_stop(demo->process.loop);
}

static int start_broker(struct demo *demo)
{
	struct lc_error err;
	if (demo->brokers) {
		return -1;
	}
	if (lc_embedded_broker_create(lc_process_kafka(&demo->process),
		    lc_process_topics(&demo->process), &demo->broker, &err) != LC_OK) {
		fprintf(stderr, "livecore: embedded broker: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	demo->brokers = lc_embedded_broker_address(demo->broker);
	return -1;
}

static int start_sims(struct demo *demo)
{
	struct lc_error err;
	demo->sims = (struct lc_demo_sims){.loop = demo->process.loop,
		.tape_dir = demo->tape ? demo->tape_dir : NULL,
		.speed = demo->speed,
		.start_ms = demo->start_ms,
		.ready = on_sims_ready,
		.arg = demo};
	if (lc_demo_sims_start(&demo->sims, &err) != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	lc_loop_run(demo->process.loop);
	if (demo->sims.failed || demo->sims.late) {
		char why[256];
		lc_demo_sims_why(&demo->sims, why, sizeof why);
		fprintf(stderr, "livecore: %s\n", why);
		return LC_EXIT_FAILED;
	}
	lc_demo_sims_settings(&demo->sims, &demo->process.sets);
	return load(demo);
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *where)
{
	(void)info;
	(void)kind;
	(void)where;
	return remove(path);
}

/* When it is left, threads of the pool may still make files in it: it is tried again. */
static void remove_state(struct demo *demo)
{
	for (int tries = 0; tries < REMOVE_TRIES && access(demo->state_dir, F_OK) == 0; tries++) {
		nftw(demo->state_dir, remove_entry, 8, FTW_DEPTH | FTW_PHYS);
	}
}

static void on_left(void *arg)
{
	struct demo *demo = arg;
	lc_demo_sims_stop(&demo->sims);
	remove_state(demo);
}

static int start_all(struct demo *demo)
{
	struct lc_error err;
	const struct lc_shutdown_config *shutdown = lc_config_section(
		demo->process.config, "shutdown");
	demo->service = (struct lc_service){.process = &demo->process,
		.stopped = on_stopped,
		.ended = on_ended,
		.left = on_left,
		.arg = demo,
		.hangup_stops = true,
		.leave_ms = shutdown->timeout + LEAVE_MS};
	int rc = lc_service_on_signals(&demo->service);
	rc = rc >= 0 ? rc : start_broker(demo);
	rc = rc >= 0 ? rc : start_sims(demo);
	if (rc >= 0) {
		return rc;
	}
	snprintf(demo->topic, sizeof demo->topic, "%s",
		lc_process_topics(&demo->process)->market_data);
	if (!demo->json) {
		printf("broker=%s\n", demo->brokers);
		printf("from another terminal: livecore watch --brokers %s, or kcat -C -b %s -t "
		       "%s\n",
			demo->brokers, demo->brokers, demo->topic);
		fflush(stdout);
	}
	if (follow(demo, &err) != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	rc = lc_service_start(&demo->service, &demo->process, demo->brokers, demo->tape);
	if (rc < 0 && (lc_timer_create(demo->process.loop, on_time_over, demo, &demo->end_timer) !=
				      LC_OK ||
			      lc_demo_view_create(&demo->service, demo->brokers, demo->topic,
				      demo->json, &demo->view) != LC_OK)) {
		rc = LC_EXIT_FAILED;
	}
	return rc;
}

static int serve(struct demo *demo)
{
	int rc = start_all(demo);
	if (rc >= 0) {
		if (demo->service.manager) {
			lc_service_abort(&demo->service);
			lc_loop_run(demo->process.loop);
		}
		lc_demo_sims_stop(&demo->sims);
		return rc;
	}
	if (demo->for_ms >= 0) {
		lc_timer_start(demo->end_timer, demo->for_ms, 0);
	}
	lc_loop_run(demo->process.loop);
	return demo->service.exit_code;
}

static bool is_speed(const char *text)
{
	char *end;
	if (strcmp(text, "max") == 0) {
		return true;
	}
	unsigned long times = strtoul(text, &end, 10);
	return text[0] >= '0' && text[0] <= '9' && *end == '\0' && times >= 1 && times <= 100000;
}

/* What is said of the tapes, and only of them. */
static int check_tape(struct demo *demo)
{
	if (demo->speed && !is_speed(demo->speed)) {
		return lc_args_wrong(
			&usage, "--speed takes 1 to 100000, or max, not \"%s\"", demo->speed);
	}
	if (!demo->tape && (demo->speed || demo->tape_dir)) {
		return lc_args_wrong(
			&usage, "%s goes with --tape", demo->speed ? "--speed" : "--tape-dir");
	}
	demo->speed = demo->speed ? demo->speed : "10";
	demo->tape_dir = demo->tape_dir ? demo->tape_dir : "tests/data";
	return -1;
}

int lc_command_demo(int argc, char **argv)
{
	struct demo demo = {.start_ms = 15000, .for_ms = -1};
	const struct lc_option options[] = {
		{"for", LC_OPTION_DURATION, &demo.for_ms, "TIME", "end by itself after 10s, 2m, …"},
		{"start-timeout", LC_OPTION_DURATION, &demo.start_ms, "TIME",
			"how long a simulator may take to start (default 15s)"},
		{"json", LC_OPTION_FLAG, &demo.json, NULL,
			"print nothing but one JSON line at the end"},
		{"tape", LC_OPTION_FLAG, &demo.tape, NULL,
			"play recorded days instead of a random walk"},
		{"tape-dir", LC_OPTION_TEXT, &demo.tape_dir, "DIR",
			"where the recorded days are (default tests/data)"},
		{"speed", LC_OPTION_TEXT, &demo.speed, "N|max",
			"of the tapes, times the market's own (default 10)"},
		{"brokers", LC_OPTION_TEXT, &demo.brokers, "HOST:PORT",
			"a real Kafka instead of the embedded broker"},
		{"set", LC_OPTION_MANY, &demo.user_sets, "KEY=VALUE", "one setting; repeatable"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 1) {
		return lc_args_wrong(&usage, "demo takes no arguments, not \"%s\"", argv[1]);
	}
	rc = check_tape(&demo);
	if (rc >= 0) {
		return rc;
	}
	rc = make_state_dir(&demo);
	rc = rc >= 0 ? rc : configure(&demo);
	rc = rc >= 0 ? rc : lc_process_start(&demo.process);
	rc = rc >= 0 ? rc : serve(&demo);
	lc_embedded_broker_destroy(demo.broker);
	lc_process_finish(&demo.process);
	remove_state(&demo);
	return rc;
}
