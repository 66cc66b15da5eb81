#include "manager/refusals.h"

#include "livecore/clock.h"

#include <criterion/criterion.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct said {
	struct lc_refusals refusals;
	struct lc_topics_config topics;
	struct lc_log *log;
	int ends[2];
	char text[16384];
};

static char prices[] = "prices", events[] = "events";

static void said_open(struct said *said)
{
	memset(said, 0, sizeof *said);
	said->topics.market_data = prices;
	said->topics.events = events;
	cr_assert_eq(pipe2(said->ends, O_CLOEXEC | O_NONBLOCK), 0);
	cr_assert_eq(lc_log_create(said->ends[1], false, LC_LOG_INFO, &said->log), LC_OK);
	lc_refusals_init(&said->refusals, said->log, &said->topics);
}

static void said_close(struct said *said)
{
	lc_log_destroy(said->log);
	close(said->ends[0]);
	close(said->ends[1]);
}

/* What was logged since the last call. */
static const char *said_now(struct said *said)
{
	ssize_t n = read(said->ends[0], said->text, sizeof said->text - 1);
	said->text[n > 0 ? n : 0] = '\0';
	return said->text;
}

static void refuse(
	struct said *said, enum lc_topic topic, enum lc_err code, const char *why, int64_t at_s)
{
	const struct lc_record record = {.topic = (uint8_t)topic};
	lc_refusals_add(&said->refusals, &record, code, why, at_s * LC_NS_PER_S);
}

Test(refusals, a_topic_that_refuses_everything_is_said_once_a_minute)
{
	struct said said;
	said_open(&said);
	for (int64_t second = 1; second <= 50; second++) {
		refuse(&said, LC_TOPIC_MARKET, LC_ERR_NOT_FOUND, "Unknown topic", second);
	}
	const char *line = said_now(&said);
	cr_assert_eq(strchr(line, '\n'), line + strlen(line) - 1, "one line: %s", line);
	cr_assert(strstr(line, "topic=prices") && strstr(line, "count=1 "), "%s", line);
	cr_assert(strstr(line, "Unknown topic") && strstr(line, "livecore topics create"));

	/* Another topic has a line of its own; the rest of the minute comes when it is over. */
	refuse(&said, LC_TOPIC_EVENTS, LC_ERR_TOO_LARGE, "too large", 51);
	cr_assert(strstr(said_now(&said), "topic=events"));
	lc_refusals_say(&said.refusals, 60 * LC_NS_PER_S);
	cr_assert_str_eq(said_now(&said), "");
	lc_refusals_say(&said.refusals, 61 * LC_NS_PER_S);
	cr_assert(strstr(said_now(&said), "count=49 "));
	lc_refusals_say(&said.refusals, 200 * LC_NS_PER_S);
	cr_assert_str_eq(said_now(&said), "");
	cr_assert_eq(said.refusals.total, 51);
	said_close(&said);
}

Test(refusals, trouble_lasts_as_long_as_it_is_new)
{
	struct said said;
	char text[LC_REFUSALS_TEXT];
	said_open(&said);
	lc_refusals_trouble(&said.refusals, 1, text, sizeof text);
	cr_assert_str_eq(text, "");
	refuse(&said, LC_TOPIC_MARKET, LC_ERR_NOT_FOUND, "Unknown topic", 100);
	lc_refusals_trouble(&said.refusals, 129 * LC_NS_PER_S, text, sizeof text);
	cr_assert_str_eq(text,
		"prices refuses records: Unknown topic: is the topic there? (livecore "
		"topics create)");
	lc_refusals_trouble(&said.refusals, 130 * LC_NS_PER_S, text, sizeof text);
	cr_assert_str_eq(text, "");
	said_close(&said);
}
