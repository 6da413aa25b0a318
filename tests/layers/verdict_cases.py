"""What `orrery why` says of broken programs whose cause is known, and the forms it says it in."""
import json
import pathlib
import subprocess
import sys

TESTS = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "campaigns"), str(TESTS / "verdicts")]
import builds  # noqa: E402
import verdicts  # noqa: E402
import schema  # noqa: E402
import table  # noqa: E402


class Options:
    def __init__(self, orrery):
        self.orrery = pathlib.Path(orrery).resolve()


def case_verdicts(orrery, expect):
    """One or two programs of each kind have their causes named; ./dev verdicts asks of all."""
    work = [(row, "O0") for row in table.ROWS if (row.source, row.case) in table.SHORT]
    builds.build_all(work, orrery.home)
    with verdicts.concurrent.futures.ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda one: verdicts.ask(Options(orrery.program), orrery.home, *one), work))
    expect([(*verdict.key, verdict.result, verdict.reason) for verdict in found if verdict.result != "right"], [], "verdicts")
    reports = schema.load("reports")
    for verdict in found:
        expect(list(schema.problems(verdict.said, reports["$defs"]["why"], reports)), [], f"the schema of {verdict.key}")


def case_sarif(orrery, expect):
    """--sarif has what SARIF 2.1.0 requires, and the same rule, place and words as --json."""
    row = next(row for row in table.ROWS if (row.source, row.case) == ("faults.c", "null_field"))
    builds.build_all([(row, "O0")], orrery.home)
    recording = verdicts.record(Options(orrery.program), orrery.home, row, "O0")
    said = json.loads(orrery.run("why", recording, "--json", status=1))
    log = json.loads(orrery.run("why", recording, "--sarif", status=1))
    expect(log["version"], "2.1.0", "version")
    [one] = log["runs"]
    driver, [result] = one["tool"]["driver"], one["results"]
    expect((bool(driver["name"]), driver["rules"][result["ruleIndex"]]["id"], result["level"]), (True, result["ruleId"], "error"), "the rule")
    expect(result["ruleId"], said["category"], "category")
    expect(result["message"]["text"].splitlines(), [said["headline"], *said["sentences"]], "message")
    place = result["locations"][0]["physicalLocation"]
    expect((place["artifactLocation"]["uri"], place["region"]["startLine"]), ("file://" + said["place"]["file"], said["place"]["line"]), "place")
    expect([frame["location"]["logicalLocations"][0]["fullyQualifiedName"] for frame in result["stacks"][0]["frames"]],
           [frame["function"] for frame in said["stack"]], "stack")
    expect(one["invocations"][0]["exitSignalName"], "SIGSEGV", "invocation")
    well = orrery.record(["/bin/true"])
    expect(json.loads(orrery.run("why", well, "--sarif"))["runs"][0]["results"], [], "nothing to tell")


CASES = {name[5:]: value for name, value in globals().items() if name.startswith("case_")}
