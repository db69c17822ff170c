"""`python -m vidprod`: the command line."""

from vidprod.cli import main

if __name__ == "__main__":
    main()
