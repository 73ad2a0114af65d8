"""Prometheus metrics of the tracker."""

from transaction_tracker.metrics.gauges import Gauges, LeaseGauges, SourceGauges
from transaction_tracker.metrics.metrics import CONTENT_TYPE, Metrics

__all__ = ["CONTENT_TYPE", "Gauges", "LeaseGauges", "Metrics", "SourceGauges"]
