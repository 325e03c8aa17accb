"""report.json as a document: its schema, reading it back, refusing what is none, and what follows
from it."""

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from made import record, report

from theory_checks.__main__ import main
from theory_checks.checking.record import Record
from theory_checks.report.document import Report, document_schema, read_report
from theory_checks.report.results import origins, suspects

SCHEMA = document_schema()


def problems(document: Any) -> list[str]:
    """What is wrong with the document, according to the schema."""
    return [
        f"{error.json_path}: {error.message}"
        for error in Draft202012Validator(SCHEMA).iter_errors(document)
    ]


def test_the_schema_is_one_and_knows_every_field() -> None:
    Draft202012Validator.check_schema(SCHEMA)
    assert set(SCHEMA["properties"]) == {field.name for field in fields(Report)} | {"suspects"}
    assert set(SCHEMA["$defs"]["Record"]["properties"]) == {field.name for field in fields(Record)}
    for described in (SCHEMA, *SCHEMA["$defs"].values()):
        assert "description" in described
        for name, entry in described.get("properties", {}).items():
            assert entry["description"], name
    assert json.loads(json.dumps(SCHEMA)) == json.loads(json.dumps(document_schema()))


@pytest.mark.parametrize(
    "one",
    [
        record(),
        record(verdict="violated", observed=float("inf"), margin=float("nan"), tightness=None),
        Record("Z.1", "not run", kind="exact"),
    ],
    ids=["full", "not finite", "bare"],
)
def test_a_report_fits_the_schema_and_can_be_read_back(one: Record, tmp_path: Path) -> None:
    written = report(one, record("R.2", depends_on=(one.id,)))
    (tmp_path / "report.json").write_text(written.to_json())
    assert problems(json.loads(written.to_json())) == []
    for path in (tmp_path, tmp_path / "report.json"):
        assert read_report(path).to_json() == written.to_json()  # nan is not equal to itself
    again = replace(read_report(tmp_path).records[1], pictures=())
    assert again == replace(written.records[1], pictures=())


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"seed": -1}, "$.seed"),
        ({"schema": "1"}, "$.schema"),
        ({"colour": "green"}, "$"),
        ({"records": [{}]}, "$.records[0]"),
    ],
)
def test_the_schema_refuses_other_documents(change: dict[str, Any], where: str) -> None:
    (first, *_) = problems({**json.loads(report(record()).to_json()), **change})
    assert first.startswith(f"{where}: ")


def changed(**fields: Any) -> str:
    return json.dumps({**json.loads(report(record()).to_json()), **fields})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (report(record()).to_json()[:-200], "not JSON, perhaps truncated"),
        ("", "not JSON, perhaps truncated"),
        ("[]", "not a report of theory checks, it has no field 'schema'"),
        ('{"tests": 3}', "not a report of theory checks, it has no field 'schema'"),
        (changed(schema="1"), "report schema '1', but this version of theory_checks reads '2'"),
        (changed(records=[{"id": 3, "verdict": "holds"}]), "report.records[0].id is 3, needs str"),
        (changed(records={}), "report.records is {}, needs"),
        (changed(profile=None), "report.profile is None, needs str"),
        (changed(seed=-1), "report.seed is -1, needs at least 0"),
        (
            changed(records=[{"id": "R.1", "verdict": "holds", "pictures": [{"type": "cube"}]}]),
            "report.records[0].pictures[0].type is 'cube', needs one of lines",
        ),
        (changed(colour="green"), "report has 'colour', which is unknown here"),
        ('{"schema": "2"}', "missing 14 required positional arguments: 'created'"),
        (
            changed(records=[{"id": "R.1", "verdict": "perhaps"}]),
            "report.records[0].verdict is 'perhaps'",
        ),
        (
            changed(records=[{"id": "R.1", "verdict": "holds"}] * 2),
            "report.records has 2 records of 'R.1'",
        ),
    ],
)
def test_what_is_no_report_is_refused_with_file_and_reason(
    text: str, reason: str, tmp_path: Path
) -> None:
    path = tmp_path / "old.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"old\.json: ") as caught:
        read_report(path)
    assert reason in str(caught.value)


def test_a_file_that_is_not_there_or_not_text_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"report\.json: cannot be read .No such file"):
        read_report(tmp_path)
    (tmp_path / "report.json").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ValueError, match=r"report\.json: not a text file"):
        read_report(tmp_path)


def test_what_builds_on_a_broken_claim_is_suspect_directly_or_not() -> None:
    records = [
        record("R.5", "violated"),
        record("R.4", "error"),
        record("R.3", "inconclusive"),
        record("A.1", depends_on=("R.5", "Q.1")),
        record("A.2", depends_on=("A.1", "R.4")),
        record("A.3", "violated", depends_on=("A.2",)),
        record("A.4", depends_on=("R.3",)),
    ]
    assert suspects(records) == {"A.1": ("R.5",), "A.2": ("R.4", "R.5"), "A.3": ("R.4", "R.5")}
    assert origins(suspects(records)) == suspects(
        records
    )  # neither R.5 nor R.4 builds on anything broken
    chain = [
        record("R.5", "violated"),
        record("A.1", "violated", depends_on=("R.5",)),
        record("N.1", depends_on=("A.1",)),
    ]
    assert suspects(chain)["N.1"] == ("R.5", "A.1")
    assert origins(suspects(chain))["N.1"] == ("R.5",)
    assert json.loads(report(*records).to_json())["suspects"] == {
        claim_id: list(by) for claim_id, by in suspects(records).items()
    }
    assert suspects(replace(one, verdict="holds") for one in records) == {}


def test_the_command_prints_the_schema(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--schema"]) == 0
    assert json.loads(capsys.readouterr().out) == json.loads(json.dumps(document_schema()))


def test_a_printed_report_says_in_short_what_does_not_hold() -> None:
    found = report(
        record("R.1"),
        record("R.3", "inconclusive"),
        record("N.1", "error"),
        record("R.2", "violated"),
    )
    shown = (
        "1 of 4 claims is violated, 1 is in error (the code under test raised), 1 is undecided.\n"
        "R.2 violated: What R.2 says: |x| <= 1.\n"
        "N.1 error: What N.1 says: |x| <= 1.\n"
        "R.3 inconclusive: What R.3 says: |x| <= 1."
    )
    assert (str(found), repr(found)) == (shown, shown)
    assert str(report(Record("R.1", "error", detail="no claim"))).endswith("\nR.1 error: no claim")
    assert str(report(record())) == "The claim holds."
