"""Products of many signs, their rank and their sums, against enumeration."""

from itertools import product

import numpy as np
import pytest

from theory_checks.experiments.parities import (
    SPARE_ROWS,
    a_bit_is_determined,
    evenness,
    rank_of_bits,
    rows_needed,
    subsets,
    sums_of_products,
    windows,
)


def test_windows_are_slices() -> None:
    signs = np.arange(24).reshape(2, 12)
    found = np.stack(windows(signs, 3, stride=4), axis=-1)
    for row, i in product(range(2), range(4)):
        assert found[row, i].tolist() == [signs[row, i + 4 * place] for place in range(3)]
    assert found.shape == (2, 4, 3)


@pytest.mark.parametrize("size", [1, 2, 5, 9])
def test_sums_of_products_by_loops(size: int) -> None:
    signs = np.random.default_rng(size).choice(np.array([-1, 0, 1], np.int8), size=(size, 4, 6))
    sums, squares = sums_of_products(list(signs))
    for number, chosen in enumerate(subsets(size)):
        assert number == sum(2**i for i in range(size) if chosen[i])
        products = signs[chosen].astype(float).prod(axis=0)
        assert sums[number] == products.sum()
        assert squares[number] == (products**2).sum()


def test_the_rank_is_that_of_all_sums() -> None:
    """2^rank different sums of rows."""
    generator = np.random.default_rng(0)
    for _ in range(30):
        rows = generator.integers(0, 2**5, size=4).tolist()
        sums = {0}
        for row in rows:
            sums |= {other ^ row for other in sums}
        assert 2 ** rank_of_bits(rows) == len(sums)


def test_a_bit_that_others_determine_is_found() -> None:
    columns = 40
    bits = np.random.default_rng(1).integers(0, 2, size=(rows_needed(columns), columns)) == 1
    assert rows_needed(columns) == columns + 1 + SPARE_ROWS
    assert not a_bit_is_determined(bits)
    for determined in (bits[:, 3] ^ bits[:, 17] ^ bits[:, 20], ~bits[:, 1], np.ones(len(bits))):
        changed = bits.copy()
        changed[:, 30] = determined
        assert a_bit_is_determined(changed)
        changed[0, 30] ^= True  # always, but once
        assert not a_bit_is_determined(changed)


def test_evenness_by_enumeration() -> None:
    """P(abs(S) <= s) and P(abs(S) >= s) for s = abs(y_1 + ... + y_n), without the zeros."""
    for signs in ([1], [1, -1], [1, 1, -1, 0], [1, 1, 1, -1, -1], [0, 0], [1] * 6):
        n, s = int(np.abs(signs).sum()), abs(sum(signs))
        sums = np.array([abs(sum(other)) for other in product((-1, 1), repeat=n)])
        close, far = evenness(np.array(signs, dtype=float).reshape(1, -1, 1))
        assert np.exp(-close) == pytest.approx((sums <= s).mean())
        assert np.exp(-far) == pytest.approx((sums >= s).mean())


def test_evenness_adds_up_over_draws_and_keeps_kinds_apart() -> None:
    signs = np.random.default_rng(2).choice([-1.0, 1.0], size=(3, 8, 2))
    close, far = evenness(signs)
    parts = [evenness(signs[[draw]][..., [1]]) for draw in range(3)]
    assert close[1] == pytest.approx(sum(part[0][0] for part in parts))
    assert far[1] == pytest.approx(sum(part[1][0] for part in parts))
