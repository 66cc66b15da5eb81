#include "store/bar_spool.h"

#include "bar_fixture.h"
#include "store/bar_row.h"

#include <fcntl.h>

#define RECORD (BAR_ROW_BYTES + 8)

struct spool_bench {
	char root[64], dir[96];
	struct bar_spool spool;
	struct lc_error err;
};

static void spool_open(struct spool_bench *b, uint64_t limit)
{
	bar_spool_prepare(&b->spool, b->dir, limit);
	cr_assert_eq(bar_spool_open(&b->spool, &b->err), LC_OK, "%s", b->err.text);
}

static void spool_bench_open(struct spool_bench *b, uint64_t limit)
{
	strcpy(b->root, "/tmp/livecore-spool-XXXXXX");
	cr_assert(mkdtemp(b->root));
	snprintf(b->dir, sizeof b->dir, "%s/a/b", b->root);
	spool_open(b, limit);
}

static void spool_bench_close(struct spool_bench *b)
{
	bar_spool_close(&b->spool);
	scratch_remove(b->root);
}

/* Row n of a sequence: told by its tick count. */
static struct lc_bar_row numbered(uint32_t n)
{
	struct lc_bar_row row = {.symbol = "AAPL", .bar = day_bar((int)(n % 1000))};
	row.bar.tick_count = n;
	row.bar.symbol = LC_SYMBOL_NONE;
	return row;
}

static void append(struct spool_bench *b, uint32_t first, uint32_t count)
{
	struct lc_bar_row *rows = malloc(count * sizeof *rows);
	for (uint32_t i = 0; i < count; i++) {
		rows[i] = numbered(first + i);
	}
	cr_assert_eq(bar_spool_append(&b->spool, rows, count, &b->err), LC_OK, "%s", b->err.text);
	free(rows);
}

/* Takes all there is, checks that numbers ascend, and returns how many; *first is the first. */
static uint32_t drain(struct spool_bench *b, uint32_t *first)
{
	static struct lc_bar_row rows[700];
	uint32_t total = 0, last = 0;
	size_t count = 1;
	while (count > 0) {
		cr_assert_eq(bar_spool_peek(&b->spool, rows, 700, &count, &b->err), LC_OK);
		for (size_t i = 0; i < count; i++) {
			cr_assert(total == 0 || rows[i].bar.tick_count > last);
			*first = total == 0 ? rows[i].bar.tick_count : *first;
			last = rows[i].bar.tick_count;
			total++;
		}
		bar_spool_take(&b->spool);
	}
	cr_assert_eq(b->spool.rows, 0);
	return total;
}

static void segment_file(const struct spool_bench *b, char path[160])
{
	snprintf(path, 160, "%s/%016x.seg", b->dir, 1);
}

static void damage(const struct spool_bench *b, off_t at)
{
	char path[160];
	segment_file(b, path);
	int fd = open(path, O_RDWR);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, "\xff\xff\xff", 3, at), 3);
	close(fd);
}

Test(bar_row, bytes_and_back)
{
	struct lc_bar_row row = numbered(77), back;
	uint8_t bytes[BAR_ROW_BYTES];
	row.bar.final = false;
	row.bar.revision = UINT32_MAX;
	row.bar.high = dec("1e9");
	row.bar.low = dec("-0.00000001");
	row.bar.volume = dec("1e19");
	strcpy(row.symbol, "ABCDE.ABC.ABC");
	bar_row_encode(&row, bytes);
	cr_assert_eq(bar_row_decode(bytes, &back), LC_OK);
	uint8_t again[BAR_ROW_BYTES]; /* not the structures: their padding has no value */
	bar_row_encode(&back, again);
	cr_assert_arr_eq(again, bytes, sizeof bytes);
	cr_assert_eq(lc_decimal_compare(back.bar.high, row.bar.high), 0);
	cr_assert_eq(lc_decimal_compare(back.bar.low, row.bar.low), 0);
	cr_assert_eq(lc_decimal_compare(back.bar.volume, row.bar.volume), 0);
	cr_assert_eq(back.bar.start_ns, row.bar.start_ns);
	cr_assert(back.bar.revision == UINT32_MAX && !back.bar.final);
	cr_assert_str_eq(row.symbol, back.symbol);
	bytes[0] = 9; /* another form */
	cr_assert_eq(bar_row_decode(bytes, &back), LC_ERR_INVALID);
}

Test(bar_row, scaled_numbers)
{
	static const struct {
		const char *text;
		int scale, digits;
		long long expect;
	} cases[] = {{"1.5", 8, 18, 150000000}, {"0.000000005", 8, 18, 0},
		{"0.000000015", 8, 18, 2}, {"-0.000000015", 8, 18, -2}, {"0.0000000151", 8, 18, 2},
		{"1e-30", 8, 18, 0}, {"12", 0, 2, 12}, {"99.4", 0, 2, 99}};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		__int128 scaled = 1;
		cr_assert_eq(
			bar_scaled(dec(cases[i].text), cases[i].scale, cases[i].digits, &scaled),
			LC_OK);
		cr_assert_eq((long long)scaled, cases[i].expect, "%s", cases[i].text);
	}
	__int128 scaled;
	struct lc_decimal back;
	cr_assert_eq(bar_scaled(dec("99.5"), 0, 2, &scaled), LC_ERR_RANGE);
	cr_assert_eq(bar_scaled(dec("1e30"), 8, 28, &scaled), LC_ERR_RANGE);
	cr_assert_eq(bar_unscaled((__int128)INT64_MAX * 10 + 1, 8, &back), LC_ERR_RANGE);
	cr_assert_eq(bar_unscaled(1500, 3, &back), LC_OK);
	cr_assert_eq(back.mantissa, 15);
	cr_assert_eq(back.exponent, -1);
}

Test(bar_spool, first_in_first_out_over_restarts)
{
	struct spool_bench b;
	uint32_t first;
	spool_bench_open(&b, 8 << 20);
	append(&b, 1, 1000);
	append(&b, 1001, 1);
	bar_spool_close(&b.spool);
	spool_open(&b, 8 << 20);
	cr_assert_eq(b.spool.rows, 1001);
	append(&b, 1002, 999);
	cr_assert_eq(drain(&b, &first), 2000);
	cr_assert_eq(first, 1);
	cr_assert_eq(b.spool.given_up, 0);
	append(&b, 1, 5); /* it is used again */
	cr_assert_eq(drain(&b, &first), 5);
	spool_bench_close(&b);
}

Test(bar_spool, what_was_peeked_and_not_taken_stays)
{
	struct spool_bench b;
	struct lc_bar_row rows[10];
	size_t count;
	uint32_t first;
	spool_bench_open(&b, 8 << 20);
	append(&b, 1, 20);
	cr_assert_eq(bar_spool_peek(&b.spool, rows, 10, &count, &b.err), LC_OK);
	cr_assert_eq(bar_spool_peek(&b.spool, rows, 10, &count, &b.err), LC_OK);
	cr_assert_eq(rows[0].bar.tick_count, 1);
	bar_spool_take(&b.spool);
	append(&b, 21, 5);
	cr_assert_eq(drain(&b, &first), 15);
	cr_assert_eq(first, 11);
	spool_bench_close(&b);
}

Test(bar_spool, a_torn_tail_is_cut_off)
{
	char path[160];
	for (off_t cut = 1; cut < RECORD; cut += 13) {
		struct spool_bench b;
		uint32_t first;
		spool_bench_open(&b, 8 << 20);
		append(&b, 1, 10);
		bar_spool_close(&b.spool);
		segment_file(&b, path);
		cr_assert_eq(truncate(path, 10 * RECORD - cut), 0);
		spool_open(&b, 8 << 20);
		cr_assert_eq(b.spool.rows, 9);
		cr_assert_eq(b.spool.given_up, 0, "it was never promised");
		append(&b, 11, 1);
		cr_assert_eq(drain(&b, &first), 10);
		spool_bench_close(&b);
	}
}

Test(bar_spool, damage_is_counted_and_what_is_before_it_kept)
{
	struct spool_bench b;
	uint32_t first;
	spool_bench_open(&b, 8 << 20);
	append(&b, 1, 100);
	bar_spool_close(&b.spool);
	damage(&b, 60 * RECORD + 50);
	spool_open(&b, 8 << 20);
	cr_assert_eq(b.spool.rows, 60);
	cr_assert_eq(b.spool.given_up, 40);
	damage(&b, 30 * RECORD); /* while it is open */
	append(&b, 200, 1);
	cr_assert_eq(drain(&b, &first), 30);
	cr_assert_eq(b.spool.given_up, 40 + 31);
	cr_assert_eq(b.spool.damaged_records, 2);
	append(&b, 1, 3);
	cr_assert_eq(drain(&b, &first), 3);
	spool_bench_close(&b);
}

Test(bar_spool, when_full_the_oldest_are_given_up)
{
	enum { LIMIT = 1 << 20 };
	struct spool_bench b;
	uint32_t first;
	spool_bench_open(&b, LIMIT);
	for (uint32_t i = 0; i < 40; i++) {
		append(&b, 1 + i * 500, 500);
		cr_assert_leq(b.spool.bytes, LIMIT);
	}
	uint64_t kept = b.spool.rows, lost = b.spool.given_up;
	cr_assert_eq(kept + lost, 20000);
	cr_assert_gt(kept, LIMIT / RECORD * 3 / 4, "and no more than needed");
	cr_assert_eq(drain(&b, &first), kept);
	cr_assert_eq(first, 20001 - kept, "the newest are kept");
	spool_bench_close(&b);
}

Test(bar_spool, one_process_has_it)
{
	struct spool_bench b;
	struct bar_spool second;
	spool_bench_open(&b, 1 << 20);
	bar_spool_prepare(&second, b.dir, 1 << 20);
	cr_assert_eq(bar_spool_open(&second, &b.err), LC_ERR_EXISTS, "%s", b.err.text);
	spool_bench_close(&b);
}
