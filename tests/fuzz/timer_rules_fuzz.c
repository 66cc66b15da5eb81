/* A timer's rules file: whatever is accepted is whole, and whatever is not is told. */
#include "timer/rules.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct timer_rules *rules = NULL;
	struct lc_buf errors;
	lc_buf_init(&errors, 64 * 1024);
	enum lc_err rc = timer_rules_parse("f", (const char *)data, size, &rules, &errors);
	if (rc == LC_OK) {
		for (size_t i = 0; i < rules->count; i++) {
			const struct timer_rule *rule = &rules->items[i];
			if (!rule->name || !rule->command || !rule->params || !rule->fields) {
				abort();
			}
		}
	} else if (rc == LC_ERR_INVALID && errors.len == 0) {
		abort();
	}
	timer_rules_destroy(rules);
	lc_buf_finish(&errors);
	return 0;
}
