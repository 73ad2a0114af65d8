"""The host of a shard: its lease, its supervision tree and the programs that use it."""
