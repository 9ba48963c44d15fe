"""Look for inputs that break the package: python -m tests.fuzz --minutes 10

What is found lands as a file in tests/found/, which `make test` replays from then on: mend it,
give the file a name that says what it was, and commit both (book/adding.md).
"""

import argparse
import json
import random
import re
import sys
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.cases import Case, draw_case, name_of
from tests.fuzz.edits import Edit
from tests.fuzz.workers import Worker

FOUND = Path(__file__).parent.parent / "found"


def main() -> int:
    options = _options()
    seed = random.SystemRandom().randrange(2**32) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    rng, until = random.Random(seed), time.monotonic() + 60 * options.minutes
    seen: Counter[str] = Counter()
    cases = 0
    options.found.mkdir(parents=True, exist_ok=True)
    with Worker() as worker:
        while time.monotonic() < until:
            case = draw_case(rng)
            cases += 1
            if cases % 1000 == 0:
                print(f"{cases} cases so far", flush=True)
            complaints = worker.judge(case)
            if not complaints:
                continue
            kind = kind_of(case, complaints)
            seen[kind] += 1
            if seen[kind] == 1:
                _keep(options.found, *smallest(worker, case, complaints))
    print(f"{cases} cases, {len(seen)} kinds of trouble")
    for kind, count in seen.most_common():
        print(f"  {count:6}  {kind}")
    return 1 if seen else 0


def kind_of(case: Case, complaints: list[str]) -> str:
    """The same trouble has the same words, but for numbers, names and values; and where numbers
    differ silently, the place that was damaged says which trouble it is."""
    said = re.sub(r"'[^']*'|\"[^\"]*\"|/\S+|[-+.e\d]*\d[-+.e\d]*", "…", complaints[0])[:120]
    silent = "another" in said or "other vectors" in said
    where = min(map(_place, case["edits"])) if silent else case.get("call", "")
    return f"{said} [{where}]"


def _place(edit: Edit) -> str:
    keys = [step for step in edit.get("at", ()) if isinstance(step, str)]
    return f"{edit['file']} {'.'.join(keys[:2])}"[:60]


def smallest(worker: Worker, case: Case, complaints: list[str]) -> tuple[Case, list[str]]:
    """Without the edits that it does not need."""
    for edit in list(case.get("edits", ())):
        fewer = case | {"edits": [other for other in case["edits"] if other is not edit]}
        still = worker.judge(fewer) if fewer["edits"] else []
        if still and kind_of(fewer, still) == kind_of(case, complaints):
            case, complaints = fewer, still
    return case, complaints


def _keep(folder: Path, case: Case, complaints: list[str]) -> None:
    content = {"found": complaints[0][:300]} | case
    path = folder / f"{name_of(case)}.json"
    path.write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
    print(f"{path}: {complaints[0][:200]}", flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--seed", type=int, help="draw the same cases again")
    parser.add_argument("--found", type=Path, default=FOUND, help="where to put what is found")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
