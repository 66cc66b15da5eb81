/* The simulators as a program of their own, for tests that need nothing else. */
#include "livecore/sim.h"

int main(int argc, char **argv)
{
	return lc_sim_main(argc - 1, argv + 1);
}
