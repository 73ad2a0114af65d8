"""Lines of a file are parsed, or reported with their numbers."""

import pytest

from transaction_tracker.cli.importing import BadLine, Format, GoodLine, batches, entries


def read(text: str, kind: Format = "auto") -> list[GoodLine | BadLine]:
    return list(entries(text.splitlines(keepends=True), kind))


def test_plain_ids() -> None:
    assert read("# ours\n\n0xab\n  0xcd  \n") == [
        GoodLine(3, {"id": "0xab"}),
        GoodLine(4, {"id": "0xcd"}),
    ]


def test_json_lines() -> None:
    text = '{"id": "0xab", "confirmations": 3, "metadata": {"invoice": 17}}\n{"id": "0xcd"}'

    assert read(text) == [
        GoodLine(1, {"id": "0xab", "confirmations": 3, "metadata": {"invoice": 17}}),
        GoodLine(2, {"id": "0xcd"}),
    ]


def test_csv_with_all_columns() -> None:
    text = (
        "# a table\n"
        "invoice,Hash,confirmations,deadline,metadata\n"
        '17,0xab,safe,2030-01-01T00:00:00Z,"{""shop"": ""a,b""}"\n'
        ",0xcd,3,,\n"
    )

    assert read(text) == [
        GoodLine(
            3,
            {
                "id": "0xab",
                "confirmations": "safe",
                "deadline": "2030-01-01T00:00:00Z",
                "metadata": {"shop": "a,b", "invoice": "17"},
            },
        ),
        GoodLine(4, {"id": "0xcd", "confirmations": 3}),
    ]


def test_columns_with_a_meaning_are_known_in_any_case() -> None:
    assert read("Hash,CONFIRMATIONS,Shop\n0xab,30,a\n") == [
        GoodLine(2, {"id": "0xab", "confirmations": 30, "metadata": {"Shop": "a"}})
    ]


@pytest.mark.parametrize("name", ["id", "hash", "transaction", '"id"', " ID "])
def test_csv_is_detected_by_its_header(name: str) -> None:
    assert read(f"{name},note\n0xab,\n") == [GoodLine(2, {"id": "0xab"})]


@pytest.mark.parametrize(
    ("text", "kind", "bad"),
    [
        ("{oops\n", "jsonl", BadLine(1, "not JSON")),
        ('{"id": 3}', "auto", BadLine(1, 'must be a JSON object with a text "id"')),
        ("[1]", "jsonl", BadLine(1, 'must be a JSON object with a text "id"')),
        ("[" * 60_000, "jsonl", BadLine(1, "not JSON")),
        ("x" * 70_000, "ids", BadLine(1, "longer than 65,536 characters")),
        ("id,a\n0xab\n", "auto", BadLine(2, "must have 2 cells like the header, got 1")),
        ("id,a\n,x\n", "auto", BadLine(2, "must have a value for id or hash or transaction")),
        ('id,metadata\n0xab,"[1]"\n', "auto", BadLine(2, "the column metadata must be a JSON")),
    ],
)
def test_bad_line_is_reported_with_its_reason(text: str, kind: Format, bad: BadLine) -> None:
    (found,) = read(text, kind)

    assert isinstance(found, BadLine)
    assert found.line == bad.line
    assert found.reason.startswith(bad.reason)


def test_reason_names_unknown_and_known_members() -> None:
    (found,) = read('{"id": "0xab", "confirmatoins": 3}')

    assert isinstance(found, BadLine)
    assert "confirmatoins" in found.reason
    assert "confirmations" in found.reason


def test_bad_line_does_not_affect_other_lines() -> None:
    text = 'id,note\n0x01,"unclosed\n0x02,fine\n0x03,a,b\n0x04,fine\n'

    found = read(text)

    assert [(type(one).__name__, one.line) for one in found] == [
        ("BadLine", 2),
        ("GoodLine", 3),
        ("BadLine", 4),
        ("GoodLine", 5),
    ]


def test_batches_contain_every_line_once() -> None:
    found = read("".join(f"{number}\n" for number in range(25)))

    parts = list(batches(found, 10))

    assert [len(part) for part in parts] == [10, 10, 5]
    assert [one for part in parts for one in part] == found
