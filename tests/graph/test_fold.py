"""A folded network computes what the unfolded one does, up to rounding, and has no batch norm left to fold."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import graph, nn


def _shaken(model, seed):
    """Batch-norm parameters and statistics that are not the identity."""
    rng = np.random.default_rng(seed)
    for name, array in {**{n: p.data for n, p in model.named_parameters()}, **dict(model.named_buffers())}.items():
        if array.ndim == 1:
            array[...] = rng.uniform(0.5, 2, array.shape) if "var" in name else rng.standard_normal(array.shape)
        else:
            array[...] = rng.standard_normal(array.shape) / np.sqrt(array[0].size)
    return model


@pytest.mark.parametrize("name", ["resnet8", "tiny-mobile", "lenet5"])
@given(seed=st.integers(0, 2**32 - 1))
def test_folded_equals_unfolded(name, seed):
    shape = nn.models.default_input_shape(name)
    traced = graph.trace(_shaken(nn.models.build(name, rng=0), seed), shape)
    folded = graph.fold_batch_norm(traced)
    assert "BatchNormInference" not in [node.op for node in folded]
    x = np.random.default_rng(seed).standard_normal((2, *shape)).astype(np.float32)
    want, got = graph.run(traced, x), graph.run(folded, x)
    # float32 rounding, grown through about 20 layers
    np.testing.assert_allclose(got, want, rtol=2e-4, atol=2e-4 * np.abs(want).max())


def test_a_batch_norm_whose_layer_has_another_reader_stays():
    class Twice(nn.Module):
        def __init__(self):
            self.conv, self.bn = nn.Conv2d(1, 2, 1, rng=0), nn.BatchNorm2d(2)

        def forward(self, x):
            y = self.conv(x)
            return y + self.bn(y)

    folded = graph.fold_batch_norm(graph.trace(Twice(), (3, 3, 1)))
    assert [node.op for node in folded if node.batched] == ["input", "Conv2d", "BatchNormInference", "Add"]


def test_the_network_itself_is_not_touched():
    model = _shaken(nn.models.build("resnet8", rng=0), 0)
    before = model.state_dict()
    graph.fold_batch_norm(graph.trace(model, (32, 32, 3)))
    assert all(np.array_equal(before[name], array) for name, array in model.state_dict().items())
