/* What a simulator says it sent: one line a tick, in the file that --sent names. It is written out
 * before the bytes of the ticks are, so that nothing is sent unlisted, however a test ends. */
#include "sim_priv.h"

#include <inttypes.h>

#define BUFFER_BYTES (256 * 1024)

/* A price or an amount; 0 of what was not said is "-". */
static void put_money(struct lc_buf *out, int64_t value, bool said)
{
	lc_buf_putc(out, ' ');
	if (said) {
		sim_put_price(out, value);
	} else {
		lc_buf_putc(out, '-');
	}
}

static const char *mark_of(const struct sim *sim, const struct sim_sent *sent)
{
	const char *held = sim_held_back(sim);
	return held != NULL ? held : sent->mark != NULL ? sent->mark : "-";
}

enum lc_err sim_sent_open(struct sim *sim, struct lc_error *err)
{
	if (sim->options.sent == NULL) {
		return LC_OK;
	}
	sim->sent = fopen(sim->options.sent, "w");
	if (sim->sent == NULL) {
		return lc_error_set(err, LC_ERR_IO, "%s cannot be written", sim->options.sent);
	}
	setvbuf(sim->sent, NULL, _IOFBF, BUFFER_BYTES);
	lc_buf_init(&sim->sent_line, 1024);
	return LC_OK;
}

void sim_sent_add(struct sim *sim, const struct sim_sent *sent)
{
	struct lc_buf *out = &sim->sent_line;
	if (sim->sent == NULL) {
		return;
	}
	lc_buf_clear(out);
	lc_buf_printf(out, "%" PRId64 " %s %s %" PRId64, sent->time_ns, sent->symbol, sent->kind,
		sent->id);
	put_money(out, sent->price, true);
	lc_buf_printf(out, " %" PRId64, sent->volume);
	put_money(out, sent->amount, sent->amount >= 0);
	lc_buf_printf(out, " %" PRIu64 " %s", ++sim->sent_count, sim->vendor->name);
	put_money(out, sent->bid, sent->bid != 0);
	put_money(out, sent->ask, sent->ask != 0);
	lc_buf_printf(out, " %" PRId64 " %" PRId64 " %s\n", sent->bid_size, sent->ask_size,
		mark_of(sim, sent));
	fwrite(out->data, 1, out->len, sim->sent);
}

void sim_sent_flush(struct sim *sim)
{
	if (sim->sent != NULL) {
		fflush(sim->sent);
	}
}

void sim_sent_close(struct sim *sim)
{
	if (sim->sent != NULL) {
		fclose(sim->sent);
		lc_buf_finish(&sim->sent_line);
	}
}
