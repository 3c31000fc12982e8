"""Do the peers compute what minidl computes?  The same weights and images go to all; prints the deviations as JSON.

Compared are the logits of inference, of PyTorch and of ONNX Runtime, and one training step's loss and gradient.  The
gradients of two float32 programs differ by up to a percent: a ReLU whose input is nearly zero is open in one of them.
"""

from __future__ import annotations

import json
import tempfile
from pathlib import Path

import calls_minidl
import numpy as np
import onnxruntime
import peers
import torch
from calls_torch import write_onnx
from rows import describe

import minidl

NETWORKS = (("resnet20", None), ("resnet8", None), ("vgg16", "vgg16-A"), ("resnet56", "resnet56-B"))
BATCH = 8


def main() -> None:
    print(json.dumps([compared(*which) for which in NETWORKS]))


def compared(name: str, preset: str | None) -> dict:
    spec = describe(name, preset, "inference", BATCH, 1)
    ours = calls_minidl.network(spec)
    peer = peers.build(name, spec["widths"], spec["shape"][2])
    copy_weights(ours, peer)
    rng = np.random.default_rng(0)
    x, labels = rng.standard_normal((BATCH, *spec["shape"]), dtype=np.float32), rng.integers(0, 10, BATCH)
    images = torch.from_numpy(np.ascontiguousarray(x.transpose(0, 3, 1, 2)))
    found = {"network": preset or name, "parameters": sum(p.size for p in parameters(ours))}
    logits = minidl.runtime.compile(ours, tuple(spec["shape"]))(x)
    with torch.inference_mode():
        found["PyTorch logits"] = deviation(peer.eval()(images).numpy(), logits)
    found["ONNX Runtime logits"] = deviation(through_onnx(peer, images), logits)
    ours.train()
    peer.train()
    loss = minidl.ops.cross_entropy(ours(minidl.Tensor(x)), labels)
    loss.backward()
    torch_loss = torch.nn.functional.cross_entropy(peer(images), torch.from_numpy(labels))
    torch_loss.backward()
    found["loss"] = abs(torch_loss.item() - loss.item()) / abs(loss.item())
    gradient, theirs = (
        np.concatenate([g.ravel() for g in gs])
        for gs in ([as_torch(p.grad.data) for p in ours.parameters()], [p.grad.numpy() for p in peer.parameters()])
    )
    found["gradient"] = float(np.linalg.norm(theirs - gradient) / np.linalg.norm(gradient))
    return found


def parameters(model: minidl.nn.Module) -> list[np.ndarray]:
    return [p.data for p in model.parameters()]


def copy_weights(ours: minidl.nn.Module, peer: torch.nn.Module) -> None:
    """Both list their parameters in the order in which the layers run."""
    with torch.no_grad():
        for p, value in zip(peer.parameters(), parameters(ours), strict=True):
            p.copy_(torch.from_numpy(as_torch(value)))


def as_torch(value: np.ndarray) -> np.ndarray:
    """OHWI -> OIHW; vectors and matrices are the same in both."""
    return np.ascontiguousarray(value.transpose(0, 3, 1, 2)) if value.ndim == 4 else value


def through_onnx(peer: torch.nn.Module, images: torch.Tensor) -> np.ndarray:
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "net.onnx")
        write_onnx(peer, images, path)
        session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
        return session.run(None, {"x": images.numpy()})[0]


def deviation(a: np.ndarray, b: np.ndarray) -> float:
    """The largest, as a share of the largest value."""
    return float(np.abs(a - b).max() / np.abs(b).max())


if __name__ == "__main__":
    main()
