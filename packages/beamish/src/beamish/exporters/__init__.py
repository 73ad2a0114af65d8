"""Telemetry exporters: one module and one extra for each system."""
