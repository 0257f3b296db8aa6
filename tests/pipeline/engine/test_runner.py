"""The runner of a command that names none: one stage after the other, in its own process."""

from edgestill.pipeline.engine.compute import Compute
from edgestill.pipeline.engine.flow import Builder
from edgestill.pipeline.engine.runner import IN_PROCESS
from edgestill.pipeline.engine.store import Store
from edgestill.pipeline.progress import Silent


def test_it_makes_builders_and_begins_nothing_ahead(tmp_path):
    engine = IN_PROCESS.engine(Store(tmp_path), Compute(1), Silent())
    assert isinstance(engine, Builder)
    assert IN_PROCESS.parallel(Compute(1)) == 1
    engine.finish()
    engine.let_go()
    assert (engine.made, engine.ran) == ([], [])
