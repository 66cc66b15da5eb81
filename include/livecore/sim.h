/* The vendors' simulators: servers that speak Alpaca's, EastMoney's, FuShu's and Tencent's own
 * protocols on loopback, from a seeded random walk or a recorded day, with scripted faults. A
 * program of its own (`livecore sim VENDOR`), used by the demo, the tests and the benchmark; it
 * shares no code with the parsers that read it. */
#pragma once

/* argv[0] is the vendor ("alpaca", "eastmoney", "fushu", "tencent"), the rest are options (--help
 * lists them). Prints `listening vendor=… url=…` on stdout, runs until SIGTERM, SIGINT or, with
 * --exit-with-stdin, the end of stdin. Returns the exit code: 0, 1 failed, 2 usage. */
int lc_sim_main(int argc, char **argv);
