"""What of a store goes: by age, by size, by what runs name; and what is said of it."""

import pytest
from edgestill.pipeline.engine.artifacts import Artifacts
from edgestill.pipeline.engine.inventory import Kept, Rubbish
from edgestill.pipeline.finished.stored import (
    DAY_S,
    Side,
    Size,
    Sizes,
    collected,
    hashed,
    lines_of_collected,
    lines_of_hashed,
    lines_of_size,
    local_side,
    shared_side,
    summary,
)

KIB = 1024


def kept(name, days, *, size=KIB, stage="data", in_use=False):
    return Kept(name, stage, size, days * DAY_S, in_use)


ENTRIES = (
    kept("old", 90),
    kept("old-named", 80),
    kept("old-in-use", 70, in_use=True),
    kept("new", 1),
    kept("new-named", 0, stage="student", size=3 * KIB),
)
NAMED = frozenset({"old-named", "new-named"})
RUBBISH = (Rubbish("drafts of killed builds", ".draft-1", KIB), Rubbish("damaged entries", "b", 0))


class Shelf:
    """A store in memory that notes what is removed."""

    def __init__(self, entries=ENTRIES, held=()):
        self.gone, self.swept = [], []
        self.side = Side(
            "here",
            lambda: list(entries),
            lambda: list(RUBBISH),
            lambda key: key not in held and (self.gone.append(key), True)[1],
            self.swept.extend,
            lambda: [(entries[0], "a.bin changed on disk")],
        )


def test_what_no_run_names_and_nobody_used_for_long_goes_with_the_rubbish():
    shelf = Shelf()
    done = collected(shelf.side, NAMED, 30 * DAY_S)
    assert shelf.gone == ["old"]
    assert shelf.swept == [".draft-1", "b"]
    assert [one.key for one in done.in_use] == ["old-in-use"]
    assert done.freed_bytes == 2 * KIB
    assert [one.key for one in done.left] == ["old-named", "old-in-use", "new", "new-named"]
    assert done.named == 0


def test_a_dry_run_says_the_same_and_removes_nothing():
    shelf, other = Shelf(), Shelf()
    told = collected(shelf.side, NAMED, 30 * DAY_S, 4 * KIB, dry_run=True)
    done = collected(other.side, NAMED, 30 * DAY_S, 4 * KIB)
    assert (shelf.gone, shelf.swept) == ([], [])
    assert told.removed == done.removed
    assert told.to_dict() == {**done.to_dict(), "dry_run": True}


@pytest.mark.parametrize(
    ("keep", "gone"),
    [
        (7 * KIB, ["old"]),
        (5 * KIB, ["old", "new"]),
        (4 * KIB, ["old", "new", "old-named"]),
        (0, ["old", "new", "old-named", "new-named"]),
    ],
)
def test_a_size_takes_the_longest_unused_first_and_what_runs_name_last(keep, gone):
    shelf = Shelf()
    done = collected(shelf.side, NAMED, 30 * DAY_S, keep)
    assert shelf.gone == gone
    assert "old-in-use" not in shelf.gone, "whatever is asked"
    assert done.named == sum(name in NAMED for name in gone)


def test_what_a_build_took_meanwhile_is_kept_and_said():
    shelf = Shelf(held=("old",))
    done = collected(shelf.side, NAMED, 30 * DAY_S)
    assert shelf.gone == []
    assert {one.key for one in done.in_use} == {"old", "old-in-use"}
    assert "  2 kept: a build that runs now has them" in lines_of_collected(done)


def test_lines_and_documents_say_what_there_is():
    size = Size("here", ENTRIES, NAMED, RUBBISH)
    assert summary(size) == "5 entries in here, 8 KiB, 4 KiB of it no run names"
    lines = lines_of_size(size)
    assert lines[2].split() == ["data", "4", "4", "KiB", "3", "KiB"]
    assert "  used within 7 days: 1 entry, 1 KiB" in lines
    assert "  used longer than 30 days ago: 3 entries, 3 KiB" in lines
    assert "  drafts of killed builds: 1, 1 KiB" in lines
    document = Sizes((size,)).to_dict()["stores"][0]
    assert (document["bytes"], document["bytes_no_run_names"]) == (8 * KIB, 3 * KIB)
    assert sum(stage["entries"] for stage in document["stages"]) == 5
    assert sum(age["entries"] for age in document["last_used"]) == 5
    assert "student" in repr(Sizes((size,)))
    assert len(Sizes((size,)).records()) == 2
    checked = hashed(Shelf().side)
    assert lines_of_hashed(checked)[1] == "  data old: a.bin changed on disk"
    assert checked.to_dict()["bad"][0]["fault"] == "a.bin changed on disk"
    assert all(len(line) <= 80 for line in [*lines, *lines_of_hashed(checked)])


def test_there_is_a_side_for_each_store(tmp_path):
    assert local_side(Artifacts(tmp_path)).entries() == []
    assert shared_side(Artifacts(tmp_path), print) is None
    pytest.importorskip("obstore")
    side = shared_side(Artifacts(tmp_path, "memory://sides"), print)
    assert (side.where, side.entries(), side.rubbish()) == ("memory://sides", [], [])
