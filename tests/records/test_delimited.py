"""Tables of text as people have them: whatever separates cells, with names or without, and what is broken costs itself."""

from __future__ import annotations

import csv
import io
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from maskwright.errors import DataError
from maskwright.modalities.text.value import TEXT
from maskwright.records.delimited import Delimited
from maskwright.records.read import Source, read
from maskwright.records.table import Layout
from tests.records.written import values

COUNT = 300
PROSE = [f"the stone number {i} lies near river {i * 7 % 13}" for i in range(COUNT)]


def told(path: Path, **options: object) -> tuple[list[str], list[str], list[str]]:
    """What is read, what is skipped, what is noted."""
    skipped: list[str] = []
    noted: list[str] = []
    source = Source(
        paths=(str(path),), value_type=TEXT, on_bad="skip", on_skipped=lambda notice: skipped.append(str(notice)),
        on_notice=lambda notice: noted.append(str(notice)), **options,  # type: ignore[arg-type]
    )  # fmt: skip
    return [record.value for record in read(source)], skipped, noted


@pytest.mark.parametrize("ending", ["csv", "tsv"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32-le"])
@pytest.mark.parametrize(("separator", "name"), [(",", "commas"), (";", "semicolons"), ("\t", "tabs"), ("|", "bars")])
def test_separator_and_encoding_are_told_by_the_file(
    tmp_path: Path, separator: str, name: str, encoding: str, ending: str
) -> None:
    """Though texts have commas now and then."""
    path, texts = tmp_path / f"a.{ending}", [f"{text}, so" if i % 3 else text for i, text in enumerate(PROSE)]
    with open(path, "w", newline="", encoding=encoding) as file:
        writer = csv.writer(file, delimiter=separator)
        writer.writerows([["id", "text", "price"], *([i, text, "3,5"] for i, text in enumerate(texts))])
    found, skipped, noted = told(path)
    assert (found, skipped) == (texts, [])
    if separator == {"csv": ",", "tsv": "\t"}[ending] and encoding == "utf-8":
        assert noted == []
    else:
        assert len(noted) == 1
        assert f"{path}: read with {name}, a header" in noted[0]
        assert encoding == "utf-8" or encoding[:6].upper() in noted[0]


def test_decimal_commas_are_numbers_not_text(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("preis;satz\n3,14;ein Satz\n2,5;noch einer\n")
    assert values(path) == ["ein Satz", "noch einer"]


@pytest.mark.parametrize(
    "content",
    [
        "".join(f"{'spam' if i % 4 else 'ham'}\t{text}\n" for i, text in enumerate(PROSE)),
        "".join(f"{i}\t{text}\n" for i, text in enumerate(PROSE)),
        "".join(f"{text}, and more words than any column has in its name\tx{i}\n" for i, text in enumerate(PROSE)),
    ],
    ids=["labels", "numbers", "sentences"],
)
def test_a_table_without_names_loses_no_row(tmp_path: Path, content: str) -> None:
    path = tmp_path / "a.tsv"
    path.write_text(content)
    column = "1" if content.startswith(PROSE[0]) else "2"
    found, skipped, noted = told(path, field=column)
    assert len(found) == COUNT
    assert not skipped
    assert noted == [f"{path}: read with tabs, no header"]


def test_what_is_said_of_a_layout_is_done(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("one~first words\ntwo~second words\n")
    assert values(path, layout=Layout("~", header=False), field="2") == ["first words", "second words"]
    assert values(path, layout=Layout("~"), field="first words") == ["second words"]
    path.write_text('id,text\n1,"So"\n')
    assert (values(path), values(path, layout=Layout(quote="none"))) == (["So"], ['"So"'])


def test_plain_tabs_have_no_quoting_and_quoted_ones_do(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text("id\ttext\n" + "".join(f'{i}\t"So {i}" was said\n' for i in range(COUNT)))
    assert values(path) == [f'"So {i}" was said' for i in range(COUNT)]
    path.write_text('id\ttext\n1\t"an open one\n2\ttwo\n3\tthree\n')
    assert values(path) == ['"an open one', "two", "three"]
    path.write_text('id\ttext\n1\t"with a\ttab"\n2\t"with ""quotes"""\n3\tplain\n')
    assert values(path) == ["with a\ttab", 'with "quotes"', "plain"]
    path.write_text('"id"\t"text"\n"1"\t"one"\n"2"\t"two"\n')
    assert values(path, field="text") == ["one", "two"]


def test_a_broken_quote_costs_its_own_row_and_names_its_own_line(tmp_path: Path) -> None:
    rows = [f"{i},the stone number {i} lies near" for i in range(COUNT)]
    rows[250] = '250,"a stone, a river"'
    texts = [row.partition(",")[2].strip('"') for row in rows]
    path = tmp_path / "a.csv"
    for broken, end in ((5, ""), (5, '"'), (COUNT - 1, "")):  # closed by another row's quote, by its own kind, never
        some = list(rows)
        some[broken] = f'{broken},"the stone number {broken} lies near'
        some[200] += end
        path.write_text("\n".join(["id,text", *some]) + "\n")
        found, skipped, _ = told(path)
        expected = [text + (end if i == 200 else "") for i, text in enumerate(texts) if i != broken]
        assert found == expected
        assert [line.split(": ")[0] for line in skipped] == [f"{path}:{broken + 2}"]
    with pytest.raises(DataError, match=rf"a.csv:{COUNT + 1}: a quote that opens in this row isn't closed"):
        values(path)


def test_many_broken_quotes_take_linear_time_and_cost_a_row_each(tmp_path: Path) -> None:
    count = 20_000
    path = tmp_path / "a.csv"
    path.write_text("id,text\n" + "".join(f'{i},"open {i}\n' if i % 2 else f"{i},fine\n" for i in range(count)))
    found, skipped, _ = told(path, layout=Layout(quote='"'))
    assert found == ["fine"] * (count // 2)
    assert len(skipped) == count // 2


def test_columns_that_nobody_asked_for_may_have_no_name_or_the_same(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,label,,\n" + "".join(f"a line {i},x,,\n" for i in range(9)))
    assert values(path, field="text") == values(path) == [f"a line {i}" for i in range(9)]
    path.write_text("text,n,n\nfirst,1,2\n")
    assert values(path) == ["first"]
    with pytest.raises(DataError, match="two columns have one name, 'n'"):
        values(path, field="n")


def test_a_row_is_padded_by_empty_cells_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("text,n\none,1,,\ntwo,2,3\nthree\nfour,4\n")
    found, skipped, _ = told(path)
    assert found == ["one", "four"]
    assert [line.split(":")[1] for line in skipped] == ["3", "4"]


def test_one_column_needs_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text('text\none, with a comma\n"two, in quotes"\nthree; four\n')
    assert values(path) == ["one, with a comma", "two, in quotes", "three; four"]


def test_a_line_that_is_no_text_inside_quotes_costs_its_row(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(b'id,text\n1,"one\n\xff\nend"\n2,two\n')
    found, skipped, _ = told(path)
    assert found == ["two"]
    assert [line.split(": ")[0] for line in skipped] == [f"{path}:3"]


cells = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=12)


@given(
    st.lists(st.tuples(st.integers().map(str), cells, cells), min_size=4, max_size=30), st.sampled_from(",;\t|"),
    st.sampled_from([csv.QUOTE_ALL, csv.QUOTE_MINIMAL]), st.sampled_from(["\r\n", "\n", "\r"]),
)  # fmt: skip
@settings(deadline=None, max_examples=60)
def test_whatever_a_writer_of_csv_has_written_comes_back(
    table: list[tuple[str, str, str]], separator: str, quoting: int, end: str
) -> None:
    written = io.StringIO(newline="")
    names = ["number", "first", "second"]
    quoting = quoting if end == "\r\n" else csv.QUOTE_ALL  # else a writer leaves the other line ends bare
    csv.writer(written, delimiter=separator, quoting=quoting, lineterminator=end).writerows([names, *table])  # type: ignore[arg-type]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "a.csv")
        path.write_bytes(written.getvalue().encode())
        problems: list[DataError] = []
        found = [row for row, *_ in Delimited(path, ",", Layout()).rows(None, problems.append)]
    assert not problems
    assert found == [dict(zip(names, row, strict=True)) for row in table]


FORMS = "Timestamp,What do you like best about our product and service?\n"
LONG = "\n".join('"Hello there," he said 1, and went.' if i % 2 else "Then the night fell." for i in range(2500))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("\n\nid,text\n1,a b\n2,c d\n", ["a b", "c d"]),
        ("# exported 2024-01-01\nid,text\n1,the cat sat\n2,the dog ran\n", ["the cat sat", "the dog ran"]),
        ("#id,text\n1,the cat sat\n2,the dog ran\n", ["the cat sat", "the dog ran"]),
        ("sep=;\nid;text\n1;a, b\n2;c\n", ["a, b", "c"]),
        (FORMS + "1/2/2024,blue pens\n1/3/2024,red pens\n", None),
        (",0,1\n0,the cat sat,5\n1,the dog ran,6\n2,a cow lay,7\n", ["the cat sat", "the dog ran", "a cow lay"]),
        ("country,2019,2020\nthe nether lands,3,4\nnew zea land,5,6\n", ["the nether lands", "new zea land"]),
        ("text,yes\nfoo bar,yes\nbar foo,yes\nfoo foo,yes\n", ["foo bar", "bar foo", "foo foo"]),
        ("id,text,\n1,foo bar\n2,baz qux\n", ["foo bar", "baz qux"]),
        ("id,text\n1,a b\nid,text\n2,c d\n", ["a b", "c d"]),  # two files joined
        ("word\na word or two\nword\none more of them\n", ["a word or two", "word", "one more of them"]),
        ("see you later\nwin a prize now\nok then\n", ["see you later", "win a prize now", "ok then"]),
        ("今天天气很好我们去公园散步吧\n他昨天买了一本很有意思的书\n",
         ["今天天气很好我们去公园散步吧", "他昨天买了一本很有意思的书"]),
        ('id,text\n0,"He said \\\\"hi\\\\" to me"\n1,"and \\\\"so\\\\", too"\n'.replace("\\\\", "\\"),
         ['He said "hi" to me', 'and "so", too']),
        ('id, text\n1, "the cat, sat"\n2, the dog\n', ["the cat, sat", "the dog"]),
        ('who,text,label\nbob,all fine,spam\n'
         'bob,"Sir,\nI live in Rome, Italy, EU\nI work in Bern, Zug, CH\nI was, so, x",spam\n',
         ["all fine", "Sir,\nI live in Rome, Italy, EU\nI work in Bern, Zug, CH\nI was, so, x"]),
    ],
)  # fmt: skip
def test_tables_as_people_have_them(tmp_path: Path, content: str, expected: list[str] | None) -> None:
    path = tmp_path / "a.csv"
    path.write_text(content, encoding="utf-8")
    if expected is None:
        assert list(Delimited(path, ",", Layout()).columns()) == FORMS.strip().split(",")
        return
    found, skipped, _ = told(path, field=None if "who" not in content else "text")
    assert (found, skipped) == (expected, [])


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("quoting", [csv.QUOTE_MINIMAL, csv.QUOTE_ALL])
def test_a_cell_that_goes_on_behind_the_first_lines_is_whole(tmp_path: Path, separator: str, quoting: int) -> None:
    path, rows = tmp_path / "a.csv", [["n", "text"], ["1", "short"], ["2", LONG], ["3", LONG + "x"], ["4", "end"]]
    with open(path, "w", newline="") as file:
        csv.writer(file, delimiter=separator, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    found, skipped, _ = told(path)
    assert (found, skipped) == ([row[1] for row in rows[1:]], [])


def test_one_ragged_row_is_no_reason_to_disbelieve_quotes(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_text('id\ttext\n1\t"a\nb"\n2\t"c\nd"\n3\tx\ty\n4\t"e\nf"\n')
    found, skipped, _ = told(path)
    assert found == ["a\nb", "c\nd", "e\nf"]
    assert len(skipped) == 1
