"""Stopping an experiment at any moment, and that it then goes on to the record of one that was never stopped."""

import pytest

from minidl.commands.plain import plain


class Stop(Exception):
    """The user has had enough."""


def until(count):
    """What was told so far, and an `advance` that stops the experiment when told so often; never for None."""
    done = []

    def advance(what):
        done.append(what)
        if len(done) == count:
            raise Stop

    return done, advance


def check_that_it_goes_on(chapter, settings, folder, counts, without_times):
    """Reproduce straight, and stopped after so many milestones each time (None: after the last)."""
    done, advance = until(None)
    straight = plain(chapter.reproduce(settings, folder / "straight", 3, advance))
    assert len(done) == chapter.milestones(settings) == len(set(done))
    for count in counts:
        with pytest.raises(Stop):
            chapter.reproduce(settings, folder / "stopped", 3, until(count or len(done))[1])
    stopped = plain(chapter.reproduce(settings, folder / "stopped", 3, until(None)[1]))
    again = plain(chapter.reproduce(settings, folder / "stopped", 3, until(None)[1]))
    assert again == stopped  # times too: nothing was trained or measured again
    assert without_times(stopped) == without_times(straight)
