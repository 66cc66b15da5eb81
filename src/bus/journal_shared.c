#include "journal_shared.h"

#include "livecore/file.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC UINT64_C(0x316d656d65726f63) /* "coremem1" where this is read right */
#define PATH_BYTES 1024
#define TOKEN_BYTES 17
#define NAME_BYTES 24
#define COUNT_MAX 100000 /* buffers: more are none of ours */
#define PAGE ((size_t)LC_JOURNAL_PAGE)

/* The file's first page. */
struct control {
	uint64_t magic;
	uint32_t entry_bytes, data_bytes, count;
	_Atomic uint32_t sources;
	char names[LC_JOURNAL_SOURCES][NAME_BYTES];
};

_Static_assert(sizeof(struct control) <= LC_JOURNAL_PAGE, "it fits its page");
_Static_assert(sizeof(struct journal_shared_head) <= LC_JOURNAL_PAGE, "so does a head");

enum space { SPACE_NONE, SPACE_SPARE, SPACE_TAKEN };

struct journal_shared {
	char path[PATH_BYTES], fresh[PATH_BYTES + 8];
	bool adopted;
	int fd;
	char *map;
	size_t bytes, buffer_bytes, count, spares;
	uint8_t *spaces; /* owned: enum space of each buffer */
};

/* Of the file's name: it stands in the log's folder, so that nobody else can guess it. */
static enum lc_err token_of(
	const char *log_dir, bool make, char out[TOKEN_BYTES], struct lc_error *err)
{
	char path[PATH_BYTES];
	char *text;
	size_t len;
	snprintf(path, sizeof path, "%s/memory", log_dir);
	enum lc_err rc = lc_file_read(path, TOKEN_BYTES - 1, &text, &len, err);
	if (rc) {
		return rc;
	}
	if (text && len == TOKEN_BYTES - 1 && strspn(text, "0123456789abcdef") >= len) {
		memcpy(out, text, len);
		out[len] = '\0';
		free(text);
		return LC_OK;
	}
	free(text);
	uint64_t random;
	if (!make) {
		return LC_ERR_NOT_FOUND;
	}
	if (getrandom(&random, sizeof random, 0) != sizeof random) {
		return lc_error_set(err, LC_ERR_IO, "no random numbers: %s", strerror(errno));
	}
	snprintf(out, TOKEN_BYTES, "%016" PRIx64, random);
	return lc_file_replace(path, out, TOKEN_BYTES - 1, err);
}

/* With the folder's own numbers: a copy of the folder is another log. */
static enum lc_err path_of(const char *memory_dir, const char *log_dir, bool make,
	char out[PATH_BYTES], struct lc_error *err)
{
	char token[TOKEN_BYTES];
	struct stat there;
	enum lc_err rc = token_of(log_dir, make, token, err);
	if (rc) {
		return rc;
	}
	if (stat(log_dir, &there)) {
		return lc_error_set(err, LC_ERR_IO, "%s: %s", log_dir, strerror(errno));
	}
	snprintf(out, PATH_BYTES, "%s/livecore-%s-%" PRIx64 "-%" PRIx64, memory_dir, token,
		(uint64_t)there.st_dev, (uint64_t)there.st_ino);
	return LC_OK;
}

static size_t buffer_bytes(uint32_t data_bytes)
{
	return PAGE + (data_bytes + PAGE - 1) / PAGE * PAGE;
}

static size_t offset_of(const struct journal_shared *shared, size_t index)
{
	return PAGE + index * shared->buffer_bytes;
}

static enum lc_err failed(const struct journal_shared *shared, struct lc_error *err)
{
	return lc_error_set(err, LC_ERR_IO, "%s: %s", shared->fresh, strerror(errno));
}

static enum lc_err map_new(struct journal_shared *shared, struct lc_error *err)
{
	unlink(shared->fresh); /* of a process that was killed while it recovered */
	shared->fd = open(shared->fresh, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (shared->fd < 0 || ftruncate(shared->fd, (off_t)shared->bytes) ||
		(errno = posix_fallocate(shared->fd, 0, (off_t)PAGE))) {
		return failed(shared, err);
	}
	void *map = mmap(NULL, shared->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, shared->fd, 0);
	if (map == MAP_FAILED) {
		return failed(shared, err);
	}
	shared->map = map;
	return LC_OK;
}

enum lc_err journal_shared_create(const char *memory_dir, const char *log_dir, uint32_t data_bytes,
	size_t count, struct journal_shared **out, struct lc_error *err)
{
	struct journal_shared *shared = calloc(1, sizeof *shared);
	if (!shared || !(shared->spaces = calloc(count, 1))) {
		free(shared);
		return lc_error_set(err, LC_ERR_NOMEM, "out of memory");
	}
	shared->fd = -1;
	shared->buffer_bytes = buffer_bytes(data_bytes);
	shared->count = count;
	shared->bytes = offset_of(shared, count);
	enum lc_err rc = path_of(memory_dir, log_dir, true, shared->path, err);
	snprintf(shared->fresh, sizeof shared->fresh, "%s.new", shared->path);
	rc = rc ? rc : map_new(shared, err);
	if (rc) {
		journal_shared_destroy(shared);
		return rc;
	}
	*(struct control *)(void *)shared->map = (struct control){
		.magic = MAGIC,
		.entry_bytes = sizeof(struct lc_journal_entry),
		.data_bytes = data_bytes,
		.count = (uint32_t)count,
	};
	*out = shared;
	return LC_OK;
}

enum lc_err journal_shared_adopt(struct journal_shared *shared, struct lc_error *err)
{
	shared->adopted = shared->adopted || rename(shared->fresh, shared->path) == 0;
	return shared->adopted ? LC_OK : failed(shared, err);
}

void journal_shared_remove(struct journal_shared *shared)
{
	unlink(shared->adopted ? shared->path : shared->fresh);
}

void journal_shared_destroy(struct journal_shared *shared)
{
	if (!shared) {
		return;
	}
	if (shared->map) {
		munmap(shared->map, shared->bytes);
	}
	if (shared->fd >= 0) {
		close(shared->fd);
	}
	if (!shared->adopted) {
		unlink(shared->fresh);
	}
	free(shared->spaces);
	free(shared);
}

/* Its space is taken before it is used: a store to a page that the tmpfs has no room for kills. */
static bool make_space(struct journal_shared *shared, size_t index)
{
	return fallocate(shared->fd, 0, (off_t)offset_of(shared, index),
		       (off_t)shared->buffer_bytes) == 0;
}

static char *data_of(const struct journal_shared *shared, size_t index)
{
	return shared->map + offset_of(shared, index) + PAGE;
}

char *journal_shared_take(struct journal_shared *shared)
{
	enum space wanted = shared->spares ? SPACE_SPARE : SPACE_NONE;
	size_t index = 0;
	while (index < shared->count && shared->spaces[index] != wanted) {
		index++;
	}
	if (index == shared->count || (wanted == SPACE_NONE && !make_space(shared, index))) {
		return NULL;
	}
	shared->spares -= wanted == SPACE_SPARE;
	shared->spaces[index] = SPACE_TAKEN;
	return data_of(shared, index);
}

static bool owns(const struct journal_shared *shared, const char *data)
{
	return data >= shared->map && data < shared->map + shared->bytes;
}

static struct journal_shared_head *head_of(char *data)
{
	return (struct journal_shared_head *)(void *)(data - PAGE);
}

bool journal_shared_give(struct journal_shared *shared, char *data)
{
	if (!owns(shared, data)) {
		return false;
	}
	size_t index = (size_t)(data - shared->map) / shared->buffer_bytes;
	journal_shared_forget(head_of(data));
	bool keep = shared->spares < JOURNAL_SPARES;
	keep = keep || fallocate(shared->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			       (off_t)offset_of(shared, index), (off_t)shared->buffer_bytes) != 0;
	shared->spares += keep;
	shared->spaces[index] = keep ? SPACE_SPARE : SPACE_NONE;
	return true;
}

struct journal_shared_head *journal_shared_begin(
	struct journal_shared *shared, char *data, uint64_t first_id)
{
	if (!owns(shared, data)) {
		return NULL;
	}
	struct journal_shared_head *head = head_of(data);
	journal_shared_commit(head, 0);
	atomic_store_explicit(&head->first_id, first_id, memory_order_release);
	return head;
}

void journal_shared_commit(struct journal_shared_head *head, uint32_t used)
{
	atomic_store_explicit(&head->used, used, memory_order_release);
}

void journal_shared_forget(struct journal_shared_head *head)
{
	atomic_store_explicit(&head->first_id, 0, memory_order_release);
}

void journal_shared_name(struct journal_shared *shared, size_t source, const char *name)
{
	struct control *control = (struct control *)(void *)shared->map;
	snprintf(control->names[source], NAME_BYTES, "%s", name);
	atomic_store_explicit(&control->sources, (uint32_t)source + 1, memory_order_release);
}

/* --- reading what was left --- */

struct journal_shared_reader {
	const char *map;
	size_t bytes;
	struct journal_shared_found *found; /* owned, in ascending order */
	size_t count, cursor;
};

static const struct control *control_of(const struct journal_shared_reader *reader)
{
	return (const struct control *)(const void *)reader->map;
}

static int by_id(const void *a, const void *b)
{
	const struct journal_shared_found *x = a, *y = b;
	return (x->first_id > y->first_id) - (x->first_id < y->first_id);
}

static bool is_sound(const struct journal_shared_reader *reader)
{
	const struct control *control = control_of(reader);
	return control->magic == MAGIC && control->entry_bytes == sizeof(struct lc_journal_entry) &&
	       control->sources <= LC_JOURNAL_SOURCES && control->count <= COUNT_MAX &&
	       PAGE + buffer_bytes(control->data_bytes) * control->count <= reader->bytes;
}

static enum lc_err list_found(struct journal_shared_reader *reader)
{
	const struct control *control = control_of(reader);
	reader->found = calloc(control->count + 1, sizeof *reader->found);
	if (!reader->found) {
		return LC_ERR_NOMEM;
	}
	const size_t buffer = buffer_bytes(control->data_bytes);
	for (size_t i = 0; i < control->count; i++) {
		const char *at = reader->map + PAGE + i * buffer;
		const struct journal_shared_head *head = (const void *)at;
		if (head->first_id && head->used && head->used <= control->data_bytes) {
			reader->found[reader->count++] = (struct journal_shared_found){
				.first_id = head->first_id,
				.data = at + PAGE,
				.used = head->used,
			};
		}
	}
	qsort(reader->found, reader->count, sizeof *reader->found, by_id);
	return LC_OK;
}

static enum lc_err map_left(struct journal_shared_reader *reader, const char *path)
{
	struct stat there;
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0) {
		return LC_ERR_NOT_FOUND;
	}
	bool good = fstat(fd, &there) == 0 && S_ISREG(there.st_mode) && there.st_uid == geteuid() &&
		    there.st_size >= (off_t)PAGE;
	void *map = good ? mmap(NULL, (size_t)there.st_size, PROT_READ, MAP_SHARED, fd, 0)
			 : MAP_FAILED;
	close(fd);
	if (map == MAP_FAILED) {
		return LC_ERR_INVALID;
	}
	reader->map = map;
	reader->bytes = (size_t)there.st_size;
	return LC_OK;
}

enum lc_err journal_shared_open(
	const char *memory_dir, const char *log_dir, struct journal_shared_reader **out)
{
	char path[PATH_BYTES];
	struct lc_error err;
	if (path_of(memory_dir, log_dir, false, path, &err)) {
		return LC_ERR_NOT_FOUND;
	}
	struct journal_shared_reader *reader = calloc(1, sizeof *reader);
	if (!reader) {
		return LC_ERR_NOMEM;
	}
	enum lc_err rc = map_left(reader, path);
	if (rc == LC_OK) {
		rc = is_sound(reader) ? list_found(reader) : LC_ERR_INVALID;
	}
	if (rc) {
		journal_shared_close(reader);
		return rc;
	}
	*out = reader;
	return LC_OK;
}

/* A record that does not fit leaves the rest of a segment unused. */
size_t journal_shared_segments(const struct journal_shared_reader *reader, uint32_t data_bytes)
{
	size_t count = 0;
	for (size_t i = 0; i < reader->count; i++) {
		count += reader->found[i].used / (data_bytes - LC_RECORD_MAX) + 1;
	}
	return count;
}

bool journal_shared_next(struct journal_shared_reader *reader, struct journal_shared_found *out)
{
	if (reader->cursor == reader->count) {
		return false;
	}
	*out = reader->found[reader->cursor++];
	return true;
}

bool journal_shared_stands(const struct journal_shared_found *found)
{
	const struct journal_shared_head *head = (const void *)(found->data - PAGE);
	return head->first_id == found->first_id;
}

const char *journal_shared_source(const struct journal_shared_reader *reader, uint8_t source)
{
	const struct control *control = control_of(reader);
	bool known = source < control->sources &&
		     memchr(control->names[source], '\0', NAME_BYTES) != NULL;
	return known ? control->names[source] : NULL;
}

void journal_shared_close(struct journal_shared_reader *reader)
{
	if (!reader) {
		return;
	}
	if (reader->map) {
		munmap((void *)(uintptr_t)reader->map, reader->bytes);
	}
	free(reader->found);
	free(reader);
}
