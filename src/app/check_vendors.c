#include "app/check.h"
#include "manager/routes.h"

#include <stdio.h>
#include <string.h>

static void settle(struct trial *trial, bool ok, const char *text)
{
	if (!trial->answered) {
		trial->answered = true;
		lc_check_report(trial->check, trial->impl->name, ok, trial->started_ns, text);
	}
}

static void on_tick(struct lc_feeder *feeder, const struct lc_tick *tick)
{
	(void)feeder;
	(void)tick;
}

static void on_reference(struct lc_feeder *feeder, const struct lc_reference *reference)
{
	(void)feeder;
	(void)reference;
}

static void on_bad_input(
	struct lc_feeder *feeder, const char *reason, const char *sample, size_t len)
{
	(void)sample;
	(void)len;
	struct trial *trial = feeder->env.host_data;
	fprintf(stderr, "%s: sent something that could not be read (%s)\n", trial->impl->name,
		reason);
}

/* The vendor's address, as every feeder's section names it; "" when it names none. */
static const char *url_of(const struct trial *trial)
{
	const struct lc_section *section = trial->impl->config;
	const char *config = lc_config_section(trial->check->process.config, section->name);
	for (size_t i = 0; i < section->count; i++) {
		if (strcmp(section->settings[i].key, "url") == 0) {
			return *(char *const *)(const void *)(config + section->settings[i].offset);
		}
	}
	return "";
}

static void on_up(struct lc_feeder *feeder)
{
	struct trial *trial = feeder->env.host_data;
	char text[400];
	snprintf(text, sizeof text, "%s: connected and ready; its protocol tells no version",
		url_of(trial));
	settle(trial, true, text);
	trial->impl->stop(trial->feeder);
}

static void on_down(struct lc_feeder *feeder, const struct lc_down *why)
{
	struct trial *trial = feeder->env.host_data;
	char text[sizeof why->error.text + 256];
	/* A vendor's own refusal says what to do; a connection that failed does not. */
	bool reached = why->error.code == LC_ERR_AUTH || why->error.code == LC_ERR_LIMIT;
	snprintf(text, sizeof text,
		reached ? "%s" : "%s (%s.url is %s: is it right, and may this machine reach it?)",
		why->error.text, trial->impl->name, url_of(trial));
	settle(trial, false, text);
	trial->open = false;
	lc_check_settled(trial->check);
}

static void on_changed(struct lc_feeder *feeder)
{
	(void)feeder;
}

static void on_rejected(struct lc_feeder *feeder, uint32_t symbol, bool limit, const char *reason)
{
	(void)feeder;
	(void)symbol;
	(void)limit;
	(void)reason;
}

static const struct lc_feeder_host host = {.tick = on_tick,
	.reference = on_reference,
	.bad_input = on_bad_input,
	.up = on_up,
	.down = on_down,
	.changed = on_changed,
	.rejected = on_rejected};

static void try_vendor(struct check *check, const struct lc_feeder_impl *impl)
{
	if (!lc_route_runs(lc_config_section(check->process.config, "routing"), impl->name)) {
		lc_check_skip(impl->name, "off", "not among routing.feeders");
		return;
	}
	struct trial *trial = &check->trials[check->trial_count++];
	struct lc_error err;
	*trial = (struct trial){.check = check, .impl = impl, .started_ns = lc_clock_mono_ns()};
	const struct lc_feeder_env env = {.loop = check->process.loop,
		.symbols = check->symbols,
		.ws = check->ws,
		.http = check->http,
		.host = &host,
		.host_data = trial,
		.config = lc_config_section(check->process.config, impl->config->name)};
	if (impl->create(&env, &trial->feeder, &err) != LC_OK) {
		lc_check_report(check, impl->name, false, trial->started_ns, err.text);
		return;
	}
	if (impl->usable(trial->feeder, &err) != LC_OK) {
		lc_check_skip(impl->name, "off", err.text);
		return;
	}
	trial->open = true;
	check->waiting++;
	impl->start(trial->feeder);
}

void lc_check_vendors(struct check *check)
{
	for (size_t i = 0; lc_feeders[i] && i < LC_CHECK_FEEDERS_MAX; i++) {
		try_vendor(check, lc_feeders[i]);
	}
}

void lc_check_vendors_late(struct check *check)
{
	for (size_t i = 0; i < check->trial_count; i++) {
		struct trial *trial = &check->trials[i];
		if (trial->open && !trial->answered) {
			char text[100];
			snprintf(text, sizeof text,
				"did not answer within %d s: is the URL right, is there a "
				"firewall?",
				LC_CHECK_ANSWER_S);
			settle(trial, false, text);
			trial->impl->stop(trial->feeder);
		}
	}
}
