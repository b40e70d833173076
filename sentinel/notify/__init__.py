"""Receivers: one file each, and the alert topic."""
