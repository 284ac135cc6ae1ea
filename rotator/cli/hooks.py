"""`hooks test`: tell each hook of an event that is marked as a test."""

import os

from rotator.cli.context import chosen, load_config, print_json
from rotator.cli.exits import Exit
from rotator.cli.screen import show
from rotator.config.file import Config
from rotator.model.errors import ConfigError
from rotator.model.secret import SecretSpec
from rotator.wiring.environment import withhold_managing_key
from rotator.wiring.hooks import Fired, fire


def try_hooks(config_option: str | None, name: str, *, as_json: bool) -> int:
    """Start every hook once for each event that it is told of, and say what came of it; nothing else is done."""
    config = load_config(config_option)
    if not config.hooks:
        raise ConfigError("there are no hooks", next_step="Add a [[hooks]] entry: docs/consumers.md#hooks.")
    (spec, *_) = chosen(config, (name,))
    withhold_managing_key(config.pinata, os.environ)
    found = list(_fired(config, spec))
    for one in found:
        if as_json:
            row = {"hook": one.hook.name, "event": one.event, "ok": not one.problem, "problem": one.problem or None}
            print_json(row | {"last_line": one.last_line or None})
        else:
            came = one.problem or "it ended with 0"
            show([f"{one.hook.name} on {one.event}: {came}" + (f": {one.last_line}" if one.last_line else "")])
    return Exit.FAILED if any(one.problem for one in found) else Exit.OK


def _fired(config: Config, spec: SecretSpec) -> list[Fired]:
    told = {"secret": spec.name, "arn": spec.secret_id, "run_id": "", "at": "", "test": True}
    return [fire(hook, event, told) for hook in config.hooks for event in sorted(hook.on)]
