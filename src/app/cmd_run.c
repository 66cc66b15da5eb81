/* livecore run: the manager, as the settings say. */
#include "app/commands.h"
#include "app/service.h"
#include "livecore/embedded_broker.h"

#include <stdio.h>

static const struct lc_usage usage = {"run", "",
	"Follows the symbols that portfolios ask for on Kafka, and publishes their ticks. SIGHUP "
	"reads the settings again, SIGTERM\n"
	"stops when everything accepted is acknowledged (shutdown.timeout at most)."};

static int start_broker(struct lc_process *process, struct lc_embedded_broker **broker)
{
	struct lc_error err;
	if (lc_embedded_broker_create(
		    lc_process_kafka(process), lc_process_topics(process), broker, &err) != LC_OK) {
		fprintf(stderr, "livecore: embedded broker: %s\n", err.text);
		return LC_EXIT_FAILED;
	}
	lc_log(process->log, LC_LOG_WARN, "kafka", "embedded_broker",
		LC_S("address", lc_embedded_broker_address(*broker)),
		LC_S("note", "for development: it keeps a few MB a partition in memory and loses "
			     "them at the end"));
	return -1;
}

static int serve(struct lc_process *process, bool embedded)
{
	struct lc_embedded_broker *broker = NULL;
	struct lc_service service = {.process = process};
	int rc = embedded ? start_broker(process, &broker) : -1;
	if (rc < 0) { /* starting may take long, and no signal but a stop ends it */
		rc = lc_service_on_signals(&service);
	}
	if (rc < 0) {
		rc = lc_service_start(&service, process,
			broker ? lc_embedded_broker_address(broker) : NULL, false);
	}
	if (rc >= 0 && service.manager) {
		lc_service_abort(&service); /* it could not start whole: take down what did */
	}
	if (rc < 0 || service.manager) {
		lc_loop_run(process->loop);
	}
	lc_embedded_broker_destroy(broker);
	return rc < 0 ? service.exit_code : rc;
}

int lc_command_run(int argc, char **argv)
{
	struct lc_process process = {0};
	bool embedded = false;
	const struct lc_option options[] = {
		LC_PROCESS_OPTIONS(&process),
		{"embedded", LC_OPTION_FLAG, &embedded, NULL,
			"a broker of its own, in memory, instead of kafka.brokers (development)"},
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 1) {
		return lc_args_wrong(&usage, "run takes no arguments, not \"%s\"", argv[1]);
	}
	rc = lc_process_load(&process);
	if (rc < 0 && !embedded) {
		rc = lc_process_need_kafka(&process);
	}
	if (rc < 0) {
		rc = lc_process_start(&process);
	}
	if (rc < 0) {
		rc = serve(&process, embedded);
	}
	lc_process_finish(&process);
	return rc;
}
