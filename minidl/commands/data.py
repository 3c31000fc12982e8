"""`minidl data list | show NAME | fetch NAME`: which datasets there are, what one holds, and how to get it."""

from __future__ import annotations

import argparse

import numpy as np

from minidl.commands import Output
from minidl.commands.table import table


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("action", choices=["list", "show", "fetch"], help="list all, show one, or download one")
    parser.add_argument("name", nargs="?", help="such as fashion-mnist-mini (ships with minidl), cifar10")
    parser.add_argument(
        "--data-dir", metavar="DIR", help="where the files lie or go (default: MINIDL_DATA, else a cache)"
    )


def run(args: argparse.Namespace) -> Output:
    """Do one of the three."""
    if args.action == "list":
        if args.name is not None:
            raise ValueError(f"data list got the name {args.name}, expected none: see `minidl data show {args.name}`")
        return _list()
    if not args.name:
        raise ValueError(f"data {args.action} got no name, expected one: see `minidl data list`")
    return _show(args) if args.action == "show" else _fetch(args)


def _list() -> Output:
    from minidl.data.catalog import CATALOG

    rows = [
        [
            e.name,
            "x".join(map(str, e.shape)),
            e.counts["train"],
            e.counts["test"],
            "ships with minidl" if e.embedded else "",
        ]
        for e in CATALOG.values()
    ]
    head = ["name", "image", "train", "test", ""]
    return Output(table(head, rows), [dict(zip(head[:4], row, strict=False)) for row in rows])


def _show(args: argparse.Namespace) -> Output:
    from minidl.data import load

    sets = {split: load(args.name, split, root=args.data_dir) for split in ("train", "test")}
    train = sets["train"]
    counts = {split: np.bincount(s.labels, minlength=len(train.classes)).tolist() for split, s in sets.items()}
    rows = [[name, counts["train"][i], counts["test"][i]] for i, name in enumerate(train.classes)]
    mean, std = (", ".join(f"{float(v):.4f}" for v in values) for values in (train.mean, train.std))
    images = f"images {train.images.shape[1:]}, mean {mean}, std {std} on the 0..1 scale"
    text = f"{table(['class', 'train', 'test'], rows)}\n\n{images}"
    data = {"name": args.name, "shape": list(train.images.shape[1:]), "classes": list(train.classes), "counts": counts}
    return Output(text, data)


def _fetch(args: argparse.Namespace) -> Output:
    from minidl.data import fetch

    folder = fetch(args.name, root=args.data_dir)
    return Output(f"{args.name} is in {folder}", {"name": args.name, "folder": str(folder)})
