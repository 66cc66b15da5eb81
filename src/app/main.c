#include "app/args.h"
#include "app/commands.h"
#include "livecore/bar_store.h"
#include "livecore/http_client.h"
#include "livecore/kafka.h"
#include "livecore/loop.h"
#include "livecore/sim.h"
#include "livecore/ws_client.h"
#include "livecore/yaml.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int command_version(int argc, char **argv);
static int command_sim(int argc, char **argv);

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
	const char *help;
} commands[] = {
	{"run", lc_command_run, "follow vendors and publish on Kafka, as the settings say"},
	{"demo", lc_command_demo,
		"the whole on this machine: simulated vendors, embedded broker, live table"},
	{"check", lc_command_check,
		"check a settings file; with --connect, try everything it names"},
	{"config", lc_command_config, "the settings in force and where each came from"},
	{"timer", lc_command_timer,
		"send commands at their times, as the rules file says; --list, --run"},
	{"calendar", lc_command_calendar,
		"a market's days and sessions; closing one for a typhoon"},
	{"topics", lc_command_topics, "Kafka's topics: what exists, and creating what is missing"},
	{"watch", lc_command_watch, "prices from Kafka, readable"},
	{"subscribe", lc_command_subscribe, "say which symbols a portfolio follows"},
	{"command", lc_command_command, "send a control command, and wait for its answer"},
	{"bars", lc_command_bars, "stored bars of a symbol: table, CSV, JSON or candles"},
	{"store", lc_command_store, "the bar store: does it answer? init makes its tables"},
	{"journal", lc_command_journal, "the log on disk: its records, and whether they are sound"},
	{"status", lc_command_status, "what a running livecore says of itself"},
	{"probe", lc_command_probe, "live or ready? for a container's health check"},
	{"sim", command_sim, "a vendor's simulator: alpaca, eastmoney, fushu or tencent"},
	{"version", command_version, "versions of livecore and its libraries"},
};

static int usage(FILE *out)
{
	fputs("livecore: market data from vendors to Kafka\n\nusage: livecore COMMAND "
	      "[OPTIONS]\n\n",
		out);
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].help);
	}
	fputs("\nlivecore COMMAND --help says more. Exit codes: 0 done, 1 failed, 2 usage or "
	      "settings.\n",
		out);
	return out == stdout ? LC_EXIT_OK : LC_EXIT_USAGE;
}

static int unknown_command(const char *name)
{
	const char *names[sizeof commands / sizeof *commands + 1] = {NULL};
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		names[i] = commands[i].name;
	}
	const char *near = lc_yaml_nearest(name, names);
	fprintf(stderr, "livecore: there is no command \"%s\"", name);
	if (near) {
		fprintf(stderr, ": did you mean %s?\nTry: livecore --help\n", near);
		return LC_EXIT_USAGE;
	}
	fputc('\n', stderr);
	return usage(stderr);
}

static int command_version(int argc, char **argv)
{
	static const struct lc_usage usage = {"version", "",
		"Prints the versions of livecore and of the libraries it runs with."};
	static const struct lc_option options[] = {{0}};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	if (argc > 1) {
		return lc_args_wrong(&usage, "version takes no arguments, not \"%s\"", argv[1]);
	}
	printf("livecore %s\nlibrdkafka %s\nlibuv %s\nlibwebsockets %.*s\n", LC_VERSION,
		lc_kafka_library_version(), lc_loop_library_version(),
		(int)strcspn(lc_ws_library_version(), "-"),
		lc_ws_library_version()); /* "4.1.6-" and, at times, a commit */
	/* curl names those that it is built on as well: "libcurl/7.88.1 OpenSSL/3.0.22 zlib/…". */
	printf("%s\nSQLite %s\n", lc_http_library_version(), lc_bar_store_library_version());
	return LC_EXIT_OK;
}

static int command_sim(int argc, char **argv)
{
	if (argc < 2) {
		fputs("livecore: name the vendor: livecore sim alpaca|eastmoney|fushu|tencent "
		      "[OPTIONS]\n",
			stderr);
		return LC_EXIT_USAGE;
	}
	if (strcmp(argv[1], "--help") == 0) {
		puts("usage: livecore sim VENDOR [OPTIONS]\n\nVENDOR is alpaca, eastmoney, "
		     "fushu or tencent; livecore sim VENDOR --help lists its "
		     "options.");
		return LC_EXIT_OK;
	}
	return lc_sim_main(argc - 1, argv + 1);
}

/* Started with standard input, output or error closed, the loop's own descriptors would take their
 * numbers, and log lines would be written into them. */
static bool open_standard_descriptors(void)
{
	int fd;
	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0) {
		close(fd);
	}
	return fd >= 0;
}

/* What a full disk swallowed was not done. A reader that went away has seen what it wanted. */
static int check_output(int exit_code)
{
	errno = 0;
	if ((fflush(stdout) == 0 && !ferror(stdout)) || errno == EPIPE || exit_code != LC_EXIT_OK) {
		return exit_code;
	}
	/* Why an earlier write failed is forgotten by now. */
	fprintf(stderr, "livecore: the output could not be written: %s\n",
		errno ? strerror(errno) : "is its disk full?");
	return LC_EXIT_FAILED;
}

int main(int argc, char **argv)
{
	if (!open_standard_descriptors()) {
		return LC_EXIT_FAILED;
	}
	/* libuv reads it when the pool is first used; a Kafka that is away keeps some of its
	 * threads waiting. */
	setenv("UV_THREADPOOL_SIZE", "8", 0);
	if (argc < 2) {
		return usage(stderr);
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
		strcmp(argv[1], "help") == 0) {
		return check_output(usage(stdout));
	}
	const char *name = strcmp(argv[1], "--version") == 0 ? "version" : argv[1];
	for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
		if (strcmp(commands[i].name, name) == 0) {
			return check_output(commands[i].run(argc - 1, argv + 1));
		}
	}
	return unknown_command(argv[1]);
}
