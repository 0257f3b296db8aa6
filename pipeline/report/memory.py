"""Memory, a line for each way it was measured. The lines overlap, so they do not add up.

for name, estimates in lines([model.figures for model in models]):
    print(name, [numbers.show(each, numbers.BYTES) for each in estimates])
"""

from collections.abc import Sequence

from ...devices.onboard.stats.estimate import Estimate
from ...devices.scenarios.figures import Figures, Footprint

_VIEWS = {
    "peak_as_timed_bytes": "Peak memory as malloc leaves it",
    "pss_bytes": "Memory after the queries, as its share (PSS)",
    "peak_without_arena_bytes": "Peak memory without the arena",
    "peak_without_plan_bytes": "Peak memory without arena and memory pattern",
    "weight_bytes": "Weights as loaded, by the graph",
    "activation_bytes": "Tensors alive together, by the graph",
}
_SHORT = {
    "peak_as_timed_bytes": "peak, malloc's own",
    "pss_bytes": "memory (PSS)",
    "peak_without_arena_bytes": "peak, no arena",
    "peak_without_plan_bytes": "peak, no pattern",
    "weight_bytes": "weights loaded",
    "activation_bytes": "activation peak",
}
NOTE = (
    "Peak memory is the largest resident size minus that after the imports, with the runtime's "
    "default settings and fixed malloc thresholds (MALLOC_MMAP_THRESHOLD_=131072). \"malloc's "
    'own": with glibc\'s dynamic thresholds, which keep a varying amount of freed memory. "No '
    'arena": enable_cpu_mem_arena is off; "no pattern": enable_mem_pattern is off, too. Weights '
    "and activation peak are counted in the graph, without workspace, packed weights and code. "
    "These figures overlap and do not add up"
)


def lines(
    models: Sequence[Figures | None], *, short: bool = False
) -> tuple[tuple[str, tuple[Estimate, ...]], ...]:
    """Each line's name and its figure for each model; empty where no model was measured so."""
    if not any(model and model.footprint for model in models):
        return ()
    names = _SHORT if short else _VIEWS
    return tuple((name, tuple(_of(model, key) for model in models)) for key, name in names.items())


def _of(model: Figures | None, key: str) -> Estimate:
    footprint: Footprint | None = model.footprint if model else None
    if footprint is None:
        return Estimate.unknown("not measured in this run")
    figure: Estimate = getattr(footprint, key)
    return figure
