-- The second schema as it was at first: an index of texts that cannot be asked about one column.
CREATE TABLE entries (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, received REAL NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL, subject TEXT NOT NULL, header_from TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, score REAL NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, queue_id TEXT NOT NULL, symbols TEXT NOT NULL DEFAULT '', changed REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '', targets TEXT NOT NULL DEFAULT '[]', files INTEGER NOT NULL DEFAULT 1, kept INTEGER NOT NULL DEFAULT 0);
CREATE INDEX entries_digest ON entries (digest, state, id);
CREATE INDEX entries_sha256 ON entries (sha256) WHERE files;
CREATE INDEX entries_state ON entries (state, id);
CREATE INDEX entries_code ON entries (code, state, id);
CREATE INDEX entries_score ON entries (state, score);
CREATE INDEX entries_due ON entries (due) WHERE state = 'releasing';
CREATE INDEX entries_changed ON entries (changed) WHERE files;
CREATE VIRTUAL TABLE search USING fts5(sender, recipients, subject, header_from, symbols, content='entries', content_rowid='number', tokenize='trigram', detail='none', columnsize=0);
CREATE TRIGGER entries_added AFTER INSERT ON entries BEGIN INSERT INTO search (rowid, sender, recipients, subject, header_from, symbols) VALUES (new.number, new.sender, new.recipients, new.subject, new.header_from, new.symbols); END;
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN INSERT INTO search (search, rowid, sender, recipients, subject, header_from, symbols) VALUES ('delete', old.number, old.sender, old.recipients, old.subject, old.header_from, old.symbols); END;
CREATE TABLE audit (seq INTEGER PRIMARY KEY, time REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, id TEXT NOT NULL, result TEXT NOT NULL, origin TEXT NOT NULL DEFAULT '', link TEXT NOT NULL DEFAULT '');
CREATE INDEX audit_id ON audit (id);
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, link TEXT NOT NULL);
INSERT INTO head VALUES (1, 0, '');
PRAGMA user_version = 2;
