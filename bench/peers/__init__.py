"""Programs to compare with: each routes by a table of its own and writes nothing down."""
