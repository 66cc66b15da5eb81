/* The timer's rules, as its file says them: which command is sent when. Reading touches the file
 * and zones (at start, reload and in tools); after that everything here is constant. Loop
 * thread. */
#pragma once

#include "livecore/cron.h"
#include "livecore/log.h"
#include "livecore/symbol.h"
#include "livecore/yaml.h"
#include "livecore/zone.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TIMER_RULES_MAX = 1000, TIMER_NAME_MAX = 100, TIMER_PARAMS_MAX = 256 * 1024 };
enum { TIMER_ID_MAX = TIMER_NAME_MAX + 40 }; /* of a request id */
#define TIMER_GRACE_DEFAULT_MS INT64_C(300000)

struct timer_rule {
	char *name, *description, *cron_text, *command; /* owned; description "" when absent */
	char *params;                                   /* owned; a JSON object, for people */
	/* the same for a message: keys and JSON texts, all owned; ends with LC_FIELD_END */
	struct lc_field *fields;
	struct lc_cron cron;
	bool enabled;
	int market; /* only on trading days of this enum lc_market; -1: on all days */
};

struct timer_rules {
	char *path;      /* owned; as it was given */
	char *zone_name; /* owned */
	struct lc_zone *zone;
	enum lc_cron_rules numbering;
	bool old_shape; /* scheduled_tasks */
	bool coalesce;
	int64_t grace_ms;
	struct timer_rule *items; /* owned */
	size_t count;
};

/* Every mistake is a line in errors, `file:line:column: message`, and *out stays NULL:
 * LC_ERR_INVALID or LC_ERR_NOMEM. */
enum lc_err timer_rules_load(const char *path, struct timer_rules **out, struct lc_buf *errors);
/* The same of bytes. */
enum lc_err timer_rules_parse(const char *name, const char *data, size_t size,
	struct timer_rules **out, struct lc_buf *errors);
void timer_rules_destroy(struct timer_rules *rules);

/* The rule of that name, or NULL. */
const struct timer_rule *timer_rules_find(const struct timer_rules *rules, const char *name);
/* How weekdays are numbered and days matched, for people; static. */
const char *timer_rules_numbering(const struct timer_rules *rules);

/* A YAML value as JSON. Plain scalars are what YAML says they are (numbers, true/false as well as
 * yes/no and on/off, null), but under a key whose values are always text (code, codes, *_date) they
 * stay text; quoted ones are text. */
void timer_params_json(const struct lc_yaml_node *node, const char *key, struct lc_buf *out);
