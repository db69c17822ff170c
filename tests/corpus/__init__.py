"""Awkward video files, made with PyAV alone, and what a correct reader must find in each of them.

`CASES` is the table; each `Case` makes one file and says what is in it. The files are tiny and their pictures and sounds
are computed (`pictures`, `sound`), so tests can check content and not only counts.
"""
