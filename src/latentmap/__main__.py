"""``python -m latentmap``: the command line."""

from latentmap.cli import main

if __name__ == "__main__":
    main()
