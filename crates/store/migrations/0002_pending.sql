-- Migration 2: a pending entry lives for milliseconds, so it pays for no index but the one that keeps it unique.
DROP INDEX pending_node;
