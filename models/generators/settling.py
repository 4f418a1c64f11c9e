"""In which order the numbers of columns are settled that rules tie together."""

from collections.abc import Sequence

from models.generators.lines import LineRule
from models.generators.product_lines import ProductRule


def settling_order(names: Sequence[str], rules: Sequence[LineRule]) -> list[str]:
    """Columns in the order in which their numbers are settled.

    Each equation gets a column that follows from its others and from no other equation, so that all
    hold at once. Of a product it is the total, if it can be: that follows to the last digit, while
    few factors lead to a given total. Columns come after those that they follow from, and last
    those that no equation is about.
    """
    follows = _follows(rules)
    depth: dict[str, int] = {}

    def found(name: str) -> int:
        if name not in depth:
            depth[name] = 1 + max(map(found, follows.get(name, ())), default=-1)
        return depth[name]

    tied = {name for rule in _equations(rules) for name in rule.names}
    return sorted(names, key=lambda name: found(name) if name in tied else len(names))


def _equations(rules: Sequence[LineRule]) -> list[LineRule]:
    return [rule for rule in rules if isinstance(rule, ProductRule) or rule.low == rule.high]


def _follows(rules: Sequence[LineRule]) -> dict[str, frozenset[str]]:
    """The columns that some columns follow from; no column follows from itself."""
    follows: dict[str, frozenset[str]] = {}
    left: list[LineRule] = []
    for rule in _equations(rules):
        follower = rule.total if isinstance(rule, ProductRule) and rule.known is None else None
        if follower is not None and _is_free(follower, rule, follows):
            follows[follower] = frozenset(rule.names) - {follower}
        else:
            left.append(rule)
    uses = [name for rule in rules for name in rule.names]
    while left:
        # An equation that leaves little choice takes its column before another one does.
        free = [[name for name in rule.names if _is_free(name, rule, follows)] for rule in left]
        at = min(range(len(left)), key=lambda number: (not free[number], len(free[number])))
        rule, choice = left.pop(at), free[at]
        if choice:
            to = min(choice, key=uses.count)
            follows[to] = frozenset(rule.names) - {to}
    return follows


def _is_free(name: str, rule: LineRule, follows: dict[str, frozenset[str]]) -> bool:
    """Whether a column follows from nothing yet, nor the rule's other columns from it."""
    seen: set[str] = set()
    # Once: a column that a rule names twice follows from itself.
    others = list(rule.names)
    others.remove(name)
    ahead = set(others)
    while ahead:
        seen |= ahead
        ahead = {below for one in ahead for below in follows.get(one, ())} - seen
    return name not in follows and name not in seen
