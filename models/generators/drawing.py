"""Draws codes from a code network, one code after the other; rows that agree share the work."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from models.encoding.column import FloatArray, IntArray
from models.generators.code_layout import CodeLayout
from models.generators.crowds import crowd
from models.generators.drawn_values import draw_lots, values_at
from models.generators.guide import Guide
from models.nets.code_network import CodeNetwork
from models.training.precision import quick_products
from models.training.workers import Each, side_by_side

MOST_NUMBERS = 2**26
"""Rows times width of the network that are held at once; 256 MiB of float32."""
ASKED_NUMBERS = 2**19
"""The same of what the network is asked at once: what fits into a processor's cache."""
SHARED = 0.7
"""Rows are grouped by their known codes while the groups are fewer than this share of them."""
LEAST_LOGIT = -25.0
"""What is e^25 times less likely than the likeliest value is not drawn, whatever the temperature:
values that no row has must not be evened out with those that some have."""
COLDEST = 1e-30
"""At this temperature only the likeliest value is left; below it float32 would divide by 0."""
LEAST_WEIGHT = -70.0
"""The log of the weight of a row that no longer has a chance."""


Shifts = dict[int, Tensor]
"""What is added to a code's logits as whole rows are drawn, `(parent's values or 1, values)`."""


class CodeDrawing:
    """Completes rows of network codes, whatever is known of them at first.

    Conditioning on known codes is exact: they are simply observed. Rows with the same known
    codes have the same distribution of the next one, so the network is asked once for each such
    group; codes of few values are drawn first, so that groups stay few for long. A temperature
    below 1 makes likely values likelier, one above 1 evens them out. `shifts` correct the marginals
    of rows of which nothing is known at first (see `calibrate`).
    """

    def __init__(
        self,
        network: CodeNetwork,
        layout: CodeLayout,
        *,
        shifts: Shifts | None = None,
        temperature: float = 1.0,
    ) -> None:
        self.network, self.layout = network, layout
        self.temperature = max(temperature, COLDEST)
        self.shifts = shifts or {}
        self.whole_rows = True
        self.order = drawing_order(layout)
        width = network.inputs.shape[1]
        largest = max((shape.cardinality for shape in layout.shapes), default=1)
        self.batch_rows = max(1, MOST_NUMBERS // width)
        self.asked_groups = max(1, ASKED_NUMBERS // max(width, largest))

    @torch.inference_mode()
    def complete(self, codes: Tensor, random: torch.Generator) -> Tensor:
        """Known codes `(rows, codes)` with the unknown ones (negative) drawn; int64.

        What does not apply stays unknown.
        """
        self.whole_rows = not bool((codes >= 0).any())
        batches = torch.split(codes.long(), self.batch_rows)
        with quick_products(), side_by_side() as each:
            how = _How(random, each)
            return torch.cat(
                [self._draw_codes(batch.clone(), self.order, how) for batch in batches]
            )

    @torch.inference_mode()
    def complete_guided(self, codes: Tensor, random: torch.Generator, guide: Guide) -> Tensor:
        """As `complete`, keeping to the guide.

        Columns with wishes are drawn first. The likelihood of a wish, given what was drawn before
        it, weighs each row; rows of a kind are then drawn by these weights, out of CROWD or more,
        so that several wishes hold together as they do among the rows learned from (sequential
        importance resampling, Gordon et al. 1993).
        """
        codes = codes.long().clone()
        self.whole_rows = not guide.first and not bool((codes >= 0).any())
        for part in range(len(self.layout.parts)):
            guide.observe(part, self.layout.value(codes, part).numpy())
        with quick_products(), side_by_side() as each:
            return self._complete_guided(codes, guide, _How(random, each))

    def _complete_guided(self, codes: Tensor, guide: Guide, how: "_How") -> Tensor:
        if guide.first:
            asked = guide.kinds
            candidates = crowd(asked) if guide.crowded else np.arange(len(asked))
            guide.taken(candidates)
            codes = codes[torch.from_numpy(candidates)]
            log_weights = torch.zeros(len(codes), dtype=torch.float64)
            if guide.undecided:
                seed = int(torch.randint(2**62, (1,), generator=how.random))
                log_weights += torch.from_numpy(guide.pick(np.random.default_rng(seed)))
            wished = [(code, part) for code, part in self.order if part in guide.first]
            self._draw_codes(codes, wished, how._replace(guided=_Guided(guide, log_weights)))
            rows = _resampled(log_weights.numpy(), guide.kinds, asked, how.random)
            guide.taken(rows)
            codes = codes[torch.from_numpy(rows)]
        return self._draw_codes(codes, self.order, how._replace(guided=_Guided(guide, None)))

    def _draw_codes(self, codes: Tensor, order: list[tuple[int, int]], how: "_How") -> Tensor:
        groups = _Groups(self.network, len(codes), how.each)
        for code in range(codes.shape[1]):
            if bool((codes[:, code] >= 0).any()):
                groups.observe(code, codes[:, code])
        for code, part in order:
            applies = self.layout.applies(codes, part)
            unknown = codes[:, code] < 0
            wanted = unknown if applies is None else unknown & applies
            if bool(wanted.any()):
                drawn = self._draw(codes, (code, part), (groups, wanted), how)
                groups.observe(code, drawn)
                codes[:, code] = torch.where(wanted, drawn, codes[:, code])
                if how.guided is not None:
                    how.guided.guide.observe(part, self.layout.value(codes, part).numpy())
        return codes

    def _draw(
        self,
        codes: Tensor,
        what: tuple[int, int],
        where: tuple["_Groups", Tensor],
        how: "_How",
    ) -> Tensor:
        """New values `(rows,)` of one code in the wanted rows, -1 in all others."""
        (code, part), (groups, wanted), guided = what, where, how.guided
        kept = None if guided is None else guided.guide.weights(part)
        drawn = torch.full((len(codes),), -1)
        parent = self.layout.shapes[code].parent

        def draw(some: tuple[_Asked, Tensor]) -> None:
            asked, lots = some
            parents = codes[groups.example[asked.groups], parent] if parent >= 0 else None
            sizes = torch.bincount(asked.of_row, minlength=len(asked.groups))
            embedded = groups.embedded[asked.groups]
            logits = self.logits(Question(code, embedded, parents, sizes))
            likely, logits = _tempered(logits, self.temperature)
            if guided is None or kept is None:
                drawn[asked.rows] = values_at(lots, _shares(likely), asked.of_row)
                return
            weights = self._code_weights(codes[asked.rows], what, kept[asked.rows.numpy()])
            sides = likely[asked.of_row], logits[asked.of_row]
            shares = _shares(guided.weighed(sides, weights, asked.rows))
            values = values_at(lots, shares, torch.arange(len(asked.rows)))
            drawn[asked.rows] = values
            if guided.log_weights is not None:
                # The refining code is weighed by itself: it replaces what was guessed of it here.
                guess = weights.gather(1, values[:, None]).squeeze(1).log().clamp_min(LEAST_WEIGHT)
                guess = torch.where(self._refined(code, part, values), guess, 0.0)
                guided.log_weights[asked.rows] -= guess

        # Lots are drawn one after the other, so that it does not matter who is ready first.
        all_asked = groups.asked(wanted.nonzero().squeeze(1), self.asked_groups)
        how.each(draw, [(asked, draw_lots(len(asked.rows), how.random)) for asked in all_asked])
        return drawn

    def _refined(self, code: int, part: int, values: Tensor) -> Tensor:
        """Which of the values just drawn a further code of the same column will refine."""
        if self.layout.divisors[part] and code == self.layout.first[part]:
            return torch.ones_like(values, dtype=torch.bool)
        refined = torch.zeros_like(values, dtype=torch.bool)
        for other in self.layout.parts:
            if other.parent == part and other.nested:
                refined |= values >= other.applies_from
        return refined

    def _code_weights(self, codes: Tensor, what: tuple[int, int], weights: FloatArray) -> Tensor:
        """A part's weights `(rows, values)` as those of one of its network codes."""
        (code, part), wide = what, torch.from_numpy(weights)
        divisor, first = self.layout.divisors[part], self.layout.first[part]
        if not divisor:
            return wide
        tops = self.layout.shapes[first].cardinality
        padded = torch.zeros(len(wide), tops * divisor, dtype=wide.dtype)
        padded[:, : wide.shape[1]] = wide
        grid = padded.view(-1, tops, divisor)
        if code > first:
            return grid[torch.arange(len(grid)), codes[:, first]]
        # What is left of a group of values, taking each to be as likely in it as at the start.
        within = self.network.heads.biases(first + 1).softmax(1).double()
        return (grid * within).sum(2)

    def logits(self, question: "Question") -> Tensor:
        """Logits `(groups, values)` of the code that is asked for."""
        logits = self.network.logits(question.embedded, question.code, question.parents)
        if not self.whole_rows or question.code not in self.shifts:
            return logits
        shift, nested = self.shifts[question.code], self.layout.shapes[question.code].nested
        return logits + (shift[question.parents] if nested else shift)


class _Guided(NamedTuple):
    """A guide, and the log of each row's weight so far, float64 `(rows,)`, if it is asked for."""

    guide: Guide
    log_weights: Tensor | None

    def weighed(self, sides: tuple[Tensor, Tensor], weights: Tensor, rows: Tensor) -> Tensor:
        """Logits `(rows, values)` with what may be had of each value, some share of 1.

        `sides` are those of the likely values and of all. Where nothing is left of the likely ones,
        the others are taken; where nothing at all is left, all stay as they are: the row is drawn
        again later.
        """
        likely, logits = sides
        log_shares = weights.to(logits.dtype).log()
        weighed = _first_possible(likely + log_shares, logits + log_shares)
        if self.log_weights is not None:
            left = weighed.double().logsumexp(1) - likely.double().logsumexp(1)
            self.log_weights[rows] += left.clamp_min(LEAST_WEIGHT)
        return _first_possible(weighed, logits)


class _How(NamedTuple):
    """Where the chance comes from, who does the work, and what is kept to."""

    random: torch.Generator
    each: Each
    guided: _Guided | None = None


class Question(NamedTuple):
    """What the network is asked: one code's distribution for each group of rows that agree.

    `embedded` `(groups, width)` are their summed input vectors, `parents` the value of the code
    that this one refines (None if it refines none), `rows` how many rows each group has.
    """

    code: int
    embedded: Tensor
    parents: Tensor | None
    rows: Tensor


class _Asked(NamedTuple):
    """Groups that the network is asked about together, and their rows.

    `rows` are positions of rows, `of_row` `(rows,)` says which of `groups` each belongs to.
    """

    groups: Tensor
    rows: Tensor
    of_row: Tensor


class _Groups:
    """Rows with equal known codes: the summed input vectors of each group, and whose it is."""

    def __init__(self, network: CodeNetwork, rows: int, each: Each) -> None:
        self.network, self.each = network, each
        blank = torch.full((1, len(network.shapes)), -1)
        self.embedded = network.embed(blank)
        self.of_row = torch.zeros(rows, dtype=torch.long)
        self.example = torch.zeros(1, dtype=torch.long)

    def asked(self, rows: Tensor, most: int) -> Iterator[_Asked]:
        """The groups of some rows, at most so many together."""
        if len(self.example) == len(self.of_row):
            for some in torch.split(rows, most):
                yield _Asked(some, some, torch.arange(len(some)))
            return
        groups, of_row = torch.unique(self.of_row[rows], return_inverse=True)
        order = of_row.argsort(stable=True)
        ends = torch.bincount(of_row, minlength=len(groups)).cumsum(0)
        for first in range(0, len(groups), most):
            start = int(ends[first - 1]) if first else 0
            some = order[start : int(ends[min(first + most, len(groups)) - 1])]
            yield _Asked(groups[first : first + most], rows[some], of_row[some] - first)

    def observe(self, code: int, values: Tensor) -> None:
        """Takes in values `(rows,)` of a code that no row knew; negative ones stay unknown."""
        vectors = self.network.vectors(code)
        size = len(vectors)
        values = torch.where(values >= 0, values, size - 1)
        rows = len(values)
        if len(self.example) < rows:
            keys, groups = torch.unique(self.of_row * size + values, return_inverse=True)
            if len(keys) < SHARED * rows:
                self.embedded = self.embedded[keys // size]
                self._add(vectors, keys % size)
                self.of_row = groups
                self.example = torch.empty(len(keys), dtype=torch.long)
                self.example[groups] = torch.arange(rows)
                return
            self.embedded = self.embedded[self.of_row]
            self.of_row = self.example = torch.arange(rows)
        self._add(vectors, values)

    def _add(self, vectors: Tensor, values: Tensor) -> None:
        """Adds a value's vector in place of "not observed" to each group, a few at a time.

        Fresh memory for all of them would cost more than the sums.
        """
        change = vectors - vectors[-1]
        size = max(1, ASKED_NUMBERS // change.shape[1])

        def add(some: tuple[Tensor, Tensor]) -> None:
            embedded, picked = some
            embedded += change[picked]

        both = torch.split(self.embedded, size), torch.split(values, size)
        self.each(add, zip(*both, strict=True))


def drawing_order(layout: CodeLayout) -> list[tuple[int, int]]:
    """Network codes in the order of drawing, each with its part.

    Few values first, for rows that agree share the work; then what is late; then the details of the
    former, and of the latter. A target that was drawn from details, too, would be learned by heart:
    they tell which row it is.
    """
    depths: list[int] = []
    for part in layout.parts:
        depths.append(0 if part.parent is None else depths[part.parent] + 1)
    parts = sorted(
        range(len(depths)),
        key=lambda part: (
            depths[part] > 0,
            part in layout.late,
            depths[part],
            layout.parts[part].cardinality,
        ),
    )
    return [
        (code, part)
        for part in parts
        for code in range(layout.first[part], layout.first[part] + 1 + (layout.divisors[part] > 0))
    ]


def _tempered(logits: Tensor, temperature: float) -> tuple[Tensor, Tensor]:
    """Logits `(groups, values)` at a temperature: of the likely values, then of all."""
    relative = logits - logits.amax(1, keepdim=True)
    tempered = relative / temperature
    return tempered.masked_fill(relative <= LEAST_LOGIT, -torch.inf), tempered


def _first_possible(logits: Tensor, others: Tensor) -> Tensor:
    """Logits `(rows, values)`, in rows in which they leave nothing the others."""
    return torch.where(logits.amax(1, keepdim=True) > -torch.inf, logits, others)


def _shares(logits: Tensor) -> Tensor:
    """Shares of the values `(groups, values)`, not normalised; what is next to nothing is 0."""
    relative = logits - logits.amax(1, keepdim=True)
    return torch.where(relative > LEAST_LOGIT, relative.exp(), 0.0)


def _resampled(
    log_weights: FloatArray, kinds: IntArray, asked: IntArray, random: torch.Generator
) -> IntArray:
    """For each row asked for, a candidate of its kind, drawn by weight: systematic resampling.

    `log_weights` and `kinds` are of the candidates; the result is `(rows,)`, as `asked` is.
    """
    rows = np.arange(len(asked))
    for kind in np.unique(asked):
        mine, places = np.flatnonzero(kinds == kind), np.flatnonzero(asked == kind)
        logs = log_weights[mine]
        if len(mine) == len(places) and float(np.ptp(logs)) < 1e-9:
            rows[places] = mine
            continue
        weights = np.exp(logs - logs.max())
        ends = np.cumsum(weights) / weights.sum() * len(places)
        marks = np.arange(len(places)) + float(torch.rand(1, generator=random))
        rows[places] = mine[np.searchsorted(ends, marks, side="right").clip(max=len(mine) - 1)]
    return rows
