/* The commands of the program, each in a file of its own. Each takes its own argv (argv[0] is its
 * name) and returns the exit code: 0, 1 failed, 2 usage or settings. */
#pragma once

int lc_command_run(int argc, char **argv);
int lc_command_demo(int argc, char **argv);
int lc_command_check(int argc, char **argv);
int lc_command_config(int argc, char **argv);
int lc_command_timer(int argc, char **argv);
int lc_command_topics(int argc, char **argv);
int lc_command_watch(int argc, char **argv);
int lc_command_subscribe(int argc, char **argv);
int lc_command_command(int argc, char **argv);
int lc_command_status(int argc, char **argv);
int lc_command_calendar(int argc, char **argv);
int lc_command_store(int argc, char **argv);
int lc_command_bars(int argc, char **argv);
int lc_command_journal(int argc, char **argv);
int lc_command_probe(int argc, char **argv);
