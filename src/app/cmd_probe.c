/* livecore probe: live or ready? One line and an exit code, for a container's health check. */
#include "app/commands.h"
#include "app/tool.h"

#include <string.h>

#define BODY_MAX ((size_t)256 * 1024)

static const struct lc_usage usage = {"probe", "[live|ready]",
	"Asks a running livecore over HTTP: live (its loop turns) or ready (the default: settings, "
	"interest and Kafka are as they\n"
	"should be; a vendor's outage is \"degraded\" and still ready). One line; exit code 0 yes, "
	"1 no."};

/* The checks that failed, as "kafka: reason; …"; feeders and markets are one level deeper. */
static void print_reasons(const struct lc_value *checks, bool nested)
{
	const struct lc_value *key, *check;
	lc_value_each_field (key, check, checks) {
		const struct lc_value *ok = lc_value_find(check, "ok"),
				      *reason = lc_tool_reason(check);
		if (check->type == LC_VALUE_OBJECT && !ok && !nested) {
			print_reasons(check, true);
		}
		if (!ok || ok->type != LC_VALUE_BOOL || ok->v.b) {
			continue;
		}
		fputs("; ", stdout);
		lc_printable_put(stdout, (struct lc_text){key->v.text, key->len});
		if (reason) {
			fputs(": ", stdout);
			lc_printable_put(stdout, (struct lc_text){reason->v.text, reason->len});
		}
	}
}

static void print_answer(int status, const struct lc_buf *body)
{
	struct lc_json_parser *parser = NULL;
	const struct lc_value *root, *text = NULL, *checks = NULL;
	if (lc_json_parser_create(NULL, &parser) == LC_OK &&
		lc_json_parse(parser, body->data, body->len, body->len, &root, NULL) == LC_OK) {
		text = lc_value_find(root, "status");
		checks = lc_value_find(root, "checks");
	}
	if (text && text->type == LC_VALUE_STRING) {
		lc_printable_put(stdout, (struct lc_text){text->v.text, text->len});
	} else {
		printf("HTTP %d", status);
	}
	if (checks) {
		print_reasons(checks, false);
	}
	fputc('\n', stdout);
	lc_json_parser_destroy(parser);
}

static int probe(struct lc_tool *tool, const char *url, const char *path, int64_t timeout_ms)
{
	struct lc_buf body;
	struct lc_error err;
	int status = 0;
	lc_buf_init(&body, BODY_MAX);
	enum lc_err rc = lc_tool_get(tool, url, path, timeout_ms, &status, &body, &err);
	if (rc == LC_OK) {
		print_answer(status, &body);
	} else {
		printf("no answer: %s\n", err.text);
	}
	lc_buf_finish(&body);
	return rc == LC_OK && status == 200 ? LC_EXIT_OK : LC_EXIT_FAILED;
}

int lc_command_probe(int argc, char **argv)
{
	/* A file that a running livecore refuses to reload must not make it look ill. */
	struct lc_tool tool = {.process.lenient = true};
	const char *url = NULL;
	int64_t timeout_ms = 3000;
	const struct lc_option options[] = {
		{"url", LC_OPTION_TEXT, &url, "URL",
			"of the livecore (default: http.address of the settings)"},
		{"timeout", LC_OPTION_DURATION, &timeout_ms, "TIME",
			"for the whole answer (default 3s)"},
		LC_PROCESS_OPTIONS(&tool.process),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	bool live = argc == 2 && strcmp(argv[1], "live") == 0;
	if (argc > 2 || (argc == 2 && !live && strcmp(argv[1], "ready") != 0)) {
		return lc_args_wrong(
			&usage, "probe takes live or ready, not \"%s\"", argv[argc - 1]);
	}
	rc = lc_tool_open(&tool, false);
	rc = rc >= 0 ? rc : probe(&tool, url, live ? "/livez" : "/readyz", timeout_ms);
	lc_tool_close(&tool);
	return rc;
}
