"""`rotator`, and `python -m rotator`: signals are held first, because the imports of the rest take a while."""

from rotator.wiring.process import hold_signals


def main() -> None:
    """Run the command line and end the process with its exit code."""
    hold_signals()
    from rotator.cli import main as run  # noqa: PLC0415 - a signal that comes meanwhile is not lost

    run()


if __name__ == "__main__":
    main()
