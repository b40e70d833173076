"""The HTTP server: one file per API."""
