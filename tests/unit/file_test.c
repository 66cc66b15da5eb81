#include "livecore/file.h"

#include <criterion/criterion.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/livecore-file-XXXXXX";

static void set_up(void)
{
	cr_assert_not_null(mkdtemp(dir));
}

static void tear_down(void)
{
	cr_assert_eq(rmdir(dir), 0, "something is left in %s", dir);
}

TestSuite(file, .init = set_up, .fini = tear_down);

static const char *path_of(const char *name)
{
	static char path[200];
	snprintf(path, sizeof path, "%s/%s", dir, name);
	return path;
}

Test(file, is_read_whole_or_not_at_all)
{
	struct lc_error err;
	char *data = NULL;
	size_t len = 0;
	cr_assert_eq(lc_file_read(path_of("none"), 10, &data, &len, &err), LC_OK);
	cr_assert_null(data);
	cr_assert_eq(lc_file_replace(path_of("a"), "0123456789", 10, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_file_read(path_of("a"), 10, &data, &len, &err), LC_OK);
	cr_assert_eq(len, 10u);
	cr_assert_eq(memcmp(data, "0123456789", 10), 0);
	free(data);
	cr_assert_eq(lc_file_read(path_of("a"), 9, &data, &len, &err), LC_ERR_IO);
	cr_assert_null(data);
	cr_assert_not_null(strstr(err.text, "more than 9 bytes"), "%s", err.text);
	cr_assert_eq(lc_file_read(dir, 10, &data, &len, &err), LC_ERR_IO);
	unlink(path_of("a"));
}

Test(file, replacing_leaves_one_file)
{
	struct lc_error err;
	char *data = NULL;
	size_t len = 0;
	cr_assert_eq(lc_file_replace(path_of("a"), "old", 3, &err), LC_OK);
	cr_assert_eq(lc_file_replace(path_of("a"), "new!", 4, &err), LC_OK);
	cr_assert_eq(lc_file_read(path_of("a"), 10, &data, &len, &err), LC_OK);
	cr_assert_eq(len, 4u);
	free(data);
	/* A folder is in the way: what was written beside it goes again. */
	cr_assert_eq(lc_file_make_folder(path_of("b"), &err), LC_OK);
	cr_assert_eq(lc_file_make_folder(path_of("b"), &err), LC_OK);
	cr_assert(lc_file_is_folder(path_of("b")));
	cr_assert_eq(lc_file_replace(path_of("b"), "x", 1, &err), LC_ERR_IO);
	cr_assert_not(lc_file_is_folder(path_of("a")));
	cr_assert_eq(lc_file_make_folder(path_of("c/d"), &err), LC_ERR_IO);
	cr_assert_eq(lc_file_replace(path_of("c/d"), "x", 1, &err), LC_ERR_IO);
	int entries = 0;
	DIR *folder = opendir(dir);
	while (readdir(folder)) {
		entries++;
	}
	closedir(folder);
	cr_assert_eq(entries, 4); /* a, b, and the folder itself and its parent */
	unlink(path_of("a"));
	rmdir(path_of("b"));
}

/* The second taker learns who has it; the kernel lets go of it with the descriptor. */
Test(file, a_directory_is_locked_by_one)
{
	struct lc_error err;
	char pid[40], command[240];
	int first = -1, second = -1;
	const char *folder = path_of("state/of/it");
	cr_assert_eq(lc_file_lock(folder, "state directory", &first, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_file_lock(folder, "state directory", &second, &err), LC_ERR_EXISTS);
	snprintf(pid, sizeof pid, "process %ld)", (long)getpid());
	cr_assert(strstr(err.text, pid) && strstr(err.text, folder), "%s", err.text);
	cr_assert_eq(second, -1);
	lc_file_unlock(first);
	lc_file_unlock(-1);
	cr_assert_eq(lc_file_lock(folder, "state directory", &second, &err), LC_OK, "%s", err.text);
	lc_file_unlock(second);
	snprintf(command, sizeof command, "rm -r %s/state", dir);
	cr_assert_eq(system(command), 0);
}

Test(file, a_lock_in_a_place_that_cannot_be_written)
{
	struct lc_error err;
	int fd = 7;
	cr_assert_eq(lc_file_replace(path_of("a"), "x", 1, &err), LC_OK, "%s", err.text);
	cr_assert_eq(lc_file_lock(path_of("a/b"), "state directory", &fd, &err), LC_ERR_IO);
	cr_assert(strstr(err.text, "state directory") && strstr(err.text, "Not a directory"), "%s",
		err.text);
	cr_assert_eq(fd, -1);
	cr_assert_eq(unlink(path_of("a")), 0);
}
