"""`make dst`: many seeds, or one with its trace."""

import argparse
import sys
import time

from dst.run import Result, run

MOST_LETTERS = 500


def main() -> None:
    """Exit status 1 when a seed fails."""
    parser = argparse.ArgumentParser(prog="dst", description="simulate the whole pipeline under faults")
    parser.add_argument("--seeds", type=int, default=200, help="how many")
    parser.add_argument("--first", type=int, default=1, help="the first of them")
    parser.add_argument("--seed", type=int, help="only this one")
    parser.add_argument("--trace", action="store_true", help="print every step")
    given = parser.parse_args()
    seeds = range(given.first, given.first + given.seeds) if given.seed is None else range(given.seed, given.seed + 1)
    sys.exit(_run_all(seeds, traced=given.trace))


def _run_all(seeds: range, *, traced: bool) -> int:
    began = time.perf_counter()
    failed: list[str] = []
    fills = signals = strikes = 0
    for seed in seeds:
        result = run(seed, traced=traced)
        fills, signals, strikes = fills + result.fills, signals + result.signals, strikes + result.strikes
        for line in result.lines:
            _say(line)
        if result.problems:
            failed.append(str(seed))
            _say(_report(result))
    took_s = time.perf_counter() - began
    _say(f"{len(seeds)} seeds, {fills} fills, {signals} signals, {strikes} faults, {took_s:.1f} s")
    _say(f"failed: {', '.join(failed) or 'none'}")
    return 1 if failed else 0


def _report(result: Result) -> str:
    lines = [f"seed {result.conditions.seed} failed under {result.conditions}:"]
    # The end of a traceback tells most.
    lines += [f"  {problem[-MOST_LETTERS:]}" for problem in result.problems[:10]]
    lines.append(f"  again, with every step: make dst SEED={result.conditions.seed} TRACE=1")
    return "\n".join(lines)


def _say(text: str) -> None:
    print(text, flush=True)  # noqa: T201 what the command is for


if __name__ == "__main__":
    main()
