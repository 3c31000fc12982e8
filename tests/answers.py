"""What a command answers: its JSON, or the one line about a mistake."""

import json

from minidl.cli import main


def answer(capsys, *args):
    """What the command says in JSON."""
    assert main([*map(str, args), "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def mistake(capsys, *args):
    """The one line that answers a mistake."""
    assert main([*map(str, args)]) == 2
    captured = capsys.readouterr()
    assert captured.out == "" and captured.err.count("\n") == 1
    return captured.err
