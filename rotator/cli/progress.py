"""Progress for a person at a terminal; results go to standard output."""

import sys
from contextlib import nullcontext

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeElapsedColumn

from rotator.audit.progress import Progress as Verified
from rotator.model.events import Done, Event, Result

_MARKS = {Result.SUCCESS: "[green]✓[/]", Result.FAILURE: "[red]✗[/]", Result.UNKNOWN: "[yellow]?[/]"}


class ActionLines:
    """One line for each call that changed or proved something."""

    def __init__(self) -> None:
        self.display = nullcontext()  # nothing is left on the screen to clear
        self._console = Console(stderr=True, highlight=False)

    def listen(self, _secret: str, event: Event) -> None:
        """Print a call's result."""
        if isinstance(event, Done):
            about = event.subject.key_id or event.subject.version_id
            line = f"  {_MARKS[event.result]} {event.operation.done}"
            self._console.print(line, f"[dim]{about}[/]", style=None)
            if event.detail:
                self._console.print(f"      {event.detail}", markup=False, style="dim")

    def print(self, line: str) -> None:
        """Print a result: there is nothing to draw it above."""
        click.echo(line)

    def advance(self) -> None:
        """One secret has no bar."""


class Bar:
    """A bar over many secrets; where it shares the terminal with the results, it prints them, above itself."""

    def __init__(self, count: int, doing: str = "reconciling") -> None:
        self._is_shared = sys.stdout.isatty()
        self.display = Progress(
            TextColumn(doing),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=not self._is_shared, highlight=False, emoji=False),
            transient=True,
        )
        self._task = self.display.add_task("", total=count)

    def listen(self, secret: str, event: Event) -> None:
        """Show which secret is being worked on."""
        if isinstance(event, Done):
            self.display.update(self._task, description=f"{secret}: {event.operation.done}")

    def print(self, line: str) -> None:
        """Print a result."""
        if self._is_shared:
            self.display.console.print(line, markup=False, soft_wrap=True)
        else:
            click.echo(line)

    def advance(self) -> None:
        """One more secret is done."""
        self.display.advance(self._task)


class VerifyingBar:
    """A bar over the bytes of a trail that is verified; while their number is unknown, it only shows that it works."""

    def __init__(self) -> None:
        self.display = Progress(
            TextColumn("verifying"),
            BarColumn(),
            TaskProgressColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.description}", markup=False),
            console=Console(stderr=True, highlight=False, emoji=False),
            transient=True,
        )
        self._task = self.display.add_task("", total=None)

    def show(self, verified: Verified) -> None:
        """Show how far a directory was verified."""
        of_size = verified.of_size if verified.files < verified.of_files else None
        told = f"{verified.files} of {verified.of_files} files"
        self.display.update(self._task, completed=verified.size, total=of_size, description=told)
