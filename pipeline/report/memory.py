"""Memory in every view that was taken, one line each: no two of them may be added up.

for name, estimates in lines([model.figures for model in models]):
    print(name, [numbers.show(each, numbers.BYTES) for each in estimates])
"""

from collections.abc import Sequence

from ...devices.bench.bench import Figures, Footprint
from ...devices.onboard.stats.estimate import Estimate

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
    "Peak memory is what was resident at most over the imports, with the runtime's own settings "
    "and malloc's thresholds fixed, as MALLOC_MMAP_THRESHOLD_=131072 does; malloc's own: with "
    "thresholds that move, where glibc keeps more of what is freed, and how much is luck; "
    "no arena: enable_cpu_mem_arena off; no pattern: enable_mem_pattern off as well; weights and "
    "activation peak are counted in the graph, without workspace, packed weights and code, and are "
    "parts of the others: nothing here adds up"
)


def lines(
    models: Sequence[Figures | None], *, short: bool = False
) -> tuple[tuple[str, tuple[Estimate, ...]], ...]:
    """Each view's name and its figure for each model; none where no model was looked at so."""
    if not any(each and each.footprint for each in models):
        return ()
    names = _SHORT if short else _VIEWS
    return tuple((name, tuple(_of(each, key) for each in models)) for key, name in names.items())


def _of(model: Figures | None, key: str) -> Estimate:
    found: Footprint | None = model.footprint if model else None
    if found is None:
        return Estimate.unknown("not looked at in this run")
    figure: Estimate = getattr(found, key)
    return figure
