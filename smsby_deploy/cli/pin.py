"""`pin`: the digest of a list, written into its campaign. Offline."""

from __future__ import annotations

import click

from smsby_deploy.cli.options import Context, examples
from smsby_deploy.cli.session import load, refuse_damaged_lock
from smsby_deploy.exit_codes import ExitCode


@click.command(
    "pin",
    epilog=examples(
        "smsby-deploy pin", "smsby-deploy pin lists/vip.csv", "smsby-deploy pin spring-sale.yaml"
    ),
)
@click.argument("path", required=False)
@click.pass_obj
def command(context: Context, path: str | None) -> ExitCode:
    """Write the digests of lists into the campaigns that use them, as `sha256`.

    PATH is a list or a campaign file, relative to the project; without it, the digests of all pinned lists are updated.
    Comments and layout are kept. A list that differs from its pin is refused, so a new list is reviewed like a text.
    Lists that are not in the project are looked for in the folder that `lists_dir_env` names. Works offline.
    """
    from smsby_deploy.recipients.pins import pin_lists

    loaded = load(context)
    refuse_damaged_lock(loaded.project)
    changed = pin_lists(loaded, path)
    for one in changed:
        if one.is_written:
            context.note(f"{one.place}: pinned {one.name} to {one.sha256[:12]}", "pinned")
        else:
            context.warn(
                f"{one.place}: cannot be rewritten; write sha256: {one.sha256} manually", "not_pinned"
            )
    if not changed:
        context.note("all digests are up to date")
    return ExitCode.DONE if all(one.is_written for one in changed) else ExitCode.FAILED
