"""Dependence that no two or three examples show: products of many signs that are no fair coins,
bits that others determine, and sums that are too even."""

from collections.abc import Sequence

import numpy as np
from scipy.special import bdtr

# Sums of a sign that has the values -1, 0 and 1, without it and with it.
OF_PRODUCTS = np.array([[1.0, 1.0, 1.0], [-1.0, 0.0, 1.0]])
SPARE_ROWS = 60  # rows beyond columns, with which random bits lack a rank by chance in 2^-60


def windows(signs: np.ndarray, length: int, stride: int = 1) -> list[np.ndarray]:
    """The signs of all windows of so many entries, `stride` apart: an array for each place of the
    window, (rows, windows).

    signs: (rows, n), with n > (length - 1) * stride.
    """
    count = signs.shape[1] - (length - 1) * stride
    return [signs[:, i * stride : i * stride + count] for i in range(length)]


def sums_of_products(signs: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """The sums of the products of every subset of some signs, and of their squares, (2^w,) each.

    signs: w <= 9 arrays of one shape with entries -1, 0 and 1, over which is summed. A subset has
        the number sum_i b_i 2^i, where b_i says whether sign i is in it.
    """
    code = np.full(signs[0].shape, (3 ** len(signs) - 1) // 2, dtype=np.int16)
    for place, sign in enumerate(signs):
        code += np.int16(3 ** (len(signs) - 1 - place)) * sign.astype(np.int16)
    counts = np.bincount(code.ravel(), minlength=3 ** len(signs)).astype(float)
    found = []
    for of_sign in (OF_PRODUCTS, np.abs(OF_PRODUCTS)):
        table = counts
        for _ in signs:  # puts the first axis behind the others, which keeps their order in the end
            table = (of_sign @ table.reshape(3, -1)).T.ravel()
        found.append(table.reshape((2,) * len(signs)).T.ravel())
    return found[0], found[1]


def subsets(size: int) -> np.ndarray:
    """Which of so many elements each subset has, in the order of its number: booleans (2^size,
    size)."""
    return (np.arange(2**size)[:, None] >> np.arange(size)) % 2 == 1


def rank_of_bits(rows: Sequence[int]) -> int:
    """The rank modulo 2 of a table whose rows are whole numbers in binary."""
    basis: dict[int, int] = {}
    for row in rows:
        while row:
            other = basis.setdefault(row.bit_length(), row)
            if other is row:
                break
            row ^= other
    return len(basis)


def rows_needed(columns: int) -> int:
    """Rows with which so many independent bits look determined with probability 2^-SPARE_ROWS."""
    return columns + 1 + SPARE_ROWS


def a_bit_is_determined(bits: np.ndarray) -> bool:
    """Whether some bit of every row is the same sum modulo 2 of others and a constant.

    bits: booleans (rows, columns), of at least `rows_needed` rows. If they are independent and
        fair, a given sum of them is constant in r rows with probability 2^(1 - r), and some of the
        2^columns sums is with 2^(columns + 1 - r). Bits of which some are a little dependent change
        this little, as most sums have fair bits in them.
    """
    columns = bits.shape[1]
    with_one = np.ones((rows_needed(columns), columns + 1), dtype=bool)
    with_one[:, 1:] = bits[: len(with_one)]
    packed = np.packbits(with_one, axis=1)
    return rank_of_bits([int.from_bytes(row.tobytes()) for row in packed]) <= columns


def evenness(signs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How much too close to 0, and how much too far from it, sums of signs are: -log of the
    probability that a sum of so many fair signs is as close, or as far, added up over draws.

    signs: entries -1, 0 and 1, (draws, n, kinds); both results have the shape (kinds,).
    """
    N = np.abs(signs).sum(axis=1)
    fewer = (N - np.abs(signs.sum(axis=1))) // 2  # signs of the rarer kind
    # With B ~ Bin(N, 1/2) fair signs of one kind: min(B, N - B) <= fewer, and < fewer.
    as_far = np.minimum(2 * bdtr(fewer, N.astype(int), 0.5), 1.0)
    farther = np.where(fewer >= 1, 2 * bdtr(np.maximum(fewer - 1, 0), N.astype(int), 0.5), 0.0)
    return -np.log(1 - farther).sum(axis=0), -np.log(as_far).sum(axis=0)
