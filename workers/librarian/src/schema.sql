-- Times are milliseconds since the Unix epoch; sequences are the log's.

CREATE TABLE log (
    name     TEXT NOT NULL,      -- which log it is: when its stream was created
    position INTEGER NOT NULL,   -- everything up to here is in the rows
    registry INTEGER NOT NULL DEFAULT 0   -- the same of the registry's words about archived missions
);

CREATE TABLE mission (
    n         INTEGER PRIMARY KEY,   -- in the order of the log
    tenant    TEXT NOT NULL,
    id        TEXT NOT NULL,
    name      TEXT,
    goal      TEXT NOT NULL,
    kind      TEXT NOT NULL,
    status    TEXT NOT NULL,
    usd       REAL NOT NULL DEFAULT 0,
    input     INTEGER NOT NULL DEFAULT 0,   -- tokens
    output    INTEGER NOT NULL DEFAULT 0,
    estimated INTEGER NOT NULL DEFAULT 0,
    done      INTEGER NOT NULL DEFAULT 0,   -- steps
    total     INTEGER NOT NULL DEFAULT 0,
    created   INTEGER NOT NULL,
    updated   INTEGER NOT NULL,
    events    INTEGER NOT NULL DEFAULT 0,
    last_seq  INTEGER NOT NULL,
    archived  INTEGER,                      -- since when it is not in the log any more
    imported  INTEGER NOT NULL DEFAULT 0,
    UNIQUE (tenant, id)
);
-- Not `IN`: SQLite makes a table of such a list each time the row is written.
CREATE INDEX mission_to_archive ON mission (updated) WHERE archived IS NULL AND (status = 'completed' OR status = 'failed' OR status = 'aborted');
CREATE INDEX mission_by_status ON mission (tenant, status, n);
CREATE INDEX mission_by_tenant ON mission (tenant, n);

-- The text is the mission's own: nothing is stored twice.
CREATE VIRTUAL TABLE mission_text USING fts5 (name, goal, content = 'mission', content_rowid = 'n');

CREATE TABLE step (
    mission INTEGER NOT NULL REFERENCES mission (n),
    id      TEXT NOT NULL,
    verb    TEXT NOT NULL,
    status  TEXT NOT NULL,      -- pending, assigned, completed, failed, cancelled, replaced
    agent   TEXT,
    attempt INTEGER NOT NULL DEFAULT 0,
    parent  TEXT,
    started INTEGER,
    ended   INTEGER,
    PRIMARY KEY (mission, id)
) WITHOUT ROWID;

-- Calls of models. What one cost is of its answer alone: the tries before it have rows of their own.
CREATE TABLE call (
    id        TEXT NOT NULL,
    mission   INTEGER NOT NULL REFERENCES mission (n),
    step      TEXT NOT NULL,
    attempt   INTEGER NOT NULL,
    agent     TEXT NOT NULL,
    purpose   TEXT NOT NULL,
    status    TEXT NOT NULL,     -- running, completed, failed
    provider  TEXT,              -- who answered
    model     TEXT,
    tries     INTEGER NOT NULL DEFAULT 0,   -- that gave no answer
    usd       REAL NOT NULL DEFAULT 0,
    input     INTEGER NOT NULL DEFAULT 0,   -- tokens
    output    INTEGER NOT NULL DEFAULT 0,
    estimated INTEGER NOT NULL DEFAULT 0,
    ms        INTEGER NOT NULL DEFAULT 0,
    asked     INTEGER NOT NULL,
    at        INTEGER NOT NULL,  -- when it was answered; before that, when it was asked
    PRIMARY KEY (mission, id)
) WITHOUT ROWID;

-- Tries that gave no answer.
CREATE TABLE tried (
    mission   INTEGER NOT NULL REFERENCES mission (n),
    call      TEXT NOT NULL,
    seq       INTEGER NOT NULL,
    n         INTEGER NOT NULL,  -- from 1; a call that is made again after a crash begins anew
    provider  TEXT NOT NULL,
    model     TEXT NOT NULL,
    usd       REAL NOT NULL,
    input     INTEGER NOT NULL,
    output    INTEGER NOT NULL,
    estimated INTEGER NOT NULL,
    ms        INTEGER NOT NULL,
    at        INTEGER NOT NULL,
    PRIMARY KEY (mission, call, seq)
) WITHOUT ROWID;

CREATE TABLE deliverable (
    mission    INTEGER NOT NULL REFERENCES mission (n),
    name       TEXT NOT NULL,
    size       INTEGER NOT NULL,
    sha256     TEXT NOT NULL,
    media_type TEXT NOT NULL,
    step       TEXT NOT NULL,
    PRIMARY KEY (mission, name)
) WITHOUT ROWID;

-- What could not be processed. `decider` and what follows: missions that are stuck.
CREATE TABLE dead (
    seq     INTEGER PRIMARY KEY,
    tenant  TEXT,               -- none: the subject tells no tenant
    mission TEXT,
    subject TEXT NOT NULL,
    trouble TEXT NOT NULL,      -- undecodable, disagreement, forged, missing_data, stuck
    reason  TEXT NOT NULL,
    time    INTEGER,
    decider TEXT,
    version TEXT,               -- of the worker that is stuck
    at      INTEGER             -- the sequence it was working on
);
CREATE INDEX dead_by_tenant ON dead (tenant, seq);
CREATE INDEX dead_by_mission ON dead (mission, decider);

-- Words that this version does not know: skipped by rule.
CREATE TABLE newer (
    tenant  TEXT NOT NULL,
    type    TEXT NOT NULL,
    events  INTEGER NOT NULL,
    first   INTEGER NOT NULL,   -- sequences
    last    INTEGER NOT NULL,
    PRIMARY KEY (tenant, type)
) WITHOUT ROWID;

-- Records that came, or stayed, in the log after their mission was archived: to be removed.
CREATE TABLE stray (
    seq INTEGER PRIMARY KEY
);
