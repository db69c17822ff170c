"""A client of a vidprod server."""
