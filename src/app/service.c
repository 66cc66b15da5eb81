#include "app/service.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define LEAVE_AT_ONCE_MS 250 /* for what is already on its way to Kafka */
/* timeout(1) and others signal the process and then its group: two of these mean one. */
#define SAME_SIGNAL_NS LC_NS_PER_S

static void end(struct lc_service *service)
{
	lc_timer_destroy(service->leave_timer);
	service->leave_timer = NULL;
	if (service->ended) {
		service->ended(service->arg);
	} else {
		lc_loop_stop(service->process->loop);
	}
}

static void on_api_gone(void *arg)
{
	end(arg);
}

/* A role has stopped: when all have, the rest goes. */
static void on_role_gone(struct lc_service *service)
{
	if (--service->stopping_roles > 0) {
		return;
	}
	lc_timer_part_finish(&service->timer);
	if (service->api) {
		lc_api_destroy(service->api, on_api_gone, service);
		service->api = NULL;
	} else {
		end(service);
	}
}

static void on_timer_stopped(void *arg)
{
	on_role_gone(arg);
}

static void on_manager_stopped(void *arg, int exit_code)
{
	struct lc_service *service = arg;
	service->exit_code = service->exit_code ? service->exit_code : exit_code;
	service->totals = lc_manager_totals(service->manager);
	if (service->stopped) {
		service->stopped(service->arg);
	}
	service->manager = NULL;
	lc_api_detach(service->api);
	on_role_gone(service);
}

/* The settings and the timer's rules are read as one: a mistake in either leaves both as they
 * are. */
static struct lc_config *on_load(void *arg, struct lc_buf *errors)
{
	struct lc_service *service = arg;
	struct lc_config *fresh = lc_process_reload(service->process, errors);
	if (fresh && lc_timer_part_reload(&service->timer, fresh, errors) != LC_OK) {
		lc_config_destroy(fresh);
		return NULL;
	}
	return fresh;
}

/* Ends the process without waiting for what still runs. */
static _Noreturn void leave(struct lc_service *service, int exit_code)
{
	if (service->manager) {
		service->totals = lc_manager_totals(service->manager);
		if (service->stopped) {
			service->stopped(service->arg);
		}
	}
	if (service->left) {
		service->left(service->arg);
	}
	fflush(stdout);
	_Exit(exit_code);
}

static void on_leave(void *arg)
{
	struct lc_service *service = arg;
	uint64_t lost = service->totals.unacknowledged;
	if (service->manager) {
		lost = lc_manager_totals(service->manager).unacknowledged;
	}
	leave(service, lost > 0 ? LC_EXIT_FAILED : service->exit_code);
}

static void leave_after(struct lc_service *service, int64_t ms)
{
	if (service->leave_ms > 0 &&
		(service->leave_timer || lc_timer_create(service->process->loop, on_leave, service,
						 &service->leave_timer) == LC_OK)) {
		lc_timer_start(service->leave_timer, ms, 0);
	}
}

static void on_stop_signal(void *arg, int signo)
{
	struct lc_service *service = arg;
	int64_t now_ns = lc_loop_mono_ns(service->process->loop);
	bool again = service->signal_ns != 0;
	if (again && signo == SIGTERM && now_ns - service->signal_ns < SAME_SIGNAL_NS) {
		return;
	}
	lc_log(service->process->log, LC_LOG_INFO, "app", "signal",
		LC_S("name", signo == SIGTERM ? "SIGTERM" : "SIGINT"));
	if (!service->manager && !service->timer.timer) {
		/* It stopped, or never began. */
		leave(service, again ? service->exit_code : 128 + signo);
	}
	service->signal_ns = now_ns;
	lc_service_stop(service);
}

static void on_reload_signal(void *arg, int signo)
{
	struct lc_service *service = arg;
	if (service->hangup_stops && !service->manager) {
		leave(service, 128 + signo);
	} else if (service->hangup_stops) {
		lc_service_stop(service); /* the terminal is gone, and with it who looks at it */
	} else if (service->manager && !service->stopping) {
		lc_manager_reload(service->manager);
	}
}

/* --- starting --- */

static enum lc_ready on_starting(void *arg, struct lc_buf *out)
{
	const struct lc_service *service = arg;
	lc_buf_printf(out,
		"{\"status\":\"not_ready\",\"checks\":{\"journal\":{\"ok\":false,\"reason\":"
		"\"reading the log of the process before: %zu of %zu files\"}}}",
		service->files_read, service->files);
	return LC_NOT_READY;
}

static enum lc_err open_api(
	struct lc_service *service, const struct lc_http_config *http, struct lc_error *err)
{
	struct lc_process *process = service->process;
	if (!http->enabled || service->api) {
		return LC_OK;
	}
	enum lc_err rc = lc_api_create(process->loop, http->address, &service->api, err);
	if (rc == LC_OK) {
		lc_api_set_ready(service->api, on_starting, service);
		lc_log(process->log, LC_LOG_INFO, "http", "listening",
			LC_S("address", http->address), LC_I("port", lc_api_port(service->api)));
	}
	return rc;
}

/* A large log takes long to read: whoever asks meanwhile is answered. The log's lock is ours by
 * now, so that a second process is told of that and not of the address. */
static void on_reading(void *arg, size_t done, size_t files)
{
	struct lc_service *service = arg;
	struct lc_error err; /* said when it fails once more, behind the manager */
	service->files_read = done;
	service->files = files;
	if (done == 0) {
		open_api(service, lc_config_section(service->process->config, "http"), &err);
	}
}

int lc_service_start(
	struct lc_service *service, struct lc_process *process, const char *brokers, bool tape)
{
	const struct lc_http_config *http = lc_config_section(process->config, "http");
	const struct lc_manager_options options = {.load = on_load,
		.reading = on_reading,
		.arg = service,
		.brokers = brokers,
		.tape = tape};
	struct lc_error err;
	service->process = process;
	if (tape) {
		*lc_loop_clock(process->loop) = (struct lc_clock){.tape = true};
	}
	enum lc_err rc = lc_manager_create(
		process->loop, process->config, &options, &service->manager, &err);
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: %s\n", err.text);
		service->exit_code = LC_EXIT_FAILED;
		bool settings = rc == LC_ERR_INVALID || rc == LC_ERR_EXISTS ||
				rc == LC_ERR_NOT_FOUND; /* calendar.dir */
		return settings ? LC_EXIT_USAGE : LC_EXIT_FAILED;
	}
	process->config = NULL; /* the manager's now */
	if (open_api(service, http, &err) != LC_OK) {
		fprintf(stderr,
			"livecore: http.address: %s: name another, or 127.0.0.1:0 for any free "
			"port\n",
			err.text);
		service->exit_code = LC_EXIT_FAILED;
		return LC_EXIT_FAILED;
	}
	if (service->api) {
		lc_api_attach(service->api, service->manager);
	}
	return lc_timer_part_start(&service->timer, process, brokers);
}

int lc_service_on_signals(struct lc_service *service)
{
	struct lc_loop *loop = service->process->loop;
	enum lc_err rc = lc_loop_on_signal(loop, SIGTERM, on_stop_signal, service);
	rc = rc ? rc : lc_loop_on_signal(loop, SIGINT, on_stop_signal, service);
	rc = rc ? rc : lc_loop_on_signal(loop, SIGHUP, on_reload_signal, service);
	if (rc != LC_OK) {
		fprintf(stderr, "livecore: signals: %s\n", lc_err_text(rc));
		return LC_EXIT_FAILED;
	}
	return -1;
}

void lc_service_stop(struct lc_service *service)
{
	struct lc_timer_part *timer = &service->timer;
	leave_after(service, service->stopping ? LEAVE_AT_ONCE_MS : service->leave_ms);
	if (!service->stopping) {
		service->stopping_roles = (service->manager != NULL) + (timer->timer != NULL);
	}
	service->stopping = true;
	if (timer->timer) {
		const struct lc_shutdown_config *shutdown = lc_config_section(
			timer->config, "shutdown");
		lc_timer_part_stop(timer, shutdown->timeout, on_timer_stopped, service);
	}
	if (service->manager) {
		lc_manager_stop(service->manager, on_manager_stopped, service);
	}
}

void lc_service_abort(struct lc_service *service)
{
	lc_service_stop(service);
	lc_service_stop(service);
}
