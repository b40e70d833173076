"""The Go template language of rules and receivers: parsed once, run within limits, nothing is `eval`ed.

Rules use this page; notifications `notification.py`, webhook payloads `payload.py`.
"""

from sentinel.template.expand import expand
from sentinel.template.rule import RuleData, RuleTemplate

__all__ = ["RuleData", "RuleTemplate", "expand"]
