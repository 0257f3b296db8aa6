"""What every result has: a screen, plain values, a data frame where pandas is installed."""

import dataclasses
import sys

import pytest
from edgestill.devices.onboard.stats.estimate import Estimate
from edgestill.errors import HostError
from edgestill.pipeline.finished.result import Result, flat, plain
from edgestill.pipeline.finished.screen import Screen

TIME = Estimate(1.0, 0.9, 1.1, "a test", 9, unit="ms")


@dataclasses.dataclass(frozen=True, repr=False)
class Counted(Result):
    name: str
    time_ms: Estimate
    lost: Estimate = dataclasses.field(default_factory=lambda: Estimate.unknown("a test"))

    def screen(self):
        return Screen(self.name, ("name",), ((self.name,),))

    def records(self):
        return [dict(flat(self))]

    def to_dict(self):
        return plain(dataclasses.asdict(self))


def test_it_shows_itself_in_a_terminal_and_in_a_notebook():
    counted = Counted("a", TIME)
    assert repr(counted) == "a\nname\na"
    assert counted._repr_html_().startswith("<div><p><strong>a</strong></p><table>")


def test_a_figure_is_three_columns_of_a_data_frame():
    pandas = pytest.importorskip("pandas")
    frame = Counted("a", TIME).to_dataframe()
    assert isinstance(frame, pandas.DataFrame)
    (row,) = frame.to_dict("records")
    assert (row["name"], row["time_ms"]) == ("a", 1.0)
    assert (row["time_ms_low"], row["time_ms_high"]) == (0.9, 1.1)
    assert row["lost"] is None or row["lost"] != row["lost"]


def test_without_pandas_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    with pytest.raises(HostError, match="pip install pandas"):
        Counted("a", TIME).to_dataframe()


def test_a_result_says_itself_what_there_is_to_show():
    for method in (Result.screen, Result.records, Result.to_dict):
        with pytest.raises(NotImplementedError):
            method(Result())
