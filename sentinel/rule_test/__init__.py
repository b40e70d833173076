"""promtool's unit tests of rules, run over the rules' own engine.

As in promtool: time starts at `start_timestamp`, all groups are evaluated at every `evaluation_interval`
whatever their own interval is, each step sees the samples up to its time and no later ones, alerts are
compared in full and only firing ones count, and expressions are evaluated once the last step is done.
Detector rules are rules like others: their scores are series.
"""

from __future__ import annotations

from sentinel.rule_test.coverage import Coverage
from sentinel.rule_test.files import FileResult, Runner
from sentinel.rule_test.junit import junit_xml
from sentinel.rule_test.outcome import Failure, Mismatch, Outcome

__all__ = ["Coverage", "Failure", "FileResult", "Mismatch", "Outcome", "Runner", "junit_xml"]
