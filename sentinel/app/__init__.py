"""The daemon, put together: the one place where stages meet each other."""

from sentinel.app.daemon import App, Options

__all__ = ["App", "Options"]
