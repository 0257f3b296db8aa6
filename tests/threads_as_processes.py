"""The processes of a training as threads of one, connected by gloo as processes are."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import torch.distributed as dist
from edgestill.pipeline.engine.ranks import Ranks, sharing


def together(size, function):
    """What each of ``size`` threads gets from ``function(ranks)``, in their order."""
    store = dist.HashStore()

    def one(rank):
        group = dist.ProcessGroupGloo(store, rank, size, timedelta(seconds=60))
        ranks = Ranks(rank, size, group)
        with sharing(ranks):
            return function(ranks)

    with ThreadPoolExecutor(size) as threads:
        return [one.result() for one in [threads.submit(one, rank) for rank in range(size)]]
