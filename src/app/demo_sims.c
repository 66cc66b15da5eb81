#include "app/demo.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct {
	const char *vendor, *tape;
} vendors[LC_DEMO_SIMS] = {
	{"alpaca", "day-us-ibm-20131011-tick-trades.csv"},
	{"eastmoney", "day-cn-sh688293-20230323-snapshots.csv"},
	{"fushu", NULL},   /* no recorded day is known */
	{"tencent", NULL}, /* stands behind eastmoney */
};

/* This program's own file. By its name where it still has one: tools that wrap a program answer
 * what the link says but cannot execute the link. */
static const char *own_program(char *path, size_t size)
{
	static const char link[] = "/proc/self/exe";
	ssize_t len = readlink(link, path, size - 1);
	if (len <= 0) {
		return link;
	}
	path[len] = '\0';
	return access(path, X_OK) == 0 ? path : link;
}

static void check_ready(struct lc_demo_sims *sims)
{
	for (size_t i = 0; i < LC_DEMO_SIMS; i++) {
		if (sims->sim[i].url[0] == '\0' && !sims->failed && !sims->late) {
			return;
		}
	}
	if (sims->ready) {
		void (*ready)(void *) = sims->ready;
		lc_timer_stop(sims->patience);
		sims->ready = NULL;
		ready(sims->arg);
	}
}

static void on_line(void *arg, const char *text)
{
	struct lc_demo_sim *sim = arg;
	const char *url = strstr(text, "url=");
	if (strncmp(text, "listening ", 10) == 0 && url) {
		snprintf(sim->url, sizeof sim->url, "%.*s", (int)strcspn(url + 4, " "), url + 4);
		check_ready(sim->sims);
	}
}

static void on_exited(void *arg, int64_t status, int signo)
{
	struct lc_demo_sim *sim = arg;
	struct lc_demo_sims *sims = sim->sims;
	lc_log(lc_loop_log(sims->loop), LC_LOG_ERROR, "demo", "simulator_ended",
		LC_S("vendor", vendors[sim - sims->sim].vendor), LC_I("status", status),
		LC_I("signal", signo));
	sim->ended = sims->failed = true;
	check_ready(sims);
}

static void on_patience_over(void *arg)
{
	struct lc_demo_sims *sims = arg;
	sims->late = true;
	check_ready(sims);
}

enum lc_err lc_demo_sims_start(struct lc_demo_sims *sims, struct lc_error *err)
{
	static const struct lc_child_handler handler = {.line = on_line, .exited = on_exited};
	char program[4096];
	if (lc_timer_create(sims->loop, on_patience_over, sims, &sims->patience) != LC_OK) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	lc_timer_start(sims->patience, sims->start_ms, 0);
	for (size_t i = 0; i < LC_DEMO_SIMS; i++) {
		char tape[4096];
		const char *args[16] = {own_program(program, sizeof program), "sim",
			vendors[i].vendor, "--port", "0", "--exit-with-stdin"};
		size_t n = 6;
		if (sims->tape_dir && vendors[i].tape) {
			snprintf(tape, sizeof tape, "%s/%s", sims->tape_dir, vendors[i].tape);
			args[n++] = "--tape";
			args[n++] = tape;
			args[n++] = "--speed";
			args[n++] = sims->speed;
			args[n++] = "--tape-from";
			args[n++] = "09:30"; /* before it hours may pass without a trade */
		}
		sims->sim[i].sims = sims;
		enum lc_err rc = lc_child_start(
			sims->loop, args, &handler, &sims->sim[i], &sims->sim[i].child, err);
		if (rc != LC_OK) {
			return rc;
		}
	}
	return LC_OK;
}

void lc_demo_sims_stop(struct lc_demo_sims *sims)
{
	for (size_t i = 0; i < LC_DEMO_SIMS; i++) {
		lc_child_destroy(sims->sim[i].child, NULL, NULL);
		sims->sim[i].child = NULL;
	}
	lc_timer_destroy(sims->patience);
	sims->patience = NULL;
}

void lc_demo_sims_why(const struct lc_demo_sims *sims, char *out, size_t size)
{
	size_t len = (size_t)snprintf(out, size, "%s",
		sims->failed ? "a simulator ended before it listened (its own words are above):"
			     : "these simulators did not listen in time:");
	for (size_t i = 0; i < LC_DEMO_SIMS && len < size; i++) {
		if (sims->failed ? sims->sim[i].ended : sims->sim[i].url[0] == '\0') {
			len += (size_t)snprintf(out + len, size - len, " %s", vendors[i].vendor);
		}
	}
	if (!sims->failed && len < size) {
		snprintf(out + len, size - len, "; --start-timeout gives them longer");
	} else if (sims->tape_dir && len < size) {
		snprintf(out + len, size - len, "; --tape-dir says where the recorded days are");
	}
}

static void add(struct lc_texts *sets, const char *text)
{
	if (sets->count < LC_TEXTS_MAX) {
		sets->items[sets->count++] = text;
	}
}

/* http://host:port of a URL, whatever its own scheme is. */
static void http_origin_of(const char *url, char *out, size_t size)
{
	const char *host = strstr(url, "://");
	host = host ? host + 3 : url;
	snprintf(out, size, "http://%.*s", (int)strcspn(host, "/"), host);
}

void lc_demo_sims_settings(struct lc_demo_sims *sims, struct lc_texts *sets)
{
	const size_t size = sizeof sims->settings[0];
	char origin[300];
	http_origin_of(sims->sim[0].url, origin, sizeof origin);
	snprintf(sims->settings[0], size, "alpaca.url=%s", sims->sim[0].url);
	snprintf(sims->settings[1], size, "alpaca.data_url=%s", origin);
	http_origin_of(sims->sim[1].url, origin, sizeof origin);
	snprintf(sims->settings[2], size, "eastmoney.url=%s", origin);
	snprintf(sims->settings[3], size, "fushu.url=%s", sims->sim[2].url);
	snprintf(sims->settings[4], size, "tencent.url=%s", sims->sim[3].url);
	for (size_t i = 0; i < LC_DEMO_SETTINGS; i++) {
		add(sets, sims->settings[i]);
	}
}
