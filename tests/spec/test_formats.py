"""What a format may say of itself."""

from __future__ import annotations

import pytest

from roster_etl.spec import Column, File, Format, FormatError, HeaderPattern, RepeatedRows, RequireAnyOf, Status, UnsupportedFile

SIGNATURE = HeaderPattern(all_of=("id",))


def made(name: str = "people", **more: object) -> File:
    how: dict[str, object] = {"ordered_changes": True, "required": False, "recognised_by": SIGNATURE} | more
    return File(
        name=name,
        file_name=f"{name}.csv",
        title=name,
        source="1",
        key=("id",),
        columns=(Column(name="id"), Column(name="b")),
        **how,
    )  # type: ignore[arg-type]


def changes(*files: File, **more: object) -> Format:
    how: dict[str, object] = {"mode": "changes", "identify_by": "headers"} | more
    return Format(name="f", title="F", document="D", version="1", files=files, **how)  # type: ignore[arg-type]


def test_a_format_of_changes_is_told_by_headers_and_applies_rows_in_order() -> None:
    assert changes(made()).file("people").ordered_changes


@pytest.mark.parametrize(
    ("file", "more"),
    [
        ({"ordered_changes": False}, {}),
        ({"required": True}, {}),
        ({"recognised_by": None}, {}),
        ({}, {"identify_by": "name"}),
        ({}, {"mode": "snapshot"}),
    ],
)
def test_contradictions_are_refused(file: dict[str, object], more: dict[str, object]) -> None:
    with pytest.raises(FormatError):
        changes(made(**file), **more)


def test_kinds_that_are_not_supported_need_headers_to_be_told_by() -> None:
    plain = made(ordered_changes=False, recognised_by=None)
    other = UnsupportedFile(name="tags", title="Tags", recognised_by=SIGNATURE)

    with pytest.raises(FormatError):
        changes(plain, mode="snapshot", identify_by="name", unsupported=(other,))


def test_rows_that_apply_in_order_are_no_repeats_of_one_record() -> None:
    with pytest.raises(ValueError, match="ordered_changes"):
        made(repeats=RepeatedRows(columns=("b",)))


def test_a_rule_names_columns_that_the_file_has() -> None:
    with pytest.raises(ValueError, match="unknown columns c"):
        made(rules=(RequireAnyOf(columns=("b",), unless=("c",)),))


@pytest.mark.parametrize(
    "make", [lambda: RequireAnyOf(columns=("a",)), lambda: HeaderPattern(none_of=("a",)), lambda: Status(options=("Active",))]
)
def test_words_that_say_nothing_are_refused(make) -> None:
    with pytest.raises(ValueError, match=r"RequireAnyOf|HeaderPattern|Status"):
        make()


@pytest.mark.parametrize(
    ("headers", "fits"),
    [("a b c", True), ("a b d x", True), ("a c", False), ("b c", False), ("a b", False), ("a b c e", False)],
)
def test_a_signature_fits_when_all_it_says_holds(headers: str, fits: bool) -> None:
    signature = HeaderPattern(all_of=("a", "b"), any_of=(("c", "d"),), none_of=("e",))

    assert signature.fits(set(headers.split())) is fits
