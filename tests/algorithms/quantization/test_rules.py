"""The rules on small networks: what each leaves unchanged, what it draws, how it resumes and what it refuses."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import minidl
from algorithms.quantization import (
    Binary,
    BinaryConnect,
    BlockFloat,
    Bop,
    FewBits,
    FixedPoint,
    Rounding,
    StochasticRounding,
    WeightChange,
)
from algorithms.quantization.rules import draw_key
from minidl import nn, ops, optim
from minidl.kernels.parallel import get_num_threads, set_num_threads
from minidl.kernels.rounding import update_bits, update_codes
from minidl.training import TrainingError

seeds = st.integers(0, 2**32 - 1)
RULES = {
    "r": Rounding,
    "sr": lambda optimizer, quantizer: StochasticRounding(optimizer, quantizer, seed=5),
    "sr-philox": lambda optimizer, quantizer: StochasticRounding(optimizer, quantizer, seed=5, generator="philox"),
    "bc": BinaryConnect,
    "bc-stochastic": lambda optimizer, quantizer: BinaryConnect(optimizer, quantizer, stochastic=True, seed=5),
    "bc-fine": lambda o, quantizer: BinaryConnect(o, quantizer, scale_steps=True, accumulator=FixedPoint(12, 10)),
    "bop": lambda optimizer, quantizer: Bop(optimizer, quantizer, gamma=0.1, threshold=1e-4),
}
SCALED = [rule for rule in RULES if rule not in ("bc-fine", "bop")]  # which take scales that follow the weights
FORMATS = {
    "binary": Binary(),
    "binary 0.1": Binary(0.1),
    "per filter": Binary(per_filter=True),
    "fixed": FixedPoint(8, 6),
}
OPTIMIZERS = {
    "sgd": lambda parameters: optim.SGD(parameters, lr=0.05),
    "nesterov": lambda parameters: optim.SGD(parameters, lr=0.05, momentum=0.9, nesterov=True, weight_decay=1e-3),
    "adam": lambda parameters: optim.Adam(parameters, lr=0.01),
}


def network(seed=0):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, stride=2, rng=seed),
        nn.ReLU(),
        nn.Conv2d(4, 3, 3, rng=seed + 1),
        nn.Flatten(),
        nn.Linear(12, 3, rng=seed + 2),
    )


def train_steps(model, rule, steps, first=0):
    for step in range(first, first + steps):
        rng = np.random.default_rng(step)
        x, labels = rng.standard_normal((8, 10, 10, 1)).astype(np.float32), rng.integers(0, 3, 8)
        model.zero_grad()
        ops.cross_entropy(model(minidl.Tensor(x)), labels).backward()
        rule.step()


def make(rule, format="binary", optimizer="adam", seed=0):
    model = network(seed)
    clip = {"clip": 1.0} if rule.startswith("bc") and format == "per filter" else {}
    inner = OPTIMIZERS[optimizer](model.named_parameters())
    if clip:
        return model, BinaryConnect(inner, FORMATS[format], stochastic=rule != "bc", seed=5, **clip)
    return model, RULES[rule](inner, FORMATS[format])


def bits(model, rule):
    return {k: v.tobytes() for k, v in (model.state_dict() | rule.state_dict()).items()}


everything = pytest.mark.parametrize(
    ("rule", "format", "optimizer"),
    [
        (r, f, o)
        for r in RULES
        for f in FORMATS
        for o in OPTIMIZERS
        if f == "binary" or (o == "adam" and (r in SCALED or (f == "binary 0.1") or (f == "fixed" and r == "bc-fine")))
    ],
)


@everything
def test_conv_weights_stay_on_the_grid_and_everything_else_is_trained(rule, format, optimizer):
    model, rule = make(rule, format, optimizer)
    before = model.state_dict()
    train_steps(model, rule, 3)
    assert list(rule.quantized) == ["layers.0.weight", "layers.2.weight"]
    for name, parameter in model.named_parameters():
        if name in rule.quantized:
            np.testing.assert_array_equal(parameter.held.format.round_nearest(parameter.data), parameter.data)
            assert parameter.dtype == np.float32
        elif name.endswith("weight"):
            assert (parameter.data != before[name]).any()


@everything
def test_a_resumed_rule_goes_on_to_the_same_bits(rule, format, optimizer):
    model, whole = make(rule, format, optimizer)
    train_steps(model, whole, 5)
    first_model, first = make(rule, format, optimizer)
    train_steps(first_model, first, 2)
    second_model, second = make(rule, format, optimizer, seed=9)  # another start, which must not matter
    second_model.load_state_dict(first_model.state_dict())
    second.load_state_dict(first.state_dict())
    assert bits(second_model, second) == bits(first_model, first)
    train_steps(second_model, second, 3, first=2)
    assert bits(second_model, second) == bits(model, whole)


@pytest.mark.parametrize("rule", ["sr", "bc"])
def test_a_run_that_is_stopped_goes_on_to_the_same_bits(rule, tmp_path):
    images = minidl.data.load("fashion-mnist-mini").subset(96)
    results = []
    for folder, stops in (("whole", (3,)), ("stopped", (1, 3))):
        for epochs in stops:
            model = nn.Sequential(nn.Conv2d(1, 4, 3, 2, rng=0), nn.Flatten(), nn.Linear(676, 10, rng=1))
            wrapped = RULES[rule](optim.Adam(model.named_parameters(), lr=0.01), Binary())
            settings = {"optimizer": wrapped, "batch_size": 32, "run": tmp_path / folder}
            list(minidl.training.train(model, images, epochs=epochs, progress=False, **settings))
        results.append(bits(model, wrapped))
    assert results[0] == results[1]


@pytest.mark.parametrize("rule", ["sr", "sr-philox", "bc-stochastic"])
def test_a_run_that_is_killed_within_an_epoch_goes_on_to_the_same_bits(rule, tmp_path):
    """The folder holds the state after the fourth of nine steps when the fifth is cut off."""
    images = minidl.data.load("fashion-mnist-mini").subset(96)

    def run(folder, on_step=None):
        model = nn.Sequential(nn.Conv2d(1, 4, 3, 2, rng=0), nn.Flatten(), nn.Linear(676, 10, rng=1))
        wrapped = RULES[rule](optim.Adam(model.named_parameters(), lr=0.01), Binary())
        how = {"batch_size": 32, "run": folder, "save_every": 0.0, "on_step": on_step, "progress": False}
        list(minidl.training.train(model, images, epochs=3, optimizer=wrapped, **how))
        return bits(model, wrapped)

    def cut_off(step, model):
        if step == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", cut_off)
    assert run(tmp_path / "killed") == run(tmp_path / "whole")


def test_any_number_of_threads_gives_the_same_bits():
    former, results = get_num_threads(), []
    try:
        for threads in (1, 2, 4):
            set_num_threads(threads)
            model, rule = make("sr")
            train_steps(model, rule, 3)
            results.append(bits(model, rule))
    finally:
        set_num_threads(former)
    assert results[0] == results[1] == results[2]


def test_deterministic_rounding_with_adam_at_the_papers_rate_changes_no_weight():
    model, rule = make("r")
    before = model.state_dict()
    recorder = WeightChange(rule.quantized, Binary())
    for step in range(20):
        train_steps(model, rule, 1, first=step)
        recorder()
    assert not recorder.changed.any()
    for name in rule.quantized:
        np.testing.assert_array_equal(model.state_dict()[name], before[name])


def test_stochastic_rounding_and_bc_do_change_weights():
    for name in ("sr", "bc"):
        model, rule = make(name)
        recorder = WeightChange(rule.quantized, Binary())
        for step in range(20):
            train_steps(model, rule, 1, first=step)
            recorder()
        assert recorder.share[-1] > 0
        assert recorder.flips.sum() >= recorder.changed[-1].sum()


def one_weight(rule, values, grad, lr):
    """One SGD step with a given gradient on a weight of shape (n, 1, 1, 1)."""
    weight = nn.Parameter(np.array(values, np.float32).reshape(-1, 1, 1, 1))
    wrapped = rule(optim.SGD([("weight", weight)], lr=lr))
    weight.grad = minidl.Tensor(np.full(weight.shape, grad, np.float32))
    wrapped.step()
    return weight, wrapped


@given(seeds, st.floats(0, 3), st.floats(0.05, 1), st.sampled_from([1.0, 0.5]))
def test_sr_flips_a_binary_weight_with_probability_step_over_spacing(seed, grad, lr, delta):
    """min(1, α|g|/2Δ) where the gradient pushes across, never where it pushes outward; 6 standard errors."""
    n = 20_000
    signs = np.repeat([1.0, -1.0], n // 2)
    weight, rule = one_weight(lambda o: StochasticRounding(o, Binary(delta), seed=seed), delta * signs, grad, lr)
    flipped = (np.sign(weight.data.ravel()) != signs).reshape(2, -1).mean(axis=1)
    p = min(1.0, lr * grad / (2 * delta))
    assert abs(flipped[0] - p) <= 6 * np.sqrt(p * (1 - p) / (n / 2)) + 1.5 / n * 2
    assert flipped[1] == 0
    assert rule.saturated["weight"] >= n / 2 * (lr * grad > 1e-6)


@given(seeds, st.sampled_from([Binary(), FixedPoint(8, 4)]))
def test_sr_of_sgd_is_the_fused_update_of_stored_codes_bit_for_bit(seed, format):
    """Powers of two make α·g/Δ and w - α·g exact, so floats and stored codes must agree over many steps."""
    rng = np.random.default_rng(seed)
    weight = nn.Parameter(rng.standard_normal((5, 3, 3, 4)).astype(np.float32))
    rule = StochasticRounding(optim.SGD([("weight", weight)], lr=0.125), format, seed=seed)
    stored = format.encode(weight.data).codes.ravel()  # int8
    packed = format.pack(stored)
    for step in range(1, 21):
        grad = (rng.integers(-2000, 2000, weight.shape) / 256).astype(np.float32)
        weight.grad = minidl.Tensor(grad)
        rule.step()
        key, rate = draw_key(seed, "weight", step), 0.125 / format.spacing
        update_codes(stored, grad, rate, format.lowest, format.highest, key)
        np.testing.assert_array_equal(format.decode(stored).reshape(weight.shape), weight.data)
        if isinstance(format, Binary):
            update_bits(packed, grad, rate, key)
            np.testing.assert_array_equal(format.unpack(packed, stored.shape), stored)


def test_bc_sums_what_is_too_small_for_the_grid_and_clips_it():
    weight = nn.Parameter(np.full((1, 1, 1, 1), 0.25, np.float32))
    rule = BinaryConnect(optim.SGD([("weight", weight)], lr=0.1), Binary())
    for _ in range(3):
        weight.grad = minidl.Tensor(np.ones((1, 1, 1, 1), np.float32))
        rule.step()
    assert rule.real["weight"].item() == pytest.approx(-0.05)
    assert weight.item() == -1
    weight.grad = minidl.Tensor(np.full((1, 1, 1, 1), 100, np.float32))
    rule.step()
    assert rule.real["weight"].item() == -1  # clipped to -Δ
    free = BinaryConnect(optim.SGD([("weight", weight)], lr=0.1), Binary(), clip=None)
    free.step()
    assert free.real["weight"].item() == pytest.approx(-11)


def test_bc_shows_real_and_nearest_weights_and_puts_back_its_own():
    model, rule = make("bc-stochastic")
    train_steps(model, rule, 2)
    drawn = model.state_dict()
    with pytest.raises(KeyError), rule.real_weights():
        for name, parameter in rule.quantized.items():
            np.testing.assert_array_equal(parameter.data, rule.real[name])
        raise KeyError  # an error inside must not leave real weights behind
    with rule.quantized_weights():
        for name, parameter in rule.quantized.items():
            np.testing.assert_array_equal(parameter.data, Binary().round_nearest(rule.real[name]))
    for name, array in model.state_dict().items():
        np.testing.assert_array_equal(array, drawn[name])


@given(seeds, st.booleans())
def test_bc_multiplies_whole_steps_by_the_authors_factor(seed, adam):
    """The factor is after Adam, so it changes the step and nothing that Adam remembers."""
    weight = np.random.default_rng(seed).uniform(-0.2, 0.2, (4, 3, 3, 2)).astype(np.float32)
    moves = []
    for scale_steps in (False, True):
        parameter = nn.Parameter(weight.copy())
        inner = (optim.Adam if adam else optim.SGD)([("weight", parameter)], lr=0.001)
        rule = BinaryConnect(inner, Binary(), scale_steps=scale_steps)
        parameter.grad = minidl.Tensor(np.random.default_rng(seed + 1).standard_normal(weight.shape).astype(np.float32))
        rule.step()
        moves.append(rule.real["weight"] - weight)
    factor = np.sqrt(9 * (4 + 2) / 1.5)
    np.testing.assert_allclose(moves[1], factor * moves[0], atol=1e-6)  # float32 weights of 0.2: 2**-26 each way


@given(seeds)
def test_bc_keeps_its_sums_on_the_accumulators_grid_without_bias(seed):
    fine = FixedPoint(8, 6)
    weight = nn.Parameter(np.zeros((20_000, 1, 1, 1), np.float32))
    rule = BinaryConnect(optim.SGD([("weight", weight)], lr=1), Binary(), seed=seed, accumulator=fine)
    for _ in range(4):
        weight.grad = minidl.Tensor(np.full(weight.shape, -0.003, np.float32))
        rule.step()
    real = rule.real["weight"]
    np.testing.assert_array_equal(fine.round_nearest(real), real)
    assert rule._real["weight"].held.nbytes == 20_000
    # four draws of variance at most Δ·0.003 each (Lemma 1); 6 standard errors and the 2**-17 of each rounding
    assert abs(real.mean() - 0.012) <= 6 * np.sqrt(4 * 0.003 / 64 / 20_000) + 4 * 2**-17 / 64


@given(seeds, st.floats(0.05, 1), st.sampled_from([1e-3, 0.1, 1.0]))
def test_bop_flips_what_the_mean_gradient_has_pushed_beyond_the_threshold(seed, gamma, threshold):
    """Against the two lines of the definition, over several steps, with γ following the rate."""
    rng = np.random.default_rng(seed)
    w = rng.choice([-1.0, 1.0], (5, 2, 2, 3)).astype(np.float32)
    mean, parameter = np.zeros_like(w), nn.Parameter(w.copy())
    rule = Bop(optim.SGD([("weight", parameter)], lr=0.5), gamma=gamma, threshold=threshold)
    for step in range(6):
        rule.lr = 0.5 if step < 3 else 0.05
        grad = rng.standard_normal(w.shape).astype(np.float32)
        mean += gamma * rule.lr / 0.5 * (grad - mean)
        w = np.where((np.sign(mean) == np.sign(w)) & (np.abs(mean) > threshold), -w, w)
        parameter.grad = minidl.Tensor(grad)
        rule.step()
        np.testing.assert_array_equal(parameter.data, w)


def test_bop_leaves_the_inner_optimizer_no_memory_of_its_weights():
    model = network()
    rule = Bop(optim.Adam(model.named_parameters(), lr=0.01))
    assert not any(name.endswith(tuple(rule.quantized)) for name in rule.optimizer.state)
    assert "mean/layers.4.weight" in rule.optimizer.state


def test_the_rate_and_gradients_are_those_of_the_optimizer():
    model, rule = make("sr")
    rule.lr = 0.5
    assert rule.optimizer.lr == rule.lr == 0.5
    train_steps(model, rule, 1)
    rule.zero_grad()
    assert all(p.grad is None for p in model.parameters())
    assert "Adam(lr=0.5" in repr(rule)
    assert "seed=5" in repr(rule)


@pytest.mark.parametrize("rule", ["sr", "bc"])
def test_gradients_and_momentum_of_few_bits_are_rounded_in_the_order_that_is_documented(rule):
    """By hand: round the gradient, let SGD move weight and momentum, round the momentum, round the weight."""
    format, state, lr = FixedPoint(8, 4), FixedPoint(8, 3), 0.25
    start = np.random.default_rng(0).standard_normal((3, 3, 3, 2)).astype(np.float32)
    parameter = nn.Parameter(start.copy())
    sgd = optim.SGD([("weight", parameter)], lr=lr, momentum=0.5)
    wrapped = RULES[rule](FewBits(sgd, gradient=format, state=state, seed=9), FixedPoint(8, 5))
    real = wrapped.real["weight"].copy() if rule == "bc" else parameter.data.copy()
    velocity = np.zeros_like(start)
    for step in range(1, 5):
        grad = np.random.default_rng(step).standard_normal(start.shape).astype(np.float32)
        parameter.grad = minidl.Tensor(grad)
        wrapped.step()
        velocity = 0.5 * velocity + format.round_stochastic(grad, 9, "gradient/weight", step)
        real = real - np.float32(lr) * velocity
        velocity = state.round_stochastic(velocity, 9, "momentum/weight", step)
        np.testing.assert_array_equal(sgd.state["momentum/weight"], velocity)
        if rule == "bc":
            real = real.clip(*FixedPoint(8, 5).ends)
            np.testing.assert_array_equal(wrapped.real["weight"], real)
        else:
            key = draw_key(5, "weight", step)
            real = FixedPoint(8, 5).decode(FixedPoint(8, 5).encode_stochastic(real, key).codes)
            np.testing.assert_array_equal(parameter.data, real)


def test_few_bits_without_formats_is_the_optimizer_itself_and_resumes():
    results = []
    for wrap in (lambda o: o, FewBits):
        model = network()
        optimizer = wrap(optim.Adam(model.named_parameters(), lr=0.01))
        train_steps(model, optimizer, 3)
        results.append(bits(model, optimizer))
    assert results[0] == results[1]

    def build():
        model = network()
        few = FewBits(OPTIMIZERS["nesterov"](model.named_parameters()), BlockFloat(6), BlockFloat(8), seed=2)
        return model, StochasticRounding(few, Binary())

    (model, whole), (first_model, first), (second_model, second) = build(), build(), build()
    train_steps(model, whole, 4)
    train_steps(first_model, first, 2)
    second_model.load_state_dict(first_model.state_dict())
    second.load_state_dict(first.state_dict())
    train_steps(second_model, second, 2, first=2)
    assert bits(second_model, second) == bits(model, whole)


# --- Degenerate input -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rule", RULES)
def test_a_nan_gradient_is_an_error_that_names_the_weight_and_leaves_it_on_the_grid(rule):
    model, rule = make(rule, optimizer="sgd")
    before = model.state_dict()
    for parameter in rule.quantized.values():
        parameter.grad = minidl.Tensor(np.full(parameter.shape, np.nan, np.float32))
    with pytest.raises(TrainingError, match=r"layers\.0\.weight in step 1: .* NaN, expected numbers"):
        rule.step()
    for name in rule.quantized:
        np.testing.assert_array_equal(model.state_dict()[name], before[name])


@pytest.mark.parametrize("rule", ["r", "sr", "bc"])
def test_an_infinite_gradient_and_a_huge_rate_saturate_and_are_counted(rule):
    for grad, lr in ((np.inf, 0.1), (1.0, 1e30)):
        weight, wrapped = one_weight(lambda o: RULES[rule](o, FixedPoint(4, 2)), [0.5, -0.25, 1.0], grad, lr)
        assert (weight.data == -2).all()
        assert wrapped.saturated["weight"] == 3


def test_bop_refuses_an_infinite_gradient_which_its_mean_would_never_forget():
    with pytest.raises(TrainingError, match="weight in step 1: its gradient holds infinities"):
        one_weight(Bop, [1.0, -1.0], np.inf, 0.1)


def test_mistakes_get_one_clear_sentence():
    linear = nn.Linear(2, 2)
    with pytest.raises(ValueError, match="found no weight to quantize"):
        Rounding(optim.SGD(linear.named_parameters(), lr=0.1), Binary())
    with pytest.raises(ValueError, match="generator='dice', expected 'hash' or 'philox'"):
        StochasticRounding(optim.SGD(network().named_parameters(), lr=0.1), Binary(), generator="dice")
    with pytest.raises(ValueError, match="clip=-1"):
        BinaryConnect(optim.SGD(network().named_parameters(), lr=0.1), Binary(), clip=-1)
    for follows in (Binary(per_filter=True), BlockFloat(8)):
        with pytest.raises(ValueError, match=r"pass clip=1\.0"):
            BinaryConnect(optim.SGD(network().named_parameters(), lr=0.1), follows)
    _, adam = make("bc")
    _, sgd = make("bc", optimizer="sgd")
    with pytest.raises(ValueError, match="missing"):
        adam.load_state_dict(sgd.state_dict())
    sgd = optim.SGD(network().named_parameters(), lr=0.1)
    for quantizer in (FixedPoint(8, 4), Binary(per_filter=True)):
        with pytest.raises(ValueError, match="expected Binary"):
            Bop(sgd, quantizer)
    with pytest.raises(ValueError, match="gamma=2"):
        Bop(sgd, gamma=2)
    everything = Rounding(optim.SGD(linear.named_parameters(), lr=0.1), Binary(), which=lambda name, p: p.ndim == 2)
    assert list(everything.quantized) == ["weight"]
