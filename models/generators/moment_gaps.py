"""Gaps between real and made rows that a generator closes directly, beside what a critic says."""

from torch import Tensor

DEGREE = 4
"""Tables of up to so many codes are compared."""


def mean_gap(real: Tensor, made: Tensor) -> Tensor:
    """The squared distance between the means of two sets of features `(rows, features)`.

    Without bias: one half of the rows is multiplied by the other. A plain square of means of few
    rows could be made smaller by making all rows alike (feature matching, Salimans et al. 2016).
    At least two rows.
    """
    half = len(real) // 2
    apart = real - made
    gap: Tensor = (apart[:half].mean(0) * apart[half : 2 * half].mean(0)).sum()
    return gap


def table_gap(real: Tensor, made: Tensor) -> Tensor:
    """How far apart the contingency tables of up to DEGREE codes are, over all such sets of codes.

    Rows `(rows, columns)` are scaled so that the product of a row with itself is about 1. The
    maximum mean discrepancy (Gretton et al. 2012) under the kernel (1/2 + xy/2)^DEGREE: such a
    power of a product of one-hot rows counts the sets of codes in which two rows agree. Without
    bias as `mean_gap`; at least two rows.
    """
    half = len(real) // 2
    first, second = slice(half), slice(half, 2 * half)

    def alike(one: Tensor, other: Tensor) -> Tensor:
        kernel: Tensor = (0.5 + 0.5 * one @ other.t()).pow(DEGREE).mean()
        return kernel

    within = alike(real[first], real[second]) + alike(made[first], made[second])
    return within - alike(real[first], made[second]) - alike(made[first], real[second])
