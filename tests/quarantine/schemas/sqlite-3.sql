-- The third schema.
CREATE TABLE entries (number INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, received REAL NOT NULL, state TEXT NOT NULL, digest TEXT NOT NULL, sender TEXT NOT NULL, recipients TEXT NOT NULL, client TEXT NOT NULL, helo TEXT NOT NULL, subject TEXT NOT NULL, header_from TEXT NOT NULL, code TEXT NOT NULL, text TEXT NOT NULL, score REAL NOT NULL, size INTEGER NOT NULL, sha256 TEXT NOT NULL, queue_id TEXT NOT NULL, symbols TEXT NOT NULL DEFAULT '', changed REAL NOT NULL DEFAULT 0, attempts INTEGER NOT NULL DEFAULT 0, due REAL NOT NULL DEFAULT 0, lease TEXT NOT NULL DEFAULT '', outcome TEXT NOT NULL DEFAULT '', targets TEXT NOT NULL DEFAULT '[]', files INTEGER NOT NULL DEFAULT 1, kept INTEGER NOT NULL DEFAULT 0, body TEXT NOT NULL DEFAULT '', record TEXT NOT NULL DEFAULT '');
CREATE INDEX entries_digest ON entries (digest, state, id);
CREATE INDEX entries_sha256 ON entries (sha256) WHERE files;
CREATE INDEX entries_state ON entries (state, id);
CREATE INDEX entries_code ON entries (code, state, id);
CREATE INDEX entries_score ON entries (state, score);
CREATE INDEX entries_due ON entries (due) WHERE state = 'releasing';
CREATE INDEX entries_changed ON entries (changed) WHERE files;
CREATE VIRTUAL TABLE search USING fts5(sender, recipients, subject, header_from, symbols, content='entries', content_rowid='number', tokenize='trigram', detail='column', columnsize=0);
CREATE TABLE searched (one INTEGER PRIMARY KEY CHECK (one = 1), number INTEGER NOT NULL);
INSERT INTO searched VALUES (1, (SELECT coalesce(max(number), 0) FROM entries));
CREATE TRIGGER entries_removed AFTER DELETE ON entries BEGIN INSERT INTO search (search, rowid, sender, recipients, subject, header_from, symbols) SELECT 'delete', old.number, old.sender, old.recipients, old.subject, old.header_from, old.symbols WHERE old.number <= (SELECT number FROM searched); UPDATE searched SET number = (SELECT coalesce(max(number), 0) FROM entries) WHERE number > (SELECT coalesce(max(number), 0) FROM entries); END;
CREATE TABLE litter (slot TEXT PRIMARY KEY) WITHOUT ROWID;
CREATE TABLE audit (seq INTEGER PRIMARY KEY, time REAL NOT NULL, actor TEXT NOT NULL, action TEXT NOT NULL, id TEXT NOT NULL, result TEXT NOT NULL, origin TEXT NOT NULL DEFAULT '', link TEXT NOT NULL DEFAULT '');
CREATE INDEX audit_id ON audit (id);
CREATE TABLE head (one INTEGER PRIMARY KEY CHECK (one = 1), seq INTEGER NOT NULL, link TEXT NOT NULL);
INSERT INTO head VALUES (1, 0, '');
PRAGMA user_version = 3;
