"""`minidl cost MODEL`: the arithmetic of a network, layer by layer, by the convention of the pruning paper."""

from __future__ import annotations

import argparse

from minidl.commands import Output

# To count a network it is made, and larger ones would not fit into memory.
MAX_INPUT = 1024 * 1024 * 3
MAX_CLASSES = 100_000


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", help="such as vgg16, resnet56, resnet110, resnet34, densenet121, lenet5")
    parser.add_argument("--input", metavar="HxWxC", help="size of one image (default: what the model is made for)")
    parser.add_argument("--classes", type=int, help="number of classes (default: what the model is made for)")
    parser.add_argument(
        "--pruned", metavar="PRESET", help="as pruned in the paper or by us, such as vgg16-A, resnet56-B"
    )
    parser.epilog = (
        "One multiply-accumulate (MAC) counts as one operation.  Papers that say FLOP often mean this, and tools\n"
        "that say FLOP often count it twice; so compare conventions before you compare numbers."
    )


def run(args: argparse.Namespace) -> Output:
    """Trace the network once and count."""
    from minidl.graph import cost, trace
    from minidl.nn import models

    shape = parse_shape(args.input) if args.input else models.default_input_shape(args.model)
    if args.classes is not None and not 1 <= args.classes <= MAX_CLASSES:
        raise ValueError(f"found --classes {args.classes}, expected 1 to {MAX_CLASSES:,}")
    options = {} if args.classes is None else {"num_classes": args.classes}
    model = models.build(args.model, input_shape=shape, rng=args.seed, **options)
    graph = trace(model, input_shape=shape)
    if args.pruned is None:
        result = cost(graph)
        return Output(str(result), {"model": args.model, "input": list(shape), **result.record()})
    from algorithms.pruning import preset

    chosen = preset(args.pruned)
    if chosen.model != args.model.lower().replace("_", "-"):
        raise ValueError(
            f"the preset {args.pruned} is made for {chosen.model}, expected that model, found {args.model}"
        )
    plan = chosen.plan(model, shape)
    data = {
        "model": args.model,
        "input": list(shape),
        "pruned": args.pruned,
        **plan.after.record(),
        "plan": plan.record(),
    }
    return Output(f"{plan.after}\n\n{plan}", data)


def parse_shape(text: str) -> tuple[int, int, int]:
    """'32x32x3' as (32, 32, 3)."""
    parts = text.lower().split("x")
    if len(parts) != 3 or not all(part.isdecimal() and int(part) > 0 for part in parts):
        raise ValueError(f"--input is {text!r}, expected height x width x channels such as 32x32x3")
    height, width, channels = (int(part) for part in parts)
    if height * width * channels > MAX_INPUT:
        raise ValueError(f"--input is {text!r}, expected an image of at most {MAX_INPUT:,} numbers such as 1024x1024x3")
    return height, width, channels
