"""A running node: its connections, and the processes of other nodes."""
