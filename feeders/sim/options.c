#include "sim_priv.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum type { FLAG, INT, TEXT, RATE };

static const struct option {
	const char *name;
	enum type type;
	size_t offset;
	const char *fallback, *argument, *help;
} options[] = {
#define AT(field) offsetof(struct sim_options, field)
	{"--port", INT, AT(port), "0", "N", "port to listen on; 0: any free one, which is printed"},
	{"--bind", TEXT, AT(bind), "127.0.0.1", "ADDRESS", "address to listen on"},
	{"--seed", INT, AT(seed), "1", "N", "seed of the random walk"},
	{"--rate", RATE, AT(rate), "20", "N|max", "ticks a second over all symbols followed"},
	{"--tape", TEXT, AT(tape), NULL, "FILE", "play this recorded day instead of a walk"},
	{"--tape-from", TEXT, AT(tape_from), NULL, "HH:MM",
		"begin the tape at this time of its market's day"},
	{"--speed", RATE, AT(speed), "1", "N|max", "speed of the tape, times the market's own"},
	{"--exit-with-stdin", FLAG, AT(exit_with_stdin), NULL, NULL,
		"end when standard input ends"},
	{"--tls-cert", TEXT, AT(tls_cert), NULL, "FILE", "PEM certificate: speak TLS"},
	{"--tls-key", TEXT, AT(tls_key), NULL, "FILE", "PEM key"},
	{"--faults", TEXT, AT(faults), NULL, "SPEC",
		"KIND[:VALUE[/COUNT]][@SECONDS],… (also POST /sim/fault)"},
	{"--sent", TEXT, AT(sent), NULL, "FILE",
		"write what is sent, a line a tick (docs/testing.md)"},
	{"--limit-ticks", INT, AT(limit_ticks), "0", "N", "fall silent after N ticks; 0: never"},
	{"--key", TEXT, AT(key), NULL, "KEY", "the key that is accepted"},
	{"--secret", TEXT, AT(secret), "demo-secret", "SECRET", "and its secret (alpaca)"},
	{"--symbol-limit", INT, AT(symbol_limit), "0", "N",
		"trades and quotes a session may follow (alpaca); 0: any"},
	{"--connection-limit", INT, AT(connection_limit), "1", "N",
		"sessions that one key may have (alpaca)"},
	{"--auth-timeout-ms", INT, AT(auth_timeout_ms), "10000", "MS",
		"time to authenticate (alpaca)"},
	{"--per-frame", INT, AT(per_frame), "10", "N", "most messages in a frame (alpaca)"},
	{"--linger", INT, AT(linger_s), "0", "S",
		"alpaca: who was followed trades on for so many seconds, unheard"},
	{"--oddities", INT, AT(oddities), "0", "N",
		"one message in N is of a rare kind (alpaca); 0: none"},
	{"--feeds", TEXT, AT(feeds), NULL, "A,B", "feeds in the plan (alpaca)"},
	{"--reject", TEXT, AT(reject), NULL, "SYM,SYM", "symbols that are refused or unknown"},
	{"--deflate", FLAG, AT(deflate), NULL, NULL, "accept permessage-deflate"},
	{"--ws-volume", TEXT, AT(ws_volume), "shares", "shares|lots",
		"unit of volumes on the WebSocket (eastmoney)"},
	{"--shape", TEXT, AT(shape), "code", "spec|code", "form of the answers (fushu)"},
#undef AT
};

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static void write_help(struct lc_buf *out)
{
	lc_buf_puts(out, "usage: livecore sim alpaca|eastmoney|fushu|tencent [OPTION…]\n");
	for (size_t i = 0; i < COUNT(options); i++) {
		char left[64];
		const char *argument = options[i].argument != NULL ? options[i].argument : "";
		snprintf(left, sizeof(left), "%s %s", options[i].name, argument);
		lc_buf_printf(out, "  %-30s %s", left, options[i].help);
		if (options[i].fallback != NULL) {
			lc_buf_printf(out, " (%s)", options[i].fallback);
		}
		lc_buf_putc(out, '\n');
	}
	lc_buf_puts(out, "faults, with the VALUE/COUNT that they have when not given:\n");
	for (size_t i = 0; sim_vendors[i] != NULL; i++) {
		lc_buf_printf(out, "  %s: ", sim_vendors[i]->name);
		sim_faults_names(sim_vendors[i], out);
		lc_buf_putc(out, '\n');
	}
}

static bool set(struct sim_options *out, const struct option *option, const char *text)
{
	char *at = (char *)out + option->offset;
	char *end = NULL;
	switch (option->type) {
	case FLAG:
		*(bool *)at = true;
		return true;
	case TEXT:
		*(const char **)(void *)at = text;
		return true;
	case RATE: {
		double value = strcmp(text, "max") == 0 ? INFINITY : strtod(text, &end);
		*(double *)(void *)at = value;
		return value >= 0 && (end == NULL || *end == '\0');
	}
	default: {
		long long value = strtoll(text, &end, 10);
		if (option->offset == offsetof(struct sim_options, port)) {
			*(int *)(void *)at = (int)value;
		} else {
			*(int64_t *)(void *)at = value;
		}
		return *text != '\0' && *end == '\0' && value >= 0;
	}
	}
}

static const struct option *find(const char *name)
{
	for (size_t i = 0; i < COUNT(options); i++) {
		if (strcmp(options[i].name, name) == 0) {
			return &options[i];
		}
	}
	return NULL;
}

static bool check(const struct sim_options *out, struct lc_buf *message)
{
	size_t i = 0;
	while (sim_vendors[i] != NULL && strcmp(sim_vendors[i]->name, out->vendor) != 0) {
		i++;
	}
	if (sim_vendors[i] == NULL) {
		lc_buf_printf(message,
			"sim: no such vendor '%s': alpaca, eastmoney, fushu or tencent\n",
			out->vendor);
		return false;
	}
	bool shape = strcmp(out->shape, "spec") == 0 || strcmp(out->shape, "code") == 0;
	int hour, minute;
	if (out->tape_from != NULL && (sscanf(out->tape_from, "%d:%d", &hour, &minute) != 2 ||
					      hour < 0 || hour > 23 || minute < 0 || minute > 59)) {
		lc_buf_printf(message, "sim: --tape-from '%s' is not HH:MM\n", out->tape_from);
		return false;
	}
	if (out->speed <= 0) {
		lc_buf_puts(message, "sim: --speed has to be above 0, or max\n");
		return false;
	}
	if (out->port > 65535 || !shape || out->per_frame < 1 || out->per_frame > 10000) {
		lc_buf_printf(message, "sim: %s\n",
			out->port > 65535 ? "--port has to be 0 to 65535"
			: !shape          ? "--shape has to be spec or code"
					  : "--per-frame has to be 1 to 10000");
		return false;
	}
	return true;
}

bool sim_options_parse(int argc, char **argv, struct sim_options *out, struct lc_buf *message)
{
	*out = (struct sim_options){0};
	for (size_t i = 0; i < COUNT(options); i++) {
		if (options[i].fallback != NULL) {
			set(out, &options[i], options[i].fallback);
		}
	}
	if (argc < 1 || strcmp(argv[0], "--help") == 0) {
		write_help(message);
		return false;
	}
	out->vendor = argv[0];
	for (int i = 1; i < argc; i++) {
		/* --tls CERT KEY takes two. */
		if (strcmp(argv[i], "--tls") == 0 && i + 2 < argc) {
			out->tls_cert = argv[++i];
			out->tls_key = argv[++i];
			continue;
		}
		const struct option *option = find(argv[i]);
		if (strcmp(argv[i], "--help") == 0) {
			write_help(message);
			return false;
		}
		if (option == NULL || (option->type != FLAG && i + 1 == argc)) {
			lc_buf_printf(message, "sim: %s '%s' (--help lists the options)\n",
				option == NULL ? "unknown option" : "no value for", argv[i]);
			return false;
		}
		const char *value = option->type == FLAG ? "" : argv[++i];
		if (!set(out, option, value)) {
			lc_buf_printf(message, "sim: %s: '%s' is not a value for it\n",
				option->name, value);
			return false;
		}
	}
	return check(out, message);
}
