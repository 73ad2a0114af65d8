"""The same workloads on the BEAM, on asyncio by hand and on beamish, side by side."""
