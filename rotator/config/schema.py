"""What the declaration of a setting is, and how a table of the file is read by declarations.

A `Setting` has a `Kind`, which reads its value, and a presence, which says what holds without it. A `Schema` is the
settings of one table and what they build. Reading does not stop at a mistake: a problem is noted, and the rest is read
with a value that fits.

Named tuples, because every command makes these at start, and a dataclass takes seven times as long to make.
"""

from collections.abc import Callable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from rotator.config.problems import Node
from rotator.config.values import UnfitError, described, nearest

T = TypeVar("T")


class Kind(NamedTuple):
    """How a value is read, and how people are told what fits."""

    name: str
    """Such as "a duration"."""
    bounds: str
    """Which of them fit; empty if the name says it all."""
    holds: type
    """What the TOML parser makes of such a value."""
    parse: Callable[[Any, Node], object]
    """Returns what such a value means, or raises `UnfitError`; what is within is noted at the node."""
    expected: str = ""
    """What messages say instead of the name."""
    settings: "tuple[Setting, ...]" = ()
    """Those within, if it is a table or an array of tables."""

    def read(self, node: Node) -> object | None:
        """Return what a value means; note a problem and return None if it does not fit."""
        reason = ""
        if isinstance(node.value, self.holds):
            try:
                return self.parse(node.value, node)
            except UnfitError as error:
                reason = str(error)
        node.note(reason or f"expected {self.expected or self.name}, found {described(node.value)}")
        return None


class Default(NamedTuple):
    """Without the setting, this is read as if it were in the file."""

    value: object


class Example(NamedTuple):
    """Without the setting, its field has the default of the dataclass."""

    value: object


class Required(NamedTuple):
    """The setting must be set, unless another one is; the value is an example."""

    value: object
    stand_in: object
    """What its field has while it is missing, so that the rest can be checked."""
    missing: str = ""
    """The problem if it is missing; if empty, one that names the kind."""
    unless: str = ""


class Setting(NamedTuple):
    """One key of a table, declared."""

    name: str
    kind: Kind
    presence: Default | Example | Required
    comment: str
    """What it does, in a few words for the starter file."""
    more: str = ""
    """Sentences that only the reference page adds."""
    field: str = ""
    """The field that it sets, if that has another name."""

    @property
    def target(self) -> str:
        """The field that it sets."""
        return self.field or self.name


class Schema(NamedTuple, Generic[T]):
    """The settings of one table, what they build, and the rule between them."""

    build: Callable[..., T]
    settings: tuple[Setting, ...]
    check: Callable[[T, Node], None] | None = None

    def read(self, table: Node, inherited: Mapping[str, object]) -> T:
        """Return what a table comes to, on top of the fields that it inherits; note every problem."""
        fields = {**self._stand_ins(table, inherited), **inherited}
        for setting in self.settings:
            value = setting.kind.read(table.at(setting.name)) if table.has(setting.name) else None
            if value is None and isinstance(setting.presence, Default) and setting.target not in fields:
                value = setting.kind.read(table.at(setting.name)._replace(value=setting.presence.value))
            if value is not None:
                fields[setting.target] = value
        self._refuse_unknown(table)
        built = self.build(**fields)
        if self.check:
            self.check(built, table)
        return built

    def _stand_ins(self, table: Node, inherited: Mapping[str, object]) -> dict[str, object]:
        """Return what stands for required settings, and note those that are missing."""
        found: dict[str, object] = {}
        for setting in self.settings:
            presence = setting.presence
            if not isinstance(presence, Required) or setting.target in inherited:
                continue
            found[setting.target] = presence.stand_in
            if not (table.has(setting.name) or table.has(presence.unless)):
                alternative = f"; or set `{presence.unless}`" if presence.unless else ""
                missing = f"is missing; expected {setting.kind.name}{alternative}"
                table.at(setting.name).note(presence.missing or missing)
        return found

    def _refuse_unknown(self, table: Node) -> None:
        known = [setting.name for setting in self.settings]
        for key in table.value if isinstance(table.value, dict) else ():
            if key not in known and not table.at(key).is_faulty():
                near = nearest(key, known) or f"known here: {', '.join(sorted(known))}"
                table.at(key).note(f"unknown key; {near}")
