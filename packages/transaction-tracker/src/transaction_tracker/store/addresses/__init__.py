"""Watched addresses: which ones there are, their deposits, and the search for earlier ones."""
