"""Where telemetry goes: one module for each system, each with an extra of its own."""
