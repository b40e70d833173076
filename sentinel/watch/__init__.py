"""Looking at Kafka clusters from outside: a poll gives a snapshot, checks turn the snapshot into samples."""
