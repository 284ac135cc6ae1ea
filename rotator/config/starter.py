"""The text of a first configuration: what is required is set, all else is shown and explained."""

import json
from collections.abc import Iterable, Mapping

from rotator.config.schema import Example, Required, Setting
from rotator.config.settings import SECTIONS

_HEAD = """\
# Configuration of rotator. `rotator config check` checks it, `rotator plan` shows what it would do.
# A key behind "# " shows its default, or an example where it has none.
# Durations are written "30d", "24h", "1h30m", "45s".
# Never put a secret in this file, and let only its owner write it."""
_COMMENT_COLUMN = 41


def starter_text(sections: Iterable[Setting], entry: Mapping[str, object] | None = None) -> str:
    """Write a configuration that shows every setting of some sections; a section that is an example is not set.

    `entry` has settings of the `[[secrets]]` entry that are known already.
    """
    lines = [_HEAD]
    for section in sections:
        used = not isinstance(section.presence, Example)
        lines += ["", _line(header(section), section.comment, is_set=used)]
        known = entry if entry and section.kind.holds is list else {}
        for setting in section.kind.settings:
            is_known = setting.name in known
            shown = f"{setting.name} = {toml_text(known.get(setting.name, setting.presence.value))}"
            is_example = isinstance(setting.presence, Example) and not is_known
            comment = f"example; {setting.comment}" if is_example else setting.comment
            is_set = used and (is_known or isinstance(setting.presence, Required))
            lines.append(_line(shown, comment, is_set=is_set))
    return "\n".join(lines) + "\n"


def header(section: Setting) -> str:
    """Write the header of a section: `[aws]`, or `[[secrets]]` for an array of tables."""
    return f"[[{section.name}]]" if section.kind.holds is list else f"[{section.name}]"


def toml_text(value: object) -> str:
    """Write a value as TOML, on one line."""
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{key} = {toml_text(inner)}' for key, inner in value.items())} }}"
    if isinstance(value, list):
        return f"[{', '.join(map(toml_text, value))}]"
    return json.dumps(value, ensure_ascii=False)


def _line(shown: str, comment: str, *, is_set: bool) -> str:
    text = shown if is_set else f"# {shown}"
    column = _COMMENT_COLUMN if len(text) < _COMMENT_COLUMN else len(text) + 3
    return f"{text:<{column}}# {comment}" if comment else text


STARTER = starter_text(SECTIONS)
