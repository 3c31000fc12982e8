"""Write the benchmark's table into README.md, from the JSON that `make bench` wrote: no number there is typed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from contest import OURS
from reading import ms, rows, table
from rows import NETWORKS

BEGIN, END = "<!-- bench:begin -->\n", "<!-- bench:end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path, nargs="?", default=Path("docs/results/bench.json"))
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    args = parser.parse_args()
    text = args.readme.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    args.readme.write_text(before + BEGIN + markdown(json.loads(args.results.read_text())) + "\n" + END + after)


def markdown(results: dict) -> str:
    """The whole networks, with as many threads as were tried."""
    most = max(results["conditions"]["settings"]["threads"])
    cells = []
    for row in rows(results, "networks"):
        for name, t in row["tasks"].items():
            if name in NETWORKS and row["threads"] == most:
                seconds = (ms(t["times"][who]["min"]) for who in (OURS, t["peer"]))
                cells.append([f"{name} {row['work']}", str(t["batch"]), *seconds, t["peer"], f"{t['ratio']:.2f}"])
    conditions = results["conditions"]
    how = f"{most} thread{'s' * (most > 1)}, best of up to {conditions['settings']['rounds']} turns"
    how += ", a quick run" * conditions["settings"]["quick"]
    head = "work | batch | minidl ms | fastest peer ms | peer | ratio"
    return f"{table(head, cells)}\n\n{conditions['machine']}, {how}."


if __name__ == "__main__":
    main()
