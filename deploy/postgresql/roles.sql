-- Roles for the ledger of held mail in PostgreSQL, each with what it needs and no more.
--
--   createdb -O filterd_owner filterd
--   filterd quarantine list --config OWNER.toml        with a `url` of filterd_owner: makes the tables
--   psql -d filterd -f deploy/postgresql/roles.sql     as filterd_owner, who may create roles, or as a superuser
--
-- Then give each login its role: CREATE USER mx1 IN ROLE filterd_milter, and name it in `[quarantine] url`.
--
--   filterd_milter    `[quarantine] url` of the daemon. Adds entries, audit rows and messages; reads no entry, changes
--                     and removes nothing, but for what it counts for DMARC reports.
--   filterd_reviewer  `[quarantine] url` of those who look, release, delete and restore. Removes no row, changes no
--                     audit row: to delete is a state, and undone by `restore`.
--   filterd_purge     Removes entries by their ids, and messages that none needs. Reads no subject, no text, no symbol.
--                     It sees names of objects: give it a key of the object store that may delete and not get. `filterd
--                     quarantine purge ADDRESS` lists what it finds, and so needs filterd_upkeep.
--   filterd_upkeep    `[quarantine] upkeep_url`: releases what is due, expires, sweeps, sends digests. Both of the
--                     above, and the tables of who was told what. DMARC reports are sent as this one.
--
-- All append to the audit, whose chain's head they lock and move: a row put in front of the head breaks the chain, and
-- `filterd quarantine audit verify` says where. The version's table is read by all. This file may be run again.

\set ON_ERROR_STOP on
BEGIN;

DO $$
DECLARE role text;
BEGIN
    FOREACH role IN ARRAY ARRAY['filterd_milter', 'filterd_reviewer', 'filterd_purge', 'filterd_upkeep'] LOOP
        IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = role) THEN
            EXECUTE format('CREATE ROLE %I NOLOGIN', role);
        END IF;
    END LOOP;
END $$;

REVOKE ALL ON entries, audit, head, blobs, litter, ledger_version, digest_rounds, digests, tokens,
    dmarc_days, dmarc_rows, dmarc_reports
    FROM PUBLIC, filterd_milter, filterd_reviewer, filterd_purge, filterd_upkeep;

GRANT SELECT ON ledger_version TO filterd_milter, filterd_reviewer, filterd_purge;
GRANT SELECT, UPDATE (seq, link) ON head TO filterd_milter, filterd_reviewer, filterd_purge;
GRANT INSERT ON audit TO filterd_milter, filterd_reviewer, filterd_purge;

-- A message that is there already is not stored again: that is all the milter reads.
GRANT INSERT ON entries TO filterd_milter;
GRANT SELECT, INSERT ON blobs TO filterd_milter;
-- A token of a release is used once: who cannot add its row was not the first.
GRANT INSERT ON tokens TO filterd_milter;

GRANT SELECT ON entries, audit, blobs TO filterd_reviewer;
GRANT UPDATE (state, changed, attempts, due, lease, outcome, targets, kept) ON entries TO filterd_reviewer;

GRANT SELECT (id, received, state, digest, sender, recipients, size, sha256, changed, files, kept), DELETE
    ON entries TO filterd_purge;
GRANT UPDATE (files) ON entries TO filterd_purge;
GRANT SELECT, DELETE ON blobs TO filterd_purge;
GRANT SELECT, INSERT, DELETE ON litter TO filterd_purge;

GRANT filterd_reviewer, filterd_purge TO filterd_upkeep;
-- Tells people what is held, and forgets old tokens.
GRANT SELECT, INSERT, UPDATE, DELETE ON digest_rounds, digests TO filterd_upkeep;
GRANT SELECT, DELETE ON tokens TO filterd_upkeep;

-- What DMARC found, by day and domain (`[dmarc_reports]`): the daemon counts, who sends reports reads and forgets.
GRANT SELECT, INSERT, UPDATE ON dmarc_days, dmarc_rows TO filterd_milter;
GRANT SELECT, DELETE ON dmarc_days, dmarc_rows TO filterd_upkeep;
GRANT SELECT, INSERT, UPDATE, DELETE ON dmarc_reports TO filterd_upkeep;

COMMIT;
