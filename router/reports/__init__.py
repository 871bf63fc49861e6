"""What the calls were worth: rows out of SQL, and their way to a table, JSON or CSV.

Every report covers a `Period` of whole days in the company's time zone, and counts a call in the period in which
it began. The words, the same in every report:

calls         every call but the blocked ones: answered + missed + in progress
answered      a human accepted it (outcome `answered`)
missed        it ended otherwise: every outcome but `answered` and `blocked`
in progress   it has no outcome yet: neither answered nor missed
blocked       outcome `blocked`, counted apart and part of no other figure
missed rate   missed / (answered + missed); none where both are 0
"""
