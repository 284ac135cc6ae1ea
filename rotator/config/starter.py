"""The text of a first configuration: what is required is set, all else is shown and explained."""

import json

from rotator.config.schema import Default, Example, Required, Setting
from rotator.config.settings import SECTIONS

_HEAD = """\
# Configuration of rotator. `rotator config check` checks it, `rotator plan` shows what it would do.
# A key behind "# " shows its default, or an example where it has none.
# Durations are written "30d", "24h", "1h30m", "45s".
# Never put a secret in this file, and let nobody except its owner write it."""
_COMMENT_COLUMN = 41


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


def _line(text: str, comment: str) -> str:
    column = _COMMENT_COLUMN if len(text) < _COMMENT_COLUMN else len(text) + 3
    return f"{text:<{column}}# {comment}" if comment else text


def _setting_line(setting: Setting) -> str:
    shown = f"{setting.name} = {toml_text(setting.presence.value)}"
    match setting.presence:
        case Required():
            return _line(shown, setting.comment)
        case Default():
            return _line(f"# {shown}", setting.comment)
        case Example():
            return _line(f"# {shown}", f"example; {setting.comment}")


def _starter() -> str:
    lines = [_HEAD]
    for section in SECTIONS:
        lines += ["", _line(header(section), section.comment), *map(_setting_line, section.kind.settings)]
    return "\n".join(lines) + "\n"


STARTER = _starter()
