"""Write the benchmark's table into README.md, from the JSON that `make bench` wrote: no number there is typed."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

BEGIN, END = "<!-- bench:begin -->\n", "<!-- bench:end -->"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", type=Path)
    parser.add_argument("--readme", type=Path, default=Path("README.md"))
    args = parser.parse_args()
    text = args.readme.read_text()
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    args.readme.write_text(before + BEGIN + markdown(json.loads(args.results.read_text())) + END + after)


def markdown(results: list[dict]) -> str:
    rows = ["| work | threads | minidl ms | best peer ms | peer | ratio |", "|---|---|---|---|---|---|"]
    rows += [
        f"| {r['work']} | {r['threads']} | {r['ours']:.1f} | {r['theirs']:.1f} | {r['variant']} | {r['ratio']:.2f} |"
        for r in results
    ]
    return "\n".join(rows) + "\n"


if __name__ == "__main__":
    main()
