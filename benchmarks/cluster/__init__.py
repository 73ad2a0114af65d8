"""Measures beamish.cluster with very many names, beside one program without a cluster."""
