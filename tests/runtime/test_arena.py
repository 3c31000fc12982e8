"""A layout gives every value room of its own as long as it is needed, and little more memory than the busiest step."""

from hypothesis import given
from hypothesis import strategies as st

from minidl.runtime.arena import ALIGNMENT, Life, layout


@st.composite
def lives(draw):
    first, length = draw(st.integers(0, 20)), draw(st.integers(0, 6))
    return Life(draw(st.integers(0, 1000)), first, first + length)


def rounded(life):
    return -(-life.size // ALIGNMENT) * ALIGNMENT


@given(st.lists(lives(), max_size=30))
def test_values_needed_at_once_do_not_overlap(drawn):
    offsets, size = layout(drawn)
    for i, a in enumerate(drawn):
        assert offsets[i] % ALIGNMENT == 0 and offsets[i] + a.size <= size
        for j, b in enumerate(drawn[:i]):
            if a.meets(b):
                assert offsets[i] + a.size <= offsets[j] or offsets[j] + b.size <= offsets[i]
    busiest = max((sum(rounded(a) for a in drawn if a.first <= step <= a.last) for step in range(30)), default=0)
    assert busiest <= size <= sum(map(rounded, drawn))


@given(st.lists(st.integers(1, 1000), min_size=1, max_size=30))
def test_a_chain_needs_no_more_than_its_two_largest_neighbours(sizes):
    chain = [Life(size, i, i + 1) for i, size in enumerate(sizes)]
    most = max(rounded(a) + rounded(b) for a, b in zip(chain, [*chain[1:], Life(0, 99, 99)], strict=True))
    assert layout(chain)[1] <= most + max(map(rounded, chain))  # first fit may leave one gap
