"""What was measured against what it may be, and the table that shows it."""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Bound(Enum):
    """On which side of its budget a figure has to be."""

    AT_MOST = "<="
    AT_LEAST = ">="
    BELOW = "<"


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured figure and its budget, in the same unit; `detail` is what it was made of."""

    work: str
    against: str
    measured: float
    bound: Bound
    budget: float
    unit: str
    detail: str

    @property
    def passed(self) -> bool:
        """Whether the budget is kept. What is not a number keeps none."""
        match self.bound:
            case Bound.AT_MOST:
                return self.measured <= self.budget
            case Bound.AT_LEAST:
                return self.measured >= self.budget
            case Bound.BELOW:
                return self.measured < self.budget


def table(figures: Sequence[Figure]) -> str:
    """Return a Markdown table, a line for each figure."""
    rows = [
        ("Work", "Against", "Measured", "Budget", "Verdict", "Of what"),
        *(
            (
                one.work,
                one.against,
                _number(one.measured, one.unit),
                f"{one.bound.value} {_number(one.budget, one.unit)}",
                "PASS" if one.passed else "FAIL",
                one.detail,
            )
            for one in figures
        ),
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    lines = [_line(row, widths) for row in rows]
    lines.insert(1, _line(["-" * width for width in widths], widths))
    return "\n".join(lines) + "\n"


def exit_code(figures: Sequence[Figure]) -> int:
    """Return 0 if something was measured and every budget is kept."""
    return 0 if figures and all(one.passed for one in figures) else 1


def _number(value: float, unit: str) -> str:
    text = f"{value:,.0f}" if float(value).is_integer() else f"{value:,.2f}"
    return f"{text} {unit}".rstrip()


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = (cell.ljust(width) for cell, width in zip(cells, widths, strict=True))
    return f"| {' | '.join(padded)} |"
