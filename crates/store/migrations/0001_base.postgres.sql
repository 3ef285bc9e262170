-- Migration 1, PostgreSQL only: facts and documents are insert-only; `turn` is the lock that a change which met
-- another writer takes to run alone.
CREATE FUNCTION insert_only() RETURNS trigger LANGUAGE plpgsql SET search_path = '' AS
  $$ BEGIN RAISE EXCEPTION '% is insert-only', TG_TABLE_NAME; END $$;
CREATE TRIGGER facts_insert_only BEFORE UPDATE OR DELETE ON facts FOR EACH ROW EXECUTE FUNCTION insert_only();
CREATE TRIGGER facts_no_truncate BEFORE TRUNCATE ON facts FOR EACH STATEMENT EXECUTE FUNCTION insert_only();
CREATE TRIGGER documents_insert_only BEFORE UPDATE ON documents FOR EACH ROW EXECUTE FUNCTION insert_only();
CREATE TABLE turn (taken BIGINT);
