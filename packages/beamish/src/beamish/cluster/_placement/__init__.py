"""Where the hosts of a cluster run."""
