"""``python -m salamandre`` is the command ``salamandre``."""

from salamandre.cli import main

if __name__ == "__main__":
    main()
