"""The entries and locks of registries. Private; the public module is `beamish.registry`."""
