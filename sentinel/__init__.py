"""Sentinel: monitoring and anomaly detection for streams."""

__version__ = "0.1.0"
