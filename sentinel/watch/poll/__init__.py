"""Polling: connections to brokers, the requests that are sent over them, and a snapshot of what they say."""

from sentinel.watch.poll.poller import ClusterPoller

__all__ = ["ClusterPoller"]
