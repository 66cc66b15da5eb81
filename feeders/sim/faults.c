#include "sim_priv.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

static const struct {
	const char *name;
	int64_t value, count; /* when not given */
} kinds[SIM_FAULTS] = {
	[SIM_FAULT_MUTE] = {"mute", 5, 1},
	[SIM_FAULT_QUIET] = {"quiet", 60, 1},
	[SIM_FAULT_QUIET_HK] = {"quiet-hk", 60, 1},
	[SIM_FAULT_HALF_OPEN] = {"half-open", 90, 1},
	[SIM_FAULT_DRIP] = {"drip", 5, 1},
	[SIM_FAULT_MALFORMED] = {"malformed", 0, 1},
	[SIM_FAULT_BAD_FRAME] = {"bad-frame", 0, 1},
	[SIM_FAULT_CUT] = {"cut", 0, 1},
	[SIM_FAULT_CLOSE] = {"close", 1000, 1},
	[SIM_FAULT_DROP] = {"drop", 0, 1},
	[SIM_FAULT_REFUSE] = {"refuse", 429, 1},
	[SIM_FAULT_BAN] = {"ban", 10, 1},
	[SIM_FAULT_HOLD] = {"hold", 5, 1},
	[SIM_FAULT_DUPLICATE] = {"duplicate", 1, 1},
	[SIM_FAULT_DISORDER] = {"disorder", 1, 1},
	[SIM_FAULT_ZERO] = {"zero", 1, 1},
	[SIM_FAULT_ERROR] = {"error", 500, 1},
	[SIM_FAULT_AUTH_ERROR] = {"auth-error", 402, 1},
	[SIM_FAULT_SUB_ERROR] = {"sub-error", 405, 1},
	[SIM_FAULT_CORRECT] = {"correct", 1, 1},
	[SIM_FAULT_HALT] = {"halt", 0, 1},
	[SIM_FAULT_CLOCK] = {"clock", 60, 5},
	[SIM_FAULT_CLOCK_BACK] = {"clock-back", 60, 5},
	[SIM_FAULT_CLEAR] = {"clear", 0, 1},
};

/* What every vendor plays. */
static const uint32_t common = SIM_FAULT_BIT(SIM_FAULT_MUTE) | SIM_FAULT_BIT(SIM_FAULT_QUIET) |
			       SIM_FAULT_BIT(SIM_FAULT_HALF_OPEN) |
			       SIM_FAULT_BIT(SIM_FAULT_MALFORMED) | SIM_FAULT_BIT(SIM_FAULT_CUT) |
			       SIM_FAULT_BIT(SIM_FAULT_REFUSE) | SIM_FAULT_BIT(SIM_FAULT_BAN) |
			       SIM_FAULT_BIT(SIM_FAULT_HOLD) | SIM_FAULT_BIT(SIM_FAULT_DUPLICATE) |
			       SIM_FAULT_BIT(SIM_FAULT_ZERO) | SIM_FAULT_BIT(SIM_FAULT_CORRECT) |
			       SIM_FAULT_BIT(SIM_FAULT_CLOCK) |
			       SIM_FAULT_BIT(SIM_FAULT_CLOCK_BACK) | SIM_FAULT_BIT(SIM_FAULT_CLEAR);

/* A whole number up to its end or one of these. */
static bool parse_number(const char *text, const char *ends, int64_t *out)
{
	char *end;
	long long number = strtoll(text, &end, 10);
	*out = number;
	return end != text && number >= 0 && (*end == '\0' || strchr(ends, *end) != NULL);
}

/* One "KIND[:VALUE[/COUNT]][@SECONDS]". */
static bool parse_one(char *text, int64_t mono_ns, struct sim_fault *out)
{
	char *at = strchr(text, '@');
	char *value = strchr(text, ':');
	char *count = strchr(text, '/');
	char *end = NULL;
	double delay_s = at != NULL ? strtod(at + 1, &end) : 0;
	int64_t value_given = 0, count_given = 0;
	if ((at != NULL && (end == at + 1 || *end != '\0' || delay_s < 0 || delay_s > 86400)) ||
		(value != NULL && !parse_number(value + 1, "/@", &value_given)) ||
		(count != NULL && !parse_number(count + 1, "@", &count_given))) {
		return false;
	}
	for (char *cut = text; *cut != '\0'; cut++) {
		if (strchr("@:/", *cut) != NULL) {
			*cut = '\0';
		}
	}
	for (int i = 0; i < SIM_FAULTS; i++) {
		if (strcmp(kinds[i].name, text) == 0) {
			*out = (struct sim_fault){.kind = (enum sim_fault_kind)i,
				.value = value != NULL ? value_given : kinds[i].value,
				.count = count != NULL ? count_given : kinds[i].count,
				.start_ns = mono_ns + (int64_t)(delay_s * 1e9)};
			return true;
		}
	}
	return false;
}

static bool plays(const struct sim_vendor *vendor, enum sim_fault_kind kind)
{
	return ((common | vendor->faults) & SIM_FAULT_BIT(kind)) != 0;
}

void sim_faults_names(const struct sim_vendor *vendor, struct lc_buf *out)
{
	const char *before = "";
	for (int i = 0; i < SIM_FAULTS; i++) {
		if (plays(vendor, (enum sim_fault_kind)i)) {
			lc_buf_printf(out, "%s%s:%" PRId64 "/%" PRId64, before, kinds[i].name,
				kinds[i].value, kinds[i].count);
			before = " ";
		}
	}
}

enum lc_err sim_faults_add(struct sim *sim, const char *spec, int64_t mono_ns, struct lc_error *err)
{
	struct sim_faults *faults = &sim->faults;
	char copy[1024];
	if (strlen(spec) >= sizeof(copy)) {
		return lc_error_set(err, LC_ERR_TOO_LARGE, "faults: longer than 1 KB");
	}
	strcpy(copy, spec);
	char *save = NULL;
	for (char *one = strtok_r(copy, ", \r\n", &save); one != NULL;
		one = strtok_r(NULL, ", \r\n", &save)) {
		size_t most = sizeof(faults->pending) / sizeof(faults->pending[0]);
		if (faults->pending_count == most) {
			return lc_error_set(err, LC_ERR_FULL, "faults: at most %zu wait", most);
		}
		struct sim_fault *fault = &faults->pending[faults->pending_count];
		if (!parse_one(one, mono_ns, fault)) {
			return lc_error_set(err, LC_ERR_INVALID,
				"faults: '%s' is not KIND[:VALUE[/COUNT]][@SECONDS]", one);
		}
		if (!plays(sim->vendor, fault->kind)) {
			return lc_error_set(err, LC_ERR_INVALID, "faults: %s does not play '%s'",
				sim->vendor->name, kinds[fault->kind].name);
		}
		faults->pending_count++;
	}
	return LC_OK;
}

static void clear(struct sim *sim)
{
	lc_http_server_hold(sim->server, false);
	sim->faults = (struct sim_faults){0};
}

static void set_clock(struct sim_faults *faults, const struct sim_fault *fault, int64_t mono_ns)
{
	int64_t offset_ns = fault->value * LC_NS_PER_S;
	faults->clock_ns = fault->kind == SIM_FAULT_CLOCK ? offset_ns : -offset_ns;
	faults->clock_until_ns = mono_ns + fault->count * LC_NS_PER_S;
}

/* What lasts so many seconds. */
static void begin_span(struct sim *sim, const struct sim_fault *fault, int64_t mono_ns)
{
	struct sim_faults *faults = &sim->faults;
	int64_t until_ns = mono_ns + fault->value * LC_NS_PER_S;
	switch (fault->kind) {
	case SIM_FAULT_MUTE:
		faults->mute_until_ns = until_ns;
		break;
	case SIM_FAULT_QUIET:
		faults->quiet_until_ns = until_ns;
		break;
	case SIM_FAULT_QUIET_HK:
		faults->quiet_hk_until_ns = until_ns;
		break;
	case SIM_FAULT_HALF_OPEN:
		faults->half_open_until_ns = until_ns;
		break;
	case SIM_FAULT_DRIP:
		faults->drip_until_ns = until_ns;
		break;
	case SIM_FAULT_CLOCK:
	case SIM_FAULT_CLOCK_BACK:
		set_clock(faults, fault, mono_ns);
		break;
	default:
		faults->hold_until_ns = until_ns;
		lc_http_server_hold(sim->server, true);
		break;
	}
}

/* States are kept here; events go to the vendor. */
static void begin(struct sim *sim, const struct sim_fault *fault, int64_t mono_ns)
{
	struct sim_faults *faults = &sim->faults;
	switch (fault->kind) {
	case SIM_FAULT_MUTE:
	case SIM_FAULT_QUIET:
	case SIM_FAULT_QUIET_HK:
	case SIM_FAULT_HALF_OPEN:
	case SIM_FAULT_DRIP:
	case SIM_FAULT_CLOCK:
	case SIM_FAULT_CLOCK_BACK:
	case SIM_FAULT_HOLD:
		begin_span(sim, fault, mono_ns);
		break;
	case SIM_FAULT_REFUSE:
		faults->refuse_status = fault->value;
		faults->refuse_left = fault->count;
		break;
	case SIM_FAULT_BAN:
		faults->ban_left = fault->value;
		break;
	case SIM_FAULT_DUPLICATE:
		faults->duplicate_left = fault->value;
		break;
	case SIM_FAULT_DISORDER:
		faults->disorder_left = fault->value;
		break;
	case SIM_FAULT_ZERO:
		faults->zero_left = fault->value;
		break;
	case SIM_FAULT_CORRECT:
		faults->correct_left = fault->value;
		break;
	case SIM_FAULT_AUTH_ERROR:
		faults->auth_code = fault->value;
		faults->auth_left = fault->count;
		break;
	case SIM_FAULT_SUB_ERROR:
		faults->sub_code = fault->value;
		faults->sub_left = fault->count;
		break;
	case SIM_FAULT_CLEAR:
		clear(sim);
		break;
	default:
		break;
	}
	if (sim->vendor->on_fault != NULL) {
		sim->vendor->on_fault(sim, fault);
	}
}

void sim_faults_turn(struct sim *sim, int64_t mono_ns)
{
	struct sim_faults *faults = &sim->faults;
	for (size_t i = 0; i < faults->pending_count;) {
		struct sim_fault fault = faults->pending[i];
		if (fault.start_ns > mono_ns) {
			i++;
			continue;
		}
		faults->pending[i] = faults->pending[--faults->pending_count];
		begin(sim, &fault, mono_ns);
	}
	if (faults->hold_until_ns != 0 && faults->hold_until_ns <= mono_ns) {
		faults->hold_until_ns = 0;
		lc_http_server_hold(sim->server, false);
	}
}

bool sim_faults_take(int64_t *left)
{
	if (*left <= 0) {
		return false;
	}
	--*left;
	return true;
}

const char *sim_held_back(const struct sim *sim)
{
	int64_t now_ns = lc_loop_mono_ns(sim->loop);
	return sim->faults.mute_until_ns > now_ns        ? "mute"
	       : sim->faults.half_open_until_ns > now_ns ? "half-open"
							 : NULL;
}

int64_t sim_faults_left(const struct sim *sim)
{
	const struct sim_faults *f = &sim->faults;
	return (int64_t)f->pending_count + f->refuse_left + f->ban_left + f->duplicate_left +
	       f->disorder_left + f->zero_left + f->auth_left + f->sub_left + f->correct_left +
	       f->page_left + f->empty_left;
}

void sim_poll_fault(struct sim *sim, const struct sim_fault *fault)
{
	struct sim_faults *faults = &sim->faults;
	faults->page_left += fault->kind == SIM_FAULT_MALFORMED ? fault->count : 0;
	faults->empty_left += fault->kind == SIM_FAULT_CUT ? fault->count : 0;
}

bool sim_poll_spoiled(struct sim *sim, struct lc_buf *out)
{
	if (sim_faults_take(&sim->faults.page_left)) {
		lc_buf_puts(out, "<html><body>please verify</body></html>");
		return true;
	}
	return sim_faults_take(&sim->faults.empty_left);
}

void sim_poll_break_off(struct sim *sim, struct lc_buf *out)
{
	if (sim_faults_take(&sim->faults.correct_left)) {
		out->len = out->len * 3 / 4;
	}
}
