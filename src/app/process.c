#include "app/process.h"

#include "manager/setting_checks.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ERRORS_MAX (64 * 1024)

/* The one place that may touch the process's environment as a whole. */
extern char **environ;

static void sources_of(const struct lc_process *process, struct lc_config_sources *sources)
{
	*sources = (struct lc_config_sources){
		.file = process->path[0] ? process->path : NULL,
		.sets = process->sets.items,
		.environ = process->environ ? process->environ : (const char *const *)environ,
	};
}

int lc_process_load(struct lc_process *process)
{
	struct lc_error err;
	process->sections = lc_settings_sections(&process->section_count);
	if (lc_config_find(process->config_file, process->path, sizeof process->path, &err) !=
		LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		return LC_EXIT_USAGE;
	}
	struct lc_buf errors;
	lc_buf_init(&errors, ERRORS_MAX);
	process->config = lc_process_reload(process, &errors);
	bool right = process->config && errors.len == 0;
	fputs(lc_buf_text(&errors), stderr);
	lc_buf_finish(&errors);
	return right ? -1 : LC_EXIT_USAGE;
}

struct lc_config *lc_process_reload(void *arg, struct lc_buf *errors)
{
	const struct lc_process *process = arg;
	struct lc_config_sources sources;
	struct lc_config *config = NULL;
	sources_of(process, &sources);
	size_t before = errors->len;
	sources.lenient = true;
	lc_config_load(process->sections, process->section_count, &sources, &config, errors);
	if (config) {
		lc_settings_check_together(config, errors);
	}
	if (errors->len > before && !process->lenient) {
		lc_config_destroy(config);
		return NULL;
	}
	return config;
}

int lc_process_start(struct lc_process *process)
{
	const struct lc_log_config *log = lc_config_section(process->config, "log");
	struct lc_error err;
	signal(SIGPIPE, SIG_IGN);
	if (lc_log_create(STDERR_FILENO, log->format == 1, LC_LOG_INFO, &process->log) != LC_OK ||
		lc_metrics_create(&process->metrics) != LC_OK ||
		lc_loop_create(process->log, process->metrics, &process->loop) != LC_OK) {
		fputs("livecore: cannot start: out of memory or file descriptors\n", stderr);
		return LC_EXIT_FAILED;
	}
	if (lc_log_set_levels(process->log, log->level, &err) != LC_OK) {
		fprintf(stderr, "livecore: log.level: %s\n", err.text);
		return LC_EXIT_USAGE;
	}
	return -1;
}

/* libuv's own end joins its threads, and a resolver that does not answer holds one for minutes. */
static void on_process_exit(int status, void *arg)
{
	(void)arg;
	fflush(NULL);
	_exit(status);
}

void lc_process_finish(struct lc_process *process)
{
	if (process->loop && !lc_loop_destroy(process->loop)) {
		on_exit(on_process_exit, NULL);
	}
	lc_metrics_destroy(process->metrics);
	lc_log_destroy(process->log);
	lc_config_destroy(process->config);
}

const struct lc_kafka_config *lc_process_kafka(const struct lc_process *process)
{
	return lc_config_section(process->config, "kafka");
}

const struct lc_topics_config *lc_process_topics(const struct lc_process *process)
{
	return lc_config_section(process->config, "topics");
}

int lc_process_need_kafka(const struct lc_process *process)
{
	if (lc_process_kafka(process)->brokers[0] != '\0') {
		return -1;
	}
	fputs("livecore: kafka.brokers is not set: name a broker in the settings file, with --set "
	      "kafka.brokers=HOST:PORT, or in LIVECORE_KAFKA_BROKERS\n",
		stderr);
	return LC_EXIT_USAGE;
}
