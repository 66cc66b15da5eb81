/* What every command that needs the loop or the settings sets up: log, metrics, loop,
 * configuration. */
#pragma once

#include "app/args.h"
#include "livecore/config.h"
#include "livecore/kafka.h"
#include "livecore/loop.h"
#include "manager/settings.h"

struct lc_process {
	struct lc_log *log;         /* owned */
	struct lc_metrics *metrics; /* owned */
	struct lc_loop *loop;       /* owned */
	struct lc_config *config;   /* owned until a manager takes it over */
	const struct lc_section *const *sections;
	size_t section_count;
	char path[4096];            /* of the settings file; "" when there is none */
	const char *config_file;    /* --config */
	struct lc_texts sets;       /* --set */
	const char *const *environ; /* NULL: the process's own */
	bool lenient; /* mistakes are said, and what is right is kept: for who only looks */
};

/* The options that such a command has; to be listed in its table. */
#define LC_PROCESS_OPTIONS(process)                                                            \
	{"config", LC_OPTION_TEXT, &(process)->config_file, "FILE",                            \
		"settings file (else $LIVECORE_CONFIG, ./livecore.yaml, ~/.config/livecore/, " \
		"/etc/livecore/)"},                                                            \
	{                                                                                      \
		"set", LC_OPTION_MANY, &(process)->sets, "KEY=VALUE",                          \
			"one setting, stronger than file and environment; repeatable"          \
	}

/* Finds and reads the settings. Errors are printed on stderr, one a line. Returns -1, or
 * LC_EXIT_USAGE; config is NULL then, unless lenient. */
int lc_process_load(struct lc_process *process);
/* Reads them again, for a reload: arg is the process. */
struct lc_config *lc_process_reload(void *arg, struct lc_buf *errors);
/* Makes log, metrics and loop by the settings. Returns -1, or the exit code when it said why. */
int lc_process_start(struct lc_process *process);
/* Lets go of all of it; a loop whose pool hangs is left behind. */
void lc_process_finish(struct lc_process *process);

const struct lc_kafka_config *lc_process_kafka(const struct lc_process *process);
const struct lc_topics_config *lc_process_topics(const struct lc_process *process);
/* Tools need a Kafka: says which setting is missing and returns LC_EXIT_USAGE, or -1. */
int lc_process_need_kafka(const struct lc_process *process);
