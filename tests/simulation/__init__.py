"""Simulations in virtual time: an hour of retries takes milliseconds."""
