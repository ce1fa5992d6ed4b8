"""What the networks and mixtures do on a GPU: correctness, speed, bfloat16, in at most eight minutes (docs/gpu.md).

    python bench/gpu.py --out DIR
    python bench/gpu.py --out DIR --device cpu --small        a dry run of the script itself: its times mean nothing

Every part is a process with a time limit, so that a failing part costs only its own rows. DIR receives gpu.json, which
is complete after every measurement's part, rows.jsonl with every measurement as it is made, and log.txt.
"""

import argparse
import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
DATA = ROOT / "bench" / "gpu_data"


@dataclass(frozen=True)
class Part:
    """A process that appends measurements to rows.jsonl."""

    name: str
    limit: float  # s
    command: tuple[str, ...]
    after_warming: bool = False  # it times: nothing else may run


def parts() -> list[Part]:
    """In order of value, but that `precision`, which times nothing, fills the time that compilation takes."""
    limits = {"correctness": 100, "precision": 90, "training": 80, "side_by_side": 75, "scoring": 40}
    limits |= {"compiled": 110, "classical": 50}
    script = str(ROOT / "bench" / "gpu_parts.py")
    untimed = ("correctness", "precision")
    return [Part(name, limit, (script, name), name not in untimed) for name, limit in limits.items()]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder for the results")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="(default cuda)")
    parser.add_argument("--small", action="store_true", help="tiny sizes, to try the script on a CPU")
    parser.add_argument("--data", type=Path, default=DATA, metavar="DIR", help="of gpu_prepare.py (bench/gpu_data)")
    parser.add_argument("--only", nargs="+", metavar="PART", help=", ".join(part.name for part in parts()))
    parser.add_argument("--minutes", type=float, default=7.8, help="for everything (default 7.8)")
    chosen = parser.parse_args(arguments)
    out = chosen.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    options = ["--device", chosen.device, "--rows", str(out / "rows.jsonl"), "--data", str(chosen.data.resolve())]
    options += ["--small"] if chosen.small else []
    (out / "rows.jsonl").unlink(missing_ok=True)
    wanted = [part for part in parts() if not chosen.only or part.name in chosen.only]
    compiling = any(part.name == "compiled" for part in wanted) and not chosen.small
    warming = [str(ROOT / "bench" / "gpu_parts.py"), "warm"] if compiling else None
    states = run(wanted, out, options, chosen.minutes * 60, warming)
    print(table(rows(out)))
    print("\n".join(f"{name}: {state}" for name, state in states.items()))
    return 0 if all(state.startswith("done") for state in states.values()) else 1


def run(
    wanted: Sequence[Part], out: Path, options: Sequence[str], budget: float, warming: Sequence[str] | None = None
) -> dict[str, str]:
    """Run the parts one after the other, within `budget` seconds; returns what became of each.

    `warming` is a script that runs beside the untimed parts. A third of the budget after the start it is stopped.
    """
    started, states = time.monotonic(), {}
    environment = environment_of(out)
    with (out / "log.txt").open("w") as log:
        beside = start([*warming, *options], environment, log) if warming else None
        for part in wanted:
            if beside and part.after_warming:
                states["warm"] = wait(beside, max(0, budget / 3 - (time.monotonic() - started)), log)
                beside = None
            left = budget - (time.monotonic() - started)
            if left < 5:
                states[part.name] = "left out: no time left"
                continue
            begun = time.monotonic()
            state = wait(start([*part.command, *options], environment, log), min(part.limit, left), log)
            states[part.name] = f"{state} after {time.monotonic() - begun:.0f} s"
            write(out, states)
            print(table([row for row in rows(out) if row["part"] == part.name]), flush=True)
            print(f"-- {part.name}: {states[part.name]}", flush=True)
        if beside:
            states["warm"] = wait(beside, 0, log)
    write(out, states)
    return states


def environment_of(out: Path) -> dict[str, str]:
    """The variables of a part: what it imports, and one cache of compiled kernels for all."""
    own = os.pathsep.join(str(ROOT / name) for name in ("src", "bench", "tests/helpers"))
    path = os.environ.get("PYTHONPATH")
    found = os.environ | {"PYTHONPATH": f"{own}{os.pathsep}{path}" if path else own, "PYTHONUNBUFFERED": "1"}
    return {"TORCHINDUCTOR_CACHE_DIR": f"/tmp/afn-gpu-{os.getpid()}", "TQDM_DISABLE": "1"} | found


def start(command: Sequence[str], environment: dict[str, str], log: object) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, *command], env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
    )


def wait(process: subprocess.Popen, limit: float, log: object) -> str:
    """Wait for a process; after `limit` seconds end it and the processes that it started."""
    try:
        code = process.wait(limit)
        return "done" if code == 0 else f"FAILED with {code}: {last_line(Path(log.name))}"
    except subprocess.TimeoutExpired:
        return "STOPPED at its limit"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines()
    return lines[-1][:200] if lines else ""


def rows(out: Path) -> list[dict]:
    """The measurements so far; a line that was cut off is left out."""
    found = []
    path = out / "rows.jsonl"
    for line in path.read_text().splitlines() if path.is_file() else []:
        try:
            found.append(json.loads(line))
        except ValueError:
            continue
    return found


def write(out: Path, states: dict[str, str]) -> None:
    measured = rows(out)
    machine = next((row["machine"] for row in measured if "machine" in row), {})
    content = {"machine": machine, "parts": states, "rows": [row for row in measured if "machine" not in row]}
    fresh = out / "gpu.json.tmp"
    fresh.write_text(json.dumps(content, indent=1) + "\n")
    fresh.replace(out / "gpu.json")


def table(measured: Sequence[dict]) -> str:
    """One line per measurement: part, what, value, unit, then other values of the measurement."""
    lines = []
    for row in measured:
        if "machine" in row:
            continue
        value = row["value"]
        value = f"{value:.5g}" if isinstance(value, float) else str(value)
        others = [f"{k} {v:.4g}" if isinstance(v, float) else f"{k} {v}" for k, v in row.items() if k not in SHOWN]
        judged = {True: "ok", False: "WRONG"}.get(row.get("right"), "")
        lines.append(f"{row['part']:12} {row['what']:60} {value:>10} {row['unit']:8} {judged:5} {', '.join(others)}")
    return "\n".join(lines)


SHOWN = ("part", "what", "value", "unit", "right")

if __name__ == "__main__":
    sys.exit(main())
