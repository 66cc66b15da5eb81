/* livecore subscribe: says on Kafka which symbols a portfolio follows. */
#include "app/commands.h"
#include "app/symbol_args.h"
#include "app/tool.h"
#include "livecore/interest.h"

#include <stdio.h>
#include <string.h>

#define BODY_MAX ((size_t)2 * 1024 * 1024)

static const struct lc_usage usage = {"subscribe", "--portfolio P SYMBOL…",
	"Publishes an InterestUpdate: the portfolio follows exactly these symbols, or with --add "
	"also these, or with --remove these\n"
	"no more; --clear: none at all. What other portfolios follow stays. Symbols look like "
	"600000.SH, 00700.HK, AAPL, BRK.B."};

struct subscription {
	struct lc_tool tool;
	const char *portfolio;
	bool add, remove, clear;
	int64_t timeout_ms;
	char **symbols;
	size_t count;
};

static int check(struct subscription *subscription)
{
	if (!subscription->portfolio) {
		return lc_args_wrong(&usage, "whose symbols? --portfolio is missing");
	}
	size_t len = strlen(subscription->portfolio);
	if (len == 0 || len > LC_PORTFOLIO_ID_MAX) {
		return lc_args_wrong(
			&usage, "--portfolio takes 1 to %d bytes", LC_PORTFOLIO_ID_MAX);
	}
	if (subscription->add + subscription->remove + subscription->clear > 1) {
		return lc_args_wrong(&usage, "--add, --remove and --clear exclude each other");
	}
	if (subscription->clear && subscription->count > 0) {
		return lc_args_wrong(&usage, "--clear takes no symbols; --remove does");
	}
	if (!subscription->clear && subscription->count == 0) {
		return lc_args_wrong(&usage, "which symbols? (--clear follows none)");
	}
	return lc_symbol_args_check(&usage, subscription->symbols, subscription->count, false);
}

static void report(const struct subscription *subscription, const char *topic,
	const struct lc_tool_place *place)
{
	const char *plural = subscription->count == 1 ? "" : "s";
	if (subscription->clear) {
		printf("%s follows nothing", subscription->portfolio);
	} else if (subscription->remove) {
		printf("%s follows %zu symbol%s less", subscription->portfolio, subscription->count,
			plural);
	} else {
		printf("%s %sfollows %zu symbol%s", subscription->portfolio,
			subscription->add ? "also " : "", subscription->count, plural);
	}
	printf(": topic=%s partition=%d offset=%lld\n", topic, place->partition,
		(long long)place->offset);
}

static int publish(struct subscription *subscription)
{
	struct lc_tool *tool = &subscription->tool;
	const char *topic = lc_process_topics(&tool->process)->interest;
	enum lc_interest_type type = subscription->add      ? LC_INTEREST_ADD
				     : subscription->remove ? LC_INTEREST_REMOVE
							    : LC_INTEREST_REPLACE;
	struct lc_buf body;
	struct lc_tool_place place;
	struct lc_error err;
	lc_buf_init(&body, BODY_MAX);
	lc_interest_update_encode(&tool->context, subscription->portfolio, type,
		(const char *const *)subscription->symbols, subscription->count,
		lc_loop_wall_ns(tool->process.loop), &body);
	enum lc_err rc = LC_ERR_TOO_LARGE;
	if (body.failed) {
		lc_error_set(&err, rc,
			"the symbols do not fit into one message: send them in parts with --add");
	} else {
		const struct lc_message message = {.topic = topic,
			.key = subscription->portfolio,
			.key_len = strlen(subscription->portfolio),
			.value = body.data,
			.value_len = body.len};
		rc = lc_tool_publish(tool, &message, subscription->timeout_ms, &place, &err);
	}
	lc_buf_finish(&body);
	if (rc != LC_OK) {
		return lc_tool_failed(&err);
	}
	report(subscription, topic, &place);
	return LC_EXIT_OK;
}

int lc_command_subscribe(int argc, char **argv)
{
	struct subscription subscription = {.timeout_ms = 15000};
	const struct lc_option options[] = {
		{"portfolio", LC_OPTION_TEXT, &subscription.portfolio, "P", "whose set is changed"},
		{"add", LC_OPTION_FLAG, &subscription.add, NULL,
			"keep what it follows and add these"},
		{"remove", LC_OPTION_FLAG, &subscription.remove, NULL,
			"keep what it follows but for these"},
		{"clear", LC_OPTION_FLAG, &subscription.clear, NULL, "follow nothing any more"},
		{"timeout", LC_OPTION_DURATION, &subscription.timeout_ms, "TIME",
			"how long Kafka may take (default 15s)"},
		LC_TOOL_OPTIONS(&subscription.tool),
		{0},
	};
	int rc = lc_args_parse(&usage, options, &argc, argv);
	if (rc >= 0) {
		return rc;
	}
	subscription.symbols = argv + 1;
	subscription.count = (size_t)argc - 1;
	rc = check(&subscription);
	if (rc >= 0) {
		return rc;
	}
	rc = lc_tool_open(&subscription.tool, true);
	rc = rc >= 0 ? rc : publish(&subscription);
	lc_tool_close(&subscription.tool);
	return rc;
}
