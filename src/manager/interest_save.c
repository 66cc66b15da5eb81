#include "manager/interest_save.h"

#include "livecore/interest_store.h"
#include "livecore/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PARTITIONS_MAX 4096

/* The version of a portfolio that is stored. */
struct stored {
	uint64_t version;
	bool seen; /* while looking for portfolios that are gone */
	char id[LC_PORTFOLIO_ID_MAX + 1];
};

struct lc_interest_saver {
	struct lc_interest_saver_setup setup;
	struct lc_interest *registry; /* borrowed */
	struct lc_interest_store *store;
	struct lc_map *stored; /* portfolio id -> struct stored, owned */
	struct lc_saved_offset *offsets;
	size_t offset_count;
	bool usable, saving, again, changed, opening;
	bool known;              /* stored says what is stored; else the next save is complete */
	struct lc_log_said said; /* of what went wrong */
	struct lc_saved_offset *committing; /* the offsets of the save under way */
	size_t committing_count;
	void (*closed)(void *arg);
	void *closed_arg;
};

/* --- restoring --- */

static void restore_portfolio(
	struct lc_interest_saver *saver, const struct lc_saved_portfolio *saved)
{
	const struct lc_interest_portfolio portfolio = {
		.id = saved->id, .replace_ns = saved->replace_ns, .latest_ns = saved->latest_ns};
	size_t index;
	if (lc_interest_restore(saver->registry, &portfolio, &index) != LC_OK) {
		return;
	}
	for (size_t i = 0; i < saved->count; i++) {
		const struct lc_saved_entry *entry = &saved->entries[i];
		struct lc_interest_entry restored = {.follow_ns = entry->follow_ns,
			.remove_ns = entry->remove_ns,
			.since_ns = entry->since_ns};
		if (lc_symbols_intern(saver->setup.symbols, entry->symbol, strlen(entry->symbol),
			    &restored.symbol) == LC_OK) {
			lc_interest_restore_entry(saver->registry, index, &restored);
		}
	}
}

static void restore_offsets(struct lc_interest_saver *saver, const struct lc_saved_interest *saved)
{
	if (strcmp(saved->topic, saver->setup.topic) != 0) {
		return;
	}
	for (size_t i = 0; i < saved->offset_count; i++) {
		lc_interest_saver_at(saver, saved->offsets[i].partition, saved->offsets[i].next);
	}
	saver->changed = false;
}

static void free_saver(struct lc_interest_saver *saver)
{
	lc_map_destroy(saver->stored, free);
	free(saver->offsets);
	free(saver->committing);
	free(saver);
}

static void on_store_closed(void *arg)
{
	struct lc_interest_saver *saver = arg;
	void (*closed)(void *) = saver->closed;
	void *closed_arg = saver->closed_arg;
	free_saver(saver);
	closed(closed_arg);
}

static void close_store(struct lc_interest_saver *saver)
{
	lc_interest_store_close(saver->store, on_store_closed, saver);
}

static void on_loaded(void *arg, struct lc_saved_interest *saved, const struct lc_error *err)
{
	struct lc_interest_saver *saver = arg;
	saver->opening = false;
	saver->usable = err == NULL || err->code == LC_ERR_AGAIN;
	if (err) {
		lc_log(lc_loop_log(saver->setup.loop), LC_LOG_ERROR, "interest", "store_unusable",
			LC_S("error", err->text));
	}
	for (size_t i = 0; saved && i < saved->portfolio_count; i++) {
		restore_portfolio(saver, &saved->portfolios[i]);
	}
	if (saved) {
		restore_offsets(saver, saved);
		lc_saved_interest_free(saved);
	}
	if (saver->closed) {
		close_store(saver);
		return;
	}
	struct lc_reader_position *positions = calloc(saver->offset_count + 1, sizeof *positions);
	for (size_t i = 0; positions && i < saver->offset_count; i++) {
		positions[i] = (struct lc_reader_position){
			saver->offsets[i].partition, saver->offsets[i].next};
	}
	saver->setup.loaded(saver->setup.arg, positions, positions ? saver->offset_count : 0, err);
	free(positions);
}

/* --- saving --- */

static struct stored *stored_of(struct lc_interest_saver *saver, const char *id)
{
	struct stored *stored = lc_map_get(saver->stored, id, strlen(id));
	if (stored) {
		return stored;
	}
	stored = calloc(1, sizeof *stored);
	if (stored) {
		snprintf(stored->id, sizeof stored->id, "%s", id);
		stored->version = UINT64_MAX;
		if (lc_map_put(saver->stored, id, strlen(id), stored) != LC_OK) {
			free(stored);
			return NULL;
		}
	}
	return stored;
}

static bool copy_portfolio(struct lc_interest_saver *saver, size_t index,
	const struct lc_interest_portfolio *from, struct lc_saved_portfolio *to)
{
	to->id = strdup(from->id);
	to->replace_ns = from->replace_ns;
	to->latest_ns = from->latest_ns;
	to->entries = calloc(from->entries ? from->entries : 1, sizeof *to->entries);
	if (!to->id || !to->entries) {
		return false;
	}
	for (size_t i = 0; i < from->entries; i++) {
		struct lc_interest_entry entry;
		lc_interest_entry(saver->registry, index, i, &entry);
		struct lc_saved_entry *saved = &to->entries[to->count++];
		saved->follow_ns = entry.follow_ns;
		saved->remove_ns = entry.remove_ns;
		saved->since_ns = entry.since_ns;
		snprintf(saved->symbol, sizeof saved->symbol, "%s",
			lc_symbols_get(saver->setup.symbols, entry.symbol)->text);
	}
	return true;
}

/* Portfolios that are stored but not in the registry any more. */
static bool collect_gone(
	struct lc_interest_saver *saver, struct lc_saved_interest *out, size_t room)
{
	size_t cursor = 0, len;
	const char *id;
	struct stored *stored;
	while ((stored = lc_map_next(saver->stored, &cursor, &id, &len)) != NULL) {
		if (!stored->seen && out->portfolio_count < room) {
			struct lc_saved_portfolio *gone = &out->portfolios[out->portfolio_count++];
			gone->gone = true;
			gone->id = strdup(stored->id);
			lc_map_remove(saver->stored, id, len);
			free(stored);
			if (!gone->id) {
				return false;
			}
		} else {
			stored->seen = false;
		}
	}
	return true;
}

/* Nothing is known to be stored: the next save writes everything. */
static void forget_versions(struct lc_interest_saver *saver)
{
	size_t cursor = 0, len;
	const char *id;
	struct stored *stored;
	while ((stored = lc_map_next(saver->stored, &cursor, &id, &len)) != NULL) {
		stored->version = UINT64_MAX;
	}
}

static bool collect(struct lc_interest_saver *saver, struct lc_saved_interest *out)
{
	if (!saver->known) {
		forget_versions(saver);
	}
	out->complete = !saver->known;
	size_t count = lc_interest_portfolios(saver->registry);
	size_t room = count + lc_map_count(saver->stored);
	out->portfolios = calloc(room + 1, sizeof *out->portfolios);
	out->offsets = calloc(saver->offset_count + 1, sizeof *out->offsets);
	if (!out->portfolios || !out->offsets) {
		return false;
	}
	snprintf(out->topic, sizeof out->topic, "%s", saver->setup.topic);
	if (saver->offset_count > 0) {
		memcpy(out->offsets, saver->offsets, saver->offset_count * sizeof *out->offsets);
	}
	out->offset_count = saver->offset_count;
	for (size_t i = 0; i < count; i++) {
		struct lc_interest_portfolio portfolio;
		lc_interest_portfolio(saver->registry, i, &portfolio);
		struct stored *stored = stored_of(saver, portfolio.id);
		if (!stored) {
			return false;
		}
		stored->seen = true;
		if (stored->version == portfolio.version) {
			continue;
		}
		if (!copy_portfolio(
			    saver, i, &portfolio, &out->portfolios[out->portfolio_count++])) {
			return false;
		}
		stored->version = portfolio.version;
	}
	return collect_gone(saver, out, room);
}

static void on_saved(void *arg, const struct lc_error *err)
{
	struct lc_interest_saver *saver = arg;
	saver->saving = false;
	saver->known = err == NULL;
	if (!err) {
		saver->said = (struct lc_log_said){0};
	} else if (lc_log_is_news(&saver->said, err->text, lc_loop_mono_ns(saver->setup.loop))) {
		lc_log(lc_loop_log(saver->setup.loop), LC_LOG_ERROR, "interest", "not_stored",
			LC_S("error", err->text));
	}
	saver->changed |= err != NULL;
	saver->setup.health(saver->setup.arg, err);
	for (size_t i = 0; !err && i < saver->committing_count; i++) {
		saver->setup.saved(saver->setup.arg, saver->committing[i].partition,
			saver->committing[i].next);
	}
	if (saver->again && !err) {
		saver->again = false;
		lc_interest_saver_save(saver);
	}
	if (saver->closed && !saver->saving) {
		close_store(saver);
	}
}

static bool keep_offsets(struct lc_interest_saver *saver, const struct lc_saved_interest *saved)
{
	struct lc_saved_offset *copy = realloc(
		saver->committing, (saved->offset_count + 1) * sizeof *copy);
	if (!copy) {
		return false;
	}
	memcpy(copy, saved->offsets, saved->offset_count * sizeof *copy);
	saver->committing = copy;
	saver->committing_count = saved->offset_count;
	return true;
}

static enum lc_err open_store(struct lc_interest_saver *saver, struct lc_error *err)
{
	const struct lc_interest_saver_setup *setup = &saver->setup;
	if (setup->redis) {
		return lc_interest_store_open_redis(setup->loop, setup->redis, setup->node,
			on_loaded, saver, &saver->store, err);
	}
	enum lc_err rc = lc_interest_store_open(
		setup->loop, setup->dir, on_loaded, saver, &saver->store);
	return rc ? lc_error_set(err, rc, "interest: %s", lc_err_text(rc)) : LC_OK;
}

enum lc_err lc_interest_saver_create(const struct lc_interest_saver_setup *setup,
	struct lc_interest *registry, struct lc_interest_saver **out, struct lc_error *err)
{
	struct lc_interest_saver *saver = calloc(1, sizeof *saver);
	if (!saver) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	saver->setup = *setup;
	saver->registry = registry;
	saver->opening = true;
	enum lc_err rc = lc_map_create(lc_loop_random(setup->loop), &saver->stored);
	rc = rc ? lc_error_set(err, rc, "out of memory") : open_store(saver, err);
	if (rc != LC_OK) {
		free_saver(saver);
		return rc;
	}
	*out = saver;
	return LC_OK;
}

void lc_interest_saver_at(struct lc_interest_saver *saver, int32_t partition, int64_t next)
{
	saver->changed = true;
	for (size_t i = 0; i < saver->offset_count; i++) {
		if (saver->offsets[i].partition == partition) {
			saver->offsets[i].next = next;
			return;
		}
	}
	struct lc_saved_offset *grown = realloc(
		saver->offsets, (saver->offset_count + 1) * sizeof *grown);
	if (!grown || saver->offset_count >= PARTITIONS_MAX) {
		saver->offsets = grown ? grown : saver->offsets;
		return; /* not stored, so read again after a restart: harmless */
	}
	saver->offsets = grown;
	saver->offsets[saver->offset_count++] = (struct lc_saved_offset){
		.partition = partition, .next = next};
}

void lc_interest_saver_save(struct lc_interest_saver *saver)
{
	if (!saver->usable || saver->opening) {
		return;
	}
	if (saver->saving) {
		saver->again = true;
		return;
	}
	struct lc_saved_interest *saved = calloc(1, sizeof *saved);
	if (!saved || !collect(saver, saved) || !keep_offsets(saver, saved)) {
		saver->known = false;
		if (saved) {
			lc_saved_interest_free(saved);
		}
		return;
	}
	saver->saving = true;
	saver->changed = false;
	lc_interest_store_save(saver->store, saved, on_saved, saver);
}

void lc_interest_saver_close(struct lc_interest_saver *saver, void (*done)(void *arg), void *arg)
{
	if (!saver) {
		done(arg);
		return;
	}
	saver->closed = done;
	saver->closed_arg = arg;
	if (saver->opening) {
		return;
	}
	if (saver->changed) {
		lc_interest_saver_save(saver);
	}
	if (!saver->saving) {
		close_store(saver);
	}
}
