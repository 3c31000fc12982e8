"""`minidl export`: from a run to a program, beside the network, over nobody else's files."""

import json
import shutil
import subprocess

import numpy as np
import pytest
from c_programs import needs_cc

import minidl
from minidl import nn
from minidl.cli import main


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    arguments = ["train", "lenet5", "--epochs", "1", "--train-images", "100", "--run", str(folder)]
    assert main([*arguments, "--json"]) == 0
    return folder


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "a run")  # with a blank, which the shell must be told of


def call(capsys, *args):
    capsys.readouterr()
    status = main(["export", *map(str, args)])
    out = capsys.readouterr()
    return status, out.out, out.err


@needs_cc
def test_c_is_written_beside_the_network_and_its_last_line_compiles_and_runs_it(capsys, run):
    status, out, _ = call(capsys, run)
    assert status == 0
    lines = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert lines["weights"] == "250,960 bytes (flash)" and lines["memory"].startswith("23,552 bytes (RAM)")
    assert lines["MACs"] == "416,520 an image" and "mean 0.28691 and std 0.35378" in lines["pixels"]
    done = subprocess.run(lines["run"].replace("-O3", "-O1"), shell=True, capture_output=True, text=True)
    assert done.returncode == 0 and "wrong outputs 0 of 10" in done.stdout
    assert call(capsys, run)[0] == 0  # again, over its own files, beside the program that came of them


def test_json_tells_the_same(capsys, run, tmp_path):
    status, out, _ = call(capsys, run / "checkpoint.npz", "--out", tmp_path / "deep" / "c", "--json")
    record = json.loads(out)
    assert status == 0 and sorted(record["files"]) == sorted(map(str, (tmp_path / "deep" / "c").iterdir()))
    assert (record["weight_bytes"], record["memory_bytes"], record["macs"]) == (250960, 23552, 416520)


def test_onnx_is_written_beside_the_network(capsys, run):
    pytest.importorskip("onnx", reason="the package onnx is not installed")
    for _ in range(2):  # the second time over its own file
        status, out, _ = call(capsys, run, "--format", "onnx", "--json")
        assert status == 0 and json.loads(out)["files"] == [str(run / "network.onnx")]


def test_a_checkpoint_without_a_run_needs_the_size_of_its_images(capsys, tmp_path):
    minidl.save(tmp_path / "net.npz", nn.models.resnet(8, rng=0))
    status, _, err = call(capsys, tmp_path / "net.npz")
    assert status == 2 and "does not tell the size of its images, expected it in --input" in err
    assert call(capsys, tmp_path / "net.npz", "--input", "8x12x3")[0] == 0
    assert "#define NETWORK_INPUTS 288 " in (tmp_path / "c99" / "network.h").read_text()
    status, _, err = call(capsys, tmp_path / "net.npz", "--input", "8x12x1")
    assert status == 2 and "1 channels" in err


@pytest.mark.parametrize("name", ["main.c", "network.h", "notes.txt"])
def test_a_folder_with_files_of_somebody_else_is_refused(capsys, run, name):
    (run / "c99").mkdir()
    (run / "c99" / name).write_text("mine\n")
    status, out, err = call(capsys, run)
    assert (status, out) == (2, "") and len(err.splitlines()) == 1
    assert f"holds {name}, which minidl export did not write" in err
    assert [path.read_text() for path in (run / "c99").iterdir()] == ["mine\n"]


def test_a_file_of_somebody_else_is_refused(capsys, run):
    (run / "network.onnx").write_text("mine\n")
    status, _, err = call(capsys, run, "--format", "onnx")
    assert status == 2 and len(err.splitlines()) == 1 and "expected none there" in err
    assert (run / "network.onnx").read_text() == "mine\n"


def test_what_cannot_be_exported_is_one_sentence(capsys, tmp_path):
    model = nn.models.resnet(8, rng=0)
    model.linear.bias.data[3] = np.nan
    minidl.save(tmp_path / "net.npz", model)
    status, _, err = call(capsys, tmp_path / "net.npz", "--input", "8x8x3")
    assert status == 2 and err.startswith("minidl export: export found NaN or infinity in linear.bias")
    assert not list(tmp_path.glob("c99/*"))
