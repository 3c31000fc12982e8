"""What PyTorch does in the benchmark, as its users would write it: `format` says how its tensors lie in memory.

`compiled` adds torch.compile: of the training model as it is, of the evaluated one with its weights frozen, which lets
it fold batch norm and lay out weights in advance.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable

import peers
import torch
from torch.nn import functional as F  # PyTorch's custom

Call = Callable[[], object]
FORMATS = {"contiguous": torch.contiguous_format, "channels-last": torch.channels_last}


def facts() -> dict[str, str]:
    return {"torch": torch.__version__, "its vector unit": torch.backends.cpu.get_cpu_capability()}


def set_threads(threads: int) -> None:
    torch.set_num_threads(threads)


def forget() -> None:
    """Drop what torch.compile keeps, or it would give up after a few networks."""
    torch._dynamo.reset()


def prepare(spec: dict) -> Call:
    return WORKS[spec["work"]](spec)


def training_step(spec: dict) -> Call:
    """SGD with momentum and weight decay in its fused form, the fastest that PyTorch has."""
    model = peers.build(spec["network"], spec["widths"], spec["shape"][2]).to(memory_format=FORMATS[spec["format"]])
    optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, weight_decay=5e-4, fused=True)
    if spec["compiled"]:
        model.compile()
    x, labels = images(spec), torch.randint(0, 10, (spec["batch"],))

    def step() -> float:
        model.train()
        optimizer.zero_grad()
        loss = F.cross_entropy(model(x), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    return step


def inference(spec: dict) -> Call:
    model = peers.build(spec["network"], spec["widths"], spec["shape"][2]).eval()
    model, x = model.to(memory_format=FORMATS[spec["format"]]), images(spec)
    guard = torch.inference_mode
    if spec["compiled"]:
        from torch._inductor import config  # takes a second that a training process need not wait

        model, guard = torch.compile(model), torch.no_grad  # freezing refuses inference mode
        with config.patch(freezing=True), guard():
            model(x)

    def infer() -> torch.Tensor:
        with guard():
            return model(x)

    return infer


def export(spec: dict) -> Call:
    """Write the network for ONNX Runtime, for this one batch size, which is what it plans best for."""
    model = peers.build(spec["network"], spec["widths"], spec["shape"][2]).eval()
    x = images(spec | {"format": "contiguous"})
    return lambda: write_onnx(model, x, spec["path"])


def write_onnx(model: torch.nn.Module, x: torch.Tensor, path: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that there is a newer exporter, which needs more packages
        torch.onnx.export(model, (x,), path, input_names=["x"], dynamo=False)


# --- Single operations ------------------------------------------------------------------------------------------------


def convolution(spec: dict) -> Call:
    kind = FORMATS[spec["format"]]
    x = torch.randn(spec["batch"], spec["inputs"], spec["size"], spec["size"]).to(memory_format=kind)
    weight = torch.randn(spec["filters"], spec["inputs"] // spec["groups"], spec["kernel"], spec["kernel"])
    weight = weight.to(memory_format=kind)
    stride, padding = [spec["stride"]] * 2, [spec["kernel"] // 2] * 2

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            return F.conv2d(x, weight, None, stride, padding, 1, spec["groups"])

    grad_y = F.conv2d(x, weight, None, stride, padding, 1, spec["groups"])

    def backward(*wanted: bool) -> Call:
        tail = (None, stride, padding, [1, 1], False, [0, 0], spec["groups"], [*wanted, False])
        return lambda: torch.ops.aten.convolution_backward(grad_y, x, weight, *tail)

    parts = {
        "forward": forward,
        "input gradient": backward(True, False),
        "weight gradient": backward(False, True),
    }
    return parts[spec["part"]]


def batch_norm(spec: dict) -> Call:
    size, channels = (spec["batch"], spec["inputs"], spec["size"], spec["size"]), spec["inputs"]
    x, grad_y = (torch.randn(size).to(memory_format=FORMATS[spec["format"]]) for _ in range(2))
    weight, bias, mean, var = torch.ones(channels), torch.zeros(channels), torch.zeros(channels), torch.ones(channels)
    y, saved_mean, saved_std = torch.native_batch_norm(x, weight, bias, mean, var, True, 0.1, 1e-5)
    gate = y.relu()

    def forward() -> torch.Tensor:
        with torch.inference_mode():
            y = F.batch_norm(x, mean, var, weight, bias, training=True)
            return y.relu_() if spec["relu"] else y

    def backward() -> object:
        g = torch.ops.aten.threshold_backward(grad_y, gate, 0) if spec["relu"] else grad_y
        tail = (mean, var, saved_mean, saved_std, True, 1e-5, [True] * 3)
        return torch.ops.aten.native_batch_norm_backward(g, x, weight, *tail)

    return {"forward": forward, "backward": backward}[spec["part"]]


def sgemm(spec: dict) -> Call:
    a, b = torch.randn(spec["size"], spec["size"]), torch.randn(spec["size"], spec["size"])
    out = torch.empty_like(a)
    return lambda: torch.mm(a, b, out=out)


def copy(spec: dict) -> Call:
    source = torch.randn(spec["size"])
    target = torch.empty_like(source)
    return lambda: target.copy_(source)


def images(spec: dict) -> torch.Tensor:
    height, width, channels = spec["shape"]
    return torch.randn(spec["batch"], channels, height, width).to(memory_format=FORMATS[spec["format"]])


WORKS: dict[str, Callable[[dict], Call]] = {
    "training step": training_step, "inference": inference, "export": export, "convolution": convolution,
    "batch norm": batch_norm, "sgemm": sgemm, "copy": copy,
}  # fmt: skip
