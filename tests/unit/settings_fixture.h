/* The manager's settings, as a test makes them. */
#pragma once

#include "livecore/buf.h"
#include "manager/settings.h"

#include <criterion/criterion.h>

/* sets: KEY=VALUE, ended by NULL. To be destroyed by the caller. */
static inline struct lc_config *settings_made(const char *const *sets)
{
	struct lc_buf errors;
	struct lc_config *config = NULL;
	size_t count;
	const struct lc_section *const *sections = lc_settings_sections(&count);
	const struct lc_config_sources sources = {.sets = sets};
	lc_buf_init(&errors, 64 * 1024);
	lc_config_load(sections, count, &sources, &config, &errors);
	cr_assert(config, "%s", lc_buf_text(&errors));
	lc_buf_finish(&errors);
	return config;
}
