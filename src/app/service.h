/* A manager with its HTTP endpoints and its signals: what `run` and `demo` have in common. Loop
 * thread. */
#pragma once

#include "app/http_api.h"
#include "app/process.h"
#include "app/timer_part.h"

struct lc_service {
	struct lc_process *process; /* borrowed */
	struct lc_manager *manager; /* NULL once it has stopped */
	struct lc_api *api;         /* from when the log is found on; NULL: http.enabled is off */
	size_t files_read, files;   /* of the log that is read at the start */
	struct lc_timer_part timer; /* the timer role, when timer.rules is set */
	int stopping_roles;
	int exit_code;
	bool stopping;
	bool hangup_stops; /* SIGHUP ends it, as for what a person looks at; else it reloads */
	struct lc_manager_totals totals; /* the last ones, once it has stopped */
	/* The manager has stopped and can still be asked; may be NULL. */
	void (*stopped)(void *arg);
	/* Called once when all is down, before the loop ends; may be NULL. It then stops the loop
	 * itself. */
	void (*ended)(void *arg);
	/* The process ends when this returns, with whatever still runs; may be NULL. */
	void (*left)(void *arg);
	void *arg;
	/* So long after it was stopped what still runs is left, soon when it is stopped once more;
	 * 0: never. For what a person waits for, and keeps nothing for the next start. */
	int64_t leave_ms;
	struct lc_timer *leave_timer; /* owned; made when it is stopped */
	int64_t signal_ns;            /* monotonic: when it was told to stop; 0: not yet */
};

/* Takes the process's configuration over. Prints what is wrong on stderr and returns the exit code,
 * or -1 when it runs. brokers: see struct lc_manager_options. */
int lc_service_start(
	struct lc_service *service, struct lc_process *process, const char *brokers, bool tape);
/* SIGTERM, SIGINT: stop; once more: at once. SIGHUP: reload (see hangup_stops). May be called
 * before lc_service_start(), when process, left and arg are set: until there is something to stop,
 * a signal ends the process. */
int lc_service_on_signals(struct lc_service *service);
void lc_service_stop(struct lc_service *service);
/* The same without waiting for anything to be acknowledged. */
void lc_service_abort(struct lc_service *service);
