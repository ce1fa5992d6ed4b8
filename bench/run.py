"""Every measurement of this folder in one table, and a JSON beside it.

    ./run.sh bench                       all of them: a few minutes on a quiet machine
    ./run.sh bench --only network        one
    ./run.sh bench --only cqcc gmm --out bench.json

Medians of one run in which both sides alternate, so that other load of the machine affects both. A measurement is a
module `bench_NAME.py` with a function `measure() -> list[Row]`.
"""

import argparse
import importlib
import json
from dataclasses import asdict
from pathlib import Path

from afn.common import errors, files
from afn.common.paths import ROOT
from measuring import Row, show

HERE = Path(__file__).resolve().parent
PREFIX = "bench_"


def main() -> None:
    names = sorted(path.stem.removeprefix(PREFIX) for path in HERE.glob(f"{PREFIX}*.py"))
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", nargs="+", choices=names, default=names, metavar="NAME", help=", ".join(names))
    parser.add_argument("--out", type=Path, default=ROOT / "exp" / "bench.json", help="(default exp/bench.json)")
    arguments = parser.parse_args()
    measured: dict[str, list[Row]] = {}
    for name in arguments.only:
        print(f"bench: {name} …", flush=True)
        measured[name] = importlib.import_module(f"{PREFIX}{name}").measure()
    rows = [row for of_module in measured.values() for row in of_module]
    show(rows)
    from afn.experiment import environment  # here: the workers of a measurement import this file, without PyTorch

    lines = [asdict(row) | {"ratio": row.ratio, "measurement": name} for name in measured for row in measured[name]]
    content = {"environment": environment.describe(), "rows": lines}
    files.write_text(arguments.out, json.dumps(content, indent=2) + "\n")
    print(f"bench: wrote {arguments.out}")


if __name__ == "__main__":
    errors.run(main)
