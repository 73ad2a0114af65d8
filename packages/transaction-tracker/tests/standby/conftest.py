"""Whole programs that take over from each other: only `make soak` runs them.

They judge deliveries within minutes, and a delivery that has failed twice waits longer than that.
"""

import os

collect_ignore_glob = [] if "TRACKER_TAKEOVERS" in os.environ else ["test_*.py"]
