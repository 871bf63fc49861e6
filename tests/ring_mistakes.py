"""Mistakes in what rings, what is said and who is screened, one a row: see config_mistakes.py for the columns."""

from __future__ import annotations

from tests.config_mistakes import Row

RING = "{strategy: all, to: [bob], timeout: 25s}"
CALLBACK = "    callback: none\n"
AT = "campaigns.poster"
TOP = "unknown_number: {ring"


def rings(*rows: tuple[str, str, str, str]) -> list[Row]:
    """(the poster's ring, the key below it, what is wrong, the mend)."""
    return [(RING, ring, f"{AT}.ring{key}", wrong, mend) for ring, key, wrong, mend in rows]


def sections(*rows: tuple[str, str, str, str]) -> list[Row]:
    """(what else the poster says, the key below it, what is wrong, the mend)."""
    return [(CALLBACK, f"    {text}\n", f"{AT}.{key}", wrong, mend) for text, key, wrong, mend in rows]


def tops(*rows: tuple[str, str, str, str]) -> list[Row]:
    """(what else stands at the top of the file, the key, what is wrong, the mend)."""
    return [(TOP, f"{text}\n{TOP}", key, wrong, mend) for text, key, wrong, mend in rows]


RINGS = rings(
    ("{strategy: weighted, to: [alice, bob]}", "", "weights are missing", "weights: {alice: 50, bob: 50}"),
    (
        "{strategy: weighted, to: [alice, bob], weights: {bob: 1}}",
        ".weights",
        "missing for alice",
        "alice: 1 or more",
    ),
    ("{strategy: weighted, to: [bob], weights: {bob: 1, alice: 2}}", ".weights.alice", "not in ring.to", "remove"),
    ("{strategy: weighted, to: [bob], weights: {bob: 0}}", ".weights.bob", "out of bounds", "from 1 to 1000"),
    ("{strategy: weighted, to: [bob], weights: {bob: 1001}}", ".weights.bob", "out of bounds", "from 1 to 1000"),
    ("{strategy: weighted, to: [bob], weights: {bob: 70%}}", ".weights.bob", "no whole number", "from 1 to 1000"),
    ("{strategy: weighted, to: [bob], weights: {bob: 0x10}}", ".weights.bob", "no whole number", "from 1 to 1000"),
    ("{strategy: weighted, to: [bob], weights: {bob: [1]}}", ".weights.bob", "is a list", "from 1 to 1000"),
    ("{strategy: weighted, to: [bob], weights: {}}", ".weights", "is empty", "at least one"),
    ("{strategy: weighted, to: [bob], weights: [bob]}", ".weights", "is a list", "weights: {alice: 70"),
    ("{strategy: weighted, to: [bob], weights: {bobb: 1, bob: 1}}", ".weights.bobb", "no salesperson", "mean bob?"),
    ("{strategy: all, to: [bob], weights: {bob: 1}}", ".weights", "count only with strategy: weighted", "weighted"),
    ("{to: [bob], weights: {bob: 1}}", ".weights", "count only with strategy: weighted", "weighted"),
    ("{steps: [{to: [bob]}], strategy: all}", "", "both steps and strategy", "either steps or strategy"),
    ("{steps: [{to: [bob]}], to: [bob]}", "", "both steps and to", "either steps or to"),
    ("{steps: [{to: [bob]}], weights: {bob: 1}}", "", "both steps and weights", "either steps or weights"),
    ("{steps: []}", ".steps", "is empty", "at least one"),
    ("{steps: {to: [bob]}}", ".steps", "is a mapping", "steps: [{to: [alice]"),
    ("{steps: [bob]}", ".steps[0]", '"bob"', "as in the example"),
    ("{steps: [{add: [bob]}]}", ".steps", "nobody rings yet", "write to: in the first step"),
    ("{steps: [{timeout: 5s}]}", ".steps[0]", "neither to nor add", "write to:"),
    ("{steps: [{to: [bob], add: [alice]}]}", ".steps[0]", "both to and add", "write to:"),
    ("{steps: [{to: [bob]}, {add: [bob]}]}", ".steps", "add bob in step 2, who rings already", "join in"),
    ("{steps: [{to: [bob]}, {add: []}]}", ".steps[1].add", "is empty", "at least one"),
    ("{steps: [{to: [bob, bob]}]}", ".steps[0].to", "names bob 2 times", "each once"),
    ("{steps: [{to: [zoe]}]}", ".steps[0].to[0]", "no salesperson", "alice, bob"),
    ("{steps: [{to: [bob], timeout: 5}]}", ".steps[0].timeout", "no unit", "1s to 120s"),
    ("{steps: [{to: [bob], max_wait: 5s}]}", ".steps[0].max_wait", "no key", "write one of: add, timeout, to"),
    (f"{{steps: [{', '.join(['{to: [bob]}'] * 21)}]}}", ".steps", "21 steps", "at most 20"),
    ("{to: [bob], sticky: 0}", ".sticky", "no unit", "1m to 180d"),
    ("{to: [bob], sticky: 0d}", ".sticky", "out of bounds", "1m to 180d"),
    ("{to: [bob], sticky: 181d}", ".sticky", "out of bounds", "1m to 180d"),
    ("{to: [bob], sticky: no}", ".sticky", '"no" is no duration', "1m to 180d"),
)

SECTIONS = sections(
    ("accept_timeout: 2s", "accept_timeout", "out of bounds", "3s to 60s"),
    ("accept_timeout: 61s", "accept_timeout", "out of bounds", "3s to 60s"),
    ("whisper: Flyer", "whisper", '"Flyer"', 'whisper: {say: "the words"}'),
    ("whisper: {}", "whisper", "say and play are missing", "{play: sounds/flyer.wav}"),
    ("whisper: [a]", "whisper", "is a list", "whisper: {say"),
    ("whisper: {says: a}", "whisper.says", "no key", "did you mean say?"),
    ("whisper: {say: no}", "whisper.say", "false to YAML", '"no"'),
    (f"whisper: {{say: {'x' * 501}}}", "whisper.say", "501 characters", "at most 500"),
    ('whisper: {say: "a\\e[2Jb"}', "whisper.say", "control", "write"),
    ('whisper: {say: "-f /etc/passwd"}', "whisper.say", "begins with a dash", 'write "f /etc/passwd"'),
    ("whisper: {play: nowhere.wav}", "whisper.play", "there is no file /", "record it"),
    ("whisper: {play: nowhere.mp3}", "whisper.play", "no format that Asterisk plays", ".wav, .ulaw"),
    ("whisper: {play: nowhere}", "whisper.play", "no format that Asterisk plays", ".wav, .ulaw"),
    ('whisper: {play: "a,b.wav"}', "whisper.play", "holds ,", "rename"),
    ('whisper: {play: "a&b.wav"}', "whisper.play", "holds &", "rename"),
    ('whisper: {play: "${X}.wav"}', "whisper.play", "holds $", "rename"),
    ('whisper: {play: "a\\nb.wav"}', "whisper.play", "no file name", "sound file"),
    ('whisper: {play: "a\\0b.wav"}', "whisper.play", "no file name", "sound file"),
    ("whisper: {play: [a.wav]}", "whisper.play", "is a list", "sound file"),
    ("overflow: {}", "overflow", "is empty", "ring, number, announcement or voicemail"),
    ("overflow: []", "overflow", "is an empty list", "write none, or"),
    ("overflow: alice", "overflow", '"alice"', "write none, or"),
    ("closed: [2026-12-24]", "closed", "is a list", "write none, or"),
    ("overflow: {rings: {to: [bob]}}", "overflow.rings", "no key", "did you mean ring?"),
    ("closed: {rings: {to: [bob]}}", "closed.rings", "no key", "did you mean ring?"),
    ("overflow: {ring: {timeout: 10s}}", "overflow", "nobody is rung: ring.to is missing", "ring: {to: [alice"),
    ("overflow: {ring: {to: [zoe]}}", "overflow.ring.to[0]", "no salesperson", "alice, bob"),
    ("overflow: {ring: {strategy: weighted, to: [bob]}}", "overflow.ring", "weights are missing", "bob: 100"),
    ('overflow: {number: "0899 123 456"}', "overflow.number", "premium", "ordinary number"),
    ('overflow: {number: "112"}', "overflow.number", "emergency", "ordinary number"),
    ('overflow: {number: "3615"}', "overflow.number", "short", "ordinary number"),
    ("overflow: {number: +33145000000}", "overflow.number", "a number", '"+33145000000"'),
    ('overflow: {number: "0184801001"}', "overflow.number", "would ring itself", "none of ours"),
    ('closed: {number: "0184801001"}', "closed.number", "would ring itself", "none of ours"),
    ("overflow: {timeout: 10s, announcement: {say: a}}", "overflow", "a timeout and no number", "into ring:"),
    ('overflow: {number: "+33145000000", timeout: 121s}', "overflow.timeout", "out of bounds", "1s to 120s"),
    ("overflow: {announcement: closed}", "overflow.announcement", '"closed"', "announcement: {say"),
    ("overflow: {announcement: {play: x.wav}}", "overflow.announcement.play", "there is no file /", "say:"),
    ("closed: {announcement: {plya: x.wav}}", "closed.announcement.plya", "no key", "did you mean play?"),
    ("overflow: {voicemail: {}}", "overflow.voicemail", "without an announcement that says it is recorded", "say"),
    ("overflow: {voicemail: yes}", "overflow.voicemail", '"yes"', "voicemail: {announcement"),
    ("overflow: {voicemail: {announcement: {}}}", "overflow.voicemail.announcement", "says nothing", "{say"),
    (
        "overflow: {voicemail: {announcement: {say: a}, longest: 4s}}",
        "overflow.voicemail.longest",
        "out of bounds",
        "5s to 600s",
    ),
)

SCREENING = tops(
    ("screening: none", "screening", '"none"', "screening: {block"),
    ("screening: {blocks: []}", "screening.blocks", "no key", "did you mean block?"),
    ("screening: {block: []}", "screening.block", "is empty", "at least one"),
    ('screening: {block: "+3389*"}', "screening.block", '"+3389*"', "block: ["),
    ('screening: {block: ["*"]}', "screening.block[0]", "every caller", '"+3389*"'),
    ('screening: {block: ["+*"]}', "screening.block[0]", "every caller", '"+3389*"'),
    ('screening: {block: ["0899*"]}', "screening.block[0]", "no beginning of numbers", "from the plus on"),
    ('screening: {block: ["+33*99"]}', "screening.block[0]", "no beginning of numbers", "* at the end"),
    ('screening: {block: ["anonymous"]}', "screening.block[0]", "no telephone number", "ordinary number"),
    ("screening: {block: [+33899123456]}", "screening.block[0]", "a number", '"+33899123456"'),
    ('screening: {block: ["+33899123456", "0899 123 456"]}', "screening.block", "2 times", "each once"),
    ("screening: {withheld: hide}", "screening.withheld", '"hide"', "allow, challenge or block"),
    ("screening: {max_per_minute: 0}", "screening.max_per_minute", "out of bounds", "from 1 to 1000"),
    ("screening: {max_per_minute: 1001}", "screening.max_per_minute", "out of bounds", "from 1 to 1000"),
    ("screening: {max_per_minute: 6/min}", "screening.max_per_minute", "no whole number", "from 1 to 1000"),
    ("screening: {vips: {}}", "screening.vips", "is empty", "at least one"),
    ("screening: {vips: [a]}", "screening.vips", "is a list", "vips: {big-account"),
    (
        'screening: {vips: {a b: {numbers: ["+33140000009"], ring: {to: [bob]}}}}',
        "screening.vips.a b",
        "no id",
        "let",
    ),
    ("screening: {vips: {a: {ring: {to: [bob]}}}}", "screening.vips.a.numbers", "is missing", "numbers:"),
    ('screening: {vips: {a: {numbers: ["+33140000009"]}}}', "screening.vips.a.ring", "is missing", "ring: {to"),
    (
        'screening: {vips: {a: {numbers: ["+33140000009"], ring: {}}}}',
        "screening.vips.a",
        "nobody is rung",
        "ring:",
    ),
    ("screening: {vips: {a: {numbers: [], ring: {to: [bob]}}}}", "screening.vips.a.numbers", "is empty", "one"),
    (
        'screening: {vips: {a: {numbers: ["+33140000009"], ring: {to: [bob]}, x: 1}}}',
        "screening.vips.a.x",
        "no key",
        "write one of: numbers, ring",
    ),
    (
        'screening: {block: ["+3314*"], vips: {a: {numbers: ["01 40 00 00 09"], ring: {to: [bob]}}}}',
        "screening.vips.a.numbers[0]",
        "+33140000009 is blocked too (line ",
        "one of the two",
    ),
    (
        'screening: {block: ["+3314*"], vips: {a: {numbers: ["+33140*"], ring: {to: [bob]}}}}',
        "screening.vips.a.numbers[0]",
        "+33140* is blocked too",
        "one of the two",
    ),
    (
        "screening: {vips: {a: {numbers: ['+1*'], ring: {to: [bob]}}, b: {numbers: ['+1*'], ring: {to: [bob]}}}}",
        "screening.vips.b.numbers[0]",
        "belongs to a already",
        "one place",
    ),
)

SPEECH = tops(
    ("speech: espeak-ng", "speech", '"espeak-ng"', "speech: {command"),
    ("speech: {program: x}", "speech.program", "no key", "command"),
    ('speech: {command: ""}', "speech.command", "is empty", "espeak-ng"),
    (
        'speech: {command: "say {file} {text} {voice}"}',
        "speech.command",
        '"{voice}" is no placeholder',
        "{language}",
    ),
    ('speech: {command: "say {text}"}', "speech.command", "{file} is missing", "espeak-ng"),
    ('speech: {command: "say {file}"}', "speech.command", "{text} is missing", "espeak-ng"),
    ('speech: {command: "{text} {file}"}', "speech.command", "{text} is missing", "espeak-ng"),
    ('speech: {command: "{language}-say {file} {text}"}', "speech.command", "no program", "espeak-ng"),
    ('speech: {command: "say \'x {file} {text}"}', "speech.command", "a quote that does not end", "espeak-ng"),
    ('speech: {command: "say {text} | lame - {file}"}', "speech.command", "holds |, and no shell", "script"),
    ('speech: {command: "say\\n{text} {file}"}', "speech.command", "no command", "espeak-ng"),
    ("speech: {command: [say]}", "speech.command", "is a list", "espeak-ng"),
    ("pins_file: [a]", "pins_file", "is a list", "name of a file"),
    ("pins_file: nowhere/pins", "pins_file", "there is no file nowhere/pins", 'alice: "4711"'),
)
