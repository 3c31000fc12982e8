"""SGD and Adam against slow references in plain Python numbers, and what their state promises."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from minidl import Tensor
from minidl.kernels import optimizer as kernel
from minidl.nn import Linear, Parameter
from minidl.optim import SGD, Adam

SHAPES = st.lists(st.integers(1, 5), min_size=0, max_size=4).map(tuple)
SEEDS = st.integers(0, 2**32 - 1)
RATES = st.floats(1e-4, 1.0)
DECAYS = st.sampled_from([0.0, 1e-4, 0.1])
MAKERS = {
    "sgd": lambda named: SGD(named, lr=0.1),
    "momentum": lambda named: SGD(named, lr=0.1, momentum=0.9, weight_decay=1e-2),
    "nesterov": lambda named: SGD(named, lr=0.1, momentum=0.9, nesterov=True, weight_decay=1e-2),
    "adam": lambda named: Adam(named, lr=0.01, weight_decay=1e-2),
}
every_optimizer = pytest.mark.parametrize("make", MAKERS.values(), ids=MAKERS)


def parameters(seed, shapes=((4, 3), (4,), (), (2, 3, 3, 1)), dtype=np.float32):
    rng = np.random.default_rng(seed)
    return [(f"layer{i}.weight", Parameter(rng.standard_normal(s).astype(dtype))) for i, s in enumerate(shapes)]


def give_gradients(named, seed):
    """Gradients that depend on a parameter's name, not on its place."""
    for name, p in named:
        rng = np.random.default_rng([seed, *name.encode()])
        p.grad = Tensor(rng.standard_normal(p.shape).astype(p.dtype))


def run(opt, named, seeds):
    for seed in seeds:
        give_gradients(named, seed)
        opt.step()


def slow_sgd(w, gradients, lr, momentum, nesterov, decay):
    velocity = None
    for g in gradients:
        d = g + decay * w
        velocity = d if velocity is None else momentum * velocity + d  # PyTorch: the first step takes the gradient
        w -= lr * (d + momentum * velocity if nesterov else velocity)
    return w


def slow_adam(w, gradients, lr, beta1, beta2, eps, decay):
    m = v = 0.0
    for t, g in enumerate(gradients, 1):
        g = g + decay * w
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g * g
        w -= lr * (m / (1 - beta1**t)) / (math.sqrt(v / (1 - beta2**t)) + eps)
    return w


def one_by_one(slow, weight, gradients, *settings):
    ends = [slow(float(w), [float(g.flat[i]) for g in gradients], *settings) for i, w in enumerate(weight.flat)]
    return np.reshape(ends, weight.shape)


@given(SHAPES, SEEDS, RATES, st.sampled_from([0.0, 0.5, 0.9]), st.booleans(), DECAYS)
def test_sgd_is_its_formula(shape, seed, lr, momentum, nesterov, decay):
    rng = np.random.default_rng(seed)
    weight, gradients = rng.standard_normal(shape), rng.standard_normal((4, *shape))
    nesterov = nesterov and momentum > 0
    p = Parameter(np.array(weight))
    opt = SGD([("w", p)], lr, momentum, nesterov, decay)
    for g in gradients:
        p.grad = Tensor(np.array(g))
        opt.step()
    expected = one_by_one(slow_sgd, weight, gradients, lr, momentum, nesterov, decay)
    # some dozens of float64 operations on numbers of about 1 (rates to 1 and four steps keep them below 50)
    np.testing.assert_allclose(p.data, expected, rtol=1e-13, atol=1e-13)


@given(SHAPES, SEEDS, RATES, st.tuples(st.floats(0, 0.99), st.floats(0.5, 0.999)), DECAYS)
def test_adam_is_its_formula(shape, seed, lr, betas, decay):
    rng = np.random.default_rng(seed)
    weight, gradients = rng.standard_normal(shape), rng.standard_normal((4, *shape))
    p = Parameter(np.array(weight))
    opt = Adam([("w", p)], lr, betas, 1e-8, decay)
    for g in gradients:
        p.grad = Tensor(np.array(g))
        opt.step()
    expected = one_by_one(slow_adam, weight, gradients, lr, *betas, 1e-8, decay)
    # float64 as above; the division by 1 - beta2**t >= 0.001 costs three more digits
    np.testing.assert_allclose(p.data, expected, rtol=1e-10, atol=1e-10)


def test_nesterov_by_hand():
    p = Parameter(np.array([1.0]))
    opt = SGD([("w", p)], lr=0.1, momentum=0.5, nesterov=True)
    for grad, expected in [(1.0, 1 - 0.1 * (1 + 0.5 * 1)), (2.0, 0.85 - 0.1 * (2 + 0.5 * 2.5))]:
        p.grad = Tensor(np.array([grad]))
        opt.step()
        assert p.data[0] == pytest.approx(expected, abs=1e-15)


@every_optimizer
@given(seed=SEEDS, grain=st.integers(1, 40))
def test_ranges_do_not_change_a_bit(make, seed, grain):
    shapes = [(7, 5), (31,), (2, 3, 4), ()]
    whole, parts = parameters(seed, shapes), parameters(seed, shapes)
    run(make(whole), whole, range(3))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(kernel, "GRAIN", grain)
        run(make(parts), parts, range(3))
    assert all(np.array_equal(p.data, q.data) for (_, p), (_, q) in zip(whole, parts, strict=True))


@every_optimizer
@given(seed=SEEDS, order=st.permutations(range(4)))
def test_the_order_of_parameters_does_not_matter(make, seed, order):
    straight, mixed = parameters(seed), parameters(seed)
    a, b = make(straight), make([mixed[i] for i in order])
    run(a, straight, range(3))
    run(b, mixed, range(3))
    assert all(np.array_equal(p.data, q.data) for (_, p), (_, q) in zip(straight, mixed, strict=True))
    assert list(a.state_dict()) == list(b.state_dict())
    b.load_state_dict(a.state_dict())


@every_optimizer
@given(seed=SEEDS, before=st.integers(0, 3))
def test_state_round_trip_goes_on_to_the_same_bits(make, seed, before):
    named, other = parameters(seed), parameters(seed)
    through = make(named)
    run(through, named, range(before))
    for (_, p), (_, q) in zip(named, other, strict=True):
        q.data[...] = p.data
    resumed = make(other)
    resumed.load_state_dict(through.state_dict())
    run(through, named, range(10, 13))
    run(resumed, other, range(10, 13))
    assert all(np.array_equal(p.data, q.data) for (_, p), (_, q) in zip(named, other, strict=True))
    assert all(np.array_equal(a, resumed.state_dict()[name]) for name, a in through.state_dict().items())


@every_optimizer
def test_state_is_named_by_parameter_and_has_its_shape(make):
    named = parameters(0)
    state = make(named).state_dict()
    shapes = {name: p.shape for name, p in named}
    for key, array in state.items():
        slot, _, name = key.partition("/")
        assert array.shape == (() if slot == "steps" else shapes[name])
    assert {key.partition("/")[2] for key in state} == set(shapes)


@every_optimizer
def test_state_dict_is_a_copy(make):
    named = parameters(0)
    opt = make(named)
    before = opt.state_dict()
    kept = {key: array.copy() for key, array in before.items()}
    run(opt, named, range(2))
    assert all(np.array_equal(before[key], kept[key]) for key in kept)


@every_optimizer
def test_a_parameter_without_gradient_is_skipped(make):
    named = parameters(0)
    opt = make(named)
    give_gradients(named, 0)
    name, frozen = named[1]
    frozen.grad = None
    before = frozen.data.copy()
    opt.step()
    assert np.array_equal(frozen.data, before)
    assert opt.state[f"steps/{name}"] == 0 and opt.state[f"steps/{named[0][0]}"] == 1
    # its first step is like anybody's first step: bias correction counts its own updates
    alone = Parameter(before.copy())
    fresh = make([(name, alone)])
    give_gradients(named, 1)
    alone.grad = frozen.grad
    opt.step()
    fresh.step()
    assert np.array_equal(alone.data, frozen.data)


@every_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_in_place_in_the_parameters_dtype_with_the_gradient_untouched(make, dtype):
    named = parameters(0, dtype=dtype)
    arrays = [p.data for _, p in named]
    opt = make(named)
    opt.lr = np.float64(0.1)  # a rate from NumPy must not raise float32 to float64
    give_gradients(named, 0)
    before = [p.grad.data.copy() for _, p in named]
    opt.step()
    for (_, p), array, grad in zip(named, arrays, before, strict=True):
        assert p.data is array and array.dtype == dtype
        assert np.array_equal(p.grad.data, grad)
    assert all(a.dtype in (dtype, np.int64) for a in opt.state.values())


@every_optimizer
def test_any_memory_layout(make):
    plain, strided = parameters(0, [(6, 8)]), parameters(0, [(6, 8)])
    strided[0][1].data = np.asfortranarray(strided[0][1].data)
    view = strided[0][1].data
    run(make(plain), plain, range(3))
    run(make(strided), strided, range(3))
    assert strided[0][1].data is view and np.array_equal(view, plain[0][1].data)


@every_optimizer
def test_update_works_on_any_arrays_under_a_name(make):
    """What a rule that keeps its weights elsewhere calls."""
    named = parameters(0, [(3, 2)])
    weight, grad = named[0][1].data.copy(), np.ones((3, 2), np.float32)
    elsewhere = make(parameters(0, [(3, 2)]))
    elsewhere.update("layer0.weight", weight, grad)
    named[0][1].grad = Tensor(grad)
    make(named).step()
    assert np.array_equal(weight, named[0][1].data)


def test_zero_grad_forgets():
    named = parameters(0)
    give_gradients(named, 0)
    SGD(named, lr=0.1).zero_grad()
    assert all(p.grad is None for _, p in named)


def test_takes_the_generator_of_a_model():
    model = Linear(3, 2, rng=0)
    assert list(Adam(model.named_parameters()).parameters) == ["weight", "bias"]


def test_strict_state():
    named = parameters(0)
    opt = SGD(named, lr=0.1, momentum=0.9)
    state = opt.state_dict()
    wrong = {**state, "momentum/layer0.weight": np.zeros((9, 9), np.float32)}
    with pytest.raises(ValueError, match=r"layer0\.weight is \(9, 9\)"):
        opt.load_state_dict(wrong)
    with pytest.raises(ValueError, match="missing"):
        opt.load_state_dict({})
    with pytest.raises(ValueError, match="unexpected"):
        Adam(named).load_state_dict(state)


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda m: SGD(m.parameters(), lr=0.1), TypeError, "named_parameters"),
        (lambda m: SGD([], lr=0.1), ValueError, "no parameters"),
        (lambda m: SGD([("a", m.weight), ("a", m.bias)], lr=0.1), ValueError, "two parameters named a"),
        (lambda m: SGD(m.named_parameters(), lr=-1.0), ValueError, "lr=-1"),
        (lambda m: SGD(m.named_parameters(), lr=math.nan), ValueError, "lr=nan"),
        (lambda m: SGD(m.named_parameters(), lr=math.inf), ValueError, "lr=inf"),
        (lambda m: Adam(m.named_parameters(), lr=math.inf), ValueError, "lr=inf"),
        (lambda m: SGD(m.named_parameters(), lr=0.1, weight_decay=math.inf), ValueError, "weight_decay=inf"),
        (lambda m: Adam(m.named_parameters(), weight_decay=math.inf), ValueError, "weight_decay=inf"),
        (lambda m: Adam(m.named_parameters(), eps=math.inf), ValueError, "eps=inf"),
        (lambda m: SGD(m.named_parameters(), lr=0.1, momentum=1.0), ValueError, "momentum=1"),
        (lambda m: SGD(m.named_parameters(), lr=0.1, nesterov=True), ValueError, "momentum above 0"),
        (lambda m: SGD(m.named_parameters(), lr=0.1, weight_decay=-1), ValueError, "weight_decay=-1"),
        (lambda m: Adam(m.named_parameters(), betas=(0.9, 1.0)), ValueError, "betas"),
    ],
)
def test_bad_settings_get_one_sentence(make, error, words):
    with pytest.raises(error, match=words) as caught:
        make(Linear(3, 2, rng=0))
    assert "\n" not in str(caught.value)


def test_a_gradient_of_another_shape_is_refused():
    opt = SGD(parameters(0, [(3, 2)]), lr=0.1)
    with pytest.raises(ValueError, match=r"gradient of layer0\.weight is \(2,\)"):
        opt.update("layer0.weight", np.zeros((3, 2)), np.zeros(2))
