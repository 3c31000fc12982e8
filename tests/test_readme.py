"""The README's code runs as it stands, and its files exist (links are checked in test_walkthroughs.py)."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_example_runs(tmp_path, monkeypatch, capsys):
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code.replace("epochs=3", "epochs=1"), "README.md", "exec"), {})
    assert "Evaluation(loss=" in capsys.readouterr().out
    assert (tmp_path / "pruned.npz").exists()
