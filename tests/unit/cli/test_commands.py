"""How the command line meets people: help, version, slips of the hand, completion."""

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from rotator import __version__
from rotator.cli import run
from rotator.cli.exits import Exit
from rotator.cli.surroundings import rotator


def _commands(group: click.Group, *path: str) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    yield path, group
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from _commands(command, *path, name)
        else:
            yield (*path, name), command


COMMANDS = dict(_commands(rotator))


@pytest.mark.parametrize("group", [[], ["audit"], ["config"]], ids=str)
def test_a_group_without_a_command_shows_its_help(group: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Whoever types nothing more has made no mistake."""
    assert run(group) == Exit.OK
    bare = capsys.readouterr()
    assert run([*group, "--help"]) == Exit.OK
    assert bare.out == capsys.readouterr().out
    assert bare.err == ""


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_help_fits_and_is_made_of_sentences(
    path: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """At 80 columns no line is cut or too long, a command takes one line, and each text ends with a full stop."""
    monkeypatch.setenv("COLUMNS", "80")
    assert run([*path, "--help"]) == Exit.OK
    text = capsys.readouterr().out
    assert max(map(len, text.splitlines())) <= 80
    assert "..." not in text.replace("]...", "").replace("ARGS...", "").replace("NAME...", "")
    command = COMMANDS[path]
    if isinstance(command, click.Group):
        for name, within in command.commands.items():
            (line,) = (line for line in text.splitlines() if line.split()[:1] == [name])
            assert line.endswith((within.help or "").partition("\n")[0])
            assert line.endswith(".")
    for option in command.params:
        if isinstance(option, click.Option) and not option.hidden:
            first, _, default = (option.help or "").partition(" [default:")
            assert first[0].isupper(), option.name
            assert first.endswith("."), option.name
            assert not default or default.endswith("]")


@pytest.mark.parametrize("option", ["-V", "--version"])
def test_version(option: str, capsys: pytest.CaptureFixture[str]) -> None:
    """Both spellings print the version."""
    assert run([option]) == Exit.OK
    assert capsys.readouterr().out == f"rotator, version {__version__}\n"


@pytest.mark.parametrize(
    ("written", "meant"),
    [(["staus"], "`status`"), (["audit", "verfy"], "`verify`"), (["plan", "--jsn"], "'--json'")],
    ids=str,
)
def test_a_slip_is_answered_with_what_was_meant(
    written: list[str], meant: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """A mistyped command or option is answered with the nearest one, after the one word for all errors."""
    assert run(written) == Exit.USAGE
    told = capsys.readouterr().err
    assert "\nError: " in told
    assert f"id you mean {meant}?" in told


def test_what_resembles_nothing_is_only_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """No command is offered where none is near."""
    assert run(["xyzzy"]) == Exit.USAGE
    assert 'Error: there is no command "xyzzy"\n' in capsys.readouterr().err


@pytest.mark.parametrize(
    ("shell", "options"), [("bash", ("--norc",)), ("zsh", ("--no-rcs",)), ("fish", ("--no-config",))]
)
def test_completion_scripts_load(shell: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """A shell without any set-up takes the script without a word; zsh without `compinit`, too."""
    script = subprocess.run(
        [sys.executable, "-m", "rotator", "completion", shell], capture_output=True, text=True, check=True, timeout=600
    ).stdout
    assert "_ROTATOR_COMPLETE" in script
    if shell == "zsh":
        registering = script.index("    compdef ")
        assert "autoload -Uz compinit" in script[:registering]
    found = shutil.which(shell)
    if found is None:
        pytest.skip(f"there is no {shell}")
    (tmp_path / "script").write_text(script)
    env = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin"}
    done = subprocess.run(
        [found, *options, "-c", f"source {tmp_path}/script"],
        env=env,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
