"""The daemon as users run it: its own process, a real Kafka, real sockets, real kills."""
