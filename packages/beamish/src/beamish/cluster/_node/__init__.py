"""One program or host in a cluster: its pids, its links to the shards, and what it sends."""
