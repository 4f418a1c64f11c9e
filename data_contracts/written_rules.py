"""Row rules that an author writes: comparisons, sums, products, presence on a condition."""

from collections.abc import Callable
from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from data_contracts.record import Record

Scalar = bool | int | float | str


class Comparison(Record):
    """A row rule between two columns, or a column and a number: `left operator right`.

    Rows in which either side is missing keep the rule.
    """

    kind: Literal["comparison"] = "comparison"
    left: str
    operator: Literal["<", "<=", "==", "!=", ">=", ">"]
    right: str | float | int
    name: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.left, self.right) if isinstance(self.right, str) else (self.left,)

    @property
    def text(self) -> str:
        """The rule as a reader would write it."""
        return self.written(str)

    def written(self, quote: Callable[[str], str]) -> str:
        """The rule with each column as `quote` writes it."""
        right = quote(self.right) if isinstance(self.right, str) else repr(self.right)
        return f"{quote(self.left)} {self.operator} {right}"


class Term(Record):
    """A column that a sum adds (`sign` 1) or takes away (-1)."""

    column: str
    sign: Literal[1, -1] = 1


class Sum(Record):
    """A row rule: the terms add up to `total`, as in `a + b - d == c`, or to at most or least it.

    The total is a column or a number, as in `a - b <= 30`. Rows in which a term or the total is
    missing keep the rule.
    """

    kind: Literal["sum"] = "sum"
    terms: tuple[Term, ...] = Field(min_length=2)
    operator: Literal["<=", "==", ">="] = "=="
    total: str | float | int
    name: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        names = tuple(term.column for term in self.terms)
        return (*names, self.total) if isinstance(self.total, str) else names

    @property
    def text(self) -> str:
        """The rule as a reader would write it."""
        return self.written(str)

    def written(self, quote: Callable[[str], str]) -> str:
        """The rule with each column as `quote` writes it."""
        first, *others = self.terms
        left = f"{'' if first.sign > 0 else '-'}{quote(first.column)}"
        for term in others:
            left += f" {'+' if term.sign > 0 else '-'} {quote(term.column)}"
        total = quote(self.total) if isinstance(self.total, str) else repr(self.total)
        return f"{left} {self.operator} {total}"


class Factor(Record):
    """A column that a product is multiplied by (`power` 1) or divided by (-1)."""

    column: str
    power: Literal[1, -1] = 1


class Product(Record):
    """A row rule: a number, `times`, with factors, makes `total`, as in `100 * a / b == c`.

    With `decimals` the product is rounded to so many before it is compared, and what lies midway
    may go either way. Rows in which a column is missing, or that divide by zero, keep the rule.
    """

    kind: Literal["product"] = "product"
    factors: tuple[Factor, ...] = Field(min_length=1)
    times: float | int = 1
    total: str
    decimals: int | None = Field(default=None, ge=0, le=12)
    name: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (*(factor.column for factor in self.factors), self.total)

    @property
    def text(self) -> str:
        """The rule as a reader would write it."""
        return self.written(str)

    def written(self, quote: Callable[[str], str]) -> str:
        """The rule with each column as `quote` writes it."""
        parts = [
            f"{'*' if factor.power > 0 else '/'} {quote(factor.column)}" for factor in self.factors
        ]
        share = round(1 / self.times) if 1e-9 < self.times < 1 else 0
        if share and 1 / share == self.times and self.factors[0].power > 0:
            parts.append(f"/ {share}")
        elif self.times != 1 or self.factors[0].power < 0:
            parts.insert(0, f"* {self.times!r}")
        product = " ".join(parts).removeprefix("* ")
        product = product if self.decimals is None else f"round({product}, {self.decimals})"
        return f"{product} == {quote(self.total)}"


class RequiredWhen(Record):
    """A row rule: `column` is present (or `missing`) in the rows that meet a condition.

    They are the rows in which `when` has one of `values`; without values, those in which it has
    any. A missing `when` is none of the values. With `otherwise` the opposite holds in all other
    rows; without, they keep the rule whatever they hold.
    """

    kind: Literal["required_when"] = "required_when"
    column: str
    missing: bool = False
    when: str
    values: tuple[Scalar, ...] | None = Field(default=None, min_length=1)
    otherwise: bool = False
    name: str | None = None

    @property
    def columns(self) -> tuple[str, ...]:
        return (self.column, self.when)

    @property
    def listed(self) -> tuple[Scalar, ...]:
        """The values that meet the condition; none where any value does."""
        return self.values or ()

    @property
    def text(self) -> str:
        """The rule as a reader would write it."""
        return self.written(str)

    def written(self, quote: Callable[[str], str]) -> str:
        """The rule with each column as `quote` writes it."""
        words = ("missing", "present") if self.missing else ("present", "missing")
        ending = f" else {words[1]}" if self.otherwise else ""
        condition = f"{quote(self.when)} {self._condition()}"
        return f"{quote(self.column)} {words[0]} when {condition}{ending}"

    def _condition(self) -> str:
        if self.values is None:
            return "present"
        if len(self.values) == 1:
            return f"== {_literal(self.values[0])}"
        return f"in ({', '.join(map(_literal, self.values))})"


def _literal(value: Scalar) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return "'" + value.replace("'", "''") + "'" if isinstance(value, str) else repr(value)


def _rule_kind(rule: Any) -> str:
    # Comparisons were the only rules once, and were written without a kind.
    kind = rule.get("kind", "comparison") if isinstance(rule, dict) else getattr(rule, "kind", "")
    return str(kind)


WrittenRule = Annotated[
    Annotated[Comparison, Tag("comparison")]
    | Annotated[Sum, Tag("sum")]
    | Annotated[Product, Tag("product")]
    | Annotated[RequiredWhen, Tag("required_when")],
    Discriminator(_rule_kind),
]
"""A row rule that an author writes about several columns, told apart by its `kind`."""
