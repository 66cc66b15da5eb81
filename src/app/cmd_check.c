/* livecore check: is a settings file right, and does what it names answer? */
#include "app/check.h"
#include "app/timer_part.h"
#include "livecore/file.h"
#include "livecore/market.h"
#include "manager/routes.h"
#include "timer/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const struct lc_usage usage = {"check", "[FILE]",
	"Prints \"ok\", or every mistake in the settings file with file, line, column and the "
	"nearest valid name. With --connect\n"
	"it also tries Kafka, each vendor that is configured, the store, and Redis when it is "
	"named, and says what answered, how fast, and what to do."};

/* Without its URL the default routes leave FuShu out. */
static bool fushu_has_url(const struct lc_config *config)
{
	for (size_t i = 0; lc_feeders[i]; i++) {
		const struct lc_section *section = lc_feeders[i]->config;
		for (size_t k = 0; strcmp(section->name, "fushu") == 0 && k < section->count; k++) {
			const struct lc_setting *setting = &section->settings[k];
			const char *values = lc_config_section(config, section->name);
			if (strcmp(setting->key, "url") == 0) {
				return (*(char *const *)(values + setting->offset))[0] != '\0';
			}
		}
	}
	return false;
}

static void explain(struct check *check)
{
	const struct lc_routing_config *routing = lc_config_section(
		check->process.config, "routing");
	size_t count = strtoul(check->symbols_text, NULL, 10);
	struct lc_buf out;
	lc_buf_init(&out, 64 * 1024);
	lc_route_explain(routing, fushu_has_url(check->process.config), &out);
	for (size_t i = 0; lc_feeders[i]; i++) {
		if (lc_feeders[i]->explain && lc_route_runs(routing, lc_feeders[i]->name)) {
			lc_feeders[i]->explain(lc_config_section(check->process.config,
						       lc_feeders[i]->config->name),
				count, &out);
		}
	}
	fputs(lc_buf_text(&out), stdout);
	lc_buf_finish(&out);
	if (lc_process_kafka(&check->process)->brokers[0] == '\0') {
		puts("kafka: kafka.brokers is not set, which run and the tools need");
	}
}

/* Who checks wants the answers, not how they were come by; who sets log.level wants both. */
static int start(struct check *check)
{
	const struct lc_log_config *log = lc_config_section(check->process.config, "log");
	int rc = lc_process_start(&check->process);
	if (rc < 0 && strcmp(log->level, "info") == 0) {
		lc_log_set_levels(check->process.log, "off", NULL);
	}
	return rc;
}

/* Says what is wrong with a file that a setting names, at the setting's place. */
static void say_at(const struct check *check, const char *setting, const char *message)
{
	struct lc_buf line;
	lc_buf_init(&line, 16 * 1024);
	lc_config_disagree(check->process.config, setting, setting, message, &line);
	fputs(lc_buf_text(&line), stderr);
	lc_buf_finish(&line);
}

/* The timer's rules are a file of their own, which the settings name. */
static int check_rules(struct check *check)
{
	char path[4096];
	struct timer_rules *rules = NULL;
	struct lc_buf errors;
	lc_timer_rules_path(&check->process, check->process.config, path, sizeof path);
	if (path[0] == '\0') {
		return -1;
	}
	struct lc_error err;
	if (lc_file_check_exists(path, &err) != LC_OK) {
		say_at(check, "timer.rules", err.text);
		return LC_EXIT_USAGE;
	}
	lc_buf_init(&errors, 64 * 1024);
	enum lc_err rc = timer_rules_load(path, &rules, &errors);
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	timer_rules_destroy(rules);
	return rc == LC_OK ? -1 : LC_EXIT_USAGE;
}

static void on_calendar_mistake(void *arg, const char *file, int line, const char *text)
{
	(void)arg;
	fprintf(stderr, "%s:%d: %s\n", file, line, text);
}

/* So are the days that are added to the built-in calendars. */
static int check_calendar(const struct check *check)
{
	const struct lc_calendar_config *settings = lc_config_section(
		check->process.config, "calendar");
	const struct lc_calendar_report report = {.mistake = on_calendar_mistake};
	struct lc_calendar *calendar = NULL;
	struct lc_error err;
	if (settings->dir[0] && !lc_file_is_folder(settings->dir)) {
		say_at(check, "calendar.dir", "there is no such folder");
		return LC_EXIT_USAGE;
	}
	enum lc_err rc = lc_calendar_open(
		settings->always_open, settings->dir, &report, &calendar, &err);
	if (rc != LC_OK && rc != LC_ERR_INVALID) {
		fprintf(stderr, "livecore: %s\n", err.text);
	}
	lc_calendar_destroy(calendar);
	return rc == LC_OK ? -1 : LC_EXIT_USAGE;
}

/* All that is wrong is said, not only the first of it. */
static int check_files(struct check *check)
{
	check->process.lenient = true;
	int rc = lc_process_load(&check->process);
	if (check->process.config) {
		int rules = check_rules(check), calendar = check_calendar(check);
		rc = rc >= 0 ? rc : rules >= 0 ? rules : calendar;
	}
	return rc;
}

int lc_command_check(int argc, char **argv)
{
	struct check check = {.symbols_text = "5000", .state_lock = -1};
	bool connect = false;
	const struct lc_option options[] = {
		LC_PROCESS_OPTIONS(&check.process),
		{"connect", LC_OPTION_FLAG, &connect, NULL,
			"also try Kafka, the vendors, the store and Redis"},
		{"symbols", LC_OPTION_TEXT, &check.symbols_text, "N",
			"say how old quotes can get with N symbols (default 5000)"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 2) {
		return lc_args_wrong(&usage, "check takes one file");
	}
	size_t digits = strspn(check.symbols_text, "0123456789");
	if (digits == 0 || digits > 7 || check.symbols_text[digits]) {
		return lc_args_wrong(
			&usage, "--symbols takes a number, not \"%s\"", check.symbols_text);
	}
	if (argc == 2 && check.process.config_file) {
		return lc_args_wrong(&usage, "name one file: %s, or --config %s", argv[1],
			check.process.config_file);
	}
	if (argc == 2) {
		check.process.config_file = argv[1];
	}
	rc = check_files(&check);
	if (rc < 0) {
		printf("ok%s%s\n",
			check.process.path[0] ? ": " : " (no settings file: all defaults)",
			check.process.path);
		explain(&check);
		rc = connect ? start(&check) : LC_EXIT_OK;
	}
	if (rc < 0) {
		rc = lc_check_connect(&check);
	}
	lc_process_finish(&check.process);
	return rc;
}
