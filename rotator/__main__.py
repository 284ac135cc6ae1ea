"""`python -m rotator`."""

from rotator.cli import main

if __name__ == "__main__":
    main()
