"""Series and their windows: what is kept of every series, and only as long as somebody asks for it."""
