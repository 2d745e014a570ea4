/* Who does not hear whom, as a table for the network. */
#include "tests/sim/cuts.h"

#include "tests/sim/network.h"

void cuts_one(struct world *world, uint32_t alone, bool in, bool out,
	      int64_t duration_ns)
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};

	for (uint32_t i = 0; i < world->node_count; i++) {
		cut[i][alone] = i != alone && in;
		cut[alone][i] = i != alone && out;
	}
	world_cover(world,
		    in && out ? COVER_PARTITIONS : COVER_PARTITIONS_ONE_WAY);
	world_trace(world, alone + 1, "cut off%s%s for %.3f ms",
		    in ? " inbound" : "", out ? " outbound" : "",
		    (double)duration_ns / 1e6);
	network_cut(world, cut, duration_ns);
}

void cuts_halves(struct world *world, uint32_t side, int64_t duration_ns)
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};

	for (uint32_t i = 0; i < world->node_count; i++)
		for (uint32_t j = 0; j < world->node_count; j++)
			cut[i][j] = ((side >> i) & 1) != ((side >> j) & 1);
	world_cover(world, COVER_PARTITIONS);
	world_trace(world, 0, "split, one side %x", side);
	network_cut(world, cut, duration_ns);
}

void cuts_pair(struct world *world, uint32_t a, uint32_t b, int64_t duration_ns)
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};

	cut[a][b] = cut[b][a] = true;
	world_cover(world, COVER_PAIRS_CUT);
	world_trace(world, 0, "cut between %u and %u", a + 1, b + 1);
	network_cut(world, cut, duration_ns);
}

void cuts_bridge(struct world *world, uint32_t seer, uint32_t side,
		 int64_t duration_ns)
{
	bool cut[SIM_NODES_MAX][SIM_NODES_MAX] = {{false}};

	for (uint32_t i = 0; i < world->node_count; i++)
		for (uint32_t j = 0; j < world->node_count; j++)
			cut[i][j] = i != seer && j != seer &&
				    ((side >> i) & 1) != ((side >> j) & 1);
	world_cover(world, COVER_PARTITIONS_BRIDGE);
	world_trace(world, 0, "split, one side %x, %u sees both", side,
		    seer + 1);
	network_cut(world, cut, duration_ns);
}
