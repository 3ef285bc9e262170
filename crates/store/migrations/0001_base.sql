-- Migration 1: the whole first schema. One text for both engines; only the words in braces differ
-- (see src/schema.rs). Times are microseconds since 1970-01-01T00:00:00Z; an open end is 9223372036854775807.
CREATE TABLE facts (
  id {blob} NOT NULL PRIMARY KEY,
  origin {text} NOT NULL,
  seq BIGINT NOT NULL,
  kind {text} NOT NULL,
  subject {blob} NOT NULL,
  body {text} NOT NULL,
  digest {blob} NOT NULL,
  actor {text} NOT NULL,
  reason {text},
  valid_from BIGINT NOT NULL,
  valid_to BIGINT,
  hlc BIGINT NOT NULL,
  change {blob} NOT NULL
){table};
CREATE UNIQUE INDEX facts_origin ON facts (origin, seq);
CREATE INDEX facts_subject ON facts (subject, hlc);

CREATE TABLE origins (
  region {text} NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL,
  hlc BIGINT NOT NULL
){table};

CREATE TABLE outbox (
  pos {serial},
  xid BIGINT NOT NULL DEFAULT {xid},
  fact {blob} REFERENCES facts (id),
  event {blob},
  kind {text},
  body {text},
  change {blob} NOT NULL,
  at BIGINT NOT NULL
){table};
CREATE INDEX outbox_cursor ON outbox (xid, pos);
CREATE UNIQUE INDEX outbox_fact ON outbox (fact);

CREATE TABLE fold_views (
  id BIGINT NOT NULL PRIMARY KEY,
  name {text} NOT NULL,
  version BIGINT NOT NULL,
  live BIGINT NOT NULL
){table};

CREATE TABLE view_rows (
  view_id BIGINT NOT NULL,
  aggregate {text} NOT NULL,
  n BIGINT NOT NULL,
  row_id {text} NOT NULL,
  valid_from BIGINT NOT NULL,
  valid_to BIGINT NOT NULL,
  known_from BIGINT NOT NULL,
  known_to BIGINT NOT NULL,
  body {text} NOT NULL,
  PRIMARY KEY (view_id, aggregate, n)
){keyed};

CREATE TABLE view_lookups (
  view_id BIGINT NOT NULL,
  name {text} NOT NULL,
  value {text} NOT NULL,
  aggregate {text} NOT NULL,
  n BIGINT NOT NULL,
  PRIMARY KEY (view_id, name, value, aggregate, n)
){keyed};
CREATE INDEX view_lookups_aggregate ON view_lookups (view_id, aggregate);

CREATE TABLE aggregate_facts (
  view_id BIGINT NOT NULL,
  aggregate {text} NOT NULL,
  fact {blob} NOT NULL REFERENCES facts (id),
  PRIMARY KEY (view_id, aggregate, fact)
){keyed};

CREATE TABLE records (
  class {text} NOT NULL,
  key {blob} NOT NULL,
  value {blob} NOT NULL,
  revision BIGINT NOT NULL,
  expires BIGINT,
  PRIMARY KEY (class, key)
){keyed};
CREATE INDEX records_expires ON records (expires) WHERE expires IS NOT NULL;

CREATE TABLE sealed (
  subject {blob} NOT NULL,
  name {text} NOT NULL,
  ciphertext {blob} NOT NULL,
  PRIMARY KEY (subject, name)
){keyed};

CREATE TABLE subject_keys (
  subject {blob} NOT NULL PRIMARY KEY,
  wrapped {blob},
  destroyed BIGINT
){keyed};

CREATE TABLE documents (
  digest {blob} NOT NULL PRIMARY KEY,
  bytes {blob} NOT NULL
){table};

CREATE TABLE pending (
  n {serial},
  id {blob} NOT NULL,
  node {blob} NOT NULL,
  bytes {blob} NOT NULL
){table};
CREATE UNIQUE INDEX pending_id ON pending (id);
CREATE INDEX pending_node ON pending (node, n);

CREATE TABLE checkpoints (
  node {blob} NOT NULL PRIMARY KEY,
  size BIGINT NOT NULL,
  note {blob} NOT NULL,
  at BIGINT NOT NULL
){keyed};
