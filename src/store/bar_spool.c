#include "store/bar_spool.h"

#include "livecore/file.h"
#include "store/bar_row.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* A record: length and checksum of what follows (4 bytes each, little endian), then the row. */
#define HEADER_BYTES 8
#define RECORD_BYTES (HEADER_BYTES + BAR_ROW_BYTES)
#define READ_RECORDS 512 /* read from a segment at once */
#define SEGMENT_MAX (8 << 20)
#define SEGMENT_MIN (64 << 10)

/* --- records --- */

/* CRC-32 as zlib has it, four bits at a time: the spool is as fast as its disk. */
static uint32_t checksum(const uint8_t *data, size_t len)
{
	static const uint32_t table[16] = {0x00000000, 0x1db71064, 0x3b6e20c8, 0x26d930ac,
		0x76dc4190, 0x6b6b51f4, 0x4db26158, 0x5005713c, 0xedb88320, 0xf00f9344, 0xd6d6a3e8,
		0xcb61b38c, 0x9b64c2b0, 0x86d3d2d4, 0xa00ae278, 0xbdbdf21c};
	uint32_t crc = ~UINT32_C(0);
	for (size_t i = 0; i < len; i++) {
		crc ^= data[i];
		crc = crc >> 4 ^ table[crc & 15];
		crc = crc >> 4 ^ table[crc & 15];
	}
	return ~crc;
}

static void put32(uint8_t *out, uint32_t value)
{
	for (int i = 0; i < 4; i++) {
		out[i] = (uint8_t)(value >> (8 * i));
	}
}

static uint32_t get32(const uint8_t *in)
{
	return in[0] | (uint32_t)in[1] << 8 | (uint32_t)in[2] << 16 | (uint32_t)in[3] << 24;
}

static void encode_record(const struct lc_bar_row *row, uint8_t *out)
{
	bar_row_encode(row, out + HEADER_BYTES);
	put32(out, BAR_ROW_BYTES);
	put32(out + 4, checksum(out + HEADER_BYTES, BAR_ROW_BYTES));
}

static bool decode_record(const uint8_t *in, struct lc_bar_row *row)
{
	return get32(in) == BAR_ROW_BYTES &&
	       get32(in + 4) == checksum(in + HEADER_BYTES, BAR_ROW_BYTES) &&
	       bar_row_decode(in + HEADER_BYTES, row) == LC_OK;
}

/* --- files --- */

static enum lc_err spool_error(
	const struct bar_spool *spool, const char *what, int code, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_IO,
		"the spool %.120s: %s: %s: bars cannot wait on disk; make room or make it writable",
		spool->dir, what, strerror(code));
}

static void segment_path(const struct bar_spool *spool, uint64_t id, char out[PATH_MAX])
{
	snprintf(out, PATH_MAX, "%s/%016" PRIx64 ".seg", spool->dir, id);
}

static int open_segment(const struct bar_spool *spool, uint64_t id, int flags)
{
	char path[PATH_MAX];
	segment_path(spool, id, path);
	return open(path, flags | O_CLOEXEC, 0600);
}

static enum lc_err take_lock(struct bar_spool *spool, struct lc_error *err)
{
	char path[PATH_MAX];
	if (lc_make_directories(spool->dir) != 0) {
		return spool_error(spool, "the directory", errno, err);
	}
	snprintf(path, sizeof path, "%s/lock", spool->dir);
	spool->lock_fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (spool->lock_fd < 0) {
		return spool_error(spool, "its lock", errno, err);
	}
	if (flock(spool->lock_fd, LOCK_EX | LOCK_NB) != 0) {
		close(spool->lock_fd);
		spool->lock_fd = -1;
		return lc_error_set(err, LC_ERR_EXISTS,
			"the spool %.120s is in use by another livecore: stop that one, or give "
			"this one a state.dir of its own",
			spool->dir);
	}
	return LC_OK;
}

/* --- segments --- */

static uint64_t segment_size(const struct bar_spool *spool)
{
	uint64_t size = spool->limit / 8;
	return size > SEGMENT_MAX ? SEGMENT_MAX : size < SEGMENT_MIN ? SEGMENT_MIN : size;
}

static struct bar_segment *add_segment(struct bar_spool *spool, uint64_t id)
{
	struct bar_segment *segments = realloc(
		spool->segments, (spool->count + 1) * sizeof *segments);
	if (!segments) {
		return NULL;
	}
	spool->segments = segments;
	segments[spool->count] = (struct bar_segment){.id = id};
	return &segments[spool->count++];
}

static void close_append(struct bar_spool *spool)
{
	if (spool->append_fd >= 0) {
		close(spool->append_fd);
		spool->append_fd = -1;
	}
}

static void drop_oldest(struct bar_spool *spool)
{
	char path[PATH_MAX];
	struct bar_segment *oldest = spool->segments;
	segment_path(spool, oldest->id, path);
	unlink(path); /* one that stays is sent again at the next start: harmless */
	spool->bytes -= oldest->bytes;
	spool->rows -= oldest->rows - spool->read_rows;
	if (spool->count == 1) {
		close_append(spool);
	}
	spool->count--;
	memmove(oldest, oldest + 1, spool->count * sizeof *oldest);
	spool->read_offset = spool->read_rows = 0;
	spool->peeked_bytes = spool->peeked_rows = 0;
}

/* What follows bytes in a segment cannot be read: it is cut off there. */
static void cut(struct bar_spool *spool, struct bar_segment *segment, uint64_t bytes, uint64_t rows)
{
	char path[PATH_MAX];
	segment_path(spool, segment->id, path);
	if (truncate(path, (off_t)bytes) != 0) {
		spool->damaged_records++; /* seen again at the next start, and cut then */
	}
	spool->bytes -= segment->bytes - bytes;
	spool->rows -= segment->rows - rows;
	segment->bytes = bytes;
	segment->rows = rows;
}

/* Reads up to max records at offset; *count is how many were sound before the first that is not. */
static enum lc_err read_records(const struct bar_spool *spool, int fd, uint64_t offset, size_t max,
	uint8_t *buffer, struct lc_bar_row *rows, size_t *count, struct lc_error *err)
{
	ssize_t len;
	do {
		len = pread(fd, buffer, max * RECORD_BYTES, (off_t)offset);
	} while (len < 0 && errno == EINTR);
	if (len < 0) {
		return spool_error(spool, "reading", errno, err);
	}
	size_t whole = (size_t)len / RECORD_BYTES;
	for (*count = 0; *count < whole; (*count)++) {
		if (!decode_record(buffer + *count * RECORD_BYTES, &rows[*count])) {
			break;
		}
	}
	return LC_OK;
}

/* Counts the sound records of a segment that was found; the rest is cut off. */
static enum lc_err scan_segment(
	struct bar_spool *spool, struct bar_segment *segment, bool last, struct lc_error *err)
{
	struct stat st;
	int fd = open_segment(spool, segment->id, O_RDONLY);
	if (fd < 0) {
		return spool_error(spool, "opening a segment", errno, err);
	}
	uint8_t *buffer = malloc(READ_RECORDS * RECORD_BYTES);
	struct lc_bar_row *rows = malloc(READ_RECORDS * sizeof *rows);
	enum lc_err rc = buffer && rows ? LC_OK : LC_ERR_NOMEM;
	uint64_t sound = 0;
	for (size_t count = READ_RECORDS; rc == LC_OK && count == READ_RECORDS; sound += count) {
		rc = read_records(
			spool, fd, sound * RECORD_BYTES, READ_RECORDS, buffer, rows, &count, err);
		count = rc == LC_OK ? count : 0;
	}
	if (rc == LC_OK && fstat(fd, &st) != 0) {
		rc = spool_error(spool, "a segment's size", errno, err);
	}
	if (rc == LC_OK) {
		uint64_t bytes = (uint64_t)st.st_size;
		*segment = (struct bar_segment){segment->id, bytes, bytes / RECORD_BYTES};
		spool->bytes += segment->bytes;
		spool->rows += segment->rows;
		/* Half a record at the very end is what a crash leaves: it was never promised. */
		bool torn = last && bytes - sound * RECORD_BYTES < RECORD_BYTES;
		if (!torn && bytes > sound * RECORD_BYTES) {
			spool->damaged_records++;
			spool->given_up += segment->rows - sound;
		}
		if (bytes > sound * RECORD_BYTES) {
			cut(spool, segment, sound * RECORD_BYTES, sound);
		}
	}
	free(buffer);
	free(rows);
	close(fd);
	return rc == LC_ERR_NOMEM ? lc_error_set(err, rc, "out of memory") : rc;
}

static int compare_segments(const void *a, const void *b)
{
	const struct bar_segment *left = a, *right = b;
	return (left->id > right->id) - (left->id < right->id);
}

static enum lc_err find_segments(struct bar_spool *spool, struct lc_error *err)
{
	DIR *dir = opendir(spool->dir);
	if (!dir) {
		return spool_error(spool, "listing it", errno, err);
	}
	enum lc_err rc = LC_OK;
	for (struct dirent *entry; rc == LC_OK && (entry = readdir(dir));) {
		uint64_t id;
		int end = 0;
		if (sscanf(entry->d_name, "%16" SCNx64 ".seg%n", &id, &end) == 1 && end == 20 &&
			entry->d_name[end] == '\0' && !add_segment(spool, id)) {
			rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
		}
	}
	closedir(dir);
	if (spool->count > 1) {
		qsort(spool->segments, spool->count, sizeof *spool->segments, compare_segments);
	}
	return rc;
}

static enum lc_err begin_segment(struct bar_spool *spool, struct lc_error *err)
{
	close_append(spool);
	size_t count = spool->segments ? spool->count : 0;
	uint64_t id = count ? spool->segments[count - 1].id + 1 : 1;
	int fd = open_segment(spool, id, O_WRONLY | O_CREAT | O_TRUNC);
	if (fd < 0) {
		return spool_error(spool, "a new segment", errno, err);
	}
	if (!add_segment(spool, id)) {
		close(fd);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	int dir = open(spool->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir >= 0) {
		fsync(dir); /* else a power cut may lose the file with all that is in it */
		close(dir);
	}
	spool->append_fd = fd;
	return LC_OK;
}

static enum lc_err write_all(int fd, const uint8_t *data, size_t len, uint64_t offset)
{
	while (len > 0) {
		ssize_t done = pwrite(fd, data, len, (off_t)offset);
		if (done < 0 && errno == EINTR) {
			continue;
		}
		if (done <= 0) {
			return LC_ERR_IO;
		}
		data += done;
		len -= (size_t)done;
		offset += (uint64_t)done;
	}
	return LC_OK;
}

/* Gives up the oldest until need bytes fit, and has a segment to append to. */
static enum lc_err make_room(struct bar_spool *spool, uint64_t need, struct lc_error *err)
{
	while (spool->count > 0 && spool->bytes + need > spool->limit) {
		spool->given_up += spool->segments[0].rows - spool->read_rows;
		drop_oldest(spool);
	}
	struct bar_segment *tail = spool->count ? &spool->segments[spool->count - 1] : NULL;
	if (!tail || (tail->bytes > 0 && tail->bytes + need > segment_size(spool))) {
		return begin_segment(spool, err);
	}
	if (spool->append_fd < 0) {
		spool->append_fd = open_segment(spool, tail->id, O_WRONLY);
		if (spool->append_fd < 0) {
			return spool_error(spool, "opening a segment", errno, err);
		}
	}
	return LC_OK;
}

/* --- public --- */

void bar_spool_prepare(struct bar_spool *spool, const char *dir, uint64_t limit)
{
	*spool = (struct bar_spool){.limit = limit, .lock_fd = -1, .append_fd = -1};
	snprintf(spool->dir, sizeof spool->dir, "%s", dir);
}

enum lc_err bar_spool_open(struct bar_spool *spool, struct lc_error *err)
{
	enum lc_err rc = take_lock(spool, err);
	rc = rc ? rc : find_segments(spool, err);
	for (size_t i = 0; rc == LC_OK && i < spool->count; i++) {
		rc = scan_segment(spool, &spool->segments[i], i + 1 == spool->count, err);
	}
	if (rc != LC_OK) {
		bar_spool_close(spool);
	}
	return rc;
}

enum lc_err bar_spool_append(
	struct bar_spool *spool, const struct lc_bar_row *rows, size_t count, struct lc_error *err)
{
	uint64_t need = (uint64_t)count * RECORD_BYTES;
	if (spool->lock_fd < 0) {
		return lc_error_set(err, LC_ERR_CLOSED, "the spool is not open");
	}
	uint8_t *buffer = malloc(need ? need : 1);
	if (!buffer) {
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	enum lc_err rc = make_room(spool, need, err);
	if (rc == LC_OK) {
		struct bar_segment *tail = &spool->segments[spool->count - 1];
		for (size_t i = 0; i < count; i++) {
			encode_record(&rows[i], buffer + i * RECORD_BYTES);
		}
		if (write_all(spool->append_fd, buffer, need, tail->bytes) != LC_OK ||
			fdatasync(spool->append_fd) != 0) {
			rc = spool_error(spool, "writing", errno, err);
			cut(spool, tail, tail->bytes, tail->rows);
		} else {
			tail->bytes += need;
			tail->rows += count;
			spool->bytes += need;
			spool->rows += count;
		}
	}
	free(buffer);
	return rc;
}

/* Records of the oldest segment from read_offset on; what is damaged is given up. */
static enum lc_err peek_oldest(struct bar_spool *spool, struct lc_bar_row *rows, size_t max,
	size_t *count, struct lc_error *err)
{
	struct bar_segment *oldest = spool->segments;
	uint64_t left = oldest->rows - spool->read_rows;
	size_t wanted = left < max ? (size_t)left : max;
	uint8_t *buffer = malloc(wanted * RECORD_BYTES + 1);
	int fd = open_segment(spool, oldest->id, O_RDONLY);
	enum lc_err rc = LC_OK;
	if (!buffer) {
		rc = lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	} else if (fd >= 0) {
		rc = read_records(spool, fd, spool->read_offset, wanted, buffer, rows, count, err);
	} else if (errno != ENOENT) {
		rc = spool_error(spool, "opening a segment", errno, err);
	}
	if (rc == LC_OK && *count < wanted) {
		spool->damaged_records++;
		spool->given_up += left - *count;
		cut(spool, oldest, spool->read_offset + *count * RECORD_BYTES,
			spool->read_rows + *count);
	}
	free(buffer);
	if (fd >= 0) {
		close(fd);
	}
	return rc;
}

enum lc_err bar_spool_peek(struct bar_spool *spool, struct lc_bar_row *rows, size_t max,
	size_t *count, struct lc_error *err)
{
	enum lc_err rc = LC_OK;
	*count = 0;
	spool->peeked_bytes = spool->peeked_rows = 0;
	while (rc == LC_OK && *count == 0 && spool->count > 0) {
		if (spool->segments[0].rows == spool->read_rows) {
			drop_oldest(spool);
		} else {
			rc = peek_oldest(spool, rows, max, count, err);
		}
	}
	if (rc == LC_OK) {
		spool->peeked_rows = *count;
		spool->peeked_bytes = (uint64_t)*count * RECORD_BYTES;
	}
	return rc;
}

void bar_spool_take(struct bar_spool *spool)
{
	spool->read_offset += spool->peeked_bytes;
	spool->read_rows += spool->peeked_rows;
	spool->rows -= spool->peeked_rows;
	spool->peeked_bytes = spool->peeked_rows = 0;
	if (spool->count > 0 && spool->segments[0].rows == spool->read_rows) {
		drop_oldest(spool);
	}
}

void bar_spool_close(struct bar_spool *spool)
{
	close_append(spool);
	if (spool->lock_fd >= 0) {
		close(spool->lock_fd);
		spool->lock_fd = -1;
	}
	free(spool->segments);
	spool->segments = NULL;
	spool->count = 0;
	spool->bytes = spool->rows = spool->read_offset = spool->read_rows = 0;
	spool->peeked_bytes = spool->peeked_rows = 0;
}
