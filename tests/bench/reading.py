"""The JSON that `make bench` wrote, read: rows of a group, the machine's limits, and numbers as a page shows them."""

from __future__ import annotations

Cells = list[str]


def rows(results: dict, group: str) -> list[dict]:
    return [row for row in results["rows"].values() if row["group"] == group]


def limit(results: dict, work: str, threads: int, group: str = "limits") -> float:
    """FLOP or bytes a second: the fastest of those who tried."""
    (task,) = (r["tasks"][work] for r in rows(results, group) if (r["work"], r["threads"]) == (work, threads))
    seconds = min(t["min"] for t in task["times"].values())
    return (2 * task["size"] ** 3 if work == "sgemm" else 8 * task["size"]) / seconds


def flop(task: dict) -> float:
    return 2 * task["macs"] * (3 if task["work"] == "training step" else 1)


def share(results: dict, task: dict, seconds: float, group: str = "limits") -> str:
    return f"{100 * flop(task) / seconds / limit(results, 'sgemm', task['threads'], group):.0f}"


def table(head: str, cells: list[Cells]) -> str:
    if not cells:
        return "*Not measured in this run.*"
    titles = [title.strip() for title in head.split("|")]
    lines = [titles, ["---"] * len(titles), *cells]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def ms(seconds: float) -> str:
    value = 1e3 * seconds
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def both(times: dict) -> str:
    return f"{ms(times['min'])} / {ms(times['median'])}"


def ratio(task: dict) -> str:
    return f"**{task['ratio']:.2f}**"
