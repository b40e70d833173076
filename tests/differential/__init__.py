"""The same data and random queries for Sentinel and for a real Prometheus: the answers must be alike."""
