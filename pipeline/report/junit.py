"""junit.xml: one test suite a variant, one test case a budget or fault, for build servers.

The file says what the exit code says. Where no variant ships, a budget that is missed is a
``<failure type="not ready">`` and one that the measurement cannot decide a
``<failure type="undecided">``: nothing broke, but a build must not pass on it. Where a variant
ships, what the others missed is ``<skipped>``: they stay behind, and the build is green.

    document(report)   # b'<?xml version=...><testsuites name="digits" tests="18" ...>'

A baseline adds a suite whose cases are the figures that may not get worse.
"""

import xml.etree.ElementTree as ET
from pathlib import Path

from ..judge.against import Against, Pair
from ..records import Check, Report, VariantVerdict
from . import commands, next_step, numbers, regression, words

_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'


def document(report: Report, found: Against | None = None, *, run: Path | None = None) -> bytes:
    """The verdict as JUnit XML, in UTF-8.

    Args:
        report: of the run.
        found: what a baseline says, a suite a pair of models; None: none was given.
        run: folder of the run, for the command to try next; None: not known.
    """
    root = ET.Element("testsuites", name=_text(report.name))
    for judged in report.verdict.variants:
        _suite(root, report, judged, run)
    for pair in found.pairs if found else ():
        _against(root, report, pair)
    _total(root)
    ET.indent(root)
    return f"{_DECLARATION}\n{ET.tostring(root, encoding='unicode')}\n".encode()


def _suite(root: ET.Element, report: Report, judged: VariantVerdict, run: Path | None) -> None:
    suite = ET.SubElement(root, "testsuite", name=_text(judged.name), timestamp=_built(report))
    properties = ET.SubElement(suite, "properties")
    facts = {
        "outcome": judged.outcome,
        "ships": "yes" if judged.name == report.verdict.ship else "no",
        "run": words.headline(report),
        "edgestill": report.edgestill,
    }
    for name, value in facts.items():
        ET.SubElement(properties, "property", name=name, value=_text(value))
    for check in judged.checks:
        _budget(suite, report, judged, check)
    _faults(suite, report, judged)
    if judged.name == report.verdict.nearest:
        _what_next(suite, report, run)
    _total(suite)


def _against(root: ET.Element, report: Report, pair: Pair) -> None:
    """A case a figure; one that is not judged is skipped."""
    name = f"{pair.now} against the baseline's {pair.then}"
    suite = ET.SubElement(root, "testsuite", name=_text(name), timestamp=_built(report))
    if pair.missing is not None:
        case = _named(suite, f"{report.name}.{name}", "in the baseline")
        _failure(case, "undecided", pair.missing)
    for change in pair.changes:
        case, text = (
            _named(suite, f"{report.name}.{name}", change.what),
            regression.case(change, report),
        )
        if change.outcome is None:
            ET.SubElement(case, "skipped", message=_text(text))
        elif change.outcome == "ready":
            ET.SubElement(case, "system-out").text = _text(text)
        else:
            _failure(case, change.outcome, text)
    _total(suite)


def _budget(suite: ET.Element, report: Report, judged: VariantVerdict, check: Check) -> None:
    case = _case(suite, report, judged, check.key)
    quality = report.quality
    budget = numbers.budget(check, quality)
    name, found = words.budget_name(check, quality), words.figure_found(check, quality)
    text = f"{name}: found {found}, budget {budget}. {check.why}"
    if check.outcome == "ready":
        ET.SubElement(case, "system-out").text = _text(text)
    else:
        _missed(case, report, check.outcome, text)


def _faults(suite: ET.Element, report: Report, judged: VariantVerdict) -> None:
    """A case a fault, or one that passes: a suite without cases would read as never run."""
    if not judged.faults:
        _case(suite, report, judged, "sound")
    for number, fault in enumerate(judged.faults, start=1):
        case = _case(suite, report, judged, f"fault {number}")
        _missed(case, report, "not ready", fault)
    if judged.cannot_ship:
        case = _case(suite, report, judged, "taken by the app")
        outcome = "not ready" if report.verdict.ship else report.verdict.outcome
        _missed(case, report, outcome, judged.cannot_ship)
    for number, what in enumerate(judged.unknown, start=1):
        case = _case(suite, report, judged, f"unknown {number}")
        _missed(case, report, "undecided", what)


def _what_next(suite: ET.Element, report: Report, run: Path | None) -> None:
    """Behind each failure of the variant that is nearest to shipping: what to try first."""
    step = next_step.of(report)
    if step is None:
        return
    shown = commands.on_page(step.command, run) if step.command else None
    told = [shown.where, shown.command] if shown else []
    for failure in suite.iter("failure"):
        said = " ".join(filter(None, [failure.text, step.text, *told]))
        failure.text = _text(said)
        failure.set("message", _text(said))


def _missed(case: ET.Element, report: Report, outcome: str, text: str) -> None:
    message = _text(text)
    if report.verdict.ship is not None:
        ET.SubElement(case, "skipped", message=f"{outcome}: {message}")
        return
    _failure(case, outcome, text)


def _failure(case: ET.Element, outcome: str, text: str) -> None:
    message = _text(text)
    ET.SubElement(case, "failure", type=outcome, message=message).text = message


def _case(suite: ET.Element, report: Report, judged: VariantVerdict, name: str) -> ET.Element:
    return _named(suite, f"{report.name}.{judged.name}", name)


def _named(suite: ET.Element, classname: str, name: str) -> ET.Element:
    return ET.SubElement(suite, "testcase", classname=_text(classname), name=_text(name), time="0")


def _built(report: Report) -> str:
    return _text(report.created.rstrip("Z"))


def _total(element: ET.Element) -> None:
    element.set("tests", str(sum(1 for _ in element.iter("testcase"))))
    element.set("failures", str(sum(1 for _ in element.iter("failure"))))
    element.set("errors", "0")
    element.set("skipped", str(sum(1 for _ in element.iter("skipped"))))


def _text(text: str) -> str:
    return numbers.printable(text)
