/* The parts of `livecore demo`. Loop thread. */
#pragma once

#include "app/service.h"
#include "livecore/child.h"

#define LC_DEMO_SIMS 4
#define LC_DEMO_SETTINGS 5

/* One simulator, a process of its own. */
struct lc_demo_sim {
	struct lc_demo_sims *sims; /* borrowed */
	struct lc_child *child;
	char url[256]; /* what it printed; "" until then */
	bool ended;
};

struct lc_demo_sims {
	struct lc_loop *loop;
	struct lc_demo_sim sim[LC_DEMO_SIMS]; /* alpaca, eastmoney, fushu, tencent */
	const char *tape_dir;                 /* NULL: a random walk */
	const char *speed;
	bool failed;      /* one ended before it listened */
	bool late;        /* start_ms went by */
	int64_t start_ms; /* how long they may take to listen */
	struct lc_timer *patience;
	void (*ready)(void *arg);
	void *arg;
	char settings[LC_DEMO_SETTINGS][512]; /* once they listen: what points at them */
};

/* Starts the simulators; ready is called once, when all of them listen, one failed, or time is
 * over. */
enum lc_err lc_demo_sims_start(struct lc_demo_sims *sims, struct lc_error *err);
void lc_demo_sims_stop(struct lc_demo_sims *sims);
/* Why they cannot be used, for a person; failed or late is set. */
void lc_demo_sims_why(const struct lc_demo_sims *sims, char *out, size_t size);
/* The settings that point at them, as "section.key=value"; texts stay valid while sims does. */
void lc_demo_sims_settings(struct lc_demo_sims *sims, struct lc_texts *sets);

/* How the demo shows itself: a live table on a terminal, a line a second elsewhere. */
struct lc_demo_view;
enum lc_err lc_demo_view_create(struct lc_service *service, const char *brokers, const char *topic,
	bool quiet, struct lc_demo_view **out);
/* Leaves the terminal as it was. */
void lc_demo_view_destroy(struct lc_demo_view *view);

/* The one line of --json. The manager has stopped and can still be asked. */
void lc_demo_print_json(struct lc_service *service);
