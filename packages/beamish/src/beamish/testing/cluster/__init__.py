"""Simulated clusters: `simulate_cluster` runs a program and the hosts of its cluster.

Each host has its own event loop on a virtual clock. Machines can be killed and paused, connections
cut, the store stopped; a seed decides the order and the delays, and repeats them.

When not to use it: to test a server, `beamish.testing.simulate` is enough; its code is the same on
one machine.
"""

from beamish.testing.cluster.simulated import SimulatedCluster, simulate_cluster

__all__ = ["SimulatedCluster", "simulate_cluster"]
