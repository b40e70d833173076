"""The HTTP server: what it lets in, and how it says no."""
