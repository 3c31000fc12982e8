"""The command line as a new user meets it: what it prints, and one clear line with status 2 for every mistake."""

import argparse
import json
import subprocess
import sys
from pathlib import Path

import pytest

from minidl.cli import COMMANDS, main
from minidl.commands.network import out_folder


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
        (("train", "lenet5", "--seed", "-1"), ["--seed -1", "0 or more"]),
        (("cost", "lenet5", "--seed", "-1"), ["--seed -1", "0 or more"]),
        (("bench", "lenet5", "--batch-size", "0"), ["--batch-size 0", "1 or more"]),
        (("bench", "lenet5", "--batch-size", "-4"), ["--batch-size -4", "1 or more"]),
        (("bench", "lenet5", "--repeats", "0"), ["--repeats 0", "1 or more"]),
        (("cost", "lenet5", "--classes", "-1"), ["--classes -1", "expected 1 to"]),
        (("cost", "lenet5", "--classes", "0"), ["--classes 0", "expected 1 to"]),
        (("cost", "lenet5", "--input", "²x2x1"), ["²x2x1", "height x width x channels"]),
        (("cost", "lenet5", "--input", "100000x100000x3"), ["100000x100000x3", "at most"]),
        (("data", "list", "foo"), ["foo", "expected none", "minidl data show foo"]),
        (("landscape", "run", "--x=-1:1:9999", "--y=-1:1:9999"), ["99,980,001 nodes", "at most 1,000,000"]),
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


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("axis", ["-1:1:1000000000000", "-1:1:10002", "-inf:inf:3", "nan:1:3", "1:-1:3", "0:1:1"])
def test_an_axis_is_checked_before_it_is_made(capsys, axis):
    with pytest.raises(SystemExit) as stop:
        main(["landscape", "run", f"--x={axis}"])
    assert stop.value.code == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert axis in message
    assert "COUNT from 2 to 10,001" in message


@pytest.mark.parametrize("inside", ["", "b", "b/c"])
def test_a_file_in_the_place_of_a_runs_folder(capsys, tmp_path, inside):
    (tmp_path / "afile").touch()
    status, _, err = call(capsys, "train", "lenet5", "--train-images", "300", "--run", str(tmp_path / "afile" / inside))
    assert status == 2
    assert err.strip() == f"minidl train: {tmp_path}/afile is a file, expected a folder for the run: choose another"


def test_a_folder_that_the_system_refuses(monkeypatch, tmp_path):
    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "mkdir", refuse)
    with pytest.raises(ValueError, match=r"new cannot be made \(Permission denied\), expected a folder for results"):
        out_folder(argparse.Namespace(target=tmp_path, out=tmp_path / "new"), "landscape")
