"""Data that nobody in the project wrote, run against it: PromQL scripts, templates, rule files, alert cases.

`make conformance` counts what passes; the tests beside this file hold those counts.
"""
