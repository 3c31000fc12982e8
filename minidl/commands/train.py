"""`minidl train MODEL`: train a network on a dataset into a run folder; stop it at any moment, repeat it to go on."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from minidl.commands import Output
from minidl.commands.folder import make_folder

if TYPE_CHECKING:
    from algorithms.quantization import Rule
    from minidl.nn import Module
    from minidl.optim import Optimizer, Schedule
    from minidl.training import Epoch


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    parser.add_argument("model", help="such as resnet20, vgg9, lenet5, tiny-mobile; see `minidl cost --help`")
    parser.add_argument("--dataset", default="fashion-mnist-mini", help="see `minidl data list` (default: %(default)s)")
    parser.add_argument(
        "--data-dir", metavar="DIR", help="where the dataset's files lie (default: MINIDL_DATA, else a cache)"
    )
    parser.add_argument("--epochs", type=int, default=10, help="passes over the training images (default: %(default)s)")
    parser.add_argument("--optimizer", choices=["sgd", "adam"], default="sgd", help="(default: %(default)s)")
    parser.add_argument(
        "--lr", type=float, help="learning rate (default: sgd 0.1, without batch norm 0.01; adam 0.001)"
    )
    parser.add_argument(
        "--weight-decay", type=float, help="pull of the weights to zero (default: 0.0005, in few bits 0)"
    )
    parser.add_argument(
        "--rule",
        choices=["float", "r", "sr", "bc", "bop"],
        default="float",
        help="few bits in convolutions: rounding to nearest, stochastic rounding, BinaryConnect, Bop (default: float)",
    )
    parser.add_argument("--bits", type=int, help="bits of a weight in few bits, 1 (-1 and 1) to 16 (default: 1)")
    parser.add_argument(
        "--schedule",
        choices=["steps", "cosine", "constant"],
        default="cosine",
        help="steps: a tenth of the rate after half of the epochs, again after three quarters (default: %(default)s)",
    )
    parser.add_argument("--batch-size", type=int, default=128, help="images per step (default: %(default)s)")
    parser.add_argument("--augment", action="store_true", help="random crops of the padded image, and flips")
    parser.add_argument(
        "--validation", type=int, metavar="N", help="images held out of training to watch (default: a tenth)"
    )
    parser.add_argument("--train-images", type=int, metavar="N", help="use the first N images only")
    parser.add_argument("--run", metavar="DIR", help="folder to keep the run in; an interrupted run in it is continued")
    parser.add_argument(
        "--trajectory", action="store_true", help="keep the weights of every epoch, for `minidl trajectory`"
    )
    parser.epilog = "The test images are touched once, after the last epoch: choose by the validation images."


def run(args: argparse.Namespace) -> Output:
    """Train, then evaluate on the test images once."""
    from minidl.data import load
    from minidl.nn import models
    from minidl.training import evaluate, history, train

    images = load(args.dataset, "train", root=args.data_dir)
    if args.train_images is not None:
        images = images.subset(args.train_images)
    held_out = len(images) // 10 if args.validation is None else args.validation
    images, validation = images.split(held_out, seed=args.seed) if held_out else (images, None)
    shape = images.images.shape[1:]
    model = models.build(args.model, input_shape=shape, num_classes=len(images.classes), rng=args.seed)
    optimizer = _in_few_bits(_optimizer(model, args), args)
    if args.run:
        make_folder(Path(args.run), "the run")
    epochs = train(
        model,
        images,
        epochs=args.epochs,
        optimizer=optimizer,
        schedule=_schedule(optimizer.lr, args),
        batch_size=args.batch_size,
        validation=validation,
        seed=args.seed,
        augment=args.augment,
        run=args.run,
        record_trajectory=args.trajectory,
    )
    records = []
    for record in epochs:
        records.append(record)
        print(_line(record), file=sys.stderr)
    if args.run:
        records = history(args.run)  # those of an earlier part of the run too
    test = evaluate(model, load(args.dataset, "test", root=args.data_dir))
    where = f"; the network is in {args.run}/checkpoint.npz" if args.run else ""
    text = f"test accuracy {test.accuracy:.2%}, loss {test.loss:.4f} over {test.count} images{where}"
    data = {
        "model": args.model,
        "dataset": args.dataset,
        "rule": args.rule,
        "epochs": [dataclasses.asdict(record) for record in records],
        "test": dataclasses.asdict(test),
    }
    return Output(text, data)


def _optimizer(model: Module, args: argparse.Namespace) -> Optimizer:
    from minidl.nn import BatchNorm1d, BatchNorm2d
    from minidl.optim import SGD, Adam

    decay = args.weight_decay if args.weight_decay is not None else 5e-4 if args.rule == "float" else 0.0
    if args.optimizer == "adam":
        return Adam(model.named_parameters(), args.lr if args.lr is not None else 0.001, weight_decay=decay)
    normalized = any(isinstance(module, (BatchNorm1d, BatchNorm2d)) for module in model.modules())
    lr = args.lr if args.lr is not None else 0.1 if normalized else 0.01
    return SGD(model.named_parameters(), lr, momentum=0.9, nesterov=True, weight_decay=decay)


def _in_few_bits(optimizer: Optimizer, args: argparse.Namespace) -> Optimizer | Rule:
    """Put the rule that was asked for around the optimizer."""
    if args.rule == "float":
        if args.bits is not None:
            raise ValueError(f"found --bits {args.bits} for float weights, expected a rule too: add --rule sr")
        return optimizer
    from algorithms.quantization import make_format, make_rule

    return make_rule(args.rule, optimizer, make_format(1 if args.bits is None else args.bits), args.seed)


def _schedule(lr: float, args: argparse.Namespace) -> Schedule:
    from minidl.optim import Constant, Cosine, MultiStep

    if args.schedule == "steps":
        return MultiStep(lr, (args.epochs / 2, args.epochs * 3 / 4))
    return Cosine(lr, args.epochs) if args.schedule == "cosine" else Constant(lr)


def _line(record: Epoch) -> str:
    text = f"epoch {record.epoch:3d}  rate {record.lr:.4f}  loss {record.loss:.4f}  accuracy {record.accuracy:.2%}"
    if record.validation_loss is not None and record.validation_accuracy is not None:
        text += f"  validation loss {record.validation_loss:.4f}  accuracy {record.validation_accuracy:.2%}"
    return f"{text}  {record.seconds:.1f} s"
