"""`minidl hessian RUN`: the curvature of the loss at a trained network: its spectrum's ends, trace, density, by layers.

With --map, |λ_min / λ_max| over a plane: where the loss is convex in all directions, not only in the two drawn.
"""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from minidl.commands import Output
from minidl.commands.network import add_network, images, keep, network, out_folder, progress
from minidl.commands.table import table

if TYPE_CHECKING:
    from minidl.data import Dataset
    from minidl.nn import Module


def configure(parser: argparse.ArgumentParser) -> None:
    """Add the options."""
    add_network(parser, images=500)
    parser.add_argument(
        "--tolerance", type=float, default=0.01, help="of the residuals, relative (default: %(default)s)"
    )
    parser.add_argument("--max-products", type=int, default=100, help="when to give up (default: %(default)s)")
    parser.add_argument(
        "--trace", type=int, default=0, metavar="PROBES", help="also estimate the trace, with an error bar"
    )
    parser.add_argument(
        "--density",
        type=int,
        default=0,
        metavar="PROBES",
        help="also the density of all eigenvalues, with an error band",
    )
    parser.add_argument("--layers", action="store_true", help="also the curvature in each layer's weights alone")
    parser.add_argument(
        "--map", type=int, default=0, metavar="N", help="also the map of N x N nodes over a random plane"
    )
    parser.add_argument(
        "--range", type=float, default=1.0, help="the map reaches so many filter norms (default: %(default)s)"
    )
    parser.epilog = (
        "Over the weights with two or more dimensions, in evaluation mode.  With ReLU the loss is smooth in pieces."
    )


def run(args: argparse.Namespace) -> Output:
    """Find what is asked for."""
    model, dataset = network(args), images(args)
    result: dict[str, Any] = {"network": str(args.target), "dataset": dataset.name, "images": len(dataset)}
    text, result["ends"] = _ends(args, model, dataset)
    for wanted, name, find in (
        (args.trace, "trace", _trace),
        (args.density, "density", _density),
        (args.map, "map", _map),
    ):
        if wanted:
            said, result[name] = find(args, model, dataset)
            text += f"\n\n{said}"
    keep(out_folder(args, "hessian"), "hessian", result)
    return Output(text, result)


def _layers(model: Module) -> dict[str, str]:
    """Names of the layers that have weights -> those of their weights."""
    return {name.removesuffix(".weight"): name for name, p in model.named_parameters() if p.ndim > 1}


def _ends(args: argparse.Namespace, model: Module, dataset: Dataset) -> tuple[str, list[dict[str, Any]]]:
    from algorithms.landscape import hessian_extremes

    how: dict[str, Any] = {"tolerance": args.tolerance, "max_products": args.max_products, "seed": args.seed}
    parts: dict[str, list[str] | None] = {"all weights": None}
    if args.layers:
        parts |= {layer: [weight] for layer, weight in _layers(model).items()}
    rows, data = [], []
    for part, only in parts.items():
        found = hessian_extremes(model, dataset, only=only, **how)
        ends = (
            f"{found.largest:.4g} ± {found.largest_residual:.1g}",
            f"{found.smallest:.4g} ± {found.smallest_residual:.1g}",
        )
        rows.append([part, *ends, f"{found.ratio:.4f}", found.products, "" if found.converged else "not converged"])
        names = ("largest", "largest_residual", "smallest", "smallest_residual", "ratio", "products", "converged")
        data.append({"part": part} | {name: getattr(found, name) for name in names})
    return table(["", "λ_max", "λ_min", "|λ_min / λ_max|", "products", ""], rows), data


def _trace(args: argparse.Namespace, model: Module, dataset: Dataset) -> tuple[str, dict[str, Any]]:
    from algorithms.landscape import hessian_trace, layer_traces

    whole = hessian_trace(model, dataset, args.trace, args.seed)
    text = f"trace {whole.mean:.4g} ± {whole.std_error:.2g} (standard error over {args.trace} probes)"
    data: dict[str, Any] = {"mean": whole.mean, "std_error": whole.std_error}
    if args.layers:
        parts = layer_traces(model, dataset, args.trace, args.seed)  # of the same probes, so they add up to the whole
        sizes = {name: p.size for name, p in model.named_parameters()}
        rows, data["layers"] = [], {}
        for layer, weight in _layers(model).items():
            part = parts[weight]
            data["layers"][layer] = {"mean": part.mean, "std_error": part.std_error}
            rows.append([layer, f"{part.mean:.4g} ± {part.std_error:.2g}", f"{part.mean / sizes[weight]:.3g}"])
        text += f"\n{table(['', 'trace', 'a weight'], rows)}"
    return text, data


def _density(args: argparse.Namespace, model: Module, dataset: Dataset) -> tuple[str, dict[str, Any]]:
    from algorithms.landscape import spectral_density
    from visual.style import BLUE, axes_or_new, save, style

    found = spectral_density(model, dataset, probes=args.density, seed=args.seed)
    folder = out_folder(args, "hessian")
    with style():
        ax = axes_or_new(None)
        ax.fill_between(found.at, *(found.density + s * found.std_error for s in (-2, 2)), color=BLUE, alpha=0.2, lw=0)
        ax.semilogy(found.at, found.density, color=BLUE)
        ax.set_ylim(0.1 / found.dimensions / found.bandwidth)
        ax.set(xlabel=f"curvature (smoothed over ± {found.bandwidth:.2g})", ylabel="share of eigenvalues per curvature")
        save(ax.figure, folder / "density.png")
    negative, error = found.share_below(-found.bandwidth)
    text = (
        f"{negative:.1%} ± {error:.1%} of the eigenvalues are below -{found.bandwidth:.2g} "
        f"({args.density} probes of {found.products // args.density} products)\n{folder}/density.png"
    )
    fields = {name: getattr(found, name).tolist() for name in ("at", "density", "std_error")}
    return text, {**fields, "bandwidth": found.bandwidth, "negative": negative, "negative_std_error": error}


def _map(args: argparse.Namespace, model: Module, dataset: Dataset) -> tuple[str, dict[str, Any]]:
    import numpy as np

    from algorithms.landscape import curvature_map, random_direction
    from minidl.commands.plain import plain
    from visual.landscape import draw_heat
    from visual.scale import Scale
    from visual.style import save

    axis = np.linspace(-args.range, args.range, args.map)
    dx, dy = (random_direction(model, args.seed + i) for i in (0, 1))
    folder = out_folder(args, "hessian")
    with progress("curvature") as tell:
        found = curvature_map(
            model, dataset, dx, dy, axis, axis, seed=args.seed, file=folder / "map.npz", progress=tell
        )
    ax = draw_heat(axis, axis, found.ratio, scale=Scale(0.0, 0.5), label="|λ_min / λ_max|")
    save(ax.figure, folder / "map.png")
    share = float(np.nanmean(found.ratio < 0.05))
    text = (
        f"negative curvature below 5 % of the positive at {share:.0%} of the nodes; "
        f"{found.converged.mean():.0%} of them converged, in {int(found.products.sum())} products\n{folder}/map.png"
    )
    fields = {name: plain(getattr(found, name)) for name in ("largest", "smallest", "ratio")}
    return text, {"axis": axis.tolist(), **fields, "converged": found.converged.tolist()}
