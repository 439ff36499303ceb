"""`api`: one raw call of any sms.by method."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from smsby_deploy.cli.clients import AccountAccess
from smsby_deploy.cli.options import Context, NamedPath, examples, yes_option
from smsby_deploy.cli.session import load_api_settings
from smsby_deploy.errors import UsageError
from smsby_deploy.exit_codes import ExitCode
from smsby_deploy.output.terminal import output_of, write_text
from smsby_deploy.privacy import MIN_SECRET, hide_token
from smsby_deploy.problems import Location


@click.command(
    "api",
    epilog=examples(
        "smsby-deploy api getBalance",
        "smsby-deploy api getSmsDeliveryList message_id=2604834 limit_rows=100",
        "smsby-deploy api sendQuickSMS phone=375291234567 message=привет \\\n    alphaname_id=0 --yes",
        "smsby-deploy api sendBulkSms --input request.json --yes",
    ),
)
@click.argument("name", metavar="METHOD")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--input",
    "file",
    metavar="FILE",
    type=NamedPath(dir_okay=False, allow_dash=True),
    help="Read parameters from a JSON object, `-` for stdin; KEY=VALUE arguments take precedence.",
)
@yes_option("Required for a method that sends.")
@click.pass_obj
def command(context: Context, name: str, pairs: tuple[str, ...], file: Path | None, yes: bool) -> ExitCode:
    """Call METHOD of sms.by once and print its answer as JSON.

    The token is added. METHOD may be written in any case; docs/api.md lists the methods and their parameters. Nothing is
    retried, and the call is not recorded in the lock. If the answer of a method that sends is lost, its outcome is
    unknown: exit 6.
    """
    from smsby_deploy.smsby.methods import check_params, complete_params, find_method, unknown_params
    from smsby_deploy.smsby.send_client import call_raw

    method = find_method(name)
    params = (_read_input(file) if file is not None else {}) | _read_pairs(pairs)
    if "token" in params:
        raise UsageError(
            "the token cannot be passed as a parameter",
            hint="set SMSBY_TOKEN, or the variable that `token_env` of the environment names",
        )
    check_params(method, params)
    params = complete_params(method, params)
    if method.sends_with(params) and not yes:
        raise UsageError(
            f"{method.name} sends, which cannot be undone; nothing was called", hint="add --yes to call it"
        )
    account = AccountAccess(load_api_settings(context), context.environ)
    transport = account.open_send_transport()
    for unknown in unknown_params(method, params):
        context.note(
            f"note: {method.name} has no documented parameter {unknown!r}; sms.by ignores it silently"
        )
    answer = call_raw(transport, method, params)
    code = ExitCode.DONE if answer.failure is None else answer.failure.exit_code
    result = f"sms.by answered; do not repeat {method.name}" if method.sends_with(params) else ""
    with output_of(code, result):
        _print_answer(answer.data, account.token())
    if answer.failure is not None:
        raise answer.failure
    return ExitCode.DONE


def _print_answer(data: Any, token: str) -> None:
    from smsby_deploy.output.json_documents import json_text

    if data is not None:
        text = json_text(data)
        write_text(hide_token(text, token) if len(token) >= MIN_SECRET else text, sys.stdout)


def _read_pairs(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Raises UsageError for an argument that is not KEY=VALUE and for a repeated key."""
    params: dict[str, Any] = {}
    for position, pair in enumerate(pairs, 1):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            # Do not show the argument: it may be a phone number.
            raise UsageError(
                f"argument {position} is not of the form KEY=VALUE", hint="for example message_id=2604834"
            )
        if key in params:
            raise UsageError(f"duplicate parameter {key}")
        params[key] = value
    return params


def _read_input(file: Path) -> dict[str, Any]:
    """Raises UsageError if FILE does not contain a JSON object."""
    import json

    name = "stdin" if str(file) == "-" else str(file)
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            params = json.loads(stream.read().removeprefix("\ufeff"))  # written by editors on Windows
    except json.JSONDecodeError as error:
        place = Location(name, error.lineno, error.colno)
        raise UsageError(
            f"not valid JSON: {error.msg.removesuffix(' starting at').removesuffix(' at')}", location=place
        ) from None
    except OSError as error:
        raise UsageError(f"cannot read the file: {error.strerror}", location=Location(name)) from None
    except (UnicodeDecodeError, RecursionError):
        raise UsageError("not valid JSON in UTF-8", location=Location(name)) from None
    if not isinstance(params, dict):
        raise UsageError('expected a JSON object: {"parameter": value, …}', location=Location(name, 1, 1))
    return params
