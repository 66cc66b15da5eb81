/* The walk through a rules file: every mistake is complained about, and the walk goes on. */
#include "timer/rules_read.h"

#include "livecore/clock.h"
#include "livecore/messages.h"

#include <stdlib.h>
#include <string.h>

/* Where the probe for "does it ever fire" starts: any year does. */
#define PROBE_NS (INT64_C(1767225600) * LC_NS_PER_S)

static const char *const file_keys[] = {"scheduler", "rules", "scheduled_tasks", NULL};
static const char *const scheduler_keys[] = {
	"timezone", "coalesce", "misfire_grace", "commands", NULL};
static const char *const rule_keys[] = {"name", "description", "cron", "command", "type", "params",
	"payload", "enabled", "trading_days", NULL};
static const char *const command_keys[] = {"type", "command", "payload", "params", NULL};
static const char *const markets[] = {"cn", "hk", "us", NULL};

/* --- scheduler --- */

static void read_zone(struct reading *reading, const struct lc_yaml_node *node)
{
	struct timer_rules *rules = reading->rules;
	const char *name = node ? reading_text(reading, node, "timezone") : "Asia/Shanghai";
	struct lc_error err;
	if (!name) {
		return;
	}
	if (lc_zone_load(name, &rules->zone, &err) != LC_OK) {
		lc_yaml_complain(reading->yaml, node, "timezone: %s", err.text);
	}
	rules->zone_name = reading_copy(reading, name);
}

static void add_command(struct reading *reading, const char *name)
{
	if (reading->command_count < READING_COMMANDS_MAX) {
		reading->commands[reading->command_count++] = name;
	}
}

/* Commands of programs that livecore knows nothing of. */
static void read_commands(struct reading *reading, const struct lc_yaml_node *node)
{
	if (!node || lc_yaml_is_null(node)) {
		return;
	}
	if (node->kind != LC_YAML_SEQUENCE) {
		lc_yaml_complain(reading->yaml, node, "commands is a list of names");
		return;
	}
	for (const struct lc_yaml_node *at = node->first; at; at = at->next) {
		const char *name = reading_text(reading, at, "a command's name");
		if (name) {
			add_command(reading, name);
		}
	}
}

static void read_scheduler(struct reading *reading, const struct lc_yaml_node *node)
{
	struct timer_rules *rules = reading->rules;
	if (node && lc_yaml_is_null(node)) {
		node = NULL;
	}
	if (node && !reading_mapping(reading, node, "scheduler", scheduler_keys)) {
		node = NULL;
	}
	read_zone(reading, lc_yaml_get(node, "timezone"));
	reading_bool(reading, lc_yaml_get(node, "coalesce"), &rules->coalesce);
	reading_grace(reading, lc_yaml_get(node, "misfire_grace"), &rules->grace_ms);
	read_commands(reading, lc_yaml_get(node, "commands"));
}

/* --- a rule --- */

static void read_name(
	struct reading *reading, const struct lc_yaml_node *rule, struct timer_rule *out)
{
	const struct lc_yaml_node *node = lc_yaml_get(rule, "name");
	const char *name = node ? reading_text(reading, node, "name") : NULL;
	char shown[READING_SHOWN_MAX];
	if (!node) {
		lc_yaml_complain(reading->yaml, rule, "the rule has no name");
	}
	if (!name) {
		return;
	}
	if (strlen(name) > TIMER_NAME_MAX) {
		lc_yaml_complain(
			reading->yaml, node, "the name is longer than %d bytes", TIMER_NAME_MAX);
		return;
	}
	for (const char *at = name; *at; at++) {
		if ((unsigned char)*at < ' ' || *at == 0x7F) {
			lc_yaml_complain(reading->yaml, node, "a control character in the name");
			return;
		}
	}
	if (timer_rules_find(reading->rules, name)) {
		lc_yaml_complain(reading->yaml, node, "there is another rule with the name \"%s\"",
			lc_yaml_shown(name, shown, sizeof shown));
		return;
	}
	out->name = reading_copy(reading, name);
}

static void read_cron(
	struct reading *reading, const struct lc_yaml_node *rule, struct timer_rule *out)
{
	const struct lc_yaml_node *node = lc_yaml_get(rule, "cron");
	const char *text = node ? reading_text(reading, node, "cron") : NULL;
	struct lc_error err;
	int64_t next_ns;
	if (!node) {
		lc_yaml_complain(reading->yaml, rule, "the rule has no cron expression");
	}
	if (!text) {
		return;
	}
	if (lc_cron_parse(text, reading->rules->numbering, &out->cron, &err) != LC_OK) {
		lc_yaml_complain(reading->yaml, node, "cron: %s", err.text);
	} else if (lc_cron_next(&out->cron, NULL, PROBE_NS, &next_ns) != LC_OK) {
		lc_yaml_complain(reading->yaml, node,
			"cron: no year has such a day: the rule would never fire");
	}
	out->cron_text = reading_copy(reading, text);
}

/* One field of the message for each parameter. */
static void make_fields(
	struct reading *reading, const struct lc_yaml_node *node, struct timer_rule *out)
{
	size_t count = node && node->kind == LC_YAML_MAPPING ? node->count : 0, i = 0;
	out->fields = calloc(count + 1, sizeof *out->fields);
	reading->nomem |= !out->fields;
	for (const struct lc_yaml_node *at = count ? node->first : NULL; at && out->fields;
		at = at->next) {
		struct lc_buf json;
		lc_buf_init(&json, TIMER_PARAMS_MAX);
		timer_params_json(at, at->key, &json);
		out->fields[i++] = LC_J(
			reading_copy(reading, at->key), reading_copy(reading, lc_buf_text(&json)));
		lc_buf_finish(&json);
	}
}

static void read_params(
	struct reading *reading, const struct lc_yaml_node *node, struct timer_rule *out)
{
	struct lc_buf json;
	lc_buf_init(&json, TIMER_PARAMS_MAX);
	if (!node || lc_yaml_is_null(node)) {
		lc_buf_puts(&json, "{}");
	} else if (node->kind != LC_YAML_MAPPING) {
		lc_yaml_complain(reading->yaml, node, "%s is a mapping (key: value)", node->key);
	} else {
		timer_params_json(node, "", &json);
	}
	if (json.failed) {
		lc_yaml_complain(reading->yaml, node, "the parameters are longer than %d bytes",
			TIMER_PARAMS_MAX);
	}
	free(out->params);
	out->params = reading_copy(reading, lc_buf_text(&json));
	lc_buf_finish(&json);
	make_fields(reading, node, out);
}

static bool knows(const struct reading *reading, const char *command)
{
	for (size_t i = 0; i < reading->command_count; i++) {
		if (strcmp(reading->commands[i], command) == 0) {
			return true;
		}
	}
	return false;
}

/* Either of two keys; both at once are a mistake. */
static const struct lc_yaml_node *either(
	struct reading *reading, const struct lc_yaml_node *node, const char *a, const char *b)
{
	const struct lc_yaml_node *first = lc_yaml_get(node, a), *second = lc_yaml_get(node, b);
	if (first && second) {
		lc_yaml_complain_key(
			reading->yaml, second, "%s and %s mean the same: keep one", a, b);
	}
	return first ? first : second;
}

/* `command: NAME` with params, `type: NAME` with payload, or the two in a mapping under command. */
static void read_command(
	struct reading *reading, const struct lc_yaml_node *rule, struct timer_rule *out)
{
	const struct lc_yaml_node *node = either(reading, rule, "command", "type");
	const struct lc_yaml_node *params = either(reading, rule, "params", "payload");
	if (!node) {
		lc_yaml_complain(reading->yaml, rule, "the rule has no command");
	} else if (node->kind == LC_YAML_MAPPING) {
		const struct lc_yaml_node *inner = node;
		reading_mapping(reading, inner, "command", command_keys);
		const struct lc_yaml_node *own = either(reading, inner, "params", "payload");
		if (own && params) {
			lc_yaml_complain_key(
				reading->yaml, params, "the command has parameters already");
		}
		params = own ? own : params;
		node = either(reading, inner, "command", "type");
		if (!node) {
			lc_yaml_complain(reading->yaml, inner, "the command has no type");
		}
	}
	const char *name = node ? reading_text(reading, node, "command") : NULL;
	if (name && !knows(reading, name)) {
		reading_unknown_value(reading, node, "command", reading->commands);
	}
	out->command = reading_copy(reading, name ? name : "");
	read_params(reading, params, out);
}

static void read_market(
	struct reading *reading, const struct lc_yaml_node *node, struct timer_rule *out)
{
	const char *text = NULL;
	if (node && !lc_yaml_is_null(node)) {
		text = reading_text(reading, node, "trading_days");
	}
	if (!text) {
		return;
	}
	for (int i = 0; markets[i]; i++) {
		if (strcmp(text, markets[i]) == 0) {
			out->market = i;
			return;
		}
	}
	reading_unknown_value(reading, node, "market", markets);
}

static void read_rule(
	struct reading *reading, const struct lc_yaml_node *node, struct timer_rule *out)
{
	const struct lc_yaml_node *description = lc_yaml_get(node, "description");
	const char *text = NULL;
	if (!reading_mapping(reading, node, "a rule", rule_keys)) {
		return;
	}
	read_name(reading, node, out);
	if (description && !lc_yaml_is_null(description)) {
		text = reading_text(reading, description, "description");
	}
	out->description = reading_copy(reading, text ? text : "");
	read_cron(reading, node, out);
	read_command(reading, node, out);
	reading_bool(reading, lc_yaml_get(node, "enabled"), &out->enabled);
	read_market(reading, lc_yaml_get(node, "trading_days"), out);
}

/* --- the file --- */

static void read_list(struct reading *reading, const struct lc_yaml_node *list)
{
	struct timer_rules *rules = reading->rules;
	if (lc_yaml_is_null(list)) {
		return;
	}
	if (list->kind != LC_YAML_SEQUENCE) {
		lc_yaml_complain(reading->yaml, list, "%s is a list (- name: …)", list->key);
		return;
	}
	if (list->count > TIMER_RULES_MAX) {
		lc_yaml_complain(reading->yaml, list, "more than %d rules", TIMER_RULES_MAX);
		return;
	}
	rules->items = calloc(list->count + 1, sizeof *rules->items);
	if (!rules->items) {
		reading->nomem = true;
		return;
	}
	for (const struct lc_yaml_node *at = list->first; at; at = at->next) {
		struct timer_rule *rule = &rules->items[rules->count];
		*rule = (struct timer_rule){.enabled = true, .market = -1};
		read_rule(reading, at, rule);
		rules->count++;
	}
}

static void read_file(struct reading *reading)
{
	const struct lc_yaml_node *root = lc_yaml_root(reading->yaml);
	struct timer_rules *rules = reading->rules;
	if (!root) {
		lc_yaml_complain(reading->yaml, NULL, "the file is empty: rules: is missing");
		return;
	}
	if (!reading_mapping(reading, root, "the file", file_keys)) {
		return;
	}
	const struct lc_yaml_node *list = lc_yaml_get(root, "rules"),
				  *old = lc_yaml_get(root, "scheduled_tasks");
	if (list && old) {
		lc_yaml_complain_key(reading->yaml, old,
			"scheduled_tasks numbers weekdays from Monday and rules from Sunday: one "
			"file has one of them");
	} else if (!list && !old) {
		lc_yaml_complain(reading->yaml, root, "rules: is missing");
	}
	rules->old_shape = old && !list;
	rules->numbering = rules->old_shape ? LC_CRON_MONDAY_RULES : LC_CRON_RULES;
	read_scheduler(reading, lc_yaml_get(root, "scheduler"));
	if (list || old) {
		read_list(reading, list ? list : old);
	}
}

static enum lc_err read_rules(struct lc_yaml *yaml, const char *name, struct timer_rules **out)
{
	struct timer_rules *rules = calloc(1, sizeof *rules);
	struct reading reading = {.yaml = yaml, .rules = rules};
	if (!rules) {
		return LC_ERR_NOMEM;
	}
#define X(id, text) add_command(&reading, text);
	LC_COMMANDS(X)
#undef X
	rules->coalesce = true;
	rules->grace_ms = TIMER_GRACE_DEFAULT_MS;
	rules->path = reading_copy(&reading, name);
	read_file(&reading);
	if (reading.nomem || lc_yaml_error_count(yaml) > 0) {
		timer_rules_destroy(rules);
		return reading.nomem ? LC_ERR_NOMEM : LC_ERR_INVALID;
	}
	*out = rules;
	return LC_OK;
}

static enum lc_err conclude(enum lc_err rc, struct lc_yaml *yaml, const char *name,
	struct timer_rules **out, struct lc_buf *errors)
{
	*out = NULL;
	if (rc == LC_OK) {
		rc = read_rules(yaml, name, out);
	}
	if (rc == LC_ERR_NOMEM) {
		lc_buf_puts(errors, "out of memory\n");
	} else if (rc != LC_OK) {
		lc_yaml_errors(yaml, errors);
	}
	lc_yaml_destroy(yaml);
	return rc;
}

enum lc_err timer_rules_load(const char *path, struct timer_rules **out, struct lc_buf *errors)
{
	struct lc_yaml *yaml = NULL;
	enum lc_err rc = lc_yaml_read_file(path, &yaml);
	return conclude(rc, yaml, path, out, errors);
}

enum lc_err timer_rules_parse(const char *name, const char *data, size_t size,
	struct timer_rules **out, struct lc_buf *errors)
{
	struct lc_yaml *yaml = NULL;
	enum lc_err rc = lc_yaml_read_text(name, data, size, &yaml);
	return conclude(rc, yaml, name, out, errors);
}
