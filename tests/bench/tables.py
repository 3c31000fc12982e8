"""The tables of docs/performance.md, one function to a mark `<!-- name -->` in `page.md`: results in, markdown out."""

from __future__ import annotations

import goals
from contest import OURS, SLOWER, TURN
from reading import both, limit, ms, ratio, rows, share, table
from rows import NETWORKS

BASE = {preset: name for name, presets in NETWORKS.items() for preset in presets}


def conditions(results: dict) -> str:
    c = results["conditions"]
    versions = ", ".join(f"{name} {version}" for name, version in c["versions"].items() if name != "minidl")
    return (
        f"Measured on {c['machine']} ({c['system']}, {c['cores']} cores, Python {c['python']}) with {versions}; up to "
        f"{c['settings']['rounds']} turns of each contestant. `make bench` repeats it on your machine, which will give "
        "other numbers." + " **This was a quick run: three turns and fewer rows.**" * c["settings"]["quick"]
    )


def rest(results: dict) -> str:
    """For how long the longest spinning pool went on after a call."""
    spun: dict[str, float] = {}
    for row in results["rows"].values():
        for who, seconds in row.get("rest", {}).items():
            spun[who] = max(spun.get(who, 0.0), seconds)
    who = max(spun, key=spun.__getitem__, default="")
    return f"({who}'s spun for up to {1e3 * spun[who]:.0f} ms)" if who and spun[who] > 0.005 else "(none did here)"


def headline(results: dict) -> str:
    """The main ratios in a sentence, as many threads as were tried."""
    most = max(results["conditions"]["settings"]["threads"])
    said = [
        f"{t['ratio']:.1f} ({name} {row['work']}, batch {t['batch']})"
        for row in rows(results, "networks")
        for name, t in row["tasks"].items()
        if row["threads"] == most and (name, row["work"], t["batch"]) in goals.RATIOS
    ]
    return f"**Times as fast as the fastest peer, {most} thread{'s' * (most > 1)}:** {', '.join(said)}."


def goal(name: str, task: dict) -> tuple[float, float] | None:
    return goals.RATIOS.get((BASE.get(name, name), task["work"], task["batch"]))


def networks(results: dict) -> str:
    cells = []
    for row in rows(results, "networks"):
        for name, t in row["tasks"].items():
            aims = goal(name, t)
            cells.append(
                [
                    f"{name} {row['work']}", str(t["batch"]), str(row["threads"]), both(t["times"][OURS]),
                    both(t["times"][t["peer"]]), t["peer"], ratio(t), " / ".join(map(str, aims)) if aims else "",
                    share(results, t, t["times"][OURS]["min"]),
                ]
            )  # fmt: skip
    head = "work | batch | threads | minidl, ms best / median | fastest peer, ms | which | ratio | must / aim | % sgemm"
    return table(head, cells)


def pruned(results: dict) -> str:
    cells = []
    for row in rows(results, "networks"):
        for name, t in row["tasks"].items():
            if name in BASE:
                whole = row["tasks"][BASE[name]]
                macs = 1 - t["macs"] / whole["macs"]
                who = [OURS, t["peer"]] if t["peer"] in whole["times"] else [OURS]
                saved = {w: 1 - t["times"][w]["min"] / whole["times"][w]["min"] for w in who}
                theirs = f"{100 * saved[t['peer']]:.0f} % ({t['peer']})" if t["peer"] in saved else ""
                cells.append(
                    [
                        f"{name} {row['work']}", str(t["batch"]), str(row["threads"]), f"{100 * macs:.0f} %",
                        f"{100 * saved[OURS]:.0f} %", f"**{saved[OURS] / macs:.2f}**", theirs,
                    ]
                )  # fmt: skip
    head = "work | batch | threads | multiply-adds saved | time saved by minidl | realized | time saved by the peer"
    return table(head, cells)


def layer_table(results: dict, group: str, limits: str) -> str:
    cells = []
    for row in rows(results, group):
        parts = [f"{ms(t['times'][OURS]['min'])} ms, {ratio(t)}" for t in row["tasks"].values()]
        forward = row["tasks"]["forward"]
        cells.append(
            [row["work"], str(row["threads"]), *parts, share(results, forward, forward["times"][OURS]["min"], limits)]
        )
    return table("layer | threads | forward | input gradient | weight gradient | forward, % sgemm", cells)


def layers(results: dict) -> str:
    return layer_table(results, "layers", "limits")


def limits(results: dict, group: str = "limits") -> str:
    found = sorted({row["threads"] for row in rows(results, group)})
    cells = [
        [str(n), f"{limit(results, 'sgemm', n, group) / 1e9:.0f}", f"{limit(results, 'copy', n, group) / 1e9:.0f}"]
        for n in found
    ]
    return table("threads | matrix product, GFLOP/s | copy, GB/s read and written", cells)


def norms(results: dict) -> str:
    cells = []
    for row in rows(results, "batch norm"):
        for name, t in row["tasks"].items():
            ours, theirs = t["times"][OURS], t["times"][t["peer"]]
            moved = 4 * t["batch"] * t["size"] ** 2 * t["inputs"] * (2 if t["part"] == "forward" else 3)
            rate = moved / ours["min"] / limit(results, "copy", row["threads"])
            cells.append(
                [f"{row['work']}, {name}", str(row["threads"]), both(ours), both(theirs), ratio(t), f"{100 * rate:.0f}"]
            )
    return table("work | threads | minidl, ms best / median | fastest PyTorch, ms | ratio | % copy", cells)


def memory(results: dict) -> str:
    cells = []
    for r in rows(results, "memory"):
        ours, theirs = (f"{r['megabytes'][who]:.0f} MB" for who in (OURS, r["peer"]))
        must, aim = goals.MEMORY
        what = f"{r['work']} training, peak memory"
        cells.append([what, ours, theirs, f"{r['share']:.2f} of it", f"{must} / {aim} of it"])
    for r in rows(results, "start"):
        t = r["tasks"][r["work"]]
        ours, theirs = (f"{t['times'][who]['min']:.2f} s" if who else "" for who in (OURS, t.get("peer")))
        must, aim = goals.START[r["work"]]
        cells.append([f"first step of resnet20, {r['work']}", ours, theirs, "", f"{must} / {aim} s"])
    return table("what | minidl | best PyTorch | share | must / aim", cells)


def busy(results: dict) -> str:
    alone = {r["threads"]: r["tasks"]["resnet20"]["times"] for r in rows(results, "networks") if trains_resnet20(r)}
    cells = []
    for row in rows(results, "busy"):
        for who, times in row["tasks"]["resnet20"]["times"].items():
            before = alone.get(row["threads"], {}).get(who, {}).get("median")
            compared = [ms(before), f"{times['median'] / before:.1f} times"] if before else ["", ""]
            cells.append([who, str(row["threads"]), compared[0], ms(times["median"]), compared[1]])
    return table("who | threads | alone, median ms | beside the busy process | slower", cells)


def trains_resnet20(row: dict) -> bool:
    return "resnet20" in row["tasks"] and row["work"] == "training step"


def batches(results: dict) -> str:
    cells = [
        [work, *(f"{ms(t['times'][OURS]['min'] / batch)} ({t['ratio']:.2f})" for batch, t in found.items())]
        for work, found in by_batch(results).items()
    ]
    sizes = [str(batch) for found in list(by_batch(results).values())[:1] for batch in found]
    return table(" | ".join(["resnet20, ms an image (ratio), batch", *sizes]), cells)


def kept(results: dict) -> str:
    cells = []
    default = {(name, row["threads"]): t["ratio"] for row in rows(results, "networks") if row["work"] == "training step"
               for name, t in row["tasks"].items()}  # fmt: skip
    for row in rows(results, "kept memory"):
        for name, t in row["tasks"].items():
            times = [both(t["times"][who]) for who in (OURS, t["peer"])]
            usual = default.get((name, row["threads"]))
            cells.append(
                [f"{name} {row['work']}", str(row["threads"]), *times, ratio(t), f"{usual:.2f}" if usual else ""]
            )
    head = "work | threads | minidl, ms best / median | fastest PyTorch, ms | ratio | ratio without"
    return table(head, cells)


def by_batch(results: dict) -> dict[str, dict[int, dict]]:
    found: dict[str, dict[int, dict]] = {}
    for row in rows(results, "batch"):
        (task,) = row["tasks"].values()
        found.setdefault(row["work"], {})[task["batch"]] = task
    return found


def avx2(results: dict) -> str:
    cells = []
    for row in rows(results, "avx2"):
        for t in row["tasks"].values():
            ours, theirs = t["times"][OURS], t["times"][t["peer"]]
            used = share(results, t, ours["min"], "avx2 limits")
            cells.append([f"resnet20 {row['work']}", str(row["threads"]), both(ours), both(theirs), ratio(t), used])
    head = "work | threads | minidl, ms best / median | fastest PyTorch, ms | ratio | % sgemm"
    tables = [limits(results, "avx2 limits"), table(head, cells), layer_table(results, "avx2 layers", "avx2 limits")]
    return "\n\n".join(tables)


def elsewhere(records: dict[str, dict]) -> str:
    """The networks on other processors, by their names: what was measured on each."""
    parts = [(f"### {name}", conditions(record), networks(record), pruned(record)) for name, record in records.items()]
    return "\n\n".join(text for part in parts for text in part) or "*No record is here.*"


def errors(results: dict) -> str:
    cells = [
        [r["kernel"], r["layer"], r["part"], f"{r['minidl']:.1e}", f"{r['PyTorch']:.1e}"]
        for row in rows(results, "errors")
        for r in sorted(row["found"], key=lambda r: r["kernel"])
    ]
    return table("kernel | layer | part | minidl | PyTorch", cells)


def agreement(results: dict) -> str:
    names = ("PyTorch logits", "ONNX Runtime logits", "loss", "gradient")
    cells = [
        [r["network"], *(f"{r[name]:.0e}" for name in names)]
        for row in rows(results, "agreement")
        for r in row["found"]
    ]
    return table("deviation | PyTorch's logits | ONNX Runtime's logits | PyTorch's loss | PyTorch's gradient", cells)


def fine_print(results: dict) -> str:
    """What failed, and who was too slow to be timed to the end."""
    failed: dict[str, list[str]] = {}
    beaten: dict[str, int] = {}
    for row in results["rows"].values():
        for name, task in row.get("tasks", {}).items():
            for who, reason in task["failed"].items():
                failed.setdefault(f"{who}: {reason}", []).append(f"{name} {row['work']}")
            for who in task["slower"]:
                beaten[who] = beaten.get(who, 0) + 1
    lines = [f"- {reason} ({', '.join(dict.fromkeys(where))})." for reason, where in failed.items()]
    lines += [f"- {who} was left behind after the warm-up in {count} pieces of work." for who, count in beaten.items()]
    tasks = [t for row in rows(results, "networks") for t in row["tasks"].values() if "torch.compile" in t["times"]]
    best = sum(t["peer"] == "torch.compile" for t in tasks)
    lines.append(
        f"- torch.compile took part in {len(tasks)} pieces of work and was the fastest peer in {best}. It takes "
        "up to a minute for a network; so it is in with the most threads only, and not for resnet56, whose blocks are "
        "resnet20's."
    )
    return "\n".join(lines)


SECTIONS = {
    "headline": headline,
    "conditions": conditions,
    "turn": lambda results: str(TURN),
    "slower": lambda results: str(SLOWER),
    "rest": rest,
    "networks": networks,
    "saved goal": lambda results: str(goals.SAVED),
    "pruned": pruned,
    "layers": layers,
    "limits": limits,
    "norms": norms,
    "memory": memory,
    "busy": busy,
    "kept": kept,
    "batches": batches,
    "avx2": avx2,
    "errors": errors,
    "agreement": agreement,
    "fine print": fine_print,
}
