"""Kafka's wire protocol, as far as watching a cluster needs it: one file a request with its answer.

Layouts: the message schemas of Apache Kafka 2.1 to 4.4 (KIP-482 for the flexible versions). Only versions
between which all brokers since 2.1 can choose are written and read here, so that each file stays short.
"""
