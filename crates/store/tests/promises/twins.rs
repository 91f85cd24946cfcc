//! The schema has a twin for each database, and what one refuses the other refuses by the same name.

use std::collections::BTreeSet;

use crate::books::{Books, Database};

/// What only SQLite has, and why.
const ONLY_SQLITE: [(&str, &str); 5] = [
    ("trigger events: events_are_never_replaced", REPLACED),
    ("trigger step_revisions: step_revisions_are_never_replaced", REPLACED),
    ("trigger messages: probes_end", "in PostgreSQL `answers_count` does this too"),
    ("check mailbox_days_allowance_check", TWO_COLUMNS),
    ("check mailbox_days_ceiling_check", TWO_COLUMNS),
];

/// What only PostgreSQL has, and why.
const ONLY_POSTGRES: [(&str, &str); 5] = [
    ("trigger budget_days: budget_days_are_all_kept", TRUNCATED),
    ("trigger mailbox_days: mailbox_days_are_all_kept", TRUNCATED),
    ("trigger messages: messages_are_all_kept", TRUNCATED),
    ("check mailbox_days_check", TWO_COLUMNS),
    ("check mailbox_days_check1", TWO_COLUMNS),
];

const REPLACED: &str = "INSERT OR REPLACE deletes without a word to the triggers, in SQLite alone";
const TRUNCATED: &str =
    "TRUNCATE empties without a word to the triggers on rows, in PostgreSQL alone";
const TWO_COLUMNS: &str = "PostgreSQL names a CHECK of two columns after their table";

#[tokio::test]
async fn both_databases_promise_the_same_by_the_same_names() {
    let sqlite = promises(&Books::open(Database::SqliteInMemory).await).await;
    let postgres = promises(&Books::open(Database::Postgres).await).await;
    for known in ["check an_attempt_has_its_ids", "messages UNIQUE (enrolment_id, position)"] {
        assert!(sqlite.contains(known), "{sqlite:#?}");
    }
    assert_only(&sqlite, &postgres, &ONLY_SQLITE, "SQLite");
    assert_only(&postgres, &sqlite, &ONLY_POSTGRES, "PostgreSQL");
}

#[track_caller]
fn assert_only(
    here: &BTreeSet<String>,
    there: &BTreeSet<String>,
    by_design: &[(&str, &str)],
    name: &str,
) {
    let found: BTreeSet<&str> = here.difference(there).map(String::as_str).collect();
    let meant: BTreeSet<&str> = by_design.iter().map(|(promise, _)| *promise).collect();
    assert_eq!(found, meant, "in {name} alone; found on the left, by design on the right");
}

/// A line for each column, key, constraint, index and trigger of migrated books.
async fn promises(books: &Books) -> BTreeSet<String> {
    if books.is_postgres() {
        return books.rows(POSTGRES).await.into_iter().collect();
    }
    let tables = "SELECT name, sql FROM sqlite_schema
                  WHERE type = 'table' AND name <> 'seaql_migrations'";
    let tables = books.rows(tables).await;
    let checks = tables.iter().flat_map(|table| {
        let (name, text) = table.split_once(' ').unwrap();
        checks(name, text).into_iter().map(|check| format!("check {check}"))
    });
    checks.chain(books.rows(SQLITE).await).collect()
}

/// The names of the CHECKs in a table's text, each as PostgreSQL calls it: SQLite lists none.
fn checks(table: &str, text: &str) -> Vec<String> {
    let named = |(at, check): (usize, &str)| {
        let mut before = text[..at].split_whitespace().rev();
        match (before.next(), before.next()) {
            (Some(name), Some("CONSTRAINT")) => name.to_owned(),
            _ => {
                let rest = &text[at + check.len()..];
                let column = rest.split(|c: char| c != '_' && !c.is_alphanumeric()).next().unwrap();
                format!("{table}_{column}_check")
            }
        }
    };
    text.match_indices("CHECK (").map(named).collect()
}

#[test]
fn checks_are_named_as_postgresql_names_them() {
    let text = "CREATE TABLE t (a INTEGER NOT NULL CHECK (a_b > 0),
        CONSTRAINT c_is_whole CHECK ((a = 1) = (b IS NULL)), b TEXT CHECK (b = lower(b)))";
    assert_eq!(checks("t", text), ["t_a_b_check", "c_is_whole", "t_b_check"]);
}

const SQLITE: &str = "
    WITH ours AS (SELECT type, name FROM sqlite_schema
                  WHERE type IN ('table', 'view') AND name <> 'seaql_migrations'),
    fields AS (SELECT t.name AS \"table\", c.name, c.pk, c.\"notnull\" AS filled
               FROM ours t JOIN pragma_table_info(t.name) c ORDER BY t.name, c.pk),
    indexes AS (SELECT t.name AS \"table\", i.*, group_concat(c.name, ', ') AS fields
                FROM ours t JOIN pragma_index_list(t.name) i JOIN pragma_index_info(i.name) c
                GROUP BY i.name)
    SELECT 'column ' || \"table\" || '.' || name
           || CASE WHEN filled = 1 OR pk > 0 THEN ' NOT NULL' ELSE '' END FROM fields
    UNION ALL
    SELECT \"table\" || ' PRIMARY KEY (' || group_concat(name, ', ') || ')'
    FROM fields WHERE pk > 0 GROUP BY \"table\"
    UNION ALL
    SELECT \"table\" || ' UNIQUE (' || fields || ')' FROM indexes WHERE origin = 'u'
    UNION ALL
    SELECT CASE WHEN \"unique\" THEN 'unique ' ELSE '' END || 'index ' || name || ' on ' || \"table\"
           || ' (' || fields || ')' || CASE WHEN partial THEN ' of some' ELSE '' END
    FROM indexes WHERE origin = 'c'
    UNION ALL
    SELECT t.name || ' FOREIGN KEY (' || group_concat(f.\"from\", ', ') || ') REFERENCES '
           || f.\"table\" || '(' || group_concat(f.\"to\", ', ') || ')'
    FROM ours t JOIN pragma_foreign_key_list(t.name) f GROUP BY t.name, f.id
    UNION ALL
    SELECT 'trigger ' || tbl_name || ': ' || name FROM sqlite_schema WHERE type = 'trigger'";

/// An index that stands behind a key is told as the key.
const POSTGRES: &str = "
    WITH ours AS (SELECT oid, relname AS name, relkind AS kind FROM pg_class
                  WHERE relnamespace = CAST(current_schema() AS REGNAMESPACE)
                    AND relkind IN ('r', 'v') AND relname <> 'seaql_migrations')
    SELECT 'column ' || t.name || '.' || c.attname
           || CASE WHEN c.attnotnull THEN ' NOT NULL' ELSE '' END
    FROM ours t JOIN pg_attribute c ON c.attrelid = t.oid
    WHERE c.attnum > 0 AND NOT c.attisdropped
    UNION ALL
    SELECT CASE k.contype WHEN 'c' THEN 'check ' || k.conname
                          ELSE t.name || ' ' || replace(pg_get_constraintdef(k.oid), '\"', '') END
    FROM ours t JOIN pg_constraint k ON k.conrelid = t.oid
    WHERE k.contype IN ('c', 'f', 'p', 'u')
    UNION ALL
    SELECT CASE WHEN i.indisunique THEN 'unique ' ELSE '' END || 'index ' || x.relname || ' on '
           || t.name || ' ('
           || (SELECT string_agg(c.attname, ', ' ORDER BY c.attnum) FROM pg_attribute c
               WHERE c.attrelid = i.indexrelid) || ')'
           || CASE WHEN i.indpred IS NULL THEN '' ELSE ' of some' END
    FROM ours t JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
    WHERE NOT EXISTS (SELECT 1 FROM pg_constraint k
                      WHERE k.conindid = i.indexrelid AND k.contype IN ('p', 'u'))
    UNION ALL
    SELECT 'trigger ' || t.name || ': ' || g.tgname
    FROM ours t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE NOT g.tgisinternal";
