#include "timer/rules.h"

#include <stdlib.h>
#include <string.h>

static void free_fields(struct lc_field *fields)
{
	for (struct lc_field *at = fields; at && at->key; at++) {
		free((void *)(uintptr_t)at->key);
		free((void *)(uintptr_t)at->v.str);
	}
	free(fields);
}

void timer_rules_destroy(struct timer_rules *rules)
{
	if (!rules) {
		return;
	}
	for (size_t i = 0; i < rules->count; i++) {
		struct timer_rule *rule = &rules->items[i];
		free(rule->name);
		free(rule->description);
		free(rule->cron_text);
		free(rule->command);
		free(rule->params);
		free_fields(rule->fields);
	}
	free(rules->items);
	lc_zone_destroy(rules->zone);
	free(rules->zone_name);
	free(rules->path);
	free(rules);
}

const struct timer_rule *timer_rules_find(const struct timer_rules *rules, const char *name)
{
	for (size_t i = 0; i < rules->count; i++) {
		/* While a file is read, rules with a mistake have no name. */
		if (rules->items[i].name && strcmp(rules->items[i].name, name) == 0) {
			return &rules->items[i];
		}
	}
	return NULL;
}

const char *timer_rules_numbering(const struct timer_rules *rules)
{
	return rules->numbering == LC_CRON_MONDAY_RULES
		       ? "weekdays 0 = Monday … 6 = Sunday; day of month and weekday must both "
			 "match (scheduled_tasks)"
		       : "weekdays 0 and 7 = Sunday … 6 = Saturday; of day of month and weekday, "
			 "when both are restricted, either matches (cron)";
}
