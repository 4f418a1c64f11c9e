"""How likely rows are under a code network: the log density of any columns of theirs."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from models.encoding.column import FloatArray
from models.generators.code_layout import CodeLayout
from models.generators.drawing import drawing_order
from models.nets.code_network import CodeNetwork

BATCH_ROWS = 2**14


@torch.inference_mode()
def log_probabilities(
    network: CodeNetwork, layout: CodeLayout, codes: Tensor, parts: Sequence[int]
) -> FloatArray:
    """The log probability of these parts of network codes `(rows, codes)`, `(rows,)`, in nats.

    The codes are asked for one after the other, in the order in which rows are drawn, each given
    those before it; all other parts are left out, and so summed over. A value that is there but
    not known has probability zero: it is never drawn.
    """
    wanted = [(code, part) for code, part in drawing_order(layout) if part in set(parts)]
    batches = torch.split(codes.long(), BATCH_ROWS)
    return np.concatenate([_of_batch(network, layout, batch, wanted) for batch in batches])


def _of_batch(
    network: CodeNetwork, layout: CodeLayout, codes: Tensor, wanted: list[tuple[int, int]]
) -> FloatArray:
    total = torch.zeros(len(codes), dtype=torch.float64)
    embedded = network.embed(torch.full_like(codes, -1))
    hidden = layout.hidden(codes)
    for code, _ in wanted:
        values = codes[:, code]
        known = (values >= 0).nonzero().squeeze(1)
        parent = layout.shapes[code].parent
        parents = codes[known, parent] if parent >= 0 else None
        logs = network.logits(embedded[known], code, parents).double().log_softmax(1)
        total[known] += logs.gather(1, values[known, None]).squeeze(1)
        total[hidden[:, code]] = -torch.inf
        vectors = network.vectors(code)
        embedded[known] += vectors[values[known]] - vectors[-1]
    result: FloatArray = total.numpy()
    return result
