"""A build of the daemon with a fault in it: `python broken.py FAULT run ...`.

A fault strikes while a file of its name lies in the working folder.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sentinel.cli import main
from sentinel.decode.json import JsonDecoder
from sentinel.rules.alerting import AlertingRule


def before(kind: type, method: str, strike: Callable[..., None]) -> None:
    """Has `strike` called with a method's arguments before the method."""
    whole = getattr(kind, method)

    def broken(*arguments: Any) -> Any:
        strike(*arguments)
        return whole(*arguments)

    setattr(kind, method, broken)


def rule_hangs(rule: AlertingRule, *_: object) -> None:
    while rule.name == "Faulty" and Path("rule-hangs").exists():
        time.sleep(0.1)


def rule_kills(rule: AlertingRule, *_: object) -> None:
    if rule.name == "Faulty" and Path("rule-kills").exists():
        os.abort()


def record_raises(_: JsonDecoder, payloads: Any) -> None:
    records = [payloads.record(row) for row in range(len(payloads))]
    if any(b"poison" in record for record in records) and Path("record-raises").exists():
        raise KeyError("a bug")


def record_kills(_: JsonDecoder, payloads: Any) -> None:
    records = [payloads.record(row) for row in range(len(payloads))]
    if any(b"poison" in record for record in records) and Path("record-kills").exists():
        os.abort()


FAULTS = {
    "rule-hangs": (AlertingRule, "evaluate", rule_hangs),
    "rule-kills": (AlertingRule, "evaluate", rule_kills),
    "record-raises": (JsonDecoder, "decode", record_raises),
    "record-kills": (JsonDecoder, "decode", record_kills),
}

if __name__ == "__main__":
    before(*FAULTS[sys.argv.pop(1)])
    main()
