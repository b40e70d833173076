"""Sources: they turn the outside world into payloads, undecoded, and tell how far they have read."""
