"""How a registry keeps its entries; `beamish.registry` is the public face."""
