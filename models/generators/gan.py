"""Conditional Wasserstein GAN over hierarchical codes, whose critic scores real rows too."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.record import Record
from models.base import Given, ProgressCallback
from models.encoding.column import FloatArray
from models.encoding.table import TableCodec
from models.generators.adversarial_code_model import AdversarialCodeModel, AdversarialSizes
from models.generators.batches import (
    Request,
    check_fitted,
    only_table,
    refuse_given,
    rows_of,
    sample_frame,
    unit_ids,
)
from models.generators.stored import StoredModel, read_model, write_model

MANY_ROWS = 20_000
EPOCHS = 19
MOST_EPOCHS = 400
FEWEST_EPOCHS = 4


class GanOptions(Record):
    """Options of `gan`; what is left out is chosen from the number of rows."""

    width: int = Field(default=256, ge=8, le=4096, description="Units of the generator's layers.")
    blocks: int = Field(default=2, ge=0, le=32, description="Its residual blocks.")
    noise: int = Field(default=64, ge=1, le=4096, description="Random numbers behind a row.")
    critic_width: int = Field(
        default=256, ge=8, le=4096, description="Units of the critic's layers."
    )
    critic_blocks: int = Field(default=2, ge=0, le=32, description="Its residual blocks.")
    critic_steps: int = Field(default=1, ge=1, le=20, description="For each of the generator.")
    epochs: int | None = Field(default=None, ge=1, le=100_000, description="Passes over the rows.")
    batch_rows: int = Field(default=256, ge=1, description="Rows for each step.")
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="The highest one.")
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Time for training. If it is used up, the fit no longer repeats exactly.",
    )

    def sizes(self, rows: int) -> AdversarialSizes:
        """The sizes for `rows` training rows: twice the rows get 1.4 times the steps."""
        epochs = round(EPOCHS * (MANY_ROWS / rows) ** 0.5)
        named = {name: getattr(self, name) for name in AdversarialSizes._fields}
        named["epochs"] = self.epochs or min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS)
        return AdversarialSizes(**named)


class GanGenerator:
    """A generator and a critic that learn from each other; the critic also scores real rows.

    Each column becomes one or more codes (see `TableCodec`). The generator makes all codes of a
    row from noise and one cued value, drawn so that rare values are seen often
    enough (training by sampling). The critic's mean difference between real and made rows is
    their Wasserstein distance as long as its slope stays near 1, which a penalty asks for. Beside
    it the generator closes gaps in the critic's features and in small contingency tables. Expect
    it to lose to `any_order` and `vae` as a sampler; choose it for `critic_scores`. Values can't
    be given: a cue is a lean, not a condition that holds exactly.

    Sources: CTGAN (Xu et al. 2019), WGAN-GP (Gulrajani et al. 2017), straight-through
    Gumbel-softmax (Jang et al. 2017), feature matching (Salimans et al. 2016), maximum mean
    discrepancy (Gretton et al. 2012).
    """

    name: ClassVar[str] = "gan"

    def __init__(self, options: GanOptions | None = None) -> None:
        self.options = options or GanOptions()

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:
        """Learns the one table of `data`; ModelError when there is none that it can learn."""
        table, frame = only_table(data, self.name)
        codec = TableCodec().fit(frame, table, units=unit_ids(table, frame))
        sizes = self.options.sizes(len(frame))
        model = AdversarialCodeModel.untrained(codec.parts_, sizes, seed=seed)
        self.training_ = model.fit(
            codec.encode(frame), seed=seed, max_seconds=self.options.max_seconds, progress=progress
        )
        self.contract_, self.table_, self.codec_, self.model_ = data.contract, table, codec, model
        return self

    def sample(
        self, n: int, *, given: Given | None = None, seed: int, first_row: int = 0
    ) -> Dataset:
        """Exactly `n` rows; ModelError before `fit`, or if anything is given."""
        check_fitted(self, "model_", "sample")
        refuse_given(self.name, given)
        frame = sample_frame(
            self.codec_,
            self.table_,
            Request(n, None, seed, first_row),
            lambda codes, random: self.model_.draw(len(codes), random),
        )
        return Dataset(self.contract_, {self.table_.name: frame})

    def critic_scores(self, data: Dataset) -> FloatArray:
        """How strange rows of the fitted table look to the critic, `(rows,)`: higher is stranger.

        Only comparisons mean something, within one fitted model. ModelError for another table.
        """
        check_fitted(self, "model_", "critic_scores")
        frame = rows_of(data, self.table_, self.name)
        return self.model_.strangeness(self.codec_.encode(frame))

    def save(self, folder: Path) -> None:
        """Writes the fitted model into `folder`; ModelError before `fit`."""
        check_fitted(self, "model_", "save")
        options, sizes = self.options.model_dump(), self.model_.sizes._asdict()
        arrays = self.model_.arrays()
        write_model(folder, StoredModel.of(self, arrays, options=options, sizes=sizes))

    @classmethod
    def load(cls, folder: Path, contract: Contract) -> Self:
        """The model that `save` wrote; ModelError when the folder or the contract is another."""
        stored = read_model(folder)
        generator = cls(GanOptions(**stored.settings["options"]))
        generator.contract_ = contract
        generator.table_, generator.codec_ = stored.table_and_codec(contract)
        sizes = AdversarialSizes(**stored.settings["sizes"])
        model = AdversarialCodeModel.untrained(generator.codec_.parts_, sizes)
        generator.model_ = model.restore(stored.arrays)
        return generator
