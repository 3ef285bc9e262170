-- Migration 2, SQLite only: a number that comes again after its row is gone does no harm here, and without AUTOINCREMENT no
-- change writes the page of `sqlite_sequence`.
CREATE TABLE pending_now (
  n INTEGER NOT NULL PRIMARY KEY,
  id BLOB NOT NULL,
  node BLOB NOT NULL,
  bytes BLOB NOT NULL
) STRICT;
INSERT INTO pending_now (n, id, node, bytes) SELECT n, id, node, bytes FROM pending;
DROP TABLE pending;
ALTER TABLE pending_now RENAME TO pending;
CREATE UNIQUE INDEX pending_id ON pending (id);
