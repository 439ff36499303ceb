"""`api`: one call of any method of sms.by, raw."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from smsby_deploy.cli.context import Context
from smsby_deploy.cli.examples import examples

if TYPE_CHECKING:
    from smsby_deploy.config.declarations import ApiSettings


@click.command(
    "api",
    epilog=examples(
        "smsby-deploy api getBalance",
        "smsby-deploy api getSmsDeliveryList message_id=2604834 limit_offset=0 limit_rows=100",
        "smsby-deploy api sendQuickSMS phone=375291234567 message=привет alphaname_id=0 show_cost=1 --yes",
        "smsby-deploy api sendBulkSms --input request.json --yes",
    ),
)
@click.argument("name", metavar="METHOD")
@click.argument("pairs", metavar="[KEY=VALUE]...", nargs=-1)
@click.option(
    "--input",
    "file",
    metavar="FILE",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    help="A JSON object of parameters, `-` for stdin; KEY=VALUE wins over it.",
)
@click.option("--yes", is_flag=True, help="Call a method that sends; without it none is called.")
@click.pass_obj
def command(context: Context, name: str, pairs: tuple[str, ...], file: Path | None, yes: bool) -> int:
    """Call METHOD of sms.by once and print the JSON of its answer.

    The token is added, a method's name is taken in any case, docs/api.md lists the methods and their
    parameters. Nothing is asked twice, and nothing is recorded in the lock. If the answer of a method that
    sends is lost, whether it was sent is not known: exit 6.
    """
    from smsby_deploy.cli.session import open_send_transport, read_token
    from smsby_deploy.clock import SystemClock
    from smsby_deploy.errors import UsageError
    from smsby_deploy.output.json_documents import json_text
    from smsby_deploy.privacy import MIN_SECRET, hide_token
    from smsby_deploy.smsby.methods import check_params, find_method, unknown_params
    from smsby_deploy.smsby.raw import call_raw

    method = find_method(name)
    params = (_read_input(file) if file is not None else {}) | _read_pairs(pairs)
    if "token" in params:
        raise UsageError("the token is no parameter here", hint="it only ever comes from SMSBY_TOKEN")
    check_params(method, params)
    if method.sends_with(params) and not yes:
        raise UsageError(
            f"{method.name} sends, and that can't be undone: nothing was called",
            hint="add --yes if that is what you want",
        )
    transport = open_send_transport(api_settings(context), context.environ, SystemClock())
    token = read_token(context.environ)
    for unknown in unknown_params(method, params):
        context.note(f"note: {method.name} documents no parameter {unknown!r}; sms.by ignores such silently")
    answer = call_raw(transport, method, params)
    if answer.data is not None:
        text = json_text(answer.data)
        click.echo(hide_token(text, token) if len(token) >= MIN_SECRET else text, nl=False)
    if answer.failure is not None:
        raise answer.failure
    return 0


def api_settings(context: Context) -> ApiSettings:
    """The project's, or the defaults outside of any project."""
    from smsby_deploy.cli.session import load
    from smsby_deploy.config.declarations import ApiSettings
    from smsby_deploy.errors import UsageError

    try:
        return load(context).project.api
    except UsageError:
        if context.project or context.environ.get("SMSBY_PROJECT"):
            raise
        return ApiSettings()


def _read_pairs(pairs: tuple[str, ...]) -> dict[str, Any]:
    """Raises UsageError for what is no KEY=VALUE and for a key given twice."""
    from smsby_deploy.errors import UsageError

    found: dict[str, Any] = {}
    for place, pair in enumerate(pairs, 1):
        key, equals, value = pair.partition("=")
        if not equals or not key:
            # It may be a phone number, so it is not shown.
            raise UsageError(f"parameter {place} is no KEY=VALUE", hint="for example message_id=2604834")
        if key in found:
            raise UsageError(f"{key} is given twice")
        found[key] = value
    return found


def _read_input(file: Path) -> dict[str, Any]:
    """Raises UsageError if FILE is no JSON object."""
    import json

    from smsby_deploy.errors import UsageError
    from smsby_deploy.problems import Location

    shown = "stdin" if str(file) == "-" else str(file)
    try:
        with click.open_file(str(file), encoding="utf-8") as stream:
            found = json.load(stream)
    except json.JSONDecodeError as error:
        place = Location(shown, error.lineno, error.colno)
        raise UsageError(f"this is no JSON: {error.msg}", location=place) from None
    except OSError as error:
        raise UsageError(f"it can't be read: {error.strerror}", location=Location(shown)) from None
    except (UnicodeDecodeError, RecursionError):
        raise UsageError("this is no JSON in UTF-8", location=Location(shown)) from None
    if not isinstance(found, dict):
        raise UsageError('a JSON object is wanted: {"parameter": value, …}', location=Location(shown, 1, 1))
    return found
