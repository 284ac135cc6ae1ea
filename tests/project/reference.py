"""Writes what is derived from declarations: config/example.toml, and docs/{configuration,reasons,commands,alerts}.md.

`python -m tests.project.reference` writes them; a test fails while one is not what the declarations say.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import click

from rotator.cli.explain import Kind, explanations
from rotator.cli.surroundings import rotator
from rotator.config.file import DEFAULT_PATH, SIZE_MAX_BYTES
from rotator.config.schema import Default, Example, Required, Setting
from rotator.config.settings import SECTIONS
from rotator.config.starter import STARTER, header, toml_text
from tests.project import alerts

ROOT = Path(__file__).parents[2]
_HEAD = f"""\
# Configuration

One TOML file: `--config PATH`, else `$ROTATOR_CONFIG`, else `{DEFAULT_PATH}`. `rotator init` writes one with a comment on every setting, and `rotator config check` reports every problem of yours at once, each with its line. An unknown key is a problem. Only its owner may be able to write the file; it has at most {SIZE_MAX_BYTES // 1024} KiB, and no secret belongs in it.

A duration is a string of weeks, days, hours, minutes and seconds, in this order: `"30d"`, `"1h30m"`, `"45s"`.

This page is written by `python -m tests.project.reference` from [`rotator/config/settings.py`](../rotator/config/settings.py); change it there.
"""  # noqa: E501 - a paragraph of a page is one line
_COLUMNS = ("Setting", "Kind", "Default", "Bounds", "What it does")
_REASONS_HEAD = """\
# Reasons, exit codes and errors

`rotator explain CODE` prints the same. `plan`, `run` and `status` show a reason for each secret; the audit trail and `--json` also name the error.

This page is written by `python -m tests.project.reference` from the code: [reasons](../rotator/model/reasons.py), [exit codes](../rotator/cli/exits.py), [errors](../rotator/model/errors.py).
"""  # noqa: E501 - as above
_COMMANDS_HEAD = """\
# Commands

`rotator COMMAND --help` prints the same. `--config FILE` stands before or after the command's name. A command takes the names of secrets as the configuration calls them; without one it takes all.

- **Output.** Results go to standard output; messages, progress and logs go to standard error. With `--json`, standard output has one JSON object per line. `NO_COLOR` is honoured. `ROTATOR_LOG_LEVEL` (`DEBUG`, `INFO`, `WARNING`, `ERROR`) and `ROTATOR_LOG_FORMAT` (`json`, `console`) set the logs.
- **Exit codes** are in [reasons.md](reasons.md#exit-codes). Of many secrets the gravest wins, in the order 4, 2, 3, 1, 0.
- **Signals.** SIGTERM and Ctrl-C end a command with 1 and one line, and the next run finishes what remains. The daemon ends with 0.
- **Lost output.** `run`, `rotate` and `daemon` go on to their end, and to their own exit code, when standard output cannot be written, for example because the disk is full. They say so once, on standard error.
- **Defects.** A defect of rotator ends the run of one secret; the other secrets go on. The message names the exception and the lines of rotator that it passed, and nothing that could hold a secret. Please report it.

This page is written by `python -m tests.project.reference` from [`rotator/cli/commands.py`](../rotator/cli/commands.py); change it there.
"""  # noqa: E501 - as above


def page() -> str:
    """Return the text of docs/configuration.md: a table for each section."""
    parts = [_HEAD]
    for section in SECTIONS:
        parts.append(f"\n## `{header(section)}`\n\n")
        if section.comment:
            parts.append(f"{_does(section)}\n\n")
        parts += [_row(_COLUMNS), _row(["---"] * len(_COLUMNS))]
        parts += map(_row, _cells(section.kind.settings, ""))
    return "".join(parts)


def reasons_page() -> str:
    """Return the text of docs/reasons.md: a table for each kind of code."""
    parts = [_REASONS_HEAD]
    for kind in Kind:
        ends = ("Exit code",) * (kind is Kind.ERROR)
        columns = (kind.value.capitalize(), "What it means", "What happens next by itself", "What you do", *ends)
        parts += [f"\n## {kind.value.capitalize()}s\n\n", _row(columns), _row(["---"] * len(columns))]
        for one in explanations().values():
            if one.kind is kind:
                row = (f"`{one.code}`", one.meaning, one.happens, one.you, *([str(one.exit_code)] * len(ends)))
                parts.append(_row(row))
    return "".join(parts)


def commands_page() -> str:
    """Return the text of docs/commands.md: the help of each command, and its options."""
    context = click.Context(rotator, info_name="rotator")
    return _COMMANDS_HEAD + "".join(_command_parts(context))


def _command_parts(context: click.Context) -> Iterator[str]:
    command = context.command
    if isinstance(command, click.Group):
        for name, within in command.commands.items():
            yield from _command_parts(click.Context(within, info_name=name, parent=context))
        return
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)[1:]])
    text = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    yield f"\n## `{usage}`\n\n{text}\n"
    records = [param.get_help_record(context) for param in command.params if isinstance(param, click.Option)]
    rows = [_row((f"`{option}`", does.replace("  [", " ["))) for option, does in filter(None, records)]
    if rows:
        yield "".join(["\n", _row(("Option", "What it does")), _row(("---", "---")), *rows])


def _cells(settings: tuple[Setting, ...], prefix: str) -> Iterator[tuple[str, ...]]:
    """Yield the cells of each setting, and below it those of the settings within."""
    for setting in settings:
        name = f"{prefix}{setting.name}"
        yield f"`{name}`", setting.kind.name, _presence(setting), setting.kind.bounds, _does(setting)
        yield from _cells(setting.kind.settings, f"{name}.")


def _presence(setting: Setting) -> str:
    shown = f"`{toml_text(setting.presence.value)}`"
    match setting.presence:
        case Default():
            return shown
        case Example():
            return f"none; for example {shown}"
        case Required(unless=""):
            return f"required; for example {shown}"
        case Required(unless=other):
            return f"required, unless `{other}` is set; for example {shown}"


def _does(setting: Setting) -> str:
    return f"{setting.comment[0].upper()}{setting.comment[1:]}. {setting.more}".rstrip()


def _row(cells: Sequence[str]) -> str:
    escaped = [cell.replace("|", r"\|") for cell in cells]
    return f"| {' | '.join(escaped)} |\n"


DERIVED = {
    ROOT / "config" / "example.toml": STARTER,
    ROOT / "docs" / "configuration.md": page(),
    ROOT / "docs" / "reasons.md": reasons_page(),
    ROOT / "docs" / "commands.md": commands_page(),
    ROOT / alerts.PAGE: alerts.page(),
}

if __name__ == "__main__":
    for path, text in DERIVED.items():
        path.write_text(text, encoding="utf-8")
