"""What is kept: SQLite, plain tables that other programs may read.

database     opening: made, migrated, checked; faults says what is wrong and what mends it
schema       the tables of each version; migrations applies them
writer       the one thread that writes while the router runs; spool is what it falls back on
operations   what the router asks to be written; rows turns each into SQL
tasks        what calls do to callbacks; callbacks is what people do to them, task_rows their rows
queries      rows for listings and for recovery after a restart; reveals records who was shown numbers
fallback     what the second and third line leave behind; fallback_import takes it in, fallback_file reads it
backup       a consistent copy of a live database
ids, times, pseudonym   how the columns are spelt

Nothing is imported here: the AGI script pays for each module it loads.
"""
