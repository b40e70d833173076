"""The same data and the same random queries for Sentinel and for a real Prometheus: the answers must be alike."""
