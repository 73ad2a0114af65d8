"""``txtrack route``: one HTTP API in front of the shards of a service."""
