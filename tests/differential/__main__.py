"""`python -m tests.differential --seed N --queries M --series K`: prints what differs; exit code 1 if any.

`$SENTINEL_PROMETHEUS` names another Prometheus than the one on the path, of version 2.42 or 3.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from itertools import islice
from pathlib import Path

from tests.differential import report
from tests.differential.pair import running
from tests.differential.prometheus import program


def main() -> int:
    options = argparse.ArgumentParser(prog="tests.differential", description=__doc__)
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--queries", type=int, default=1000)
    options.add_argument("--series", type=int, default=120)
    options.add_argument("--most", type=int, default=10, help="how many differences to print")
    asked = options.parse_args()
    prometheus = program()
    if prometheus is None:
        print("needs the program prometheus")
        return 0
    count = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        running(prometheus, Path(folder), asked.seed, asked.series) as pair,
    ):
        for found in islice(pair.findings(asked.seed, asked.queries), asked.most):
            count += 1
            print(report.text(found, pair.data), flush=True)
    print(f"{count} differences" if count else f"{asked.queries} queries answered alike")
    return int(count > 0)


if __name__ == "__main__":
    sys.exit(main())
