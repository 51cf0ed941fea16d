"""The gates' own process: asked for verdicts, replaced when it dies, gone when its parent is."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from roster_etl.quality import GatesUnavailable, SuiteBroken, gx_client
from roster_etl.quality.expectation_result import ExpectationResult
from roster_etl.quality.gx_client import GxClient, SuiteRequest

RULE = {"type": "expect_rule_to_hold", "kwargs": {"rule": "Grade: form", "mostly": 0.5}, "severity": "warning", "meta": {}}
LINES = {"rule": ["Grade: form"], "judged": [4], "failing": [1]}
FOUND = [(ExpectationResult(passed=True, judged=4, failing=1),)]
STUDENTS = SuiteRequest(name="demo/students", expectations=[RULE], lines=LINES)
TEACHERS = SuiteRequest(name="demo/teachers", expectations=[RULE, RULE], lines={**LINES, "failing": [3]})


@pytest.fixture(scope="module")
def gates():
    """One child for all tests that do not harm it for good."""
    process = GxClient()
    yield process
    process.close()


def fake(code, **kwargs):
    """Return gates whose child runs `code`."""
    return GxClient([sys.executable, "-c", code], **kwargs)


def is_there(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_suite_is_judged_there(gates):
    assert gates.run_expectations([STUDENTS]) == FOUND


def test_a_rule_without_a_line_was_not_judged(gates):
    assert gates.run_expectations([replace(STUDENTS, lines={"rule": [], "judged": [], "failing": []})]) == [
        (ExpectationResult(passed=True, judged=None, failing=None),)
    ]


def test_several_suites_are_one_request_and_each_gets_its_own_answer(gates, monkeypatch):
    asked = []
    ask = gates._request
    monkeypatch.setattr(gates, "_request", lambda name, *rest: asked.append(name) or ask(name, *rest))
    (found,), failed = FOUND, ExpectationResult(passed=False, judged=4, failing=3)

    assert gates.run_expectations([STUDENTS, TEACHERS, replace(STUDENTS, name="demo/empty", expectations=[])]) == [
        found,
        (failed, failed),
        (),
    ]
    assert asked == ["demo/students and 2 more"]


def test_no_suite_asks_nothing():
    assert fake("raise SystemExit").run_expectations([]) == []


def test_a_broken_suite_is_the_same_error_here(gates):
    misspelt = {"type": "expect_column_values_to_be_unique", "kwargs": {"colum": "a"}, "severity": "warning"}

    with pytest.raises(SuiteBroken, match="suite demo/teachers is broken: .*colum: extra fields not permitted"):
        gates.run_expectations([STUDENTS, replace(TEACHERS, expectations=[misspelt])])


def test_one_child_judges_all_suites(gates):
    gates.run_expectations([STUDENTS])
    first = gates._process.pid
    gates.start()
    gates.run_expectations([TEACHERS])

    assert gates._process.pid == first


@pytest.mark.faults
def test_a_child_that_was_killed_between_two_suites_is_started_once_more(gates):
    gates.run_expectations([STUDENTS])
    killed = gates._process.pid
    os.kill(killed, signal.SIGKILL)

    assert gates.run_expectations([STUDENTS]) == FOUND
    assert gates._process.pid != killed
    assert not is_there(killed)  # and it was waited for


@pytest.mark.faults
@pytest.mark.parametrize(
    ("code", "problem"),
    [
        ("print('Hello!', flush=True); input()", "gave an answer that cannot be understood"),
        ("print('{}', flush=True); input()", "gave an answer that cannot be understood"),
        ("""print('{"observed": [[[true]]]}', flush=True); input()""", "gave an answer that cannot be understood"),
        ("""print('{"observed": []}', flush=True); input()""", "gave an answer that cannot be understood"),
        ("""print('{"observed": [[]]}', flush=True); input()""", "gave an answer that cannot be understood"),
        ("input(); raise SystemExit(3)", "ended with code 3"),
        ("import time; time.sleep(60)", "gave no answer for 0 seconds"),
    ],
)
def test_a_child_that_twice_gives_no_answer_is_an_error_that_says_so(code, problem):
    gates = fake(code, timeout_seconds=0.4 if "sleep" in code else 20)

    with pytest.raises(GatesUnavailable, match=f"suite demo/students could not be evaluated: the gates' own process {problem}"):
        gates.run_expectations([STUDENTS])
    assert gates._process is None


@pytest.mark.faults
def test_an_answer_from_a_second_child_counts(tmp_path):
    code = (
        f"import os; first = not os.path.exists({str(tmp_path / 'x')!r}); open({str(tmp_path / 'x')!r}, 'w').close(); input(); "
        """print('garbage' if first else '{"observed": [[[true, 4, 1]]]}', flush=True); input()"""
    )
    gates = fake(code)

    assert gates.run_expectations([STUDENTS]) == FOUND
    gates.close()


@pytest.mark.faults
def test_an_answer_that_nobody_waited_for_is_not_taken_for_the_next_suites(monkeypatch):
    gates = fake("""import sys
for line in sys.stdin: print('{"observed": [[[true, 4, 1]]]}', flush=True)""")
    with monkeypatch.context() as patch:
        patch.setattr(gx_client.select, "select", interrupted)
        with pytest.raises(KeyboardInterrupt):
            gates.run_expectations([STUDENTS])
    assert gates._process is None

    assert gates.run_expectations([STUDENTS]) == FOUND
    gates.close()


def interrupted(*_args):
    raise KeyboardInterrupt


def test_a_child_that_cannot_be_started_is_an_error_that_says_so():
    gates = GxClient(["/nowhere/python"])

    with pytest.raises(GatesUnavailable, match="cannot be reached"):
        gates.run_expectations([STUDENTS])


def test_starting_early_says_nothing_of_a_child_that_cannot_be_started(monkeypatch):
    monkeypatch.setattr(gx_client, "GX_CLIENT", GxClient(["/nowhere/python"]))

    gx_client.start_gx_process()


def test_closing_ends_the_child():
    gates = fake("input()")
    gates.start()
    pid = gates._process.pid
    gates.close()

    assert not is_there(pid)


def test_a_forked_process_leaves_the_child_alone_and_starts_its_own():
    gates = fake("import sys; sys.stdin.read()")
    gates.start()
    child = gates._process
    gates.detach()

    assert gates._process is None
    assert os.waitpid(child.pid, 0) == (child.pid, 0)  # not killed: it ended because nobody holds the pipe any more


def test_the_child_gets_no_secrets(monkeypatch):
    monkeypatch.setenv("ROSTER_ETL_SFTP_PASSWORD", "hunter2")
    monkeypatch.setenv("PGPASSWORD", "hunter2")

    assert "hunter2" not in gx_client._environment().values()


@pytest.mark.faults
def test_a_parent_that_is_killed_leaves_nothing():
    code = "from roster_etl.quality.gx_client import GX_CLIENT; GX_CLIENT.start(); print(GX_CLIENT._process.pid, flush=True); input()"
    with subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as parent:
        pid = int(parent.stdout.readline())
        parent.kill()
    patience = time.monotonic() + 60
    while is_there(pid) and time.monotonic() < patience and not is_zombie(pid):
        time.sleep(0.05)

    assert not is_there(pid) or is_zombie(pid)


def is_zombie(pid):
    """Whether the process has ended, and the system's first process has not noticed yet."""
    try:
        with open(f"/proc/{pid}/stat") as status:
            return status.read().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return False


def test_judging_loads_great_expectations_elsewhere_and_a_process_ends_with_its_child():
    code = """
import sys
from roster_etl.quality.gx_client import GX_CLIENT
from roster_etl.quality.gx_client import SuiteRequest
suite = SuiteRequest(name="demo", expectations=[], lines={"rule": [], "judged": [], "failing": []})
assert GX_CLIENT.run_expectations([suite]) == [()]
print("great_expectations" in sys.modules, GX_CLIENT._process.pid)
"""
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded, pid = said.stdout.split()

    assert loaded == "False"
    assert said.stderr == ""
    assert not is_there(int(pid))
