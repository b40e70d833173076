"""Detectors: models that read a series and write its score and its band."""
