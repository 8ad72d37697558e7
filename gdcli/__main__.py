"""``gd``, and ``python -m gdcli`` by the interpreter that is named."""

import sys


def main() -> None:
    """Run `gd`. Ctrl-C ends it without a word also while its modules are loaded."""
    try:
        from gdcli.cli import app

        app.main()
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    main()
