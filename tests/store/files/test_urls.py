"""URLs and names as people may see them."""

import pytest

from roster_etl.store.files.urls import has_password, is_url, local_path, printable_name, redact, scheme


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("postgresql://ann:pa:ss/w@rd@db:5432/x", "postgresql://ann:***@db:5432/x"),
        ("sftp://ann@host:22/in", "sftp://ann@host:22/in"),
        ("https://host/x?token=abc&n=1&X-Amz-Signature=zz", "https://host/x?token=***&n=1&X-Amz-Signature=***"),
        ("redis://:secret@host", "redis://:***@host"),
        ("/plain/path", "/plain/path"),
        ("simplecache::s3://key:secret@bucket/x", "simplecache::s3://key:***@bucket/x"),
    ],
)
def test_secrets_are_hidden(url: str, expected: str) -> None:
    assert redact(url) == expected


def test_a_password_in_a_url_is_noticed() -> None:
    assert has_password("sftp://u:p@h/x")
    assert not has_password("sftp://u@h:22/in@box")


def test_a_path_is_no_url() -> None:
    assert not is_url("/a/b:c")
    assert not is_url("C:/x")
    assert is_url("s3://b")
    assert scheme("SFTP://h") == "sftp"
    assert scheme("/a") == "file"
    assert str(local_path("file:///a/b")) == "/a/b"
    assert local_path("s3://b") is None


def test_names_are_shown_without_what_a_log_would_choke_on() -> None:
    assert printable_name("sch\udcf6ler\n\u202e.csv") == "sch\\xf6ler\\n\\u202e.csv"
    assert printable_name("Schüler 学生.csv") == "Schüler 学生.csv"
