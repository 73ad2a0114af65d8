"""The store of a cluster, which decides which host can act."""
