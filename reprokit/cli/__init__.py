"""The command line: parse, call one thing, show what it returned. Click lives here and nowhere else."""

from __future__ import annotations

import contextlib
import difflib
import importlib
import os
import signal
import sys
from typing import NoReturn

import click

import reprokit
from reprokit.cli.messages import explain_failure, say
from reprokit.errors import ExitCode

# Named here with its one line so that `--help` need not import a command to list it.
COMMANDS = {
    "init": "Make an archive, or adopt a git or DVC repository as one.",
    "capture": "Run an evaluation and keep it as a bundle.",
    "list": "List the bundles of the archive.",
    "show": "Show what a bundle holds.",
    "tag": "Give bundles tags, names and notes, or take them away.",
    "status": "Say how the archive is doing, and what is unfinished.",
    "validate": "Prove that bundles are whole: every byte, every record.",
    "audit": "Prove that the archive is whole, and that its runs could still be run.",
    "sign": "Sign bundles with a key of yours.",
    "verify": "Prove bundles, and say by whom they are signed.",
    "sync": "Finish what captures left for later: registering, mirrors, locks, what was cut short.",
    "push": "Send bundles to a DVC remote or a mirror, and check that they arrived.",
    "pull": "Get bundles from a DVC remote or a mirror, and prove them.",
    "doctor": "Say whether this machine and the archive are fit.",
    "gc": "Remove what no bundle of the archive needs any more.",
    "reproduce": "Rebuild a bundle's run, run it again, and compare.",
    "diff": "Say what differs between two bundles, and whether it matters.",
}

EPILOG = """\b
Example:
  reprokit capture -- lm_eval run --model dummy --tasks toy --output_path out --log_samples
  reprokit show latest
  reprokit reproduce latest --plan

Exit codes: 0 fine, 1 differences or findings, 2 usage; `docs/reference.md` lists the rest."""


class Commands(click.Group):
    """Commands that are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order in which one meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command."""
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"reprokit.cli.{cmd_name}_command")
        command: click.Command = module.command
        command.short_help = COMMANDS[cmd_name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called, or name the nearest."""
        near = difflib.get_close_matches(args[0], COMMANDS, n=1)
        if args[0] not in COMMANDS and near:
            ctx.fail(f"No such command '{args[0]}'. Did you mean `{near[0]}`?")
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Write the list of commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(
    cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(reprokit.__version__, prog_name="reprokit")
@click.pass_context
def commands(context: click.Context) -> None:
    """Make a model evaluation outlive the machine it ran on.

    Put `reprokit capture --` in front of the command you already use. The run comes out as a sealed bundle that anyone
    can check with sha256sum, and that can be reproduced and compared years later.
    """
    if context.invoked_subcommand not in {"audit", "capture", "reproduce", "sync", "push", "pull"}:
        # These only print: when the reader is gone, as behind `| head`, they end as any such program does.
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)


def _run() -> int:
    try:
        status = commands.main(prog_name="reprokit", standalone_mode=False)
        sys.stdout.flush()
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except (KeyboardInterrupt, click.Abort):
        say("reprokit: interrupted")
        return ExitCode.INTERRUPTED
    except BrokenPipeError:
        # The reader of our output is gone, `| head` for one: there is nobody left to tell.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 128 + 13
    except Exception as error:  # noqa: BLE001 - the one boundary that turns failures into text and an exit status
        return explain_failure(error)
    return status if isinstance(status, int) else ExitCode.FINE


def main() -> NoReturn:
    """Run the command line."""
    sys.exit(_run())
