"""What `train` does and yields, what it refuses, and how it stops."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tiny_runs import images, net, same

from minidl import Tensor, nn, ops
from minidl.data import Dataset, batches
from minidl.optim import SGD, Adam, MultiStep
from minidl.training import Epoch, TrainingError, evaluate, train


def test_learns_and_reports():
    model, dataset, held_out = net(), images(300), images(400).subset(range(300, 400))
    records = list(train(model, dataset, epochs=6, batch_size=32, lr=0.05, validation=held_out))
    assert [r.epoch for r in records] == [1, 2, 3, 4, 5, 6]
    assert records[-1].loss < 0.7 * records[0].loss and records[-1].accuracy > records[0].accuracy
    after = evaluate(model, held_out)
    assert (records[-1].validation_loss, records[-1].validation_accuracy) == (after.loss, after.accuracy)
    assert all(r.seconds > 0 and r.lr == 0.05 for r in records)


def test_an_epoch_is_the_loop_one_would_write():
    dataset = images(50)
    model, own = net(), net()
    (record,) = train(model, dataset, epochs=1, batch_size=16, lr=0.1, label_smoothing=0.1, seed=3, augment=True)
    trained = model.state_dict()

    own = net()  # which also restarts the generator that dropout draws from
    from minidl.data import CropFlip

    optimizer = SGD(own.named_parameters(), 0.1, momentum=0.9, nesterov=True, weight_decay=1e-4)
    losses, right = 0.0, 0
    for x, labels in batches(dataset, 16, seed=3, epoch=0, augment=CropFlip()):
        logits = own(Tensor(x))
        loss = ops.cross_entropy(logits, labels, 0.1)
        own.zero_grad()
        loss.backward()
        optimizer.step()
        losses += loss.item() * len(labels)
        right += int((logits.numpy().argmax(1) == labels).sum())
    assert same(trained, own.state_dict())
    assert (record.loss, record.accuracy) == (losses / 50, right / 50)


def test_the_schedule_sets_the_rate_of_every_step_and_the_optimizer_gets_its_own_back():
    rates = []
    model = net()
    optimizer = SGD(model.named_parameters(), lr=0.7)
    schedule = MultiStep(0.1, (0.5, 1))
    records = train(
        model, images(40), epochs=2, batch_size=10, optimizer=optimizer, schedule=schedule,
        on_step=lambda step, _: rates.append((step, optimizer.lr)),
    )  # fmt: skip
    assert [r.lr for r in records] == [schedule(0.75), schedule(1.75)]
    assert rates == [(i + 1, schedule(i / 4)) for i in range(8)]
    assert optimizer.lr == 0.7


def test_without_a_schedule_the_rate_is_the_optimizers_own():
    model = net()
    (record,) = train(model, images(20), epochs=1, optimizer=Adam(model.named_parameters(), lr=0.003))
    assert record.lr == 0.003


def test_gradients_are_there_for_the_hook_and_gone_afterwards():
    seen = []
    model = net()

    def on_step(step, network):
        seen.append((step, all(p.grad is not None for p in network.parameters())))

    list(train(model, images(30), epochs=1, batch_size=10, on_step=on_step))
    assert seen == [(1, True), (2, True), (3, True)]
    assert all(p.grad is None for p in model.parameters())


def test_any_object_that_steps_will_do():
    class Still:
        lr = 0.5
        steps = 0

        def step(self):
            self.steps += 1

        def state_dict(self):
            return {}

        def load_state_dict(self, state): ...

    model, optimizer = net(), Still()
    weights = [p.data.copy() for p in model.parameters()]
    list(train(model, images(30), epochs=2, batch_size=10, optimizer=optimizer))
    assert optimizer.steps == 6
    assert all(np.array_equal(a, p.data) for a, p in zip(weights, model.parameters(), strict=True))


@given(st.integers(2, 40), st.integers(2, 16))
def test_every_image_is_seen_but_for_a_last_batch_of_one(n, batch_size):
    seen = []

    class Watching(nn.Module):
        def __init__(self):
            self.norm = nn.BatchNorm1d(49)  # refuses a batch of one
            self.linear = nn.Linear(49, 10, rng=0)

        def forward(self, x):
            if self.training:
                seen.append(len(x))
            return self.linear(self.norm(ops.flatten(x)))

    list(train(Watching(), images(n), epochs=1, batch_size=batch_size))
    assert sum(seen) == n - (n % batch_size == 1)


def test_yields_lazily_and_stops_anywhere():
    model = net()
    loop = train(model, images(40), epochs=1000, batch_size=20)
    before = model.state_dict()
    assert next(loop).epoch == 1 and next(loop).epoch == 2
    loop.close()
    assert not same(before, model.state_dict())


def test_ctrl_c_comes_through():
    model = net()

    def interrupt(step, _):
        if step == 3:
            raise KeyboardInterrupt

    optimizer = SGD(model.named_parameters(), lr=0.7)
    with pytest.raises(KeyboardInterrupt):
        list(train(model, images(40), epochs=5, batch_size=10, optimizer=optimizer, lr=0.1, on_step=interrupt))
    assert optimizer.lr == 0.7 and all(p.grad is None for p in model.parameters())


def test_a_float64_network_stays_float64():
    model = nn.Sequential(nn.Flatten(), nn.Linear(49, 10, rng=0))
    for p in model.parameters():
        p.data = p.data.astype(np.float64)
    list(train(model, images(20), epochs=1))
    assert all(p.dtype == np.float64 for p in model.parameters())


def test_the_same_seed_gives_the_same_bits_and_another_does_not():
    states = []
    for seed in (0, 0, 1):
        model = net()
        list(train(model, images(40), epochs=2, batch_size=16, seed=seed, augment=True))
        states.append(model.state_dict())
    assert same(states[0], states[1]) and not same(states[0], states[2])


# -- what is refused -------------------------------------------------------------------------------------------


def refused(error, words, model, dataset, **settings):
    before = model.state_dict()
    with pytest.raises(error, match=words) as caught:
        train(model, dataset, **{"epochs": 1, **settings})  # at once, without asking for an epoch
    assert "\n" not in str(caught.value)
    assert same(before, model.state_dict())


def test_labels_out_of_range():
    few = nn.Sequential(nn.Flatten(), nn.Linear(49, 5, rng=0))
    refused(ValueError, "labels of fashion-mnist-mini run up to 9, expected at most 4", few, images(30))


def test_images_of_another_shape():
    wrong = Dataset(np.zeros((4, 9, 9, 3), np.uint8), np.arange(4), name="photos", mean=np.ones(3), std=np.ones(3))
    refused(ValueError, r"images \(9, 9, 3\) of photos do not fit the network", net(), wrong)
    refused(ValueError, "photos do not fit", net(), images(30), validation=wrong)


def test_a_network_without_scores():
    refused(ValueError, "expected \\(1, K\\)", nn.Sequential(nn.ReLU()), images(30))


@pytest.mark.parametrize("setting", [{"epochs": -1}, {"batch_size": 0}, {"label_smoothing": 1.0}])
def test_impossible_numbers(setting):
    refused(ValueError, "train got", net(), images(30), **setting)


def test_a_trajectory_without_a_folder():
    refused(ValueError, "run=FOLDER", net(), images(30), record_trajectory=True)


# -- divergence ------------------------------------------------------------------------------------------------


def test_a_loss_that_is_not_finite_stops_with_one_sentence(recwarn):
    with pytest.raises(TrainingError, match=r"loss is (nan|inf).*epoch \d+ at rate 1e\+30.*lower the rate") as caught:
        list(train(net(), images(60), epochs=9, batch_size=10, lr=1e30))
    assert "\n" not in str(caught.value) and not recwarn.list


def test_a_weight_that_is_not_finite_stops_even_after_the_last_step():
    model = net()

    def poison(step, network):
        if step == 4:  # the last of epoch 2
            network[5].weight.data[0, 0] = np.inf

    records = []
    with pytest.raises(TrainingError, match=r"weight is infinite or NaN in epoch 2"):
        records.extend(train(model, images(20), epochs=2, batch_size=10, on_step=poison))


def test_records_are_plain_values():
    (record,) = train(net(), images(20), epochs=1)
    assert record == Epoch(1, 0.1, record.loss, record.accuracy, None, None, record.seconds)
    assert math.isfinite(record.loss) and 0 <= record.accuracy <= 1


# -- the bar ---------------------------------------------------------------------------------------------------


def test_the_bar_is_shown_if_asked_and_not_where_nobody_looks(capsys):
    list(train(net(), images(20), epochs=2, batch_size=10))
    assert capsys.readouterr().err == ""
    list(train(net(), images(20), epochs=2, batch_size=10, progress=True))
    assert "4/4" in capsys.readouterr().err
