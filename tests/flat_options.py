"""Jobs and settings from flat options: each goes to the record that has a field of its name.

flat_settings(processes=2, seconds=0.01)  # Settings(2, timing=Timing(seconds=0.01))
flat_job(MeasureJob, "m.onnx", "samples.npy", threads=2)
"""

from dataclasses import fields

from edgestill.devices.bench.settings import Settings
from edgestill.devices.onboard.settings import Feed, Session, Timing

PARTS = {"session": Session, "feed": Feed, "timing": Timing}


def flat_settings(**options):
    return flat_job(Settings, **options)


def flat_job(kind, *positional, **options):
    own = {field.name for field in fields(kind)}
    parts = {name: {} for name in PARTS if name in own and name not in options}
    for name in set(options) - own:
        part = next(part for part in parts if name in PARTS[part].__dataclass_fields__)
        value = options.pop(name)
        parts[part][name] = str(value) if name == "inputs" and value is not None else value
    return kind(*positional, **options, **{n: PARTS[n](**given) for n, given in parts.items()})
