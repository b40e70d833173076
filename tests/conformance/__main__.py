"""`make conformance`: one line for each kind of data, and exit code 1 if less passes than once did.

`--write` instead writes the list of the PromQL evaluations that fail.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Final

from tests.conformance import ratchet
from tests.conformance.counts import ALL, Count
from tests.conftest import ROOT

FLOORS: Final = {
    "promqltest tier A": 883,
    "promqltest tier B": 703,
    "promqltest tier C": 602,
    "promtool": 19,
    "templates prometheus A": 272,
    "templates prometheus B": 23,
    "templates alertmanager A": 157,
    "templates alertmanager B": 3,
    "rules corpus": 4304,
    "rules corpus as manifests": 4304,
    "never firing": 8,
}


def main() -> int:
    if not ROOT.exists():
        print(f"no conformance data at {ROOT}; set SENTINEL_CONFORMANCE to its root")
        return int(os.environ.get("CI") == "true")
    if sys.argv[1:] == ["--write"]:
        scripts = sorted((ROOT / "conformance/promqltest").glob("*.test"))
        ratchet.write(one for script in scripts for one in ratchet.outcomes(script))
        return 0
    below = 0
    for count in counts():
        floor = FLOORS[count.name]
        below += count.passed < floor
        print(f"{count}, expected {floor} at least" if count.passed < floor else count, flush=True)
    return int(below > 0)


def counts() -> Iterator[Count]:
    """Each kind in a process of its own, as many at a time as there are processors."""
    with ProcessPoolExecutor() as pool:
        for found in [pool.submit(_taken, count, ROOT) for count in ALL]:
            yield from found.result()


def _taken(count: Callable[[Path], Iterator[Count]], root: Path) -> list[Count]:
    return list(count(root))


if __name__ == "__main__":
    sys.exit(main())
