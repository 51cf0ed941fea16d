"""A clock that only grows, whatever the wall clock does and wherever the next tick runs."""

from __future__ import annotations

import json

from roster_etl.orchestration.sensors.steady_clock import SteadyClock, boot_id


class Machine:
    """A machine whose clocks stand where a test puts them."""

    def __init__(self, boot: str, *, up: float, wall: float = 1_000_000.0) -> None:
        self.boot, self.up, self.wall = boot, up, wall

    def clock(self, cursor: str | None) -> SteadyClock:
        return SteadyClock(cursor, boot=self.boot, monotonic=lambda: self.up, wall=lambda: self.wall)

    def tick(self, cursor: str | None) -> tuple[float, str]:
        clock = self.clock(cursor)
        return clock(), clock.add_to_cursor(cursor or "{}")


def test_it_begins_with_the_wall_clock_and_goes_on_without_it() -> None:
    machine = Machine("a", up=50)
    first, cursor = machine.tick(None)
    machine.up, machine.wall = 80, machine.wall + 3600
    second, cursor = machine.tick(cursor)
    machine.up, machine.wall = 90, machine.wall - 7200
    third, _ = machine.tick(cursor)

    assert (first, second - first, third - second) == (1_000_000.0, 30, 10)


def test_a_reboot_counts_as_no_time() -> None:
    first, cursor = Machine("a", up=5_000).tick(None)
    again = Machine("b", up=3)
    second, cursor = again.tick(cursor)
    again.up = 63
    third, _ = again.tick(cursor)

    assert (second - first, third - second) == (0, 60)


def test_two_machines_that_take_turns_both_let_time_pass() -> None:
    one, two = Machine("a", up=100), Machine("b", up=9_000)
    start, cursor = one.tick(None)
    for _ in range(10):
        one.up, two.up = one.up + 30, two.up + 30
        _, cursor = two.tick(cursor)
        one.up, two.up = one.up + 30, two.up + 30
        end, cursor = one.tick(cursor)

    assert 570 <= end - start <= 600


def test_many_boots_do_not_let_the_cursor_grow() -> None:
    cursor = None
    for number in range(20):
        _, cursor = Machine(f"boot {number}", up=number).tick(cursor)

    assert list(json.loads(cursor)["clock"]["offsets"]) == [f"boot {number}" for number in range(16, 20)]


def test_the_boot_of_this_machine_has_one_name() -> None:
    assert boot_id() == boot_id() != ""
