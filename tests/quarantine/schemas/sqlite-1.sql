-- The ledger's tables as the first schema made them.
CREATE TABLE entries (id TEXT PRIMARY KEY, received REAL NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL, subject TEXT NOT NULL, header_from TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, score REAL NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, queue_id TEXT NOT NULL) WITHOUT ROWID;
CREATE INDEX entries_digest ON entries (digest, state, id);
CREATE INDEX entries_sha256 ON entries (sha256, state);
CREATE INDEX entries_state ON entries (state, id);
CREATE TABLE audit (seq INTEGER PRIMARY KEY, time REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, id TEXT NOT NULL, result TEXT NOT NULL);
CREATE INDEX audit_id ON audit (id);
PRAGMA user_version = 1;
