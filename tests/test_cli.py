"""The command line as a new user meets it: what it prints, and one clear line with status 2 for every mistake."""

import json
import subprocess
import sys

import pytest

from minidl.cli import COMMANDS, main


def call(capsys, *args):
    status = main(args)
    out = capsys.readouterr()
    return status, out.out, out.err


def test_every_command_has_help(capsys):
    for name in COMMANDS:
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        assert "--seed" in capsys.readouterr().out


def test_listing_imports_no_command():
    code = (
        "import sys; sys.argv = ['minidl', '--help']\n"
        "from minidl.cli import main\n"
        "try: main()\nexcept SystemExit: pass\n"
        "print([m for m in sys.modules if m.startswith('minidl.commands.') or m in ('numba', 'matplotlib', 'scipy')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert out.splitlines()[-1] == "[]"


@pytest.mark.parametrize(
    ("name", "macs", "weights"),
    [
        ("vgg16", 313463808, 14977728),
        ("resnet56", 125485696, 848944),
        ("resnet110", 252887680, 1719856),
        ("resnet34", 3644493824, 21607616),
    ],
)
def test_cost_prints_the_papers_numbers(capsys, name, macs, weights):
    status, out, _ = call(capsys, "cost", name, "--json")
    record = json.loads(out)
    assert (status, record["macs"], record["weights"]) == (0, macs, weights)
    assert "multiply-accumulate" in record["convention"]


def test_data_list_and_show(capsys):
    assert "ships with minidl" in call(capsys, "data", "list")[1]
    record = json.loads(call(capsys, "data", "show", "fashion-mnist-mini", "--json")[1])
    assert record["counts"] == {"train": [600] * 10, "test": [100] * 10}


def test_doctor_says_what_each_fact_means(capsys):
    facts = json.loads(call(capsys, "doctor", "--json")[1])
    assert {"CPU", "threads", "kernels", "memory"} <= {fact["what"] for fact in facts}
    assert all(fact["meaning"] for fact in facts)


def test_train_runs_and_goes_on(capsys, tmp_path):
    args = ("train", "lenet5", "--epochs", "2", "--train-images", "300", "--run", str(tmp_path / "run"), "--json")
    first, again = (json.loads(call(capsys, *args)[1]) for _ in range(2))
    assert [epoch["epoch"] for epoch in first["epochs"]] == [1, 2]
    assert first["test"] == again["test"]  # the finished run is continued for no epoch at all
    assert call(capsys, *args[:3], "1", *args[4:])[0] == 2  # other settings in the same folder


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (("cost", "vgg61"), ["vgg61", "vgg16"]),
        (("cost", "vgg16", "--input", "32"), ["32", "height x width x channels"]),
        (("cost", "vgg16", "--input", "8x8x3"), ["8"]),
        (("data", "show"), ["no name", "minidl data list"]),
        (("data", "show", "imagenet"), ["imagenet", "cifar10"]),
        (("data", "show", "cifar10", "--data-dir", "nowhere"), ["cifar10", "minidl data fetch cifar10"]),
        (("train", "lenet5", "--lr", "1e6", "--train-images", "300"), ["nan", "lower the rate"]),
        (("train", "vgg16", "--epochs", "1"), ["28"]),
        (("train", "lenet5", "--epochs", "0"), ["0"]),
        (("train", "lenet5", "--threads", "0"), ["0", "1 or more"]),
    ],
)
def test_a_mistake_gets_one_clear_line(capsys, args, words):
    status, out, err = call(capsys, *args)
    assert status == 2
    assert out == ""
    message = err.strip().splitlines()[-1]
    assert message.startswith(f"minidl {args[0]}: ")
    assert all(word in message for word in words)
    assert "Traceback" not in err
