"""Run one call: parse the arguments, return the exit code, and restore the state of the process."""

from __future__ import annotations

import logging
import os
import re
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from io import TextIOWrapper

from typer.exceptions import Abort, TyperException

from roster_etl.cli.completions import COMPLETION_VARIABLE, completed_options, register_shells
from roster_etl.cli.context import Call, OutputGone
from roster_etl.cli.errors import Failure, debug_text, failure_of
from roster_etl.cli.exit_codes import FAILED, INTERRUPTED, OK, USAGE_ERROR
from roster_etl.cli.global_options import GlobalOptions, UsageError, parse_global_options, resolve_root_options
from roster_etl.store.actor import actor_channel
from roster_etl.store.default_home import default_home
from roster_etl.store.library_logs import OWN_LOGGER, quiet_library_logs

_SIGNALS = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]

_NO_NUMBER = "Input should be a valid integer, unable to parse string as an integer"
"""What typer says of a text that is no whole number."""
_POSSIBLE_OPTIONS = re.compile(r" \(Possible options: ([^)]*)\)")
_HELP_OPTIONS = {"--help", "-h"}
_STOPPED = Failure(code="stopped", message="stopped", exit_code=INTERRUPTED)


def run(argv: list[str]) -> int:
    """Run the command in `argv`; return its exit code. Raises nothing but a KeyboardInterrupt that a caller raised itself."""
    json = "--json" in argv
    try:
        everywhere, words = parse_global_options(argv)
    except UsageError as error:
        call = Call(home=default_home(), json=json)
        return call.report_failure(failure_of(error))
    completing = COMPLETION_VARIABLE in os.environ
    if completing:
        register_shells()
        everywhere, words = completed_options(), []
    call = Call(
        home=everywhere.home or default_home(),
        home_named=everywhere.home is not None,
        json=everywhere.json,
        pager=everywhere.pager,
    )
    # The output of libraries goes to standard error: standard output is reserved for the result.
    apart = _lossy_stdout() if completing or _HELP_OPTIONS & set(words) else redirect_stdout(sys.stderr)
    with restored_process_state(), apart, actor_channel("command"):
        quiet_library_logs()
        if everywhere.debug:
            logging.getLogger(OWN_LOGGER).setLevel(logging.DEBUG)
        try:
            return _run(call, everywhere, words)
        finally:
            call.close()


def _run(call: Call, global_options: GlobalOptions, arguments: list[str]) -> int:
    if arguments in (["--version"], ["-V"]):  # without the commands, so that it is answered at once
        from roster_etl.cli.versions import version_text, versions

        return call.show_result(versions() if call.json else None, version_text())
    from roster_etl.cli.app import root_command

    try:
        result = root_command().main(
            args=resolve_root_options(arguments), prog_name="roster-etl", standalone_mode=False, obj=call
        )
    except TyperException as error:
        return call.report_failure(Failure(code="bad_words", message=_usage_message(error), exit_code=USAGE_ERROR))
    except (Abort, KeyboardInterrupt):
        return call.report_failure(_STOPPED)
    except OutputGone as error:
        call.discard_output()
        if not isinstance(error.__cause__, BrokenPipeError):  # a reader that closed the pipe has read enough
            call.log(f"roster-etl: {error.message}")
        return FAILED
    except BrokenPipeError:  # help, which a library prints
        call.discard_output()
        return FAILED
    except SystemExit as error:  # the completion of a shell's line, which a library prints
        return error.code if isinstance(error.code, int) else OK
    except Exception as error:  # noqa: BLE001 - the one place where everything ends
        if global_options.debug:
            call.log(debug_text(error))
        return call.report_failure(_STOPPED if _follows_interrupt(error) else failure_of(error))
    return result if isinstance(result, int) else 0


def _follows_interrupt(error: BaseException) -> bool:
    """Return whether `error` came while what an interrupt had stopped was cleaned up, as from a database that was about to be opened."""
    before = error.__context__
    return before is not None and (isinstance(before, KeyboardInterrupt) or _follows_interrupt(before))


@contextmanager
def _lossy_stdout() -> Iterator[None]:
    """Replace characters that standard output cannot encode by ``?``, because a library prints the help."""
    stream = sys.stdout
    if not isinstance(stream, TextIOWrapper):
        yield
        return
    before = stream.errors
    stream.reconfigure(errors="replace")
    try:
        yield
    finally:
        stream.reconfigure(errors=before)


def _usage_message(error: TyperException) -> str:
    """Return the message of a usage error."""
    text = error.format_message() if hasattr(error, "format_message") else str(error)
    text = text.replace(_NO_NUMBER, "expected a number, such as 12")
    text = _POSSIBLE_OPTIONS.sub(r" Did you mean \1?", text)
    return f"{text.strip() or 'Missing command.'}  Try --help."


@contextmanager
def restored_process_state() -> Iterator[None]:
    """Restore environment, umask, signal handlers, warnings and logging after the block, whatever was imported and run in it."""
    environment, mask = dict(os.environ), os.umask(0o077)
    main_thread = threading.current_thread() is threading.main_thread()
    handlers = {number: signal.getsignal(number) for number in _SIGNALS} if main_thread else {}
    root, own = logging.getLogger(), logging.getLogger(OWN_LOGGER)
    own_level, factory = own.level, logging.getLogRecordFactory()
    hooks = (sys.unraisablehook, threading.excepthook)
    log = (list(root.handlers), root.level, logging.root.manager.disable, list(root.filters))
    try:
        with warnings.catch_warnings():
            yield
    finally:
        os.umask(mask)
        if dict(os.environ) != environment:
            os.environ.clear()
            os.environ.update(environment)
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:
                signal.signal(number, handler)
        root.handlers[:], root.filters[:] = log[0], log[3]
        root.setLevel(log[1])
        own.setLevel(own_level)
        logging.setLogRecordFactory(factory)
        sys.unraisablehook, threading.excepthook = hooks
        logging.disable(log[2])
