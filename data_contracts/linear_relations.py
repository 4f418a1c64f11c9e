"""Equations and orderings between columns of numbers that hold in all rows of a sample."""

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
from scipy.linalg import qr, solve_triangular

from data_contracts.contract import Comparison, Sum

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float64]
BoolArray = npt.NDArray[np.bool_]

NEGLIGIBLE = 40.0
"""What holds by chance in e^-40 of tables was no chance, however many pairs were looked at."""
FEWEST_DIFFERENT = 30
"""Units in which a column must differ from its commonest value to take part in a rule."""
DEPENDENT = 1e-9
"""A column of which less than this share is left over is a sum of others."""
NEARLY_DEPENDENT = 1e-5
"""One of which less is left over is a sum that was rounded, such as shares that make up 100 %."""
LARGEST = 1e150
"""Squares of numbers up to here, and their sums, are finite."""
ROUNDED = 1e-6
MOST_PATTERNS = 12
"""Sets of columns that are present together, the largest first."""
MOST_ORDERINGS = 200
MOST_TERMS = 12
_SCREENED, _COMPARED = 200, 2000
Written = Comparison | Sum


def find_equations(numbers: FloatArray, names: Sequence[str], units: int) -> list[Written]:
    """Columns that are equal, or of which some add up to another or to a number.

    `numbers` `(rows, columns)` are NaN where missing. Whatever linear relation there is shows as a
    lack of rank, so that no pairs or triples are tried: a QR factorisation with pivoting names the
    columns that are sums of others (Golub and Van Loan, Matrix Computations, 5.4). Only relations
    whose factors are 1 and -1 count.
    """
    present = ~np.isnan(numbers)
    varied = varied_columns(numbers, units)
    found: dict[frozenset[str], Written] = {}
    for columns, rows in _patterns(present, varied):
        for dependent, factors, constant in _dependencies(numbers[np.ix_(rows, columns)]):
            terms = [(names[columns[at]], factor) for at, factor in factors]
            rule = _equation(names[columns[dependent]], terms, constant)
            found.setdefault(frozenset(rule.columns), rule)
    return list(found.values())


def varied_columns(numbers: FloatArray, units: int) -> BoolArray:
    """Which columns `(columns,)` differ from their commonest value in enough units."""
    present = ~np.isnan(numbers)
    share = units / len(numbers)
    varied = np.zeros(numbers.shape[1], dtype=np.bool_)
    for column in range(numbers.shape[1]):
        known = numbers[present[:, column], column]
        if len(known) and float(np.abs(known).max()) <= LARGEST:
            most = np.unique(known, return_counts=True)[1].max()
            varied[column] = (len(known) - most) * share >= FEWEST_DIFFERENT
    return varied


def _patterns(present: BoolArray, varied: BoolArray) -> Iterator[tuple[IntArray, IntArray]]:
    """Columns that are present together, and rows in which all of them are, enough of both."""
    # Columns that are present in the same rows have the same sum of weights of these rows.
    weights = np.random.default_rng(0).random(len(present))
    candidates = np.flatnonzero(varied)
    firsts = np.unique(weights @ present[:, candidates], return_index=True)[1]
    seen = set()
    for column in sorted(candidates[firsts], key=lambda one: -int(present[:, one].sum()))[
        :MOST_PATTERNS
    ]:
        rows = present[:, column]
        columns = np.flatnonzero(varied & (present[rows].mean(0) >= 0.98))
        whole = np.flatnonzero(rows & present[:, columns].all(1))
        wanted = 500 + 4 * len(columns)
        if len(columns) < 2 or len(whole) < 200 + 2 * len(columns) or tuple(columns) in seen:
            continue
        seen.add(tuple(columns))
        yield columns, whole[np.linspace(0, len(whole) - 1, min(wanted, len(whole)), dtype=int)]


def _dependencies(
    numbers: FloatArray,
) -> Iterator[tuple[int, list[tuple[int, int]], float]]:
    """Columns that are sums of others: which, the others with their signs, and what is added."""
    middle, spread = numbers.mean(0), numbers.std(0)
    moving = np.flatnonzero(spread > 0)
    if len(moving) < 2:
        return
    scaled = (numbers[:, moving] - middle[moving]) / spread[moving]
    _, triangle, order = qr(scaled, mode="economic", pivoting=True)
    sizes = np.abs(np.diag(triangle))
    rank = int((sizes > DEPENDENT * sizes[0]).sum())
    if rank == len(moving):
        return
    # What is left of a rounded sum is noise: sums told by it would have factors of noise.
    clear = int((sizes[:rank] > NEARLY_DEPENDENT * sizes[0]).sum())
    factors = solve_triangular(triangle[:clear, :clear], triangle[:clear, rank:])
    missed = np.abs(triangle[clear:rank, rank:]).max(axis=0, initial=0)
    basis = moving[order[:clear]]
    for place, dependent in enumerate(moving[order[rank:]]):
        if missed[place] > DEPENDENT * sizes[0]:
            continue
        plain = factors[:, place] * spread[dependent] / spread[basis]
        used = np.flatnonzero(np.abs(plain) > ROUNDED)
        signs = np.rint(plain[used])
        if len(used) > MOST_TERMS or bool((np.abs(signs) != 1).any()):
            continue
        if float(np.abs(plain[used] - signs).max(initial=0)) > ROUNDED:
            continue
        added = float(middle[dependent] - (signs * middle[basis[used]]).sum())
        largest = float(np.abs(numbers[:, [dependent, *basis[used]]]).max())
        added = 0.0 if abs(added) < ROUNDED * max(largest, 1.0) else float(f"{added:.9g}")
        terms = sorted((int(basis[at]), int(plain[at] > 0) * 2 - 1) for at in used)
        yield int(dependent), terms, added


def _equation(dependent: str, terms: list[tuple[str, int]], constant: float) -> Written:
    """`dependent` equals the signed terms and the constant, as a rule."""
    if not constant and len(terms) == 1 and terms[0][1] > 0:
        return Comparison(left=terms[0][0], operator="==", right=dependent)
    # A positive column first, and one on the other side where nothing is added.
    total: str | float = dependent
    if constant or len(terms) == 1:
        terms = [(dependent, 1), *((name, -sign) for name, sign in terms)]
        total = int(constant) if constant == int(constant) else constant
    elif all(sign < 0 for _, sign in terms):
        terms = [(dependent, 1), *((name, 1) for name, _ in terms)]
        total = 0
    written = [{"column": name, "sign": sign} for name, sign in sorted(terms, key=lambda t: -t[1])]
    return Sum.model_validate({"terms": written, "total": total})


def find_orderings(numbers: FloatArray, names: Sequence[str], units: int) -> list[Comparison]:
    """Pairs of columns of which one is never above the other, where that says something.

    It says nothing where the ranges hardly overlap: the chance that so many units keep it, if the
    columns were independent, has to be negligible. What follows from two others is left out.
    """
    holds = _never_above(numbers[:: max(1, len(numbers) // _SCREENED)])
    with np.errstate(invalid="ignore"):
        low, high = np.nanmin(numbers, axis=0), np.nanmax(numbers, axis=0)
    holds &= high[:, None] > low[None, :]
    columns = np.ascontiguousarray(numbers.T)
    step = max(1, len(numbers) // _COMPARED)
    ranked = [np.sort(column[::step][~np.isnan(column[::step])]) for column in columns]
    evidence = np.zeros(holds.shape)
    for one, other in np.argwhere(holds):
        chance = _chance_of_above(ranked[one], ranked[other])
        if units * chance < NEGLIGIBLE:
            continue
        left, right = columns[one], columns[other]
        if not bool((left > right).any()) and bool((left < right).any()):
            both = np.count_nonzero(~(np.isnan(left) | np.isnan(right)))
            evidence[one, other] = both / len(numbers) * units * chance
    kept = evidence >= NEGLIGIBLE
    # Equal columns of which one is sometimes missing aside, orderings have no circles.
    through = (kept.astype(np.int64) @ kept.astype(np.int64)) > 0
    pairs = np.argwhere(kept & ~(through & ~kept.T)).tolist()
    pairs.sort(key=lambda pair: -evidence[pair[0], pair[1]])
    return [
        Comparison(left=names[one], operator="<=", right=names[other])
        for one, other in pairs[:MOST_ORDERINGS]
    ]


def _never_above(numbers: FloatArray) -> BoolArray:
    """Of each pair of columns, whether the first is never above the second."""
    holds = ~np.eye(numbers.shape[1], dtype=np.bool_)
    for row in numbers:
        holds &= ~(row[:, None] > row[None, :])
    return holds


def _chance_of_above(left: FloatArray, right: FloatArray) -> float:
    """How often a value of one column is above one of another row of the other; both sorted."""
    if not len(left) or not len(right):
        return 0.0
    return float(np.searchsorted(right, left, side="left").mean() / len(right))
