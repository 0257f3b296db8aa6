"""How soft targets are shared out over workers: a shard is some of the blocks of all views.

>>> [(part.first, part.last) for part in shards(inputs)]                  # doctest: +SKIP
[(0, 16), (16, 32), (32, 44)]

The teacher answers the same blocks as it would in one process, so that its arithmetic is the same.
How many there are depends on the data alone: a build that goes on with other workers finds its
shards in the store. Importing this module loads no torch.
"""

from dataclasses import dataclass

from .inputs import TargetsInputs

BLOCK = 128
"""Samples of one call of a teacher."""
BLOCKS_A_NOTE = 16
"""Blocks after which one process flushes and notes its work, for a kill to go on from; the fewest
of a shard, which is what a lost worker costs."""
MOST = 4096
"""Shards. Each is an entry of the store; more of them take longer to write than to answer."""


@dataclass(frozen=True, slots=True)
class ShardInputs:
    """Input of one shard.

    Attributes:
        targets: of the whole stage.
        first: its first block.
        last: the one behind its last.
    """

    targets: TargetsInputs
    first: int
    last: int


def shards(inputs: TargetsInputs) -> tuple[ShardInputs, ...]:
    """The shards of a targets stage, of as many blocks each, the last of fewer."""
    data = inputs.samples.data.record
    rows = data.samples("train") + data.unlabelled
    blocks = inputs.options.views * -(-rows // BLOCK)
    each = max(BLOCKS_A_NOTE, -(-blocks // MOST))
    return tuple(
        ShardInputs(inputs, first, min(first + each, blocks)) for first in range(0, blocks, each)
    )
