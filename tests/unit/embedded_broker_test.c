#include "bus_fixture.h"

#include <signal.h>

static void on_signal(int number)
{
	(void)number;
}

static void on_topics(void *arg, const struct lc_topics_result *result)
{
	struct bus *bus = arg;
	cr_assert_eq(result->err.code, LC_OK, "%s", result->err.text);
	lc_loop_stop(bus->loop);
}

/* A signal that reached the broker's thread would end it, and everything after would be refused. */
Test(embedded_broker, signals_are_left_to_the_program)
{
	struct bus bus;
	bus_set_up(&bus, true);
	struct sigaction action = {.sa_handler = on_signal};
	struct lc_error err;
	sigset_t one, pending;
	sigemptyset(&one);
	sigaddset(&one, SIGTERM);
	cr_assert_eq(sigaction(SIGTERM, &action, NULL), 0);
	cr_assert_eq(pthread_sigmask(SIG_BLOCK, &one, NULL), 0);
	cr_assert_eq(kill(getpid(), SIGTERM), 0);
	cr_assert_eq(lc_topics_run(
			     bus.loop, &bus.kafka, &bus.topics, false, 5000, on_topics, &bus, &err),
		LC_OK);
	bus_run(&bus, "the broker does not answer any more");
	/* Nobody took it: it waits for this thread, which blocks it. */
	cr_assert_eq(sigpending(&pending), 0);
	cr_assert(sigismember(&pending, SIGTERM));
	cr_assert_eq(pthread_sigmask(SIG_UNBLOCK, &one, NULL), 0);
	bus_tear_down(&bus);
}
