"""What others would use: programs of their own that read the topic of `benchmarks.topic` and count alerts."""
