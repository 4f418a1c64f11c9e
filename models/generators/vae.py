"""Variational autoencoder over hierarchical codes: rows as points in a small space, and back."""

from pathlib import Path
from typing import ClassVar, Self

from pydantic import Field

from data_contracts.contract import Contract
from data_contracts.dataset import Dataset
from data_contracts.record import Record
from models.base import Given, ProgressCallback
from models.encoding.column import FloatArray
from models.encoding.table import TableCodec
from models.generators.batches import (
    Request,
    check_fitted,
    check_seed,
    only_table,
    refuse_given,
    rows_of,
    sample_frame,
    unit_ids,
)
from models.generators.latent_code_model import LatentCodeModel, LatentSizes
from models.generators.stored import StoredModel, read_model, write_model

MANY_ROWS = 20_000
EPOCHS = 25
MOST_EPOCHS = 100
FEWEST_EPOCHS = 4
MOST_COMPONENTS = 30
ROWS_OF_COMPONENT = 500
"""Rows for each component of the prior: it may follow a crowd, never a person."""


class VaeOptions(Record):
    """Options of `vae`; what is left out is chosen from the number of rows."""

    width: int = Field(default=256, ge=8, le=4096, description="Units of each layer.")
    blocks: int = Field(default=2, ge=0, le=32, description="Residual blocks of either half.")
    latents: int = Field(default=16, ge=1, le=512, description="Numbers that stand for a row.")
    components: int | None = Field(
        default=None, ge=1, le=1000, description="Gaussians of the prior."
    )
    divergence_weight: float = Field(
        default=0.5,
        gt=0,
        le=100,
        description="Of the divergence from N(0, I); less keeps more of a row.",
    )
    epochs: int | None = Field(default=None, ge=1, le=100_000, description="Passes over the rows.")
    batch_rows: int | None = Field(default=None, ge=1, description="Rows for each step.")
    learning_rate: float = Field(default=2e-3, gt=0, le=1, description="The highest one.")
    dropout: float = Field(default=0.0, ge=0, lt=1, description="Share of units dropped.")
    max_seconds: float | None = Field(
        default=None,
        gt=0,
        description="Time for training. If it is used up, the fit no longer repeats exactly.",
    )

    def sizes(self, rows: int) -> LatentSizes:
        """The sizes for `rows` training rows: twice the rows get 1.4 times the work."""
        epochs = round(EPOCHS * (MANY_ROWS / rows) ** 0.5)
        chosen = {
            "epochs": min(max(epochs, FEWEST_EPOCHS), MOST_EPOCHS),
            "batch_rows": 512 if rows >= MANY_ROWS / 2 else 128,
            "components": min(max(rows // ROWS_OF_COMPONENT, 1), MOST_COMPONENTS),
        }
        named = {name: getattr(self, name) for name in LatentSizes._fields}
        kept = {name: value for name, value in named.items() if value is not None}
        return LatentSizes(**{**chosen, **kept})


class VaeGenerator:
    """Learns a small space of latents in which rows lie, and draws rows from points in it.

    Each column becomes one or more codes (see `TableCodec`), whose softmaxes are the decoder's
    likelihood, so that numbers, categories and missing values are measured alike. After training
    the prior N(0, I) is replaced by a mixture of Gaussians fitted to the latents of the training
    rows: the gap between the two is what makes a plain VAE sample badly. Choose it for `embed`:
    its latents are what other models may learn from. Values can't be given.

    Sources: Kingma and Welling 2014; TVAE (Xu et al. 2019); a prior fitted afterwards (Ghosh et
    al. 2020; Dai and Wipf 2019).
    """

    name: ClassVar[str] = "vae"

    def __init__(self, options: VaeOptions | None = None) -> None:
        self.options = options or VaeOptions()

    def fit(self, data: Dataset, *, seed: int, progress: ProgressCallback | None = None) -> Self:
        """Learns the one table of `data`; ModelError when there is none that it can learn."""
        check_seed(seed)
        table, frame = only_table(data, self.name)
        codec = TableCodec().fit(frame, table, units=unit_ids(table, frame))
        model = LatentCodeModel.untrained(codec.parts_, self.options.sizes(len(frame)), seed=seed)
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

    def embed(self, data: Dataset) -> FloatArray:
        """Latent means `(rows, latents)` of rows of the fitted table; ModelError for another one.

        Rows that are alike lie close together, about 1 apart on each axis in all. What a row holds
        that few people share has no code and does not show.
        """
        check_fitted(self, "model_", "embed")
        frame = rows_of(data, self.table_, self.name)
        return self.model_.embed(self.codec_.encode(frame))

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
        generator = cls(VaeOptions(**stored.settings["options"]))
        generator.contract_ = contract
        generator.table_, generator.codec_ = stored.table_and_codec(contract)
        sizes = LatentSizes(**stored.settings["sizes"])
        model = LatentCodeModel.untrained(generator.codec_.parts_, sizes)
        generator.model_ = model.restore(stored.arrays)
        return generator
