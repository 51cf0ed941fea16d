"""Tables for the UI."""

from roster_etl.orchestration.assets.markdown import LinkCell, escape_markdown, markdown_table


def test_a_table_has_a_head_and_a_line_a_row():
    table = markdown_table(("file", "rows:"), [(LinkCell("students.csv", "/assets/clever/students"), "12")], "\n\nand 3 more")

    assert table.value == "| file | rows |\n| --- | --: |\n| [students.csv](/assets/clever/students) | 12 |\n\nand 3 more"


def test_what_comes_from_outside_makes_no_link_no_picture_no_cell_and_no_line():
    assert escape_markdown("![a](http://x)|b\n# c <i>") == r"\!\[a\]\(http://x\)\|b \# c \<i\>"
    assert markdown_table(("file",), [(LinkCell("x](//evil)|y", "/a"),)]).value.splitlines()[2] == r"| [x\]\(//evil\)\|y](/a) |"
